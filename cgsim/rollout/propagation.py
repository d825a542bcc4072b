"""The systems of a roll-out of a propagator: those of one size take a step together."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from cgsim.hardware.threads import cpu_threads
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.propagator import Propagator
from cgsim.rollout.batches import histories


class StepRandomness:
    """Random numbers of a roll-out: a generator for every step, which its number gives.

    To go on exactly, it is enough to know how many steps were taken.

    Parameters
    ----------
    seed
        Of all of them.
    """

    def __init__(self, seed: int) -> None:
        self._sequence = np.random.SeedSequence(seed)
        self._seeds = self._sequence.generate_state(1)
        self._step = 0

    def next(self) -> np.random.Generator:
        """The generator of the next step."""
        if self._step >= len(self._seeds):  # longer ones begin like shorter ones
            self._seeds = self._sequence.generate_state(2 * self._step)
        self._step += 1
        return np.random.default_rng(int(self._seeds[self._step - 1]))

    def get_state(self) -> Tensor:
        """Steps taken."""
        return torch.tensor([self._step])

    def set_state(self, state: Tensor) -> None:
        """Go on after so many steps."""
        self._step = int(state[0])
        self._seeds = self._sequence.generate_state(max(1, self._step))


class Propagation:
    """All systems of a roll-out of a propagator; what `Batches` are to a simulator.

    Parameters
    ----------
    propagator
        What steps. Systems of one size are one call, in the order in which the sizes appear.
    systems
        A history of frames for each (see `cgsim.rollout.starts.choose_starts`).
    seed
        Of all randomness.

    Attributes
    ----------
    pos : [n, k, 3]
        The k last frames of all beads, nm.

    Raises
    ------
    ValueError
        If a molecule has another number of beads than the propagator is for.
    """

    most_edges = sys.maxsize  # there are none to bound
    n_edges = None
    stepper = "propagator"
    path: ClassVar[dict[str, int | str]] = {"stepper": stepper, "most_edges": most_edges}

    def __init__(
        self, propagator: Propagator, systems: Sequence[MappedTrajectory], *, seed: int
    ) -> None:
        for system in systems:
            if propagator.n_beads not in (None, system.n_beads):
                raise ValueError(
                    f"{system.name}: {system.n_beads} beads, but the propagator was fitted to "
                    f"molecules of {propagator.n_beads}"
                )
        self.propagator, self.generator = propagator, StepRandomness(seed)
        self.pos = histories(systems)
        ends = np.cumsum([system.n_beads for system in systems])
        rows: dict[int, list[np.ndarray]] = {}
        for system, end in zip(systems, ends, strict=True):
            rows.setdefault(system.n_beads, []).append(np.arange(end - system.n_beads, end))
        self._groups = [np.stack(same) for same in rows.values()]

    @property
    def step_bytes(self) -> float:
        """Memory that a step takes: some copies of the history."""
        return 8.0 * self.pos.nbytes

    def prepare(self, n_steps: int, *, before: str | None) -> AbstractContextManager[None]:
        """As many CPU threads as are fastest."""
        return cpu_threads(len(self.pos))

    def step(self) -> Tensor:
        """Take a time step of all systems and return `pos` after it.

        Raises
        ------
        ValueError
            If the propagator returns something else than a frame.
        """
        random, pos = self.generator.next(), self.pos.numpy()
        frame = np.empty_like(pos[:, 0])
        with np.errstate(over="ignore", invalid="ignore"):  # the guard sees to what explodes
            for beads in self._groups:
                moved = self.propagator.step(pos[beads], random)
                if np.shape(moved) != (*beads.shape, 3):
                    raise ValueError(
                        f"{type(self.propagator).__name__}.step returned {np.shape(moved)} for "
                        f"{len(beads)} systems; next frames are [n_systems, n_beads, 3], here "
                        f"{(*beads.shape, 3)}"
                    )
                frame[beads] = moved
        self.pos = torch.as_tensor(np.concatenate([pos[:, 1:], frame[:, None]], axis=1))
        return self.pos

    @property
    def by_slots(self) -> bool:
        """See `cgsim.rollout.guard.Moving`: never."""
        return False

    def exactly(self) -> AbstractContextManager[None]:
        """See `cgsim.rollout.guard.Moving`: always."""
        return nullcontext()

    def add_slots(self) -> None:
        """See `cgsim.rollout.guard.Moving`: there are none."""

    def put(self, pos: Tensor) -> None:
        """Go on from other positions [n, k, 3]."""
        self.pos = pos

"""The systems of a roll-out in batches that fit into memory; all of them take every step."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from cgsim.hardware import devices
from cgsim.hardware.memory import release_memory, until_it_fits
from cgsim.hardware.threads import TORCH, MeasuredThreads, at_most_threads
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.nn.graph.neighbours import COMPLETE_LIMIT
from cgsim.nn.native.kernels import KERNELS, is_built
from cgsim.nn.native.sources import SOURCES
from cgsim.rollout.compiled import CompiledStepper, EagerStepper, Stepper, choose_stepper
from cgsim.rollout.estimate import step_bytes
from cgsim.rollout.slots import Slots, without_unused_slots
from cgsim.rollout.starts import start_batch

STEPPERS = (EagerStepper.name, CompiledStepper.name)

T = TypeVar("T")


class Batches:
    """All systems of a roll-out, in batches that step one after the other.

    A step needs memory for one batch; what lasts from step to step is small. The batches of a step
    draw from one stream of random numbers in turn: what a system does depends on the seed, on all
    systems, and on where one batch ends and the next begins, which follows from ``most_edges``.

    When memory runs out in a step, it is taken again from where it began, in batches of half the
    size, and so are all later ones; a warning says so.

    Parameters
    ----------
    simulator
        What steps.
    systems
        A history of frames for each (see `cgsim.rollout.starts.choose_starts`).
    generator
        Source of all randomness.
    most_edges
        Edges of a batch of more than one system (see `cgsim.hardware.memory.fitting_edges`).

    Attributes
    ----------
    pos : [n, k, 3]
        The k last frames of all beads, nm.
    most_edges
        Less than was asked for, once memory has run out.
    stepper
        Name of the stepper: a restart must go on with the same.
    """

    def __init__(
        self,
        simulator: Simulator,
        systems: Sequence[MappedTrajectory],
        *,
        generator: torch.Generator,
        most_edges: int,
    ) -> None:
        self.simulator, self.systems, self.generator = simulator, systems, generator
        self.most_edges = most_edges
        self.pos = histories(systems).to(generator.device)
        self._n_edges = np.array([count_edges(simulator, system) for system in systems])
        self.stepper, self._n_steps = EagerStepper.name, 0
        self._states: list[State] = []
        self._steppers: list[Stepper] = []
        self._threads = MeasuredThreads(1, label="roll-out")
        self._slots = Slots(simulator)

    @property
    def path(self) -> dict[str, int | str]:
        """What else the numbers of a step depend on, in their last digits."""
        messages = f"kernels {SOURCES}" if is_built() else "operations"
        return {"stepper": self.stepper, "most_edges": self.most_edges, "messages": messages}

    @property
    def sizes(self) -> list[int]:
        """Systems of each batch."""
        return batch_sizes(self._n_edges, self.most_edges)

    @property
    def n_edges(self) -> int:
        """Edges of all systems, a few too many."""
        return int(self._n_edges.sum())

    @property
    def step_bytes(self) -> float:
        """Memory that a step takes, see `cgsim.rollout.estimate.step_bytes`."""
        ends = np.cumsum(self.sizes)
        edges = np.add.reduceat(self._n_edges, [0, *ends[:-1]])
        config = self.simulator.config
        widths = [getattr(own, "n_channels", 0) for own in (config.dynamics, config.score) if own]
        return step_bytes(
            int(edges.max()), len(self.pos), device=self.pos.device, n_channels=max(widths)
        )

    def prepare(self, n_steps: int, *, before: str | None) -> AbstractContextManager[object]:
        """Choose steppers for a roll-out of ``n_steps`` steps; inside what is returned, take them.

        Parameters
        ----------
        before
            Name of the stepper of the roll-out that is continued.

        Returns
        -------
        What puts the number of CPU threads back (see `cgsim.hardware.threads.MeasuredThreads`).
        """
        self._n_steps = n_steps
        self._fitting(lambda: self._build(before))
        most = 1 if self.pos.is_cuda else max(each.most_threads for each in self._steppers)
        of_kernels = all(each.threads is KERNELS for each in self._steppers)
        kind = KERNELS if of_kernels else TORCH
        self._threads = MeasuredThreads(most, label="roll-out", kind=kind)
        kept = ExitStack()
        kept.enter_context(self._threads.kept())
        if of_kernels:
            kept.enter_context(at_most_threads(1))  # of PyTorch, which wait in a busy loop
        return kept

    def step(self) -> Tensor:
        """One time step of all systems.

        Returns
        -------
        `pos` after it.

        Raises
        ------
        MemoryError
            If a single system does not fit.
        """
        self.pos = self._threads(lambda: self._fitting(self._stepped))
        return self.pos

    @property
    def by_slots(self) -> bool:
        """Whether a step may lack edges, and then gives no numbers (see `cgsim.nn.graph.slots`)."""
        return any(state.slot_table is not None for state in self._states)

    @contextmanager
    def exactly(self) -> Iterator[None]:
        """Inside, no step does."""
        kept, most_edges = (self.stepper, self._states, self._steppers), self.most_edges
        self._states, self._steppers = [], []
        with self._slots.left_out():
            yield
        self.stepper, self._states, self._steppers = kept
        if self.most_edges != most_edges:  # memory ran out meanwhile
            self._states, self._steppers = [], []
        self.put(self.pos)

    def add_slots(self) -> None:
        """Have more from the next step on."""
        self._slots.were_too_few()
        self._states, self._steppers = [], []

    def put(self, pos: Tensor) -> None:
        """Go on from other positions [n, k, 3]."""
        self.pos = pos.to(self.pos.device)
        parts = self.pos.split([len(state.pos) for state in self._states]) if self._states else ()
        self._states = [
            replace(state, pos=part) for state, part in zip(self._states, parts, strict=True)
        ]

    def _stepped(self) -> Tensor:
        if not self._states:
            self._build(self.stepper)
        pairs = zip(self._steppers, self._states, strict=True)
        self._states = [stepper(state) for stepper, state in pairs]
        return _joined([state.pos for state in self._states])

    def _build(self, before: str | None) -> None:
        """Make states and steppers; batches of the same molecules share all that is constant."""
        constant: dict[tuple[str, ...], State] = {}
        states, bounds = [], np.cumsum([0, *self.sizes])
        for first, last in pairwise(bounds):
            part = self.systems[first:last]
            names = tuple(system.name for system in part)
            if names not in constant or part[0].cell is not None:
                constant[names] = self.simulator.start(
                    start_batch(self.simulator, part).to(self.pos.device), self.generator
                )
            states.append(constant[names])
        if devices.runs_ahead(self.pos.device):
            self._states = states
            self.put(self.pos)
            states = self._slots.of(self._states)
        self._steppers = choose_steppers(self.simulator, states, self._n_steps, before=before)
        states = without_unused_slots(states, self._steppers)
        self.stepper = max((stepper.name for stepper in self._steppers), key=STEPPERS.index)
        self._states = states
        self.put(self.pos)

    def _fitting(self, action: Callable[[], T]) -> T:
        """Do it; each time that memory runs out, again, with batches of half the size."""
        return until_it_fits(action, self._halve, self.generator)

    def _halve(self, said: str) -> None:
        """Half as many systems in a batch, from the next step on.

        Raises
        ------
        MemoryError
            If there was one system in each.
        """
        sizes, device = self.sizes, self.pos.device
        if max(sizes) == 1:
            raise MemoryError(
                f"one system of {max(system.n_beads for system in self.systems)} beads is too "
                f"large for the memory of {device}: free some, or use another device ({said})"
            )
        while max(self.sizes) > max(sizes) // 2:
            self.most_edges //= 2
        self._states, self._steppers = [], []
        release_memory(device)
        warnings.warn(
            f"memory ran out on {device}: batches of {max(self.sizes)} systems instead of "
            f"{max(sizes)} from here on ({said})",
            stacklevel=2,
        )


def batch_sizes(n_edges: np.ndarray, most_edges: int) -> list[int]:
    """How many systems each batch has: few batches, of equal systems equal ones where it can be.

    Parameters
    ----------
    n_edges : [n_systems]
        Edges of each system.
    most_edges
        Of a batch; a system that has more is a batch of its own.
    """
    sizes, held = [0], 0
    for own in n_edges.tolist():
        if sizes[-1] and held + own > most_edges:
            sizes.append(0)
            held = 0
        sizes[-1] += 1
        held += own
    if len(set(n_edges.tolist())) > 1:
        return sizes
    n_systems, fewest = len(n_edges), len(sizes)
    whole = (n for n in range(fewest, 2 * fewest) if n_systems % n == 0)
    return [len(part) for part in np.array_split(n_edges, next(whole, fewest))]


def count_edges(simulator: Simulator, system: MappedTrajectory) -> int:
    """Edges of the bead graph of the last frame of a system, a few too many."""
    n_beads, cutoff = system.n_beads, simulator.cutoff
    if system.cell is not None:  # positions are unwrapped: take it for homogeneous
        volume = abs(float(np.linalg.det(system.cell[-1].astype(np.float64))))
        near = n_beads**2 * 4 / 3 * math.pi * cutoff**3 / volume
    elif n_beads <= COMPLETE_LIMIT:
        return n_beads**2
    else:
        tree = cKDTree(system.pos[-1])
        near = int(tree.count_neighbors(tree, cutoff)) - n_beads
    fixed = 2 * simulator.config.graph.n_hops * n_beads
    if simulator.reference_edges is not None:
        fixed += simulator.reference_edges.count(system)
    return min(n_beads**2, int(near) + fixed)


def choose_steppers(
    simulator: Simulator, states: Sequence[State], n_steps: int, *, before: str | None
) -> list[Stepper]:
    """The stepper of each batch; batches of one shape share one compiled function.

    Parameters
    ----------
    n_steps
        Steps from beginning to end.
    before
        Name of the stepper of the roll-out that is continued; it is taken again.
    """
    groups: dict[tuple[int, int], list[State]] = {}
    for state in states:
        groups.setdefault((len(state.pos), state.n_graphs), []).append(state)
    chosen: dict[tuple[int, int], Stepper] = {}
    for shape, (first, *others) in groups.items():
        chosen[shape] = choose_stepper(
            simulator,
            first,
            n_steps * len(states) // len(groups),
            before=before,
            alike=list({id(state): state for state in others if state is not first}.values()),
        )
        before = before or chosen[shape].name
    return [chosen[len(state.pos), state.n_graphs] for state in states]


def histories(systems: Sequence[MappedTrajectory]) -> Tensor:
    """Frames of all beads [n, k, 3], float64."""
    frames = [np.asarray(system.pos, dtype=np.float64).transpose(1, 0, 2) for system in systems]
    return torch.as_tensor(np.concatenate(frames))


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))

"""Roll out a simulator: systems and replicas in batches, in memory or in files, restartable."""

import time
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from cgsim.compiled import EagerStepper, Stepper, choose_stepper
from cgsim.data import MappedTrajectory
from cgsim.reporters import FileReporter, MemoryReporter, Reporter, Restart, numbered
from cgsim.simulator import Simulator
from cgsim.starts import choose_starts, start_batch
from cgsim.state import State
from cgsim.units import PS_PER_NS

LONGEST_BOND = 10.0  # mean bond lengths: a bead bond beyond this is an explosion
FARTHEST = 1e5  # nm from the origin: an explosion as well, and more than an XTC file should hold
FLUSH_SECONDS = 60.0  # longest time between two writes
FLUSH_EVERY = 200  # recorded frames between two writes


@dataclass(frozen=True)
class Failure:
    """A replica that left the physical range; its frames up to then are kept.

    Attributes
    ----------
    name, replica
        Which one.
    step
        First bad step, counted from 1.
    reason
        What was seen.
    """

    name: str
    replica: int
    step: int
    reason: str


@dataclass(frozen=True)
class Rollout:
    """What `simulate` returns.

    Attributes
    ----------
    trajectories
        One per molecule and replica, in memory; empty when written to files.
    files
        One per molecule and replica, when written to files.
    failures
        Replicas that were stopped.
    seconds
        Wall-clock time of the steps, those before a restart included.
    n_steps
        Steps done, those before a restart included.
    """

    trajectories: list[MappedTrajectory]
    files: list[Path]
    failures: list[Failure]
    seconds: float
    n_steps: int


def simulate(
    simulator: Simulator,
    start: MappedTrajectory | Sequence[MappedTrajectory],
    n_steps: int,
    *,
    n_replicas: int = 1,
    seed: int = 0,
    every: int = 1,
    output: str | Path | None = None,
) -> Rollout:
    """Simulate every molecule of ``start``, each with several replicas, in one batch.

    Parameters
    ----------
    simulator
        Moves by ``simulator.timestep`` ps per step, on the device it is on.
    start
        Where to start from: replicas start at random frames of the trajectories of their molecule
        (trajectories of one name are one molecule). A trajectory of one frame will do: it starts
        at rest.
    n_steps
        Steps.
    n_replicas
        Independent replicas of every molecule.
    seed
        Of the starting frames and the noise.
    every
        Steps between two recorded frames.
    output
        A directory for ``NAME-rREPLICA.xtc`` with ``NAME.pdb``, ``NAME.psf`` and ``NAME.json``;
        memory stays bounded, and the same call goes on where a killed one stopped, exactly. A path
        that ends in ``*.dcd`` (such as ``runs/*.dcd``) chooses DCD. Without it, frames are kept in
        memory.

    The step is compiled where that pays (see `cgsim.compiled`).

    Returns
    -------
    `Rollout`. A replica that explodes is stopped with a warning, its good frames are kept and the
    others go on.

    Raises
    ------
    ValueError
        If a number is not positive, an atom type is unknown, or the output holds another roll-out.
    """
    for name, value in (("n_steps", n_steps), ("n_replicas", n_replicas), ("every", every)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    starts = [start] if isinstance(start, MappedTrajectory) else list(start)
    systems = choose_starts(simulator, starts, n_replicas=n_replicas, seed=seed)
    reporter: Reporter = (
        MemoryReporter(systems, simulator.timestep * every)
        if output is None
        else FileReporter(systems, simulator.timestep * every, output=Path(output))
    )
    device = next(simulator.parameters()).device
    state = simulator.start(
        start_batch(simulator, systems).to(device), torch.Generator(device).manual_seed(seed)
    )
    return _Run(simulator, systems, reporter, every=every, seed=seed).to(state, n_steps)


class _Run:
    """The loop: step, guard, record, flush."""

    def __init__(
        self,
        simulator: Simulator,
        systems: Sequence[MappedTrajectory],
        reporter: Reporter,
        *,
        every: int,
        seed: int,
    ) -> None:
        self.simulator, self.systems, self.reporter, self.every = (
            simulator,
            systems,
            reporter,
            every,
        )
        self.settings: dict[str, int | str] = {
            "every": every,
            "seed": seed,
            "simulator": _fingerprint(simulator),
            "start": zlib.crc32(b"".join(system.pos.tobytes() for system in systems)),
            "device": next(simulator.parameters()).device.type,
        }
        n_beads = sum(system.n_beads for system in systems)
        self.stepper: Stepper = EagerStepper(simulator, n_beads)
        self.alive = [True] * len(systems)
        self.failures: list[Failure] = []
        self.seconds_before = 0.0
        self.last_flush = time.perf_counter()
        self.labels = [(system.name, replica) for system, replica in numbered(systems)]
        device = next(simulator.parameters()).device
        self.bonds, self.bond_system = (part.to(device) for part in _all_bonds(systems))

    def to(self, state: State, n_steps: int) -> Rollout:
        """Run until ``n_steps`` steps have been done, the ones before a restart included."""
        safe = state
        first, state, before = self._resume(state)
        if first < n_steps:
            self.stepper = choose_stepper(self.simulator, state, n_steps, before=before)
        with self.stepper.threads():
            return self._run(state, first, n_steps, safe=safe)

    def _run(self, state: State, first: int, n_steps: int, *, safe: State) -> Rollout:
        if first == 0:
            self._flush(state, 0, 0.0)
        seconds, started = self.seconds_before, time.perf_counter()
        with tqdm(
            total=n_steps, initial=first, unit="step", desc="roll-out", mininterval=0.5
        ) as bar:
            step = first
            while step < n_steps and any(self.alive):
                step += 1
                state = self._guard(self.stepper(state), step, safe)
                if step % self.every == 0:
                    self.reporter.record(state.pos[:, -1], self.alive)
                bar.update()
                if step == n_steps or not any(self.alive) or self._flush_is_due(step):
                    seconds = self.seconds_before + time.perf_counter() - started
                    self._flush(state, step, seconds)
                    self._show_speed(bar, step, seconds)
        return Rollout(
            trajectories=self.reporter.trajectories(),
            files=self.reporter.files(),
            failures=self.failures,
            seconds=seconds,
            n_steps=step,
        )

    def _flush_is_due(self, step: int) -> bool:
        """Enough frames, or enough time, since the last write."""
        waited = time.perf_counter() - self.last_flush
        return step % (self.every * FLUSH_EVERY) == 0 or waited > FLUSH_SECONDS

    def _resume(self, state: State) -> tuple[int, State, str | None]:
        """Step and state to go on from, and the name of the stepper that went so far."""
        restart = self.reporter.restart(self.settings)
        if restart is None:
            return 0, state, None
        self.failures = [Failure(**failure) for failure in restart.failures]
        stopped = {(failure.name, failure.replica) for failure in self.failures}
        self.alive = [label not in stopped for label in self.labels]
        self.seconds_before = restart.seconds
        state.generator.set_state(restart.generator)
        state = replace(state, pos=restart.pos.to(state.pos.device))
        return restart.step, state, str(restart.settings.get("stepper", EagerStepper.name))

    def _flush(self, state: State, step: int, seconds: float) -> None:
        self.last_flush = time.perf_counter()
        self.reporter.flush(
            Restart(
                step=step,
                pos=state.pos.cpu(),
                generator=state.generator.get_state(),
                failures=[asdict(failure) for failure in self.failures],
                seconds=seconds,
                settings=self.settings | {"stepper": self.stepper.name},
            )
        )

    def _guard(self, state: State, step: int, safe: State) -> State:
        """Stop exploded or non-finite replicas; put them back to a safe place, unrecorded."""
        bad = self._bad_systems(state)
        if not bad.any():
            return state
        for index in bad.nonzero()[:, 0].tolist():
            if self.alive[index]:
                self._stop(index, step)
        return replace(state, pos=torch.where(bad[state.batch][:, None, None], safe.pos, state.pos))

    def _bad_systems(self, state: State) -> Tensor:
        pos = state.pos[:, -1]
        bad = torch.zeros(state.n_graphs, dtype=torch.bool, device=pos.device)
        bad[state.batch[~(pos.abs() < FARTHEST).all(dim=1)]] = True
        first, second = self.bonds
        limit = LONGEST_BOND * self.simulator.statistics.length_scale
        long = ~((pos[first] - pos[second]).norm(dim=1) < limit)
        bad[self.bond_system[long]] = True
        return bad

    def _stop(self, index: int, step: int) -> None:
        self.alive[index] = False
        name, replica = self.labels[index]
        reason = (
            f"a position is not finite or beyond {FARTHEST:g} nm, or a bead bond exceeds "
            f"{LONGEST_BOND:g} mean bond lengths"
        )
        self.failures.append(Failure(name, replica, step, reason))
        warnings.warn(
            f"{name}, replica {replica}: stopped at step {step}: {reason}; its frames up to then "
            "are kept",
            stacklevel=2,
        )

    def _show_speed(self, bar: tqdm, n_steps: int, seconds: float) -> None:
        rate = n_steps / seconds
        per_day = rate * 86400 * self.simulator.timestep * len(self.systems) / PS_PER_NS
        bar.set_postfix_str(
            f"{rate * len(self.systems):.0f} system-steps/s, {per_day:.3g} ns/day in all"
        )


def _fingerprint(simulator: Simulator) -> int:
    """Checksum of weights and scales."""
    weights = b"".join(value.detach().cpu().numpy().tobytes() for value in simulator.parameters())
    return zlib.crc32(weights + repr(simulator.statistics).encode())


def _all_bonds(systems: Sequence[MappedTrajectory]) -> tuple[Tensor, Tensor]:
    """Bead bonds of the whole batch [2, n_bonds] and the system of each."""
    offsets = np.cumsum([0] + [system.n_beads for system in systems])
    bonds = [system.edge_index + offset for system, offset in zip(systems, offsets, strict=False)]
    owner = [np.full(system.edge_index.shape[1], index) for index, system in enumerate(systems)]
    return torch.as_tensor(np.concatenate(bonds, axis=1)), torch.as_tensor(np.concatenate(owner))

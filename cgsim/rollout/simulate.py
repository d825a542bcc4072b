"""Roll out a simulator or a propagator: systems and replicas, in memory or files, restartable."""

import time
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from cgsim.io.display import Facts, comma_list, frames, shown
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.propagator import Propagator
from cgsim.model.simulator import Simulator
from cgsim.rollout.batches import Batches
from cgsim.rollout.compiled import EagerStepper
from cgsim.rollout.engines import Engine, engine_of
from cgsim.rollout.estimate import FirstSteps, check_memory, frame_bytes, work_of
from cgsim.rollout.guard import REASON, Guard, Watch
from cgsim.rollout.propagation import Propagation
from cgsim.rollout.reporters import FileReporter, MemoryReporter, Reporter, Restart, numbered
from cgsim.rollout.start_checks import check_starts
from cgsim.rollout.starts import choose_starts, history_of
from cgsim.units import PS_PER_NS

FLUSH_SECONDS = 60.0  # longest time between two writes
FLUSH_EVERY = 200  # recorded frames between two writes, or fewer of large batches:
FLUSH_BYTES = 2**28  # of recorded frames that may wait


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

    def _facts(self) -> Facts:
        runs = self.trajectories
        longest = max(runs, key=lambda own: own.n_frames, default=None)
        failed = [f"{own.name}-r{own.replica} at step {own.step:,}" for own in self.failures]
        return {
            "steps": f"{self.n_steps:,} of every trajectory, in {self.seconds:,.4g} s",
            "trajectories": f"{len(runs) or len(self.files):,}",
            "molecules": comma_list(dict.fromkeys(own.name for own in runs)) if runs else None,
            "frames": longest and frames(longest.n_frames, longest.frame_interval),
            "files": comma_list((own.name for own in self.files), 3) if self.files else None,
            "folder": self.files[0].parent if self.files else None,
            "failures": f"{len(failed)}: {comma_list(failed, 3)}" if failed else "none",
        }

    __repr__, _repr_html_ = shown(_facts)


def simulate(
    simulator: Simulator | Propagator,
    start: MappedTrajectory | Sequence[MappedTrajectory],
    n_steps: int,
    *,
    n_replicas: int = 1,
    seed: int = 0,
    every: int = 1,
    output: str | Path | None = None,
    allow_other_mapping: bool = False,
) -> Rollout:
    """Simulate every molecule of ``start``, each with several replicas, in batches.

    Parameters
    ----------
    simulator
        Moves by ``simulator.timestep`` ps per step, on the device it is on. A `Propagator` (see
        `cgsim.baselines`) is rolled out alike, on the CPU.
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
    allow_other_mapping
        Take starts whose atoms became beads in another way than those of the training data.

    The step is compiled where that pays (see `cgsim.rollout.compiled`). Many systems step in
    several batches (see `cgsim.rollout.batches`), smaller ones where memory runs out.

    Returns
    -------
    `Rollout`. A replica that explodes is stopped with a warning, its good frames are kept and the
    others go on.

    Raises
    ------
    ValueError
        If a number is not positive, a start does not fit, or the output holds another roll-out.
    MemoryError
        If there is not enough for a single system, or for frames that are kept in memory.
    """
    for name, value in (("n_steps", n_steps), ("n_replicas", n_replicas), ("every", every)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    engine = engine_of(simulator)
    starts = [start] if isinstance(start, MappedTrajectory) else list(start)
    check_starts(simulator, starts, allow_other_mapping=allow_other_mapping)
    systems = choose_starts(simulator, starts, n_replicas=n_replicas, seed=seed)
    reporter: Reporter = (
        MemoryReporter(systems, simulator.timestep * every)
        if output is None
        else FileReporter(systems, simulator.timestep * every, output=Path(output))
    )
    run = _Run(engine, systems, reporter, settings={"every": every, "seed": seed})
    return run.to(n_steps)


class _Run:
    """The loop: step, guard, record, flush."""

    def __init__(
        self,
        engine: Engine,
        systems: Sequence[MappedTrajectory],
        reporter: Reporter,
        *,
        settings: dict[str, int],
    ) -> None:
        self.engine, self.systems, self.reporter = engine, systems, reporter
        self.device = engine.device
        self.every = settings["every"]
        self.settings: dict[str, int | str] = {
            **settings,
            "simulator": engine.checksum(),
            "sampler": engine.sampling(),
            "start": zlib.crc32(b"".join(system.pos.tobytes() for system in systems)),
            "device": self.device.type,
        }
        self.alive = [True] * len(systems)
        self.failures: list[Failure] = []
        self.seconds_before = 0.0
        self.last_flush = time.perf_counter()
        self.labels = [(system.name, replica) for system, replica in numbered(systems)]
        self.n_beads = sum(system.n_beads for system in systems)
        self.guard = Guard(systems, length_scale=engine.length_scale, device=self.device)

    def to(self, n_steps: int) -> Rollout:
        """Run until ``n_steps`` steps have been done, the ones before a restart included."""
        restart = self.reporter.restart(self.settings)
        batches = self.engine.batches(
            self.systems, seed=int(self.settings["seed"]), restart=restart
        )
        safe, first, before = batches.pos, 0, None
        if restart is not None:
            first, before = restart.step, str(restart.settings.get("stepper", EagerStepper.name))
            self._resume(restart, batches)
        if first >= n_steps:
            return self._run(batches, first, n_steps, safe=safe)
        first_steps = self._first_steps(batches, n_steps - first)
        with batches.prepare(n_steps, before=before):
            return self._run(batches, first, n_steps, safe=safe, first_steps=first_steps)

    def _first_steps(self, batches: Batches | Propagation, n_steps: int) -> FirstSteps:
        """What will say how much the roll-out takes; one that cannot fit is refused."""
        n_frames, n_beads = n_steps // self.every, self.n_beads
        kept = isinstance(self.reporter, MemoryReporter)
        waiting = n_frames if kept else min(n_frames, _frames_between_writes(n_beads))
        n_bytes = batches.step_bytes + frame_bytes(n_beads, waiting, kept=kept)
        check_memory(n_bytes, self.device, kept=kept)
        timestep = self.engine.timestep
        work = work_of(self.systems, batches.n_edges, n_steps=n_steps, timestep=timestep)
        return FirstSteps(work, n_bytes, n_steps)

    def _run(
        self,
        batches: Batches | Propagation,
        first: int,
        n_steps: int,
        *,
        safe: Tensor,
        first_steps: FirstSteps | None = None,
    ) -> Rollout:
        if first == 0:
            self._flush(batches, 0, 0.0)
        seconds, started = self.seconds_before, time.perf_counter()
        watch = Watch(self.guard, batches, first=first, every=self.every, safe=safe)
        with tqdm(
            total=n_steps, initial=first, unit="step", desc="roll-out", mininterval=0.5
        ) as bar:
            step = first
            while step < n_steps and any(self.alive):
                step, most_edges = step + 1, batches.most_edges
                watch.advance()
                flush = (
                    step == n_steps or self._flush_is_due(step) or batches.most_edges != most_edges
                )
                if flush or watch.is_due:
                    self._look(watch)
                if first_steps is not None:
                    first_steps.step_is_done()
                bar.update()
                if flush or not any(self.alive):
                    seconds = self.seconds_before + time.perf_counter() - started
                    self._flush(batches, step, seconds)
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
        n_frames = _frames_between_writes(self.n_beads)
        return step % (self.every * n_frames) == 0 or waited > FLUSH_SECONDS

    def _resume(self, restart: Restart, batches: Batches | Propagation) -> None:
        """Go on from there."""
        self.failures = [Failure(**failure) for failure in restart.failures]
        for failure in self.failures:
            index = self.labels.index((failure.name, failure.replica))
            self.alive[index] = False
            self.guard.is_stopped(index, failure.step)
        self.seconds_before = restart.seconds
        batches.generator.set_state(restart.generator)
        batches.put(restart.pos)

    def _flush(self, batches: Batches | Propagation, step: int, seconds: float) -> None:
        self.last_flush = time.perf_counter()
        now: dict[str, int | str] = batches.path
        self.reporter.flush(
            Restart(
                step=step,
                pos=batches.pos.cpu(),
                generator=batches.generator.get_state(),
                failures=[asdict(failure) for failure in self.failures],
                seconds=seconds,
                settings=self.settings | now,
            )
        )

    def _look(self, watch: Watch) -> None:
        """Note who has become bad, and record the frames of those who had not."""
        bad_since, frames = watch.look()
        for index, step in enumerate(bad_since):
            if step and self.alive[index]:
                self._stop(index, step)
        for step, frame in frames:
            self.reporter.record(frame, [not since or step < since for since in bad_since])

    def _stop(self, index: int, step: int) -> None:
        self.alive[index] = False
        name, replica = self.labels[index]
        self.failures.append(Failure(name, replica, step, REASON))
        warnings.warn(
            f"{name}, replica {replica}: stopped at step {step}: {REASON}; its frames up to then "
            "are kept",
            stacklevel=2,
        )

    def _show_speed(self, bar: tqdm, n_steps: int, seconds: float) -> None:
        rate = n_steps / seconds
        per_day = rate * 86400 * self.engine.timestep * len(self.systems) / PS_PER_NS
        bar.set_postfix_str(
            f"{rate * len(self.systems):.0f} system-steps/s, {per_day:.3g} ns/day in all"
        )


def _frames_between_writes(n_beads: int) -> int:
    """Recorded frames that wait at most."""
    return max(1, min(FLUSH_EVERY, FLUSH_BYTES // (24 * n_beads)))


def roll_out_beside(
    simulator: Simulator | Propagator,
    reference: Sequence[MappedTrajectory],
    duration: float,
    *,
    seed: int,
    output: str | Path,
) -> Rollout:
    """Roll out every molecule of some MD for a time (ps), from the first frames of its MD."""
    starts = []
    for trajectory in reference:
        stride = round(simulator.timestep / trajectory.frame_interval)
        starts.append(trajectory.frames(0, max(1, stride * history_of(simulator))))
    return simulate(
        simulator, starts, round(duration / simulator.timestep), seed=seed, output=output
    )

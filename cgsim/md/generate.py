"""Reference trajectories of polymers: what to run, where, and the files around it."""

import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from cgsim.md.files import write_chain_files, write_progress
from cgsim.md.polymer import Chain
from cgsim.md.replica import Replica
from cgsim.md.system import PLATFORMS, ForceField, MergedChains, choose_platform, n_workers

FORMATS = ("xtc", "dcd")


@dataclass(frozen=True)
class PolymerRun:
    """How to simulate polymers.

    Attributes
    ----------
    duration : float
        Production time of each replica, ps (= tau).
    frame_interval : float
        Time between written frames, ps (= tau); a multiple of the timestep, 0.01 tau.
    equilibration : float
        Time simulated and thrown away before, after energy minimisation of a self-avoiding random
        walk, ps (= tau); 0 or a multiple of ``frame_interval``. The default is about ten median
        relaxation times of ``tiny`` chains; give ``mini`` chains 1000.
    n_replicas : int
        Independent runs of each chain: other starting coordinates, velocities and noise.
    seed : int
        Seed of starting coordinates, velocities and noise.
    platform : str
        ``"auto"`` (CUDA if it works, else CPU), ``"CPU"``, ``"CUDA"`` or ``"Reference"``.
    format : str
        ``"xtc"`` or ``"dcd"``.
    """

    duration: float
    frame_interval: float = 1.0
    equilibration: float = 300.0
    n_replicas: int = 1
    seed: int = 0
    platform: str = "auto"
    format: str = "xtc"

    def __post_init__(self) -> None:
        timestep = ForceField().timestep
        _check_multiple("frame_interval", self.frame_interval, "timestep", timestep)
        _check_multiple("duration", self.duration, "frame_interval", self.frame_interval)
        if self.equilibration != 0.0:
            _check_multiple(
                "equilibration", self.equilibration, "frame_interval", self.frame_interval
            )
        if self.n_replicas < 1:
            raise ValueError(f"n_replicas must be at least 1, got {self.n_replicas}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if self.platform not in PLATFORMS:
            raise ValueError(f"platform must be one of {PLATFORMS}, got {self.platform!r}")
        if self.format not in FORMATS:
            raise ValueError(f"format must be one of {FORMATS}, got {self.format!r}")

    @property
    def n_frames(self) -> int:
        """Frames written per replica."""
        return round(self.duration / self.frame_interval)

    @property
    def n_equilibration_frames(self) -> int:
        """Frame intervals simulated before the first written frame."""
        return round(self.equilibration / self.frame_interval)

    @property
    def steps_per_frame(self) -> int:
        """Molecular dynamics steps between frames."""
        return round(self.frame_interval / ForceField().timestep)


def _check_multiple(name: str, value: float, unit_name: str, unit: float) -> None:
    """Raise ValueError unless ``value`` is a positive whole number of times ``unit``."""
    ratio = value / unit
    if not math.isfinite(ratio) or round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6 * ratio:
        raise ValueError(
            f"{name} must be a positive multiple of the {unit_name} ({unit} ps), got {value}"
        )


def generate_polymers(
    chains: Sequence[Chain], directory: str | Path, run: PolymerRun
) -> list[Path]:
    """Simulate every chain and write trajectories that ``cgsim`` and MDTraj can read.

    Per chain: ``<name>.pdb`` (bonds as CONECT), ``<name>-r<replica>.xtc`` or ``.dcd`` (unwrapped,
    no cell) and ``<name>.json`` (units, frame interval, masses, temperature, parameters, seed,
    speed, versions). Frame i is at time (i + 1) x frame_interval after equilibration.

    Finished replicas are skipped, interrupted ones resumed, and a longer ``duration`` extends what
    is there. Chains run merged, side by side on the CPU cores. Ctrl-C stops after the chunks
    at work, with everything simulated so far on disk.

    Returns
    -------
    list of Path
        The trajectory files, chain by chain, replica by replica.

    Raises
    ------
    ValueError
        Two chains of one name, or a directory that holds data made with other settings.
    ArithmeticError
        A simulation blew up; what was simulated before stays.
    """
    directory = Path(directory)
    names = [chain.name for chain in chains]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"give at least one chain, each name once; got names {names}")
    for chain in chains:
        write_chain_files(
            chain,
            directory,
            frame_interval=run.frame_interval,
            settings={"equilibration": run.equilibration, "seed": run.seed, "format": run.format},
        )
    replicas = [
        Replica(
            chain,
            index,
            trajectory=directory / f"{chain.name}-r{index}.{run.format}",
            n_equilibration_frames=run.n_equilibration_frames,
        )
        for chain in chains
        for index in range(run.n_replicas)
    ]
    pending = [replica for replica in replicas if replica.frame < run.n_frames]
    if pending:
        _simulate(pending, directory, run)
    return [replica.trajectory for replica in replicas]


def _simulate(pending: Sequence[Replica], directory: Path, run: PolymerRun) -> None:
    """Bring replicas to the end of the run, and note how far they came and how fast."""
    n_before = sum(replica.frame for replica in pending)
    start = time.perf_counter()
    total = len(pending) * run.n_frames - n_before
    try:
        with tqdm(total=total, unit="frame", desc="polymer MD", smoothing=0.05) as progress:
            _run_rounds(pending, run, progress)
    finally:
        n_steps = (sum(replica.frame for replica in pending) - n_before) * run.steps_per_frame
        speed = {
            "platform": choose_platform(run.platform)[0].getName(),
            "n_merged": len(pending),
            "chain_steps_per_second": n_steps / (time.perf_counter() - start),
        }
        for chain in {replica.chain for replica in pending}:
            own = [replica for replica in pending if replica.chain is chain]
            n_frames = {replica.trajectory.name: max(replica.frame, 0) for replica in own}
            write_progress(chain, directory, n_frames=n_frames, speed=speed)


def _run_rounds(pending: Sequence[Replica], run: PolymerRun, progress: tqdm) -> None:
    """Advance the replicas that lie furthest back until all are done.

    After a kill some may be a chunk behind the others; they catch up first, so that all can be
    merged again.
    """
    workers = n_workers(choose_platform(run.platform)[0])
    while pending := [replica for replica in pending if replica.frame < run.n_frames]:
        first = min(replica.frame for replica in pending)
        group = [replica for replica in pending if replica.frame == first]
        ahead = [replica.frame for replica in pending if replica.frame > first]
        task = _Task(run, until=min(ahead, default=run.n_frames), progress=progress)
        with ThreadPoolExecutor(workers) as pool:
            parts = [group[i::workers] for i in range(min(workers, len(group)))]
            futures = [pool.submit(task.simulate, part) for part in parts]
            try:
                for future in as_completed(futures):
                    future.result()
            finally:
                task.stop.set()


class _Task:
    """Simulate replicas merged into one System, chunk by chunk, up to a common frame."""

    def __init__(self, run: PolymerRun, *, until: int, progress: tqdm) -> None:
        self.run = run
        self.until = until
        self.progress = progress
        self.stop = threading.Event()

    def simulate(self, replicas: Sequence[Replica]) -> None:
        merged = MergedChains(
            [replica.chain for replica in replicas], ForceField(), platform=self.run.platform
        )
        phases = [replica.phase for replica in replicas if replica.phase is not None]
        if len(phases) < len(replicas):
            start = [replica.initial_coordinates(seed=self.run.seed) for replica in replicas]
            phases = merged.relax(start, seed=self._seed(replicas))
            for replica, phase in zip(replicas, phases, strict=True):
                replica.save(phase)
        longest = merged.n_frames_per_chunk(self.run.steps_per_frame)
        while (frame := replicas[0].frame) < self.until and not self.stop.is_set():
            end = 0 if frame < 0 else self.until
            frames, phases = merged.advance(
                phases,
                n_frames=min(longest, end - frame),
                steps_per_frame=self.run.steps_per_frame,
                seed=self._seed(replicas),
            )
            for replica, xyz, phase in zip(replicas, frames, phases, strict=True):
                replica.append(xyz, phase, frame_interval=self.run.frame_interval)
                self.progress.update(len(xyz))

    def _seed(self, replicas: Sequence[Replica]) -> list[int]:
        """Seed of the next chunk: the same whether or not the run was interrupted before it."""
        elapsed = replicas[0].frame + self.run.n_equilibration_frames
        return [self.run.seed, elapsed, *(replica.identity for replica in replicas)]

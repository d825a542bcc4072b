"""Bring replicas to the end of a run: merged, side by side, in chunks, resumable."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import numpy as np
from tqdm.auto import tqdm

from cgsim.md.files import write_progress
from cgsim.md.merged import DEVICES, MergedCopies, choose_platform, n_workers
from cgsim.md.replica import Replica, S
from cgsim.md.runs import Run


@dataclass(frozen=True)
class Method(Generic[S]):
    """How one kind of molecule is simulated.

    Attributes
    ----------
    label : str
        Of the progress bar.
    merge : callable (molecules, platform) -> MergedCopies
        Puts one copy of each into one Context.
    initial_coordinates : callable (molecule, seed) -> ndarray, shape [n_atoms, 3], nm
        Where a replica starts; the seed is a list of integers of its own.
    max_merged_atoms : float
        Largest System that pays on the CPU.
    """

    label: str
    merge: Callable[[Sequence[S], str], MergedCopies]
    initial_coordinates: Callable[[S, Sequence[int]], np.ndarray]
    max_merged_atoms: float = math.inf


def run_replicas(subjects: Sequence[S], directory: Path, run: Run, method: Method[S]) -> list[Path]:
    """Simulate replicas of molecules whose descriptions are in ``directory``.

    Finished replicas are skipped, interrupted ones resumed, and a longer ``duration`` extends what
    is there. Ctrl-C stops after the chunks at work, with everything simulated so far on disk.

    Returns
    -------
    list of Path
        The trajectory files, molecule by molecule, replica by replica.

    Raises
    ------
    ValueError
        A trajectory on disk and its state do not belong together.
    ArithmeticError
        A simulation blew up; what was simulated before stays.
    """
    replicas = [
        Replica(
            subject,
            index,
            trajectory=directory / f"{subject.name}-r{index}.{run.format}",
            n_equilibration_frames=run.n_equilibration_frames,
        )
        for subject in subjects
        for index in range(run.n_replicas)
    ]
    pending = [replica for replica in replicas if replica.frame < run.n_frames]
    if pending:
        _simulate(pending, directory, run, method)
    return [replica.trajectory for replica in replicas]


def _simulate(pending: Sequence[Replica[S]], directory: Path, run: Run, method: Method[S]) -> None:
    """Bring replicas to the end of the run, and note how far they came and how fast."""
    n_before = sum(replica.frame for replica in pending)
    start = time.perf_counter()
    total = len(pending) * run.n_frames - n_before
    try:
        with tqdm(total=total, unit="frame", desc=method.label, smoothing=0.05) as progress:
            _run_rounds(pending, _Task(run, method, progress))
    finally:
        n_steps = (sum(replica.frame for replica in pending) - n_before) * run.steps_per_frame
        speed = {
            "platform": choose_platform(run.platform)[0].getName(),
            "n_merged": len(pending),
            "chain_steps_per_second": n_steps / (time.perf_counter() - start),
        }
        for name in {replica.subject.name for replica in pending}:
            own = [replica for replica in pending if replica.subject.name == name]
            n_frames = {replica.trajectory.name: max(replica.frame, 0) for replica in own}
            write_progress(name, directory, n_frames=n_frames, speed=speed)


def _run_rounds(pending: Sequence[Replica[S]], task: "_Task[S]") -> None:
    """Advance the replicas that lie furthest back until all are done.

    After a kill some may be a chunk behind the others; they catch up first, so that all can be
    merged again.
    """
    n_frames = task.run.n_frames
    while pending := [replica for replica in pending if replica.frame < n_frames]:
        first = min(replica.frame for replica in pending)
        group = [replica for replica in pending if replica.frame == first]
        until = min((r.frame for r in pending if r.frame > first), default=n_frames)
        workers = n_workers(choose_platform(task.run.platform)[0])
        with ThreadPoolExecutor(workers) as pool:
            futures = [
                pool.submit(task.simulate, part, until) for part in task.parts(group, workers)
            ]
            try:
                for future in as_completed(futures):
                    future.result()
            finally:
                task.stop.set()
        task.stop.clear()


class _Task(Generic[S]):
    """Simulate replicas merged into one System, chunk by chunk, up to a common frame."""

    def __init__(self, run: Run, method: Method[S], progress: tqdm) -> None:
        self.run = run
        self.method = method
        self.progress = progress
        self.stop = threading.Event()

    def parts(self, group: Sequence[Replica[S]], workers: int) -> list[Sequence[Replica[S]]]:
        """Deal replicas out to Systems: one for each worker, more if those were too large."""
        n_parts = workers
        if choose_platform(self.run.platform)[0].getName() not in DEVICES:
            n_atoms = sum(replica.subject.n_atoms for replica in group)
            n_parts = max(workers, math.ceil(n_atoms / self.method.max_merged_atoms))
        return [group[i::n_parts] for i in range(min(n_parts, len(group)))]

    def simulate(self, replicas: Sequence[Replica[S]], until: int) -> None:
        if self.stop.is_set():
            return
        run = self.run
        merged = self.method.merge([replica.subject for replica in replicas], run.platform)
        phases = [replica.phase for replica in replicas if replica.phase is not None]
        if len(phases) < len(replicas):
            start = [
                self.method.initial_coordinates(replica.subject, [run.seed, replica.identity])
                for replica in replicas
            ]
            phases = merged.relax(start, seed=self._seed(replicas))
            for replica, phase in zip(replicas, phases, strict=True):
                replica.save(phase)
        longest = merged.n_frames_per_chunk(run.steps_per_frame)
        while (frame := replicas[0].frame) < until and not self.stop.is_set():
            end = 0 if frame < 0 else until
            frames, phases = merged.advance(
                phases,
                n_frames=min(longest, end - frame),
                steps_per_frame=run.steps_per_frame,
                seed=self._seed(replicas),
                time=frame * run.frame_interval,
            )
            for replica, xyz, phase in zip(replicas, frames, phases, strict=True):
                replica.append(xyz, phase, frame_interval=run.frame_interval)
                self.progress.update(len(xyz))

    def _seed(self, replicas: Sequence[Replica[S]]) -> list[int]:
        """Seed of the next chunk: the same whether or not the run was interrupted before it."""
        elapsed = replicas[0].frame + self.run.n_equilibration_frames
        return [self.run.seed, elapsed, *(replica.identity for replica in replicas)]

"""Roll-outs as jobs: each is one batch of molecules and replicas in a folder of its own."""

import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from cgsim.baselines.files import is_propagator, load_propagator
from cgsim.cluster.jobs import Job, claim_file, in_parts, is_shared, name_of
from cgsim.cluster.workers import COPIES_PER_JOB, FEW_JOBS, Cluster, run_jobs
from cgsim.io.files import file_stem
from cgsim.mapping.store import find_mapped_folders, load_mapped
from cgsim.model.checkpoint import find_checkpoint, read_simulator
from cgsim.model.propagator import Propagator
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import Rollout, simulate
from cgsim.rollout.starts import read_starts


@dataclass(frozen=True)
class RolloutCluster(Cluster):
    """Who rolls out, on what, and in which portions.

    Attributes
    ----------
    scheduler : str or None
        Address of a running Dask scheduler, such as tcp://host:8786, or the path of its scheduler
        file.
    workers : int or None
        Processes on this machine instead, each with its share of the CPU cores, and with a GPU of
        its own where there are any. By default this process alone; for more than 200 molecules on a
        machine without GPUs one worker per CPU core.
    molecules_per_job : int or None
        Molecules that a worker takes at a time, to run merged or batched; when one fails the others
        of its job do not end either. By default few enough for 16 jobs, but never more than make
        32 copies.
    replicas_per_job : int or None
        Replicas of a molecule that a worker takes at a time. By default few enough for 16 jobs, but
        never fewer than 32.
    device : str
        auto, cpu or cuda.
    """

    replicas_per_job: int | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.replicas_per_job is not None and self.replicas_per_job < 1:
            raise ValueError(f"replicas_per_job must be at least 1, got {self.replicas_per_job}")

    def replica_portion(self, n_replicas: int) -> int:
        """Replicas per job: the same for any number of workers."""
        return self.replicas_per_job or max(COPIES_PER_JOB, math.ceil(n_replicas / FEW_JOBS))


@dataclass(frozen=True)
class RolloutRun:
    """How far to roll out: see `cgsim.rollout.simulate.simulate`."""

    n_steps: int
    n_replicas: int = 1
    every: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_replicas < 1:
            raise ValueError(f"n_replicas must be at least 1, got {self.n_replicas}")


@dataclass(frozen=True)
class Batch:
    """Molecules and replicas that one process rolls out together."""

    simulator: Path
    start: tuple[Path, ...]
    output: Path
    run: RolloutRun
    device: str

    def __call__(self) -> Rollout:
        """Roll out, from where it stopped."""
        simulator = _loaded(self.simulator, os.stat(self.simulator).st_mtime_ns, self.device)
        return simulate(
            simulator,
            read_starts(self.start, simulator),
            self.run.n_steps,
            n_replicas=self.run.n_replicas,
            seed=self.run.seed,
            every=self.run.every,
            output=self.output,
        )


def roll_out(
    simulator: Path,
    start: Sequence[Path],
    output: Path,
    run: RolloutRun,
    *,
    cluster: RolloutCluster,
) -> Rollout:
    """Roll out molecules into files, in this process or on the workers of a cluster.

    One process writes all files into ``output``, workers into one folder there per job.

    Parameters
    ----------
    simulator
        A stored simulator, the name of a packaged one, or a stored propagator.
    start
        Folders ``NAME.cg``, folders of such, or structure files.
    output
        A directory, or ``DIRECTORY/*.dcd``; workers must see the same path.

    Returns
    -------
    Rollout
        Files and stopped replicas of all jobs, named after the folder, and the sum of seconds.

    Raises
    ------
    ValueError
        If the output was begun in the other way, or as `cgsim.rollout.simulate.simulate` raises.
    FailedJobsError
        At the end: what it raised for some of them.
    """
    simulator = find_checkpoint(simulator)
    starts = _starts_by_name(start)
    folder = output.parent if output.name.startswith("*") else output
    begun_alone = (folder / "restart.safetensors").exists()
    if begun_alone and cluster.is_asked_for:
        raise ValueError(
            f"{folder} holds a roll-out of one process: leave out --scheduler and --workers, or "
            "choose another directory"
        )
    if begun_alone or not cluster.is_wanted(len(starts)):
        if is_shared(folder):
            raise ValueError(
                f"{folder} holds a roll-out shared among workers: give --workers or --scheduler "
                "to go on with it, or choose another directory"
            )
        return Batch(simulator, tuple(start), output, run, cluster.device)()
    _read(simulator)  # a bad file is told once, not by every job
    jobs = _jobs(simulator, starts, output, run, cluster=cluster)
    there = {file.parent.name for file in folder.glob("*/restart.safetensors")}
    if others := sorted(there - {job.name for job in jobs}):
        raise ValueError(
            f"{folder} holds roll-outs of other molecules or portions ({', '.join(others[:3])}): "
            "choose another directory"
        )
    done = run_jobs(jobs, cluster=cluster, label="roll-out")
    return Rollout(
        trajectories=[],
        files=[file for part in done for file in part.files],
        failures=[
            replace(failure, name=f"{job.name}/{failure.name}")
            for job, part in zip(jobs, done, strict=True)
            for failure in part.failures
        ],
        seconds=sum(part.seconds for part in done),
        n_steps=max(part.n_steps for part in done),
    )


def _jobs(
    simulator: Path,
    starts: dict[str, list[Path]],
    output: Path,
    run: RolloutRun,
    *,
    cluster: RolloutCluster,
) -> list[Job]:
    """One per part of the molecules and part of the replicas, each with a seed of its own."""
    folder, files = (output.parent, output.name) if output.name.startswith("*") else (output, "")
    folder = folder.absolute()
    replicas = in_parts(range(run.n_replicas), cluster.replica_portion(run.n_replicas))
    jobs = []
    for names in in_parts(list(starts), cluster.portion(len(starts), n_replicas=len(replicas[0]))):
        for number, part in enumerate(replicas):
            name = name_of(names) if len(replicas) == 1 else f"{name_of(names)}.{number}"
            own = replace(run, n_replicas=len(part), seed=_seed_of(run.seed, name))
            paths = tuple(path.absolute() for each in names for path in starts[each])
            batch = Batch(simulator.absolute(), paths, folder / name / files, own, cluster.device)
            jobs.append(Job(name, batch, (), claim_file(folder, name)))
    return jobs


@lru_cache(maxsize=1)
def _loaded(file: Path, _modified: int, device: str) -> Simulator | Propagator:
    """The simulator, read once by a worker for all of its jobs."""
    simulator = _read(file)
    return simulator.to(_available(device)) if isinstance(simulator, Simulator) else simulator


def _read(file: Path) -> Simulator | Propagator:
    return load_propagator(file) if is_propagator(file) else read_simulator(file)


def _available(device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no CUDA device")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _starts_by_name(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """The starts of each molecule; trajectories of one name are one molecule."""
    starts: dict[str, list[Path]] = {}
    for path in find_mapped_folders([path for path in paths if not path.is_file()]):
        starts.setdefault(load_mapped(path).name, []).append(path)
    for path in paths:
        if path.is_file():
            starts.setdefault(file_stem(path), []).append(path)
    return starts


def _seed_of(seed: int, name: str) -> int:
    """A seed of its own for every job: the same on any worker, in any order."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))

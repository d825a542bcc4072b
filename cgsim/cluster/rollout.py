"""Roll-outs as jobs: each is one batch of molecules and replicas in a folder of its own."""

import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cgsim.baselines.files import read_simulator_or_propagator
from cgsim.cluster.jobs import Job, claim_file, in_parts, name_of
from cgsim.cluster.portions import RolloutCluster
from cgsim.cluster.workers import run_jobs
from cgsim.hardware.devices import Device, choose_device
from cgsim.io import Molecule, load_molecule
from cgsim.model.checkpoint import find_checkpoint
from cgsim.model.parts import NamedPart, use_part
from cgsim.model.propagator import Propagator
from cgsim.model.simulator import Simulator
from cgsim.rollout.reporters import RESTART, output_folder
from cgsim.rollout.simulate import Rollout, simulate
from cgsim.rollout.starts import read_starts, starts_by_name


@dataclass(frozen=True)
class RolloutRun:
    """How far to roll out: see `cgsim.rollout.simulate.simulate`."""

    n_steps: int
    n_replicas: int = 1
    every: int = 1
    seed: int = 0
    parts: tuple[NamedPart, ...] = ()  # of the user: every worker has to be told of them
    load: Callable[[Path], Molecule] = load_molecule  # of structure files
    allow_other_mapping: bool = False

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
    device: Device

    def __call__(self) -> Rollout:
        """Roll out, from where it stopped."""
        for kind, path in self.run.parts:
            use_part(kind, path)
        simulator = _loaded(self.simulator, os.stat(self.simulator).st_mtime_ns, self.device)
        return simulate(
            simulator,
            read_starts(self.start, simulator, load=self.run.load),
            self.run.n_steps,
            n_replicas=self.run.n_replicas,
            seed=self.run.seed,
            allow_other_mapping=self.run.allow_other_mapping,
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
    """Roll out molecules on the workers of a cluster, into one folder per job.

    One process alone is `cgsim.rollout.simulate.simulate`, which writes all into one folder.

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
        If one process began the output, or it holds other jobs.
    FailedJobsError
        At the end: what `cgsim.rollout.simulate.simulate` raised for some of them.
    """
    simulator = find_checkpoint(simulator)
    starts = starts_by_name(start)
    folder = output_folder(output)
    if (folder / RESTART).exists():
        raise ValueError(
            f"{folder} holds a roll-out of one process: leave out --scheduler and --workers, or "
            "choose another directory"
        )
    read_simulator_or_propagator(simulator)  # a bad file is told once, not by every job
    jobs = _jobs(simulator, starts, output, run, cluster=cluster)
    there = {file.parent.name for file in folder.glob(f"*/{RESTART}")}
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
    folder = output_folder(output).absolute()
    files = "" if output_folder(output) == output else output.name
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
def _loaded(file: Path, _modified: int, device: Device) -> Simulator | Propagator:
    """The simulator, read once by a worker for all of its jobs."""
    simulator = read_simulator_or_propagator(file)
    return simulator.to(choose_device(device)) if isinstance(simulator, Simulator) else simulator


def _seed_of(seed: int, name: str) -> int:
    """A seed of its own for every job: the same on any worker, in any order."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))

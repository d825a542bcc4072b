"""Effective samples per second: a learned simulator of polymers against OpenMM on the same GPU."""

import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import cgsim
from benchmarks.gpu.ledger import LeftOutError, Row, need
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.evaluate.statistics.autocorrelation import autocorrelation, integrated_time
from cgsim.mapping.store import load_mapped_folders
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import Rollout

PRETRAINED = "polymer-mini"
PLATFORMS = ("CUDA", "OpenCL")
N_CHAINS = 48  # merged in one context
N_REPLICAS = 1000
N_STEPS = 4000  # learned
MD_SECONDS = 60.0
MD_BLOCK = 200  # steps between two values of Rg


def rows(options: Namespace) -> Iterator[Row]:
    """Of the learned simulator, and of OpenMM on every platform of a GPU."""
    yield Row("samples/learned", lambda: learned(options), seconds=150.0)
    for platform in PLATFORMS:
        yield Row(f"samples/OpenMM {platform}", partial(md, platform, options), seconds=150.0)


def starts(options: Namespace) -> list[MappedTrajectory]:
    """Mapped MD that the command names or, with MDTraj, chains that are built.

    Raises
    ------
    LeftOutError
        If there is neither.
    """
    if options.data is not None:
        return load_mapped_folders([options.data])
    need("mdtraj", "openmm", "pymetis")
    from tempfile import TemporaryDirectory

    from cgsim.md import sample_chains, write_chain
    from cgsim.rollout.starts import map_structure

    simulator = cgsim.load_pretrained(PRETRAINED)
    with TemporaryDirectory() as folder:
        chains = sample_chains("II", size="mini", n_chains=2 if options.dry else 8, seed=1)
        return [map_structure(write_chain(own, folder), simulator) for own in chains]


def learned(options: Namespace) -> dict[str, Any]:
    """The packaged simulator, refined and not, all replicas at once."""
    simulator = cgsim.load_pretrained(PRETRAINED).to(options.device)
    begin = starts(options)
    off = simulator.sampled_by(replace(simulator.sampler, n_evaluations=0))
    names = sorted({own.name for own in begin})
    n_replicas = max(1, (2 if options.dry else N_REPLICAS) // len(names))
    found: dict[str, Any] = {"n_molecules": len(names), "n_replicas": n_replicas}
    for label, own in {"not refined": off, "refined": simulator}.items():
        found[label] = _samples(own, begin, n_replicas, options)
    return found


def _samples(
    simulator: Simulator,
    begin: Sequence[MappedTrajectory],
    n_replicas: int,
    options: Namespace,
) -> dict[str, float]:
    n_steps = 12 if options.dry else N_STEPS
    rollout: Rollout = cgsim.simulate(
        simulator, begin, n_steps, n_replicas=n_replicas, every=2 if options.dry else 5
    )
    series = defaultdict(list)
    for own in rollout.trajectories:
        half = np.asarray(own.pos)[own.n_frames // 2 :]  # those built are stretched
        series[own.name].append(radius_of_gyration(half, own.bead_mass) ** 2)
    interval = rollout.trajectories[0].frame_interval
    simulated = n_steps * simulator.timestep * len(rollout.trajectories)
    return _rate(list(series.values()), interval, simulated / rollout.seconds)


def _rate(
    series: Sequence[Sequence[np.ndarray]], interval: float, per_second: float
) -> dict[str, float]:
    """Effective samples per second of what moves ``per_second`` ps of all chains in a second."""
    times = np.array([integrated_time(autocorrelation(own), interval) for own in series])
    correlation = float(1 / np.nanmean(1 / times)) if np.isfinite(times).any() else np.nan
    return {
        "ps_per_second": per_second,
        "correlation_time_ps": correlation,
        "samples_per_second": per_second / (2 * correlation),
    }


def md(platform: str, options: Namespace) -> dict[str, Any]:
    """The MD that the simulator was trained on, many chains in one context.

    Raises
    ------
    LeftOutError
        If OpenMM, or that platform of it, is not here.
    """
    need("openmm", "mdtraj")
    import openmm

    numbers = range(openmm.Platform.getNumPlatforms())
    known = [openmm.Platform.getPlatform(number).getName() for number in numbers]
    chosen = "CPU" if options.dry else platform
    if chosen not in known:
        raise LeftOutError(f"OpenMM has no platform {chosen} here, only {', '.join(known)}")
    from benchmarks.speed.md_polymers import Setup, make_context
    from cgsim.md.polymer import sample_chains
    from cgsim.md.polymer_system import ForceField

    chains = sample_chains("II", size="mini", n_chains=2 if options.dry else N_CHAINS, seed=1)
    context = make_context(chains, Setup(chosen, 1, 1, len(chains)), seed=0)
    bounds = np.cumsum([0, *(chain.n_atoms for chain in chains)])
    masses = [np.ones(chain.n_atoms) for chain in chains]  # as in the force field
    values: list[list[float]] = []
    start, n_steps = time.perf_counter(), 0
    while time.perf_counter() - start < (0.5 if options.dry else MD_SECONDS):
        context.getIntegrator().step(MD_BLOCK)
        n_steps += MD_BLOCK
        state = context.getState(getPositions=True)
        pos = state.getPositions(asNumpy=True).value_in_unit(openmm.unit.nanometer)
        values.append(
            [
                float(radius_of_gyration(pos[None, first:last], mass)[0]) ** 2
                for first, last, mass in zip(bounds, bounds[1:], masses, strict=False)
            ]
        )
    seconds = time.perf_counter() - start
    timestep = ForceField().timestep
    series = [[own] for own in np.array(values)[len(values) // 4 :].T]
    rate = n_steps * timestep * len(chains) / seconds
    return {
        "n_chains": len(chains),
        "n_steps": n_steps,
        **_rate(series, MD_BLOCK * timestep, rate),
    }

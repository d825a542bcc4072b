"""A learned simulator against OpenMM for the same polymers: time and samples per second."""

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import cgsim
from benchmarks.md_speed import Setup, chain_steps_per_second, make_context
from cgsim.data import MappedTrajectory
from cgsim.evaluate.kinetics import autocorrelation, integrated_time
from cgsim.evaluate.observables import radius_of_gyration
from cgsim.md.polymer import sample_chains
from cgsim.md.system import ForceField
from cgsim.simulator import Simulator
from cgsim.store import load_mapped_folders

PRETRAINED = "polymer-mini"
SECONDS_PER_DAY = 86_400.0
CHAINS = 4  # molecules, each in many replicas
MERGED_CHAINS = 16  # per System: what `benchmarks.md_speed` found to be fast
N_ROUNDS = 3


def mini_polymers(folder: Path) -> list[MappedTrajectory]:
    """Mapped MD of the mini polymers.

    Raises
    ------
    FileNotFoundError
        If it was not made.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no mapped MD of mini polymers; `python -m benchmarks.polymers` makes it, "
            "`--data` tells where it is"
        )
    return load_mapped_folders([folder])


def against_md(options: argparse.Namespace) -> dict[str, Any]:
    """MD of merged chains on all cores, and the learned simulator without and with refinement.

    Raises
    ------
    FileNotFoundError
        If there are no mapped trajectories of MD.
    """
    reference = _same_size(mini_polymers(options.data))
    learned = cgsim.load_pretrained(PRETRAINED).to(options.device)
    rows = {"OpenMM": _row(_md_rate(options.seconds, options.device), reference)}
    for label, simulator in {
        "learned, score off": learned.with_evaluations(0),
        "learned, default refinement": learned,
    }.items():
        rows[label] = _learned(simulator, reference, options)
        for name in ("time_per_second", "samples_per_second"):
            rows[label][f"{name}_over_md"] = rows[label][name] / rows["OpenMM"][name]
    return {"molecules": sorted({own.name for own in reference}), "rows": rows}


def _same_size(trajectories: Sequence[MappedTrajectory]) -> list[MappedTrajectory]:
    """All replicas of the first few molecules of one number of beads."""
    chosen = [own for own in trajectories if own.n_beads == trajectories[0].n_beads]
    names = sorted({own.name for own in chosen})[:CHAINS]
    return [own for own in chosen if own.name in names]


def _md_rate(seconds: float, device: str) -> float:
    """Simulated time of all chains per second, ps/s: merged chains, a System per core or GPU."""
    platform, n_systems = ("CUDA", 1) if device == "cuda" else ("CPU", os.cpu_count() or 1)
    setup = Setup(platform, n_systems, 1, MERGED_CHAINS)
    chains = sample_chains("I", size="mini", n_chains=MERGED_CHAINS, seed=0)
    contexts = [make_context(chains, setup, seed=seed) for seed in range(n_systems)]
    rates = [chain_steps_per_second(contexts, setup, seconds) for _ in range(N_ROUNDS)]
    return statistics.median(rates) * ForceField().timestep


def _learned(
    simulator: Simulator, starts: Sequence[MappedTrajectory], options: argparse.Namespace
) -> dict[str, float]:
    n_replicas = max(1, options.md_replicas // len({own.name for own in starts}))
    start = time.perf_counter()
    rollout = cgsim.simulate(simulator, starts, options.md_steps, n_replicas=n_replicas)
    whole = time.perf_counter() - start
    simulated = options.md_steps * simulator.timestep * len(rollout.trajectories)
    row = _row(simulated / rollout.seconds, rollout.trajectories)
    return row | {
        "time_per_second_with_start": simulated / whole,
        "failures": len(rollout.failures),
        "steps_per_second": options.md_steps / rollout.seconds,
    }


def _row(rate: float, trajectories: Sequence[MappedTrajectory]) -> dict[str, float]:
    """Rates of a simulation of ``rate`` ps/s that moves as these trajectories do."""
    correlation = correlation_time(trajectories)
    return {
        "time_per_second": rate,
        "time_per_day": rate * SECONDS_PER_DAY,
        "correlation_time": correlation,
        "samples_per_second": rate / (2 * correlation),
    }


def correlation_time(trajectories: Sequence[MappedTrajectory]) -> float:
    """Harmonic mean over molecules of the integrated autocorrelation time of Rg², ps.

    Samples per simulated time, not their times, add up. Molecules that are not resolved are left
    out.
    """
    series = defaultdict(list)
    for own in trajectories:
        series[own.name].append(radius_of_gyration(np.asarray(own.pos), own.bead_mass) ** 2)
    interval = trajectories[0].frame_interval
    times = np.array([integrated_time(autocorrelation(own), interval) for own in series.values()])
    return float(1 / np.nanmean(1 / times))

"""A learned simulator against OpenMM for the same molecules: time and samples per second."""

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import cgsim
from benchmarks.peptides.runs import UNSEEN
from benchmarks.polymers.__main__ import TRAINING
from benchmarks.polymers.runs import SIZES
from benchmarks.speed.md_peptides import FORCE_FIELD, SECONDS_PER_DAY, Simulation, run_side_by_side
from benchmarks.speed.md_polymers import Setup, chain_steps_per_second, make_context
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.evaluate.statistics.autocorrelation import autocorrelation, integrated_time
from cgsim.mapping.store import load_mapped_folders
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md import MergedPeptides, build_peptide
from cgsim.md.polymer import sample_chains
from cgsim.md.polymer_system import ForceField
from cgsim.model.simulator import Simulator
from cgsim.units import PS_PER_NS

PRETRAINED = "polymer-mini"
MERGED_ATOMS = 1920  # per System of polymers: what `benchmarks.speed.md_polymers` found to be fast
N_ROUNDS = 3
Rows = dict[str, dict[str, float]]


def mini_polymers(folder: Path) -> list[MappedTrajectory]:
    """Mapped MD of the mini polymers.

    Raises
    ------
    FileNotFoundError
        If it was not made.
    """
    return _mapped(folder, "mini polymers", maker="polymers", option="--data")


def _mapped(folder: Path, what: str, *, maker: str, option: str) -> list[MappedTrajectory]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no mapped MD of {what}; `python -m benchmarks.{maker}` makes it, "
            f"`{option}` tells where it is"
        )
    return load_mapped_folders([folder])


def polymers_against_md(options: argparse.Namespace) -> dict[str, Any]:
    """Mini polymers never seen, those of class II.

    Raises
    ------
    FileNotFoundError
        If there are no mapped trajectories of MD.
    """
    reference = _unseen_polymers(options.data)
    learned = cgsim.load_pretrained(PRETRAINED).to(options.device)
    rate = _polymer_rate("mini", options)
    return _against(reference, learned, rate, options)


def peptides_against_md(options: argparse.Namespace) -> dict[str, Any]:
    """Peptides never seen.

    Raises
    ------
    FileNotFoundError
        If there are no mapped trajectories of MD.
    """
    found = _mapped(options.peptide_data, "peptides", maker="peptides", option="--peptide-data")
    reference = [own for own in found if own.name in UNSEEN]
    learned = cgsim.load_pretrained("peptides").to(options.device)
    return _against(reference, learned, _peptide_rate(options.device), options)


def paper_against_md(options: argparse.Namespace) -> dict[str, Any]:
    """Polymers of the published size: simulated time alone, as nothing was trained on them.

    Their network has the size of that of the mini polymers, whose steps on 12 beads are timed here,
    three more than theirs; the time step is the one they are trained with.

    Raises
    ------
    FileNotFoundError
        If there are no mapped trajectories of the mini polymers.
    """
    starts = _unseen_polymers(options.data)
    learned = cgsim.load_pretrained(PRETRAINED).to(options.device)
    md = _polymer_rate("paper", options)
    rows = {"OpenMM": _times(md)}
    longer = SIZES["paper"].train_md.frame_interval * TRAINING["paper"].stride / learned.timestep
    for label, simulator in _learned(learned).items():
        row, _ = _roll_out(simulator, starts, options)
        rate = row["time_per_second"] * longer
        rows[label] = _times(rate) | {"time_per_second_over_md": rate / md}
    return {"molecules": ["class II"], "rows": rows}


def _unseen_polymers(folder: Path) -> list[MappedTrajectory]:
    names = {chain.name for chain in SIZES["mini"].chains("II")}
    return [own for own in mini_polymers(folder) if own.name in names]


def _learned(simulator: Simulator) -> dict[str, Simulator]:
    return {
        "learned, score off": simulator.sampled_by(replace(simulator.sampler, n_evaluations=0)),
        "learned, default refinement": simulator,
    }


def _against(
    reference: Sequence[MappedTrajectory],
    learned: Simulator,
    md_rate: float,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """MD with all cores, and the learned simulator without and with refinement."""
    rows: Rows = {"OpenMM": _times(md_rate) | _samples(md_rate, reference)}
    for label, simulator in _learned(learned).items():
        row, trajectories = _roll_out(simulator, reference, options)
        rows[label] = row | _samples(row["time_per_second"], trajectories)
        for name in ("time_per_second", "samples_per_second"):
            rows[label][f"{name}_over_md"] = rows[label][name] / rows["OpenMM"][name]
    return {"molecules": sorted({own.name for own in reference}), "rows": rows}


def _hardware(device: str) -> tuple[str, int]:
    """OpenMM's platform, and how many Systems run side by side: one per core or GPU."""
    return ("CUDA", 1) if device == "cuda" else ("CPU", os.cpu_count() or 1)


def _polymer_rate(size: str, options: argparse.Namespace) -> float:
    """Simulated time of all chains per second, ps/s: merged chains."""
    platform, n_systems = _hardware(options.device)
    n_chains = max(1, MERGED_ATOMS // sample_chains("II", size=size, n_chains=1, seed=0)[0].n_atoms)
    setup = Setup(platform, n_systems, 1, n_chains)
    chains = sample_chains("II", size=size, n_chains=n_chains, seed=0)
    contexts = [make_context(chains, setup, seed=seed) for seed in range(n_systems)]
    rates = [chain_steps_per_second(contexts, setup, options.seconds) for _ in range(N_ROUNDS)]
    return statistics.median(rates) * ForceField().timestep


def _peptide_rate(device: str) -> float:
    """The same of the unseen peptides, one of each in a System."""
    platform, n_systems = _hardware(device)
    peptides = [build_peptide(sequence) for sequence in UNSEEN]
    merged = [MergedPeptides(peptides, FORCE_FIELD, platform=platform) for _ in range(n_systems)]
    xyz = [peptide.xyz for peptide in peptides]
    simulations = [Simulation(own, own.relax(xyz, seed=seed)) for seed, own in enumerate(merged)]
    n_atom_steps = MergedPeptides.n_atom_steps[platform]
    rates = [run_side_by_side(simulations, n_atom_steps, repeat) for repeat in range(N_ROUNDS)]
    return statistics.median(rates) * PS_PER_NS / SECONDS_PER_DAY


def _roll_out(
    simulator: Simulator, starts: Sequence[MappedTrajectory], options: argparse.Namespace
) -> tuple[dict[str, float], Sequence[MappedTrajectory]]:
    n_replicas = max(1, options.md_replicas // len({own.name for own in starts}))
    start = time.perf_counter()
    rollout = cgsim.simulate(simulator, starts, options.md_steps, n_replicas=n_replicas)
    whole = time.perf_counter() - start
    simulated = options.md_steps * simulator.timestep * len(rollout.trajectories)
    row = _times(simulated / rollout.seconds) | {
        "time_per_second_with_start": simulated / whole,
        "failures": len(rollout.failures),
        "steps_per_second": options.md_steps / rollout.seconds,
    }
    return row, rollout.trajectories


def _times(rate: float) -> dict[str, float]:
    return {"time_per_second": rate, "time_per_day": rate * SECONDS_PER_DAY}


def _samples(rate: float, trajectories: Sequence[MappedTrajectory]) -> dict[str, float]:
    """Effective samples of a simulation of ``rate`` ps/s that moves as these trajectories do."""
    correlation = correlation_time(trajectories)
    return {"correlation_time": correlation, "samples_per_second": rate / (2 * correlation)}


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

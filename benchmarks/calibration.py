"""Are the predicted variances of the quickstart's simulator right? Against simple propagators.

    python -m benchmarks.calibration --run runs/quickstart

Reads the folder that `python -m benchmarks.quickstart` leaves and scores single steps from frames
of the unseen test chains. The fitted propagators have an advantage: they see the first half of the
MD of each test chain, and all are scored on the second half. The simulator has never seen the
chains. Writes `benchmarks/results/calibration.json`.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.record import write_result
from cgsim.baselines.linear import LinearPropagator
from cgsim.baselines.regression import (
    cut_windows,
    persistence,
    random_walk,
    vector_autoregression,
)
from cgsim.evaluate.report.table import format_estimate
from cgsim.evaluate.scores.calibration import (
    StepQuantities,
    bead_energy_score,
    configuration_energy_score,
    coverage,
    mean_estimate,
    pit_histogram,
    pit_values,
    skill,
    step_quantities,
)
from cgsim.io import load_molecule
from cgsim.mapping import build_mapping
from cgsim.mapping.store import map_trajectory
from cgsim.mapping.trajectory import MappedTrajectory, split_by_time
from cgsim.model.checkpoint import SIMULATOR_FILE, load_provenance, load_simulator
from cgsim.model.simulator import Simulator
from cgsim.rollout.next_frame import OneStep, sample_next

QUANTITIES = tuple(field.name for field in fields(StepQuantities))
REFERENCES = ("no-op", "random walk", "VAR")
PIT_STREAM = 10_000  # seeds of PIT values, apart from those of the samples


@dataclass(frozen=True)
class Scores:
    """One propagator on all windows.

    Parameters
    ----------
    configuration, bead
        Energy scores [n_windows], nm; that of the beads is their mean.
    pit
        PIT values [n_windows, n_values] of each scalar quantity.
    """

    configuration: np.ndarray
    bead: np.ndarray
    pit: dict[str, np.ndarray]


def read_test_chains(folder: Path, model: Path) -> list[list[MappedTrajectory]]:
    """The replicas of each test chain, mapped like the training data."""
    recipe = load_provenance(model).recipe
    chains = []
    for file in sorted((folder / "md").glob("*-II-*.pdb")):
        molecule = load_molecule(file)
        mapping = build_mapping(molecule, recipe)
        replicas = sorted(file.parent.glob(f"{file.stem}-r*.xtc"))
        chains.append([map_trajectory(replica, molecule, mapping) for replica in replicas])
    if not chains:
        raise SystemExit(f"{folder}/md holds no test chains: run benchmarks.quickstart first")
    return chains


def fit_propagators(
    replicas: Sequence[MappedTrajectory], simulator: Simulator
) -> dict[str, LinearPropagator]:
    """The propagators to beat, fitted on all replicas of one chain."""
    windows = [
        cut_windows(replica.pos, n_history=simulator.config.history, stride=simulator.scales.stride)
        for replica in replicas
    ]
    history, next_pos = (np.concatenate(arrays) for arrays in zip(*windows, strict=True))
    regressions = {
        "no-op": persistence,
        "random walk": random_walk,
        "VAR": vector_autoregression,
    }
    return {
        label: fit(history, next_pos, timestep=simulator.timestep)
        for label, fit in regressions.items()
    }


def score(trajectory: MappedTrajectory, step: OneStep, *, seed: int) -> Scores:
    """Score the samples of the windows of one trajectory."""
    current = step.history[:, :, -1]
    bonds, mass = trajectory.edge_index, trajectory.bead_mass
    observed = step_quantities(current, step.observed, edge_index=bonds, bead_mass=mass)
    sampled = step_quantities(current, step.samples, edge_index=bonds, bead_mass=mass)
    return Scores(
        configuration=configuration_energy_score(step.samples, step.observed),
        bead=bead_energy_score(step.samples, step.observed).mean(axis=1),
        pit={
            name: pit_values(getattr(sampled, name), getattr(observed, name), seed=seed)
            for name in QUANTITIES
        },
    )


def score_all(
    simulator: Simulator,
    chains: Sequence[Sequence[MappedTrajectory]],
    *,
    n_windows: int,
    n_samples: int,
    seed: int,
) -> dict[str, Scores]:
    """Scores of the simulator, of its Gaussian without refinement, and of those to beat."""
    halves = [split_by_time(replicas, fraction=0.5) for replicas in chains]
    late = [trajectory for _, replicas in halves for trajectory in replicas]
    draws = {"n_windows": n_windows, "n_samples": n_samples, "seed": seed}
    steps = {"simulator": sample_next(simulator, late, **draws)}
    if simulator.score is not None:
        unrefined = simulator.sampled_by(replace(simulator.sampler, n_evaluations=0))
        steps["without refinement"] = sample_next(unrefined, late, **draws)
    fitted = [fit_propagators(early, simulator) for early, replicas in halves for _ in replicas]
    for label in REFERENCES:
        steps[label] = [
            OneStep(
                own.name,
                own.history,
                own.observed,
                fit[label].sample(own.history, n_samples, seed=seed + index),
            )
            for index, (own, fit) in enumerate(zip(steps["simulator"], fitted, strict=True))
        ]
    return {
        label: _join(
            [
                score(trajectory, own, seed=PIT_STREAM + seed + index)
                for index, (trajectory, own) in enumerate(zip(late, drawn, strict=True))
            ]
        )
        for label, drawn in steps.items()
    }


def _join(scores: Sequence[Scores]) -> Scores:
    return Scores(
        configuration=np.concatenate([own.configuration for own in scores]),
        bead=np.concatenate([own.bead for own in scores]),
        pit={name: np.concatenate([own.pit[name] for own in scores]) for name in QUANTITIES},
    )


def summary(scores: Mapping[str, Scores]) -> dict[str, dict[str, Any]]:
    """Everything about each propagator as plain numbers with standard errors; lengths in nm."""
    result: dict[str, dict[str, Any]] = {}
    for label, own in scores.items():
        result[label] = {
            "energy_score_configuration": asdict(mean_estimate(own.configuration)),
            "energy_score_bead": asdict(mean_estimate(own.bead)),
            "skill_configuration": {
                reference: asdict(skill(own.configuration, scores[reference].configuration))
                for reference in REFERENCES
            },
        }
        if label == "no-op":  # a single point has no intervals
            continue
        result[label]["calibration"] = {
            name: _calibration(values) for name, values in own.pit.items()
        }
    return result


def _calibration(values: np.ndarray) -> dict[str, Any]:
    shape = pit_histogram(values)
    return {
        "pit_density": shape.density,
        "pit_deviation": shape.deviation,
        "pit_deviation_floor": shape.floor,
        "pit_reduced_chi_square": shape.reduced_chi_square,
        "n_values": values.size,
        "coverage": {f"{level:g}": asdict(own) for level, own in coverage(values).items()},
    }


def show(scores: Mapping[str, Scores]) -> None:
    """Print two tables: energy scores, and calibration of every quantity."""
    energy = Table(title="energy score of one step, nm (smaller is better)")
    energy.add_column("propagator")
    for heading in ("configuration", "bead", *(f"skill to {name}" for name in REFERENCES)):
        energy.add_column(heading, justify="right")
    for label, own in scores.items():
        estimates = [mean_estimate(own.configuration), mean_estimate(own.bead)] + [
            skill(own.configuration, scores[name].configuration) for name in REFERENCES
        ]
        energy.add_row(label, *(format_estimate(estimate) for estimate in estimates))
    calibration = Table(title="calibration: coverage of central intervals, shape of the PIT")
    calibration.add_column("quantity")
    calibration.add_column("propagator")
    for heading in ("50 %", "90 %", "99 %", "PIT deviation", "by chance"):
        calibration.add_column(heading, justify="right")
    rows = [(name, label) for name in QUANTITIES for label in scores if label != "no-op"]
    for name, labels in groupby(rows, key=lambda row: row[0]):
        for _, label in labels:
            values = scores[label].pit[name]
            shape = pit_histogram(values)
            cells = [format_estimate(own) for own in coverage(values).values()]
            calibration.add_row(name, label, *cells, f"{shape.deviation:.3f}", f"{shape.floor:.3f}")
        calibration.add_section()
    console = Console(width=120)
    console.print(energy)
    console.print(calibration)


def main() -> None:
    """Read, sample, score, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--windows", type=int, default=64, help="per trajectory of a test chain")
    parser.add_argument("--samples", type=int, default=100, help="per window")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.perf_counter()
    model = given.run / "model" / SIMULATOR_FILE
    simulator = load_simulator(model)
    chains = read_test_chains(given.run, model)
    scores = score_all(
        simulator, chains, n_windows=given.windows, n_samples=given.samples, seed=given.seed
    )
    metrics = {
        "units": {"energy_score": "nm", "timestep": "ps"},
        "timestep": simulator.timestep,
        "history": simulator.config.history,
        "n_test_chains": len(chains),
        "n_windows": len(scores["simulator"].bead),
        "n_samples": given.samples,
        "propagators": summary(scores),
    }
    path = write_result(
        "calibration",
        f"python -m benchmarks.calibration --run {given.run} --windows {given.windows} "
        f"--samples {given.samples} --seed {given.seed}",
        metrics,
        wall_clock=time.perf_counter() - started,
        seed=given.seed,
    )
    show(scores)
    print(f"written to {path}")


if __name__ == "__main__":
    main()

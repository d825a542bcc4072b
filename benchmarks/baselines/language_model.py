"""The language model of Tsai, Kuo and Tiwary: four wells, and a dihedral angle of a peptide."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baselines.dihedral import BASINS, N_STATES, basin_of_bin, dihedral_states
from cgsim.baselines.discretise import NearestState
from cgsim.baselines.language_model import (
    LanguageModel,
    LanguageModelConfig,
    fit_language_model,
)
from cgsim.evaluate.kinetics.states import StateStatistics, compare_states, measure_states
from cgsim.evaluate.statistics.distributions import js_distance
from cgsim.io import write_atomic_json
from cgsim.testing.exact.four_well import FourWell

STRIDE = 20  # steps per frame: a running mean of 10 units of time, excursions of up to 20
KEPT = 25  # of the discretised frames, so that one is kept every 5 units of time
N_PROMPT = 50  # frames that a sampled sequence begins with


@dataclass(frozen=True)
class Size:
    """Of the benchmark of the language model.

    Parameters
    ----------
    n_walkers, n_frames
        Of the four wells; frames of 0.2 units of time. Half of the walkers are held out.
    n_chains, n_sampled
        Of the language model; frames of 5 units of time, the first half discarded.
    n_steps, n_dihedral
        Of training, with the four wells and with a dihedral angle, of which there is less MD: with
        more steps the model learns it by heart.
    """

    n_walkers: int
    n_frames: int
    n_chains: int
    n_sampled: int
    n_steps: int
    n_dihedral: int


FULL = Size(
    n_walkers=2000,
    n_frames=20_000,
    n_chains=500,
    n_sampled=8000,
    n_steps=5000,
    n_dihedral=300,
)
QUICK = Size(n_walkers=200, n_frames=5000, n_chains=50, n_sampled=500, n_steps=100, n_dihedral=10)


def language_model(options: argparse.Namespace) -> dict[str, Any]:
    """The four wells, and a dihedral angle where there is MD of a peptide."""
    size = QUICK if options.quick else FULL
    found = {"four_wells": four_wells(size, options.output / "language_model", options.seed)}
    if options.dihedral is not None:
        found["dihedral"] = dihedral(options.dihedral, size, seed=options.seed)
    return found


def four_wells(size: Size, folder: Path, seed: int) -> dict[str, Any]:
    """Train on half of the walkers; sample; compare with the others.

    The slowest motion, between A and C on one side and B and D on the other, takes about ten
    thousand units of time: sampled chains are longer, and their first half does not count.
    """
    system, n_states = FourWell(), len(FourWell().centres)
    settings = {
        "n_walkers": size.n_walkers,
        "n_frames": size.n_frames,
        "system": asdict(system),
        "stride": STRIDE,
        "kept": KEPT,
        "seed": seed,
    }
    series = cached(folder / "reference", settings, lambda: four_well_states(size, seed))
    train, held_out = np.array_split(series, 2)
    model = trained(list(train), n_states, size.n_steps, seed=seed)
    rows = np.random.default_rng(seed).integers(len(train), size=size.n_chains)
    sampled = model.sample(train[rows, :N_PROMPT], size.n_sampled, seed=seed)
    interval = STRIDE * KEPT * system.timestep
    trained_on, reference, learned = (
        measure_states(list(part), n_states, frame_interval=interval)
        for part in (train, held_out, sampled[:, size.n_sampled // 2 :])
    )
    exact = system.populations
    error = float(np.abs(learned.populations - exact).max())
    found = compared(reference, learned)
    print(f"populations {learned.populations.round(3)}, exact {exact.round(4)}")
    print(f"largest error {error:.3f}; worst rate off by {found['largest_rate_factor']:.2f}")
    return (
        settings
        | found
        | {
            "size": asdict(size),
            "frame_interval": interval,
            "exact_populations": exact,
            "trained_on": asdict(trained_on),
            "against_trained_on": compared(trained_on, learned)["comparison"],
            "largest_population_error": error,
            "held_out_cross_entropy": model.cross_entropy(list(held_out)).mean(),
        }
    )


def dihedral(topology: Path, size: Size, *, seed: int) -> dict[str, Any]:
    """Train on phi of half of the replicas of a peptide; sample; compare with the others."""
    series, interval = dihedral_states(topology)
    train, held_out = series[: len(series) // 2], series[len(series) // 2 :]
    model = trained(train, N_STATES, size.n_dihedral, seed=seed)
    rows = np.random.default_rng(seed).integers(len(train), size=size.n_chains)
    prompt = np.stack([train[row][:N_PROMPT] for row in rows])
    n_sampled = min(size.n_sampled, 4 * len(train[0]))
    sampled = list(model.sample(prompt, n_sampled, seed=seed)[:, n_sampled // 2 :])
    bins = [
        np.bincount(np.concatenate(part), minlength=N_STATES).astype(float)
        for part in (held_out, train, sampled)
    ]
    known, own, learned_bins = (counts / counts.sum() for counts in bins)
    reference, learned, again = (
        measure_states(
            [basin_of_bin()[states] for states in part], len(BASINS), frame_interval=interval
        )
        for part in (held_out, sampled, train)
    )
    found = compared(reference, learned)
    print(f"{topology.stem}: basins {learned.populations.round(3)}, MD {reference.populations}")
    return found | {
        "name": topology.stem,
        "frame_interval": interval,
        "duration": interval * sum(map(len, series)),
        "n_replicas": len(series),
        "basins": list(BASINS),
        "trained_on": asdict(again),
        "bin_populations": {"reference": known, "trained_on": own, "learned": learned_bins},
        "js_bins": {
            "learned": float(js_distance(learned_bins, known)),
            "trained_on": float(js_distance(own, known)),
        },
        "held_out_cross_entropy": model.cross_entropy(held_out).mean(),
    }


def trained(series: list[np.ndarray], n_states: int, n_steps: int, *, seed: int) -> LanguageModel:
    """The published model after some steps of training, half of them with less and less effect."""
    config = replace(LanguageModelConfig(), n_steps=n_steps, n_decay=n_steps // 2)
    return fit_language_model(series, n_states, config, seed=seed)


def compared(reference: StateStatistics, learned: StateStatistics) -> dict[str, Any]:
    """Both, and the one against the other."""
    against = compare_states(reference, learned)
    return {
        "reference": asdict(reference),
        "learned": asdict(learned),
        "comparison": asdict(against),
        "largest_rate_factor": against.largest_rate_factor,
    }


def four_well_states(size: Size, seed: int) -> np.ndarray:
    """States of the walkers in the four wells, one every 5 units of time, [n_walkers, n]."""
    system = FourWell()
    x = system.sample(size.n_walkers, size.n_frames, stride=STRIDE, seed=seed)
    discretise = NearestState(tuple(system.centres.tolist()))
    return np.stack([discretise(walker)[::KEPT] for walker in x])


def cached(stem: Path, settings: dict[str, Any], make: Callable[[], np.ndarray]) -> np.ndarray:
    """An array that is made once for the same settings."""
    header, file = stem.with_suffix(".json"), stem.with_suffix(".npy")
    if header.exists() and json.loads(header.read_text()) == settings:
        return np.load(file).astype(np.int64)
    header.unlink(missing_ok=True)
    made = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, made.astype(np.uint8))
    write_atomic_json(header, settings)
    return made

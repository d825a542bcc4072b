"""The language model of Tsai, Kuo and Tiwary on the four-well potential."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.baselines.language_model import LanguageModelConfig, fit_language_model
from cgsim.baselines.states import NearestState
from cgsim.evaluate.states import compare_states, measure_states
from cgsim.exact.four_well import FourWell
from cgsim.io import write_atomic_json

STRIDE = 10  # Euler steps per frame: a running mean of 5 units of time, excursions of up to 10
KEPT = 10  # of the discretised frames every tenth is kept: one per unit of time
N_PROMPT = 50  # frames that a sampled sequence begins with


@dataclass(frozen=True)
class Size:
    """Of the benchmark of the language model.

    Parameters
    ----------
    n_walkers, n_frames
        Of the four wells; frames of 0.1 units of time. Half of the walkers are held out.
    n_chains, n_sampled
        Of the language model; frames of a unit of time, the first half discarded.
    n_steps
        Of training.
    """

    n_walkers: int
    n_frames: int
    n_chains: int
    n_sampled: int
    n_steps: int


FULL = Size(n_walkers=1000, n_frames=20_000, n_chains=500, n_sampled=40_000, n_steps=2000)
QUICK = Size(n_walkers=200, n_frames=5000, n_chains=50, n_sampled=500, n_steps=100)


def language_model(options: argparse.Namespace) -> dict[str, Any]:
    """Train on the four wells; sample; compare with held-out walkers.

    The slowest motion, between A and C on one side and B and D on the other, takes about ten
    thousand units of time: sampled chains are longer, and their first half does not count.
    """
    size = QUICK if options.quick else FULL
    config = replace(LanguageModelConfig(), n_steps=size.n_steps)
    folder, seed, system = options.output / "language_model", options.seed, FourWell()
    interval, n_states = STRIDE * KEPT * system.timestep, len(system.centres)
    settings = {"size": asdict(size), "config": asdict(config), "seed": seed}
    series = cached(folder / "reference", settings, lambda: four_well_states(size, seed))
    train, held_out = np.array_split(series, 2)
    model = fit_language_model(list(train), n_states, config, seed=seed)
    rows = np.random.default_rng(seed).integers(len(train), size=size.n_chains)
    prompt = train[rows, :N_PROMPT]
    sampled = cached(
        folder / "sampled", settings, lambda: model.sample(prompt, size.n_sampled, seed=seed)
    )[:, size.n_sampled // 2 :]
    reference, learned = (
        measure_states(list(part), n_states, frame_interval=interval)
        for part in (held_out, sampled)
    )
    against = compare_states(reference, learned)
    exact = system.populations
    error = float(np.abs(learned.populations - exact).max())
    print(f"populations {learned.populations.round(3)}, exact {exact.round(4)}")
    print(f"largest error {error:.3f}; worst rate off by {against.largest_rate_factor:.2f}")
    return settings | {
        "frame_interval": interval,
        "exact_populations": exact,
        "reference": asdict(reference),
        "learned": asdict(learned),
        "largest_population_error": error,
        "largest_rate_factor": against.largest_rate_factor,
        "comparison": asdict(against),
        "held_out_cross_entropy": model.cross_entropy(list(held_out)).mean(),
    }


def four_well_states(size: Size, seed: int) -> np.ndarray:
    """States of the walkers in the four wells, one per unit of time, [n_walkers, n]."""
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

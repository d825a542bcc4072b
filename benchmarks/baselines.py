"""The baselines of our forerunners: forecasters of coordinates, a language model of states.

    python -m benchmarks.baselines [--only forecast language_model] [--data NAME.cg ...] [--quick]

`forecast` makes the table of Gupta et al. for every mapped trajectory given by `--data` and says
which of their claims hold; `language_model` trains the model of Tsai, Kuo and Tiwary on the
four-well potential. What is made lies in folders under `runs/baselines`, where a second call goes
on; `benchmarks/results/baselines.json` keeps the sections that are not made.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.environment import RESULTS, write_result
from cgsim.baselines.forecast import superposed
from cgsim.baselines.forecast_table import forecast_table
from cgsim.baselines.language_model import LanguageModelConfig, fit_language_model
from cgsim.baselines.states import NearestState
from cgsim.evaluate.states import compare_states, measure_states
from cgsim.exact.four_well import FourWell
from cgsim.io import write_atomic_json
from cgsim.store import load_mapped

Rows = list[dict[str, Any]]
Section = Callable[[argparse.Namespace], dict[str, Any]]

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


# ---------------------------------------------------------------- forecasters


def forecast(options: argparse.Namespace) -> dict[str, Any]:
    """The table of every trajectory and the claims about it."""
    if not options.data:
        raise SystemExit("forecast needs trajectories: --data NAME.cg (made by `cgsim map`)")
    found = {}
    for folder in options.data:
        trajectory = load_mapped(folder)
        if not options.as_is:
            trajectory = superposed(trajectory)
        rows = forecast_table(
            trajectory, options.output / "forecast" / trajectory.name, seed=options.seed
        )
        Console(width=140).print(forecast_rows(rows))
        held = claims(rows)
        print(json.dumps(held, indent=2))
        found[trajectory.name] = {"rows": rows, "claims": held, "superposed": not options.as_is}
    return found


def claims(rows: Rows) -> dict[str, Any]:
    """Which of the published claims hold for one trajectory, on held-out frames.

    A difference counts if it is more than two standard errors; fractions are those of pairs of
    forecasters that differ in one setting.
    """
    trained = [row for row in rows if row["config"]["kind"] != "static"]
    early = [row for row in trained if row["config"]["lead"] in (1, 5)]
    late = [r for r in trained if r["config"]["lead"] >= 15 and r["config"]["kind"] == "lstm"]
    return {
        "static wins at leads 1 and 5": not any(beats_static(row) for row in early),
        "LSTM beats static from lead 15 on": bool(late) and all(map(best_of_lead(late), late)),
        "LSTM never beats static": not any(
            beats_static(row) for row in trained if row["config"]["kind"] == "lstm"
        ),
        "fraction in which history 10 beats 1": fraction_lower(trained, "history", 10, 1),
        "fraction in which decomposition helps": fraction_lower(trained, "decomposed", True, False),
    }


def beats_static(row: dict[str, Any]) -> bool:
    """Lower than the static forecaster on the same frames by two standard errors."""
    above = row["above_static"]
    return bool(above["value"] + 2 * above["error"] < 0)


def best_of_lead(rows: Rows) -> Callable[[dict[str, Any]], bool]:
    """Whether the best of the rows of the same lead beats the static forecaster."""

    def holds(row: dict[str, Any]) -> bool:
        same = [other for other in rows if other["config"]["lead"] == row["config"]["lead"]]
        return beats_static(min(same, key=lambda other: other["rmsd"]["mean"]))

    return holds


def fraction_lower(rows: Rows, field: str, new: object, old: object) -> float:
    """Of the pairs that differ in one field: how often the new value has the lower mean RMSD."""

    def rest(row: dict[str, Any]) -> str:
        return json.dumps(row["config"] | {field: None}, sort_keys=True)

    sides = [
        {rest(row): row["rmsd"]["mean"] for row in rows if row["config"][field] == value}
        for value in (new, old)
    ]
    pairs = [sides[0][key] < sides[1][key] for key in sides[0].keys() & sides[1].keys()]
    return float(np.mean(pairs)) if pairs else float("nan")


def forecast_rows(rows: Rows) -> Table:
    """One row per forecaster."""
    shown = Table(title=f"{rows[0]['origin']['name']}: RMSD on held-out frames, nm")
    for head in ("lead", "kind", "scope", "history", "mean", "median", "above static"):
        shown.add_column(head)
    for row in rows:
        config, above = row["config"], row["above_static"]
        shown.add_row(
            str(config["lead"]),
            config["kind"],
            "atoms" if config["decomposed"] else "whole",
            str(config["history"]),
            f"{row['rmsd']['mean']:.4f}",
            f"{row['rmsd']['quantiles']['0.5']:.4f}",
            f"{above['value']:+.4f} ± {above['error']:.4f}",
        )
    return shown


# ---------------------------------------------------------------- language model


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


# ---------------------------------------------------------------- command

SECTIONS: dict[str, Section] = {"forecast": forecast, "language_model": language_model}


def written(metrics: dict[str, Any]) -> dict[str, Any]:
    """What is made now over what the result file holds of other sections."""
    file = RESULTS / "baselines.json"
    before = json.loads(file.read_text(encoding="utf-8"))["metrics"] if file.exists() else {}
    return before | metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the chosen sections, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--data", nargs="+", type=Path, default=[], help="mapped trajectories")
    parser.add_argument("--as-is", action="store_true", help="do not superpose the frames")
    parser.add_argument("--quick", action="store_true", help="a language model of small size")
    parser.add_argument("--output", type=Path, default=Path("runs/baselines"), help="a folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    start = time.perf_counter()
    metrics = {name: SECTIONS[name](options) for name in options.only}
    path = write_result(
        "baselines",
        f"python -m benchmarks.baselines --only {' '.join(options.only)}"
        f"{' --quick' if options.quick else ''}",
        written(metrics),
        wall_clock=time.perf_counter() - start,
        seed=options.seed,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

"""What the polymer benchmarks measure: pure functions from roll-outs and MD to plain numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from cgsim.evaluate import Comparison, Ensemble, Estimate, MoleculeScore, Score, yardsticks
from cgsim.evaluate.scores.comparison import estimate_to_dict
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md.polymer_system import ForceField
from cgsim.model.simulator import Simulator

MIN_FRAMES = 20  # of a roll-out that is scored; what exploded earlier only counts as a failure
N_BOOTSTRAP = 300
MD_TIMESTEP = ForceField().timestep  # ps

#: What must hold on unseen chains: name -> (metric, least, most), in the units of the metric.
TARGETS: dict[str, tuple[str, float, float]] = {
    "r2_rg": ("r2_rg", 0.97, math.inf),
    "mape_rg": ("mape_rg", 0.0, 5.0),
    "r2_log_relaxation": ("r2_log_relaxation", 0.9, math.inf),
    "median_relaxation_ratio": ("median_relaxation_ratio", 0.85, 1.18),
    "failures": ("failures", 0.0, 0.0),
    "collisions_per_million": ("collisions_per_million", 0.0, 1.0),
}
MOST_JS_TO_FLOOR = 1.5

#: Scores of each chain that the picture shows.
SHOWN = ("rg", "rg_reference", "relaxation", "relaxation_reference", "relaxation_ratio", "js_rg")

#: Scores in which MD of equal wall-clock is to be beaten, and whether more is better.
BEATEN = {
    "r2_rg": True,
    "mape_rg": False,
    "r2_log_relaxation": True,
    "relaxation_error": False,
}


@torch.no_grad()
def held_out_nll(
    simulator: Simulator, trajectories: Sequence[MappedTrajectory], *, n_windows: int = 200
) -> Estimate:
    """Negative log-likelihood of the next frame, nats per degree of freedom in nm.

    Over windows spread evenly over every trajectory; the error is that of the mean over
    trajectories. It is of the Gaussian, which a score network refines but does not enter. Only
    simulators of one time step can be compared by it.
    """
    device = next(simulator.parameters()).device
    values = []
    for trajectory in trajectories:
        windows = simulator.windows([trajectory])
        rows = np.linspace(0, len(windows) - 1, min(n_windows, len(windows))).round().astype(int)
        batch = windows[rows.tolist()].to(device)
        losses = simulator.loss(batch, generator=torch.Generator(device).manual_seed(0))
        values.append(float(losses["nll"]) + math.log(simulator.scales.step_scale))
    error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(np.mean(values)), error)


def relaxation_error(molecules: Sequence[MoleculeScore], *, seed: int = 0) -> Estimate:
    """Median over molecules of ``|log(relaxation time / reference)|``, error by a bootstrap.

    A time that is not resolved counts as infinitely wrong: short MD does not win by leaving out
    what it could not see.
    """
    ratios = np.array([molecule["relaxation_ratio"].value for molecule in molecules])
    wrong = np.where(np.isfinite(ratios) & (ratios > 0), np.abs(_log(ratios)), np.inf)
    drawn = np.random.default_rng(seed).integers(len(wrong), size=(N_BOOTSTRAP, len(wrong)))
    replicates = np.median(wrong[drawn], axis=1)
    error = float(replicates.std()) if np.isfinite(replicates).all() else math.nan
    return Estimate(float(np.median(wrong)), error)


def _log(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(values)


def row_metrics(score: Score) -> dict[str, Any]:
    """The scores of one row as flat numbers; standard errors and bounds under these names."""
    estimates = {**score.summary, "relaxation_error": relaxation_error(score.molecules)}
    bounds = {name: estimate_to_dict(own) for name, own in estimates.items() if own.is_bound}
    return {
        **{name: estimate.value for name, estimate in estimates.items()},
        "errors": {name: estimate.error for name, estimate in estimates.items()},
        **({"bounds": bounds} if bounds else {}),
    }


def molecule_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """What the picture shows, chain by chain: lengths in nm, times in ps."""
    return [
        {
            "name": own.name,
            **{name: estimate_to_dict(own[name]) for name in SHOWN},
            "n_relaxation_times_reference": n_relaxation_times(own),
        }
        for own in comparison.learned.molecules
    ]


def n_relaxation_times(molecule: MoleculeScore) -> float:
    """Length of the reference in its own relaxation times; 0 if that time is not resolved."""
    time = molecule["relaxation_reference"].value
    return molecule.duration_reference / time if math.isfinite(time) else 0.0


def targets(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Which targets hold, from the flat numbers of the learned row with its yardsticks inside."""
    result: dict[str, dict[str, Any]] = {}
    for name, (metric, least, most) in TARGETS.items():
        result[name] = _target(metrics[metric], least, most)
    result["js_rg"] = _target(metrics["js_rg"], 0.0, MOST_JS_TO_FLOOR * metrics["js_rg_floor"])
    for name, more in BEATEN.items():
        bound = metrics["md_equal_time"][name]
        least, most = (bound, math.inf) if more else (-math.inf, bound)
        result[f"{name}_better_than_equal_time"] = _target(
            metrics[name],
            -math.inf if math.isnan(least) else least,  # MD too short to know is no obstacle
            math.inf if math.isnan(most) else most,
            strict=True,
        )
    return result


def _target(value: float, least: float, most: float, *, strict: bool = False) -> dict[str, Any]:
    """A value between two bounds; NaN fails."""
    inside = least < value < most if strict else least <= value <= most
    if math.isinf(least) and math.isinf(most):
        wanted = "any that is known"
    elif math.isinf(most):
        wanted = f"{'>' if strict else '≥'} {least:.4g}"
    elif least > 0:
        wanted = f"{least:g} to {most:g}"
    else:
        wanted = f"{'<' if strict else '≤'} {most:.4g}"
    return {"value": value, "target": wanted, "holds": bool(inside)}


def equal_time(seconds: float, *, chain_steps_per_second: float, n_chains: int) -> float:
    """MD of each of ``n_chains`` that a wall-clock time buys, ps."""
    speed = chain_steps_per_second * MD_TIMESTEP
    return yardsticks.equal_time(seconds, speed=speed, n_molecules=n_chains)


def scored_names(learned: Sequence[Ensemble]) -> set[str]:
    """Names of the molecules whose roll-out is long enough to be scored."""
    return {ensemble.name for ensemble in learned if ensemble.n_frames >= MIN_FRAMES}


def only(ensembles: Sequence[Ensemble], names: set[str]) -> list[Ensemble]:
    """The ensembles of these molecules."""
    return [ensemble for ensemble in ensembles if ensemble.name in names]


def spread(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean and sample standard deviation of some numbers over several seeds."""
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}
    return {
        name: {
            "mean": float(values.mean()),
            "deviation": float(values.std(ddof=1)) if len(values) > 1 else math.nan,
        }
        for name, values in columns.items()
    }

"""Whether error bars hold the truth: on processes with a known answer, run many times.

    python -m benchmarks.coverage [--trials N] [--quick]

A run and a reference are made anew in every trial and scored by `cgsim.evaluate.compare`. Counted
is how often value ± 2 errors, or a bound, holds the truth. Single molecules: the Ornstein-Uhlenbeck
process as Rg², as the distance of a tethered particle (``chi²``, not Gaussian), and the Rouse chain
(many times at once). Panels: molecules drawn at random, of Ornstein-Uhlenbeck processes. Writes
`benchmarks/results/coverage.json`. The quick version is of few trials.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.signal import lfilter

from benchmarks.record import write_result
from cgsim.evaluate import Comparison, Ensemble, Estimate, Scoring, compare
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.evaluate.statistics.autocorrelation import relaxation_time
from cgsim.evaluate.statistics.distributions import histogram, js_distance, union_edges
from cgsim.testing.exact import RouseNetwork, rouse_chain, tethered_particle

LENGTHS = (5, 20, 50, 100, 400)  # relaxation times, of each replica
REPLICAS = (1, 4, 16)
FRAMES = 5  # in a relaxation time
N_TRIALS, N_QUICK = 100, 5
REFERENCE = (400, 4)  # relaxation times, replicas
N_REFERENCES = 20
TRUTH = (20_000, 4)  # of the runs from which distances of distributions are known
WIDER = 1.3  # thermal energy of what is scored, over that of the reference
SEED = 0
SCORING = Scoring(n_bootstrap=100)
SCORES = (
    *("rg", "mae_rg", "mape_rg", "emd_rg", "js_rg", "js_pair", "rmse_contact", "drift_rg"),
    *("relaxation", "relaxation_ratio", "integrated", "integrated_ratio"),
)

PANEL = 16  # molecules
PANEL_LENGTHS = (20, 100, 400)
SPREAD_OF_LOGS = {"relaxation": (0.6, 0.25), "rg": (0.2, 0.05)}  # of truth, of learned over truth
PANEL_SCORES = ("r2_rg", "r2_log_relaxation", "median_relaxation_ratio", "median_integrated_ratio")


@dataclass(frozen=True)
class Process:
    """A molecule whose Rg² has a known autocorrelation.

    Parameters
    ----------
    run
        Positions from relaxation times and thermal energy.
    times
        Relaxation and integrated time of Rg², frames.
    """

    name: str
    run: Callable[[int, float, np.random.Generator], np.ndarray]
    bonds: np.ndarray
    times: tuple[float, float]

    def ensemble(
        self, length: int, n_replicas: int, random: np.random.Generator, *, energy: float = 1.0
    ) -> Ensemble:
        """Replicas in equilibrium, a frame every ps."""
        xyz = tuple(self.run(length * FRAMES, energy, random) for _ in range(n_replicas))
        return Ensemble(self.name, xyz, 1.0, np.ones(xyz[0].shape[1]), self.bonds)


def processes() -> list[Process]:
    """All that are looked at, each with `FRAMES` frames in a relaxation time."""
    decay = np.exp(-np.arange(100 * FRAMES) / FRAMES)
    pair = np.array([[0], [1]])
    return [
        Process("Ornstein-Uhlenbeck", _pair, pair, _times(decay)),
        _network("tethered particle", tethered_particle()),
        _network("Rouse chain", rouse_chain()),
    ]


def _network(name: str, network: RouseNetwork) -> Process:
    """Rg² of centred Gaussian modes of variances ``w`` and times ``w``: ``Σ w² exp(-2 t / w)``."""
    times = network.relaxation_times

    def decay(t: np.ndarray) -> np.ndarray:
        weights = times**2 / (times**2).sum()
        return np.asarray(weights @ np.exp(-2 * t / times[:, None]))

    fine = np.linspace(0, 5 * times[0], 200_001)
    step = float(fine[(decay(fine) <= np.exp(-1)).argmax()]) / FRAMES

    def run(n_frames: int, energy: float, random: np.random.Generator) -> np.ndarray:
        return np.sqrt(energy) * network.frames(n_frames, step, random)

    bonds = np.array(network.bonds).T
    return Process(name, run, bonds, _times(decay(step * np.arange(100 * FRAMES))))


def _times(decay: np.ndarray) -> tuple[float, float]:
    return relaxation_time(decay, 1.0), float(decay.sum() - 0.5)


def _pair(n_frames: int, energy: float, random: np.random.Generator) -> np.ndarray:
    return pair_of(1 + 0.1 * energy * ornstein_uhlenbeck(FRAMES, n_frames, random))


def pair_of(rg_squared: np.ndarray) -> np.ndarray:
    """Positions [n_frames, 2, 3] of two equal beads on a line with this Rg²."""
    half = np.sqrt(rg_squared)
    xyz = np.zeros((len(half), 2, 3))
    xyz[:, 0, 0], xyz[:, 1, 0] = half, -half
    return xyz


def ornstein_uhlenbeck(time: float, n_frames: int, random: np.random.Generator) -> np.ndarray:
    """[n_frames], variance 1, sampled exactly."""
    keep = math.exp(-1 / time)
    kicks = random.normal(size=n_frames)
    kicks[1:] *= math.sqrt(1 - keep**2)
    return np.asarray(lfilter([1.0], [1.0, -keep], kicks))


@dataclass
class Count:
    """Of the trials of one score: numbers, those that hold the truth, and the same of bounds."""

    values: int = 0
    covered: int = 0
    bounds: int = 0
    held: int = 0
    unknown: int = 0

    def add(self, estimate: Estimate, truth: float) -> None:
        """One trial."""
        if estimate.is_bound:
            self.bounds += 1
            above = estimate.lower_bound is None or truth >= estimate.lower_bound
            below = estimate.upper_bound is None or truth <= estimate.upper_bound
            self.held += above and below
        elif math.isfinite(estimate.value) and math.isfinite(estimate.error):
            self.values += 1
            self.covered += abs(estimate.value - truth) <= 2 * estimate.error
        else:
            self.unknown += 1

    @property
    def right(self) -> float:
        """Share of what was said that is true; NaN if nothing was said."""
        said = self.values + self.bounds
        return (self.covered + self.held) / said if said else math.nan

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        coverage = self.covered / self.values if self.values else math.nan
        return {**vars(self), "coverage": coverage, "right": self.right}


class Truth:
    """What the scores are for runs without end, from long ones where there is no formula."""

    def __init__(self, process: Process, random: np.random.Generator) -> None:
        reference = process.ensemble(*TRUTH, random)
        learned = process.ensemble(*TRUTH, random, energy=WIDER)
        row = compare([reference], [learned], scoring=replace(SCORING, n_bootstrap=2)).learned
        relaxation, integrated = process.times
        self._scores = {
            **{name: own.value for name, own in row.molecules[0].scores.items()},
            **{"relaxation": relaxation, "integrated": integrated, "drift_rg": 0.0},
            **dict.fromkeys(("relaxation_ratio", "integrated_ratio"), 1.0),
        }
        self._rg = _rg(reference), _rg(learned)

    def of(self, reference: Ensemble, run: Ensemble) -> dict[str, float]:
        """For the bins over the range of these two."""
        edges = union_edges(_rg(reference), _rg(run))
        counts = (histogram(values, edges) for values in self._rg)
        return self._scores | {"js_rg": float(js_distance(*counts))}


def _rg(ensemble: Ensemble) -> np.ndarray:
    return np.concatenate([radius_of_gyration(xyz, ensemble.bead_mass) for xyz in ensemble.xyz])


def single(
    process: Process, n_trials: int, random: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """One case for every length and number of replicas."""
    truth = Truth(process, random)
    references = [process.ensemble(*REFERENCE, random) for _ in range(min(N_REFERENCES, n_trials))]
    for length, n_replicas in product(LENGTHS, REPLICAS):
        counts = {name: Count() for name in SCORES}
        for trial in range(n_trials):
            run = process.ensemble(length, n_replicas, random, energy=WIDER)
            reference = references[trial % len(references)]
            row = compare([reference], [run], scoring=SCORING, seed=trial).learned.molecules[0]
            expected = truth.of(reference, run)
            for name, count in counts.items():
                count.add(row.scores[name], expected[name])
        about = {"process": process.name, "length": length, "n_replicas": n_replicas}
        yield {**about, **_scores(counts)}


def panels(n_trials: int, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Summaries over molecules that are drawn anew in every trial, by length of the runs."""
    truth = {
        "r2_rg": _squared_correlation("rg"),
        "r2_log_relaxation": _squared_correlation("relaxation"),
        "median_relaxation_ratio": 1.0,
        "median_integrated_ratio": 1.0,
    }
    for length in PANEL_LENGTHS:
        counts = {name: Count() for name in PANEL_SCORES}
        for trial in range(n_trials):
            summary = _panel(length, random, seed=trial).learned.summary
            for name, count in counts.items():
                count.add(summary[name], truth[name])
        about = {"process": f"panel of {PANEL}", "length": length, "n_replicas": 1}
        yield {**about, **_scores(counts)}


def _squared_correlation(name: str) -> float:
    """Of the logarithms, in all molecules that there could be; of values of 20 % spread nearly."""
    spread, off = SPREAD_OF_LOGS[name]
    return spread**2 / (spread**2 + off**2)


def _panel(length: int, random: np.random.Generator, *, seed: int) -> Comparison:
    drawn = {
        name: np.exp(random.normal(size=(2, PANEL)) * np.array(spreads)[:, None])
        for name, spreads in SPREAD_OF_LOGS.items()
    }
    reference, learned = [], []
    for index in range(PANEL):
        time, size = (drawn[name][0, index] * unit for name, unit in _UNITS.items())
        ratio, larger = (drawn[name][1, index] for name in _UNITS)
        reference.append(_molecule(index, time, size, length=REFERENCE[0], random=random))
        learned.append(_molecule(index, time * ratio, size * larger, length=length, random=random))
    return compare(reference, learned, scoring=SCORING, seed=seed)


_UNITS = {"relaxation": 2.0 * FRAMES, "rg": 1.0}  # frames, nm


def _molecule(
    index: int, time: float, size: float, *, length: int, random: np.random.Generator
) -> Ensemble:
    fluctuation = ornstein_uhlenbeck(time, round(length * time), random)
    xyz = pair_of(size**2 * (1 + 0.1 * fluctuation))
    return Ensemble(f"m{index}", (xyz,), 1.0, np.ones(2), np.array([[0], [1]]))


def _scores(counts: Mapping[str, Count]) -> dict[str, Any]:
    return {"scores": {name: count.to_dict() for name, count in counts.items()}}


def overall(cases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Of each score, over all cases of 20 relaxation times in all or more, and over the shorter."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(name for case in cases for name in case["scores"]):
        found[name] = {}
        for label, is_long in (("resolvable", True), ("short", False)):
            own = [
                case["scores"][name]
                for case in cases
                if name in case["scores"] and (case["length"] * case["n_replicas"] >= 20) == is_long
            ]
            said = sum(count["values"] + count["bounds"] for count in own)
            right = sum(count["covered"] + count["held"] for count in own)
            found[name][label] = right / said if said else math.nan
            found[name][f"{label}_bounds"] = (
                sum(count["bounds"] for count in own) / said if said else math.nan
            )
    return found


def table(cases: Sequence[Mapping[str, Any]]) -> Table:
    """One row per case: percent right of what was said; in brackets, percent that are bounds."""
    shown = Table(title="right, % (bounds, %)")
    names = list(dict.fromkeys(name for case in cases for name in case["scores"]))
    for head in ("process", "length", "replicas", *names):
        shown.add_column(head)
    for case in cases:
        cells = [_cell(case["scores"].get(name)) for name in names]
        shown.add_row(case["process"], f"{case['length']}", f"{case['n_replicas']}", *cells)
    return shown


def _cell(count: Mapping[str, Any] | None) -> str:
    if count is None or math.isnan(count["right"]):
        return "–"
    bounds = count["bounds"] / (count["values"] + count["bounds"])
    return f"{100 * count['right']:.0f}" + (f" ({100 * bounds:.0f})" if bounds else "")


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=N_TRIALS, help="of each case")
    parser.add_argument("--quick", action="store_true", help=f"{N_QUICK} trials of each case")
    options = parser.parse_args()
    n_trials = N_QUICK if options.quick else options.trials
    start, console = time.perf_counter(), Console(width=200)
    random = np.random.default_rng(SEED)
    cases = [case for process in processes() for case in single(process, n_trials, random)]
    console.print(table(cases))
    of_panels = list(panels(n_trials, random))
    console.print(table(of_panels))
    more = " --quick" if options.quick else f" --trials {n_trials}" * (n_trials != N_TRIALS)
    path = write_result(
        "coverage",
        f"python -m benchmarks.coverage{more}",
        {
            "n_trials": n_trials,
            "frames_per_relaxation_time": FRAMES,
            "reference_relaxation_times": math.prod(REFERENCE),
            "overall": overall(cases),
            "cases": cases,
            "panels": of_panels,
        },
        wall_clock=time.perf_counter() - start,
        seed=SEED,
    )
    console.print(f"written to {path}")


if __name__ == "__main__":
    main()

"""From scores of molecules to one number per metric, with a bootstrap over molecules."""

import math
from collections.abc import Sequence

import numpy as np

from cgsim.evaluate.observables.observable import Metric
from cgsim.evaluate.observables.table import metrics
from cgsim.evaluate.scores.comparison import MoleculeScore
from cgsim.evaluate.statistics.distributions import resampled_indices, standard_error
from cgsim.evaluate.statistics.estimate import UNKNOWN, Estimate


def summarise(
    molecules: Sequence[MoleculeScore], *, n_bootstrap: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    """One estimate per metric of the observables that were scored.

    The error is a bootstrap over molecules; where a single molecule has the score it is that of
    the molecule itself. Only molecules that have the scores of a metric count for it. Bounds of
    single molecules count in a median of ratios: see `_median_of_bounded`.
    """
    drawn = resampled_indices(len(molecules), n_bootstrap, rng)
    known = set().union(*(molecule.scores for molecule in molecules))
    summary = {}
    for metric in metrics():
        if not known.issuperset(metric.of):
            continue
        own = [molecule for molecule in molecules if set(metric.of) <= set(molecule.scores)]
        if len(own) == len(molecules):
            summary[metric.name] = _summary(metric, molecules, drawn)
        elif own:  # not a box, or not the molecules in it
            rows = resampled_indices(len(own), n_bootstrap, np.random.default_rng(len(own)))
            summary[metric.name] = _summary(metric, own, rows)
    return summary


def _summary(metric: Metric, molecules: Sequence[MoleculeScore], drawn: np.ndarray) -> Estimate:
    known = [own for own in _own(metric, molecules) if own.is_bound or math.isfinite(own.value)]
    if len(known) == 1 and metric.kind == "ratio":
        return known[0]
    columns = [
        np.array([molecule.scores.get(name, UNKNOWN).value for molecule in molecules])
        for name in metric.of
    ]
    if len(known) == 1 and metric.kind == "error":
        error = known[0].error  # a bootstrap over one value would say that it is exact
    elif len(molecules) > 1:
        replicates = [metric.over(*(values[rows] for values in columns)) for rows in drawn]
        error = standard_error(np.array(replicates))
    else:
        error = float("nan")
    found = Estimate(metric.over(*columns), error)
    return _median_of_bounded(found, _own(metric, molecules)) if metric.kind == "ratio" else found


def _own(metric: Metric, molecules: Sequence[MoleculeScore]) -> list[Estimate]:
    """The score of each molecule that the metric is the mean or median of."""
    return [molecule.scores.get(metric.of[0], UNKNOWN) for molecule in molecules]


def _median_of_bounded(resolved: Estimate, ratios: Sequence[Estimate]) -> Estimate:
    """The median of ratios some of which are only bounds, given that of the resolved ones.

    It lies between the medians with every bounded ratio at either end of what it can be. Half of
    that range is within the error bar; where the range is open, a bound is all that is known.
    """
    if not any(own.is_bound for own in ratios):
        return resolved
    known = [own for own in ratios if own.is_bound or math.isfinite(own.value)]
    low = float(np.median([_least(own) for own in known]))
    high = float(np.median([_most(own) for own in known]))
    if math.isfinite(resolved.value) and low > 0 and math.isfinite(high):
        reach = max(high - resolved.value, resolved.value - low) / 2
        return Estimate(resolved.value, float(np.fmax(resolved.error, reach)))
    lower, upper = (low if low > 0 else None), (high if math.isfinite(high) else None)
    return Estimate(math.nan, math.nan, lower_bound=lower, upper_bound=upper)


def _least(ratio: Estimate) -> float:
    if ratio.is_bound:
        return ratio.lower_bound or 0.0
    return ratio.value


def _most(ratio: Estimate) -> float:
    if ratio.is_bound:
        return math.inf if ratio.upper_bound is None else ratio.upper_bound
    return ratio.value

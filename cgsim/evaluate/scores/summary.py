"""From scores of molecules to one number per metric, with a bootstrap over molecules."""

from collections.abc import Sequence

import numpy as np

from cgsim.evaluate.observables.observable import Metric
from cgsim.evaluate.observables.table import metrics
from cgsim.evaluate.scores.comparison import MoleculeScore
from cgsim.evaluate.statistics.distributions import resampled_indices, standard_error
from cgsim.evaluate.statistics.estimate import Estimate


def summarise(
    molecules: Sequence[MoleculeScore], *, n_bootstrap: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    """One estimate per metric of the observables that were scored.

    The error is a bootstrap over molecules; for a single molecule it is that of the molecule
    itself. A score that some molecules lack is NaN for them.
    """
    drawn = resampled_indices(len(molecules), n_bootstrap, rng)
    known = set().union(*(molecule.scores for molecule in molecules))
    return {
        metric.name: _summary(metric, molecules, drawn)
        for metric in metrics()
        if known.issuperset(metric.of)
    }


def _summary(metric: Metric, molecules: Sequence[MoleculeScore], drawn: np.ndarray) -> Estimate:
    columns = [
        np.array([molecule.scores.get(name, _UNKNOWN).value for molecule in molecules])
        for name in metric.of
    ]
    if len(molecules) > 1:
        replicates = [metric.over(*(values[rows] for values in columns)) for rows in drawn]
        error = standard_error(np.array(replicates))
    elif metric.kind in ("error", "ratio"):  # its own error is all there is
        error = molecules[0].scores[metric.of[0]].error
    else:
        error = float("nan")
    return Estimate(metric.over(*columns), error)


_UNKNOWN = Estimate(float("nan"), float("nan"))

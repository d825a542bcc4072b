"""From scores of molecules to one number per metric, with a bootstrap over molecules."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cgsim.evaluate.scores.comparison import MoleculeScore
from cgsim.evaluate.scores.metrics import METRICS
from cgsim.evaluate.statistics.distributions import (
    finite_mean,
    finite_median,
    r_squared,
    resampled_indices,
    standard_error,
)
from cgsim.evaluate.statistics.estimate import Estimate

_Columns = Mapping[str, np.ndarray]

_AVERAGED = (
    "mae_rg",
    "mape_rg",
    "emd_rg",
    "js_rg",
    "js_bond",
    "js_pair",
    "rmse_contact",
    "collisions_per_million",
    "drift_rg",
)
_COLUMNS = (
    *_AVERAGED,
    "rg",
    "rg_reference",
    "relaxation",
    "relaxation_reference",
    "relaxation_ratio",
    "integrated_ratio",
)


def _mean_of(name: str) -> Callable[[_Columns], float]:
    return lambda columns: finite_mean(np.abs(columns[name]))


_STATISTICS: dict[str, Callable[[_Columns], float]] = {
    **{name: _mean_of(name) for name in _AVERAGED},
    "r2_rg": lambda c: r_squared(c["rg"], c["rg_reference"]),
    "r2_relaxation": lambda c: r_squared(c["relaxation"], c["relaxation_reference"]),
    "r2_log_relaxation": lambda c: r_squared(
        np.log(c["relaxation"]), np.log(c["relaxation_reference"])
    ),
    "median_relaxation_ratio": lambda c: finite_median(c["relaxation_ratio"]),
    "median_integrated_ratio": lambda c: finite_median(c["integrated_ratio"]),
    "n_unresolved": lambda c: float((~np.isfinite(c["relaxation_ratio"])).sum()),
}

# With one molecule its own error is all there is.
_ERROR_OF_ONE = {
    **{name: name for name in _AVERAGED},
    "median_relaxation_ratio": "relaxation_ratio",
    "median_integrated_ratio": "integrated_ratio",
}


def summarise(
    molecules: Sequence[MoleculeScore], *, n_bootstrap: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    """One estimate per metric of `METRICS`; the error is a bootstrap over molecules.

    For a single molecule the error is that of the molecule itself.
    """
    columns = {
        name: np.array([getattr(molecule, name).value for molecule in molecules])
        for name in _COLUMNS
    }
    drawn = resampled_indices(len(molecules), n_bootstrap, rng)
    summary = {}
    for metric in METRICS:
        statistic = _STATISTICS[metric.name]
        if len(molecules) > 1:
            replicates = [
                statistic({name: values[indices] for name, values in columns.items()})
                for indices in drawn
            ]
            error = standard_error(np.array(replicates))
        elif metric.name in _ERROR_OF_ONE:
            error = getattr(molecules[0], _ERROR_OF_ONE[metric.name]).error
        else:
            error = float("nan")
        summary[metric.name] = Estimate(statistic(columns), error)
    return summary

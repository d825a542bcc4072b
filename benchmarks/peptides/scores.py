"""What the peptide benchmarks measure: pure functions from ensembles to plain numbers.

Per peptide: slow motions against the reference (TICA and clusters fitted on the reference, applied
to both). In summary: means and medians over the peptides, errors by a bootstrap over them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgsim.evaluate import Ensemble, Estimate
from cgsim.evaluate.kinetics.msm import Clusters, fit_clusters, markov_model, metastable_states
from cgsim.evaluate.kinetics.score import KineticsScore, score_kinetics
from cgsim.evaluate.kinetics.tica import fit_tica, js_tic0, js_tic01
from cgsim.evaluate.kinetics.validation import chapman_kolmogorov, implied_timescales
from cgsim.evaluate.statistics.distributions import js_distance, resampled_indices, standard_error

LAG_TIME = 20.0  # ps, of TICA and of all Markov models
LAG_TIMES = (5.0, 10.0, 20.0, 40.0, 80.0)  # ps, at which the slowest timescale is looked at
N_CLUSTERS = 50
MOST_STATES, FEWEST_STATES = 4, 2
N_LAGS = 3  # lag times of the Chapman–Kolmogorov test
N_BOOTSTRAP = 300
WITHIN = 1.5  # a timescale is right if it is within this factor of that of the reference

Numbers = Mapping[str, Any]


@dataclass(frozen=True)
class Ruler:
    """What the reference of one peptide defines; see `ruler_of`.

    Parameters
    ----------
    reference
        MD, all replicas.
    clusters
        Of the Markov models.
    states
        Metastable state of each cluster.
    """

    reference: Ensemble
    clusters: Clusters
    states: np.ndarray

    @property
    def n_states(self) -> int:
        """Metastable states."""
        return int(self.states.max()) + 1


def ruler_of(reference: Ensemble, *, lag_time: float = LAG_TIME) -> Ruler:
    """TICA, clusters and as many metastable states, up to four, as the reference has.

    Raises
    ------
    ValueError
        If it has less than two.
    """
    tica = fit_tica(reference, lag_time=lag_time)
    clusters = fit_clusters(tica, reference, n_clusters=N_CLUSTERS)
    counts = clusters.assign(reference).count_transitions(lag_time).sum(axis=0)
    model = markov_model(counts, lag_time)
    for n_states in range(MOST_STATES, FEWEST_STATES, -1):
        try:
            return Ruler(reference, clusters, metastable_states(model, clusters, n_states))
        except ValueError:
            continue
    return Ruler(reference, clusters, metastable_states(model, clusters, FEWEST_STATES))


def score_row(ruler: Ruler, ensemble: Ensemble, *, n_bootstrap: int = 100) -> dict[str, Any]:
    """All scores of one ensemble of one peptide, times in ps.

    Distributions alone if it is shorter than the lag; the rest is NaN then.
    """
    lag_time = ruler.clusters.tica.lag_time
    about = {"name": ensemble.name, "duration": ensemble.duration}
    if max(map(len, ensemble.xyz)) * ensemble.frame_interval <= lag_time:
        return {**_UNKNOWN, **about, **_distributions(ruler, ensemble)}
    score = score_kinetics(
        ruler.reference,
        ensemble,
        lag_time=lag_time,
        n_clusters=N_CLUSTERS,
        n_states=ruler.n_states,
        n_bootstrap=n_bootstrap,
    )
    deviation = chapman_kolmogorov_deviation(ruler, ensemble)
    return {**about, **_numbers(score), "chapman_kolmogorov": deviation}


def unknown_row(name: str) -> dict[str, Any]:
    """The scores of a peptide of which every replica exploded."""
    return {**_UNKNOWN, "name": name, "duration": 0.0}


def _distributions(ruler: Ruler, ensemble: Ensemble) -> dict[str, float]:
    """What needs no lag; states are weighted by the frames in them."""
    both = [ruler.clusters.assign(own) for own in (ruler.reference, ensemble)]
    populations = [
        np.bincount(ruler.states[np.concatenate(own.states)], minlength=ruler.n_states)
        for own in both
    ]
    return {
        "js_tic0": js_tic0(both[0].tics, both[1].tics),
        "js_tic01": js_tic01(both[0].tics, both[1].tics),
        "js_states": float(js_distance(*populations)),
    }


def _numbers(score: KineticsScore) -> dict[str, Any]:
    return {
        "js_tic0": score.js_tic0.value,
        "js_tic01": score.js_tic01.value,
        "js_states": score.js_states.value,
        "timescale": score.timescales[0].value,
        "timescale_standard_error": score.timescales[0].error,
        "timescale_reference": score.timescales_reference[0].value,
        "timescale_ratio": score.ratio.value,
        "timescales": [own.value for own in score.timescales],
        "timescales_reference": [own.value for own in score.timescales_reference],
        "relaxation_ratio": score.relaxation.value / score.relaxation_reference.value,
        "integrated_ratio": score.integrated.value / score.integrated_reference.value,
        "populations": [own.value for own in score.populations],
        "populations_reference": [own.value for own in score.populations_reference],
        "connected": score.connected,
    }


def slowest_by_lag(
    ruler: Ruler, ensemble: Ensemble, lag_times: Sequence[float] = LAG_TIMES
) -> list[float]:
    """The slowest implied timescale at each lag time, ps: flat without memory.

    NaN where frames are too far apart.
    """
    shortest = ensemble.frame_interval * (1 - 1e-6)
    whole = [lag_time for lag_time in lag_times if lag_time >= shortest]
    found = implied_timescales(
        ruler.clusters, ensemble, lag_times=whole, n_timescales=1, n_bootstrap=2
    )
    missing = [math.nan] * (len(lag_times) - len(whole))
    return missing + [float(value) for value in found.values[:, 0]]


def chapman_kolmogorov_deviation(ruler: Ruler, ensemble: Ensemble) -> float:
    """Root-mean-square deviation of the test up to three lag times; NaN if it cannot be made."""
    try:
        test = chapman_kolmogorov(
            ruler.clusters,
            ensemble,
            states=ruler.states,
            lag_time=ruler.clusters.tica.lag_time,
            n_steps=N_LAGS,
            n_bootstrap=2,
        )
    except ValueError:  # shorter than three lag times
        return math.nan
    return test.rms_deviation


#: Scores of the summary -> what is taken over the peptides.
SUMMARY: dict[str, Callable[[np.ndarray], float]] = {
    "js_tic0": np.mean,
    "js_tic01": np.mean,
    "js_states": np.mean,
    "timescale_ratio": np.nanmedian,
    "timescale_error": np.median,
    "relaxation_ratio": np.nanmedian,
    "integrated_ratio": np.nanmedian,
    "chapman_kolmogorov": np.nanmean,
}
_UNKNOWN: dict[str, Any] = dict.fromkeys(SUMMARY.keys() - {"timescale_error"}, math.nan)


def score_of(peptide: Numbers, name: str) -> float:
    """One score of one peptide; NaN where it is not known.

    `timescale_error` is |log(slowest implied timescale / reference)|, infinite where a timescale is
    not resolved: what was not seen does not count as right. Over several pieces it is theirs.
    """
    if name == "timescale_error" and name not in peptide:
        ratio = score_of(peptide, "timescale_ratio")
        return abs(math.log(ratio)) if ratio > 0 else math.inf
    value = peptide[name]
    return math.nan if value is None else float(value)


def summary_of(peptides: Sequence[Numbers], *, seed: int = 0) -> dict[str, Any]:
    """A row as plain numbers: summary, its standard errors under ``errors``, and all peptides.

    Errors are of a bootstrap over the peptides.
    """
    drawn = resampled_indices(len(peptides), N_BOOTSTRAP, np.random.default_rng(seed))
    values = {name: np.array([score_of(own, name) for own in peptides]) for name in SUMMARY}
    estimates = {name: _over(values[name], take, drawn) for name, take in SUMMARY.items()}
    return {
        **{name: own.value for name, own in estimates.items()},
        "errors": {name: own.error for name, own in estimates.items()},
        "n_within": n_within(peptides),
        "peptides": list(peptides),
    }


def over_pieces(pieces: Sequence[Numbers]) -> dict[str, Any]:
    """One peptide from several pieces of its MD: every score over them as it is over peptides.

    The scores of the pieces themselves are under ``pieces``.
    """
    summary = summary_of(pieces)
    scores = {name: summary[name] for name in SUMMARY}
    return {"name": pieces[0]["name"], **scores, "pieces": summary["peptides"]}


def _over(values: np.ndarray, take: Callable[[np.ndarray], float], drawn: np.ndarray) -> Estimate:
    if not np.isfinite(values).any():
        return Estimate(float(values[0]), math.nan)
    resampled = [take(values[rows]) for rows in drawn if not np.isnan(values[rows]).all()]
    return Estimate(float(take(values)), standard_error(np.array(resampled)))


def n_within(peptides: Sequence[Numbers], factor: float = WITHIN) -> int:
    """Peptides whose slowest implied timescale is within a factor of that of the reference."""
    return sum(score_of(own, "timescale_error") <= math.log(factor) for own in peptides)


def better(first: Sequence[Numbers], second: Sequence[Numbers], name: str) -> set[str]:
    """Peptides for which the first row has the smaller score; what is not known is worst."""
    others = {own["name"]: _worst_if_unknown(score_of(own, name)) for own in second}
    return {
        own["name"] for own in first if _worst_if_unknown(score_of(own, name)) < others[own["name"]]
    }


def _worst_if_unknown(value: float) -> float:
    return math.inf if math.isnan(value) else value

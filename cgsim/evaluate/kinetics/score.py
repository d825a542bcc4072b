"""Score the kinetics of one molecule: slow motions of an ensemble against the reference's."""

from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.kinetics.features import Features
from cgsim.evaluate.kinetics.msm import (
    StateTrajectories,
    fit_clusters,
    markov_model,
    markov_models,
    metastable_states,
)
from cgsim.evaluate.kinetics.tica import (
    fit_tica,
    tic0_counts,
    tic0_edges,
    tic01_counts,
    tic01_edges,
)
from cgsim.evaluate.statistics.distributions import bootstrap_weights, js_distance, standard_error
from cgsim.evaluate.statistics.estimate import Estimate
from cgsim.evaluate.statistics.series import Series

#: Implied timescales that are scored.
N_TIMESCALES = 3


@dataclass(frozen=True)
class KineticsScore:
    """Slow motions of one ensemble against the reference. Times in ps.

    TICA, clusters and metastable states are those of the reference. Errors: bootstrap over blocks
    of both ensembles; those of autocorrelation times are of `cgsim.evaluate.statistics.resolution`.

    Parameters
    ----------
    name
        Molecule.
    lag_time
        Of TICA and of both Markov models.
    js_tic0, js_tic01
        Jensen–Shannon distance (base 2) of TIC0 (100 bins) and of TIC0 and TIC1 (50 x 50); NaN if
        there is only one component.
    timescales, timescales_reference
        Slowest implied timescales, slowest first; NaN if unresolved.
    ratio
        Slowest implied timescale over that of the reference.
    populations, populations_reference
        Stationary populations of the metastable states, by rising TIC0.
    js_states
        Jensen–Shannon distance of the populations.
    relaxation, relaxation_reference
        Time at which the autocorrelation of TIC0 falls to 1/e; a bound if it is not resolved.
    integrated, integrated_reference
        Integrated autocorrelation time of TIC0, as above.
    connected, connected_reference
        Share of the transitions that lie within the largest connected set of clusters. Timescales
        and populations speak of this share only.
    """

    name: str
    lag_time: float
    js_tic0: Estimate
    js_tic01: Estimate
    timescales: tuple[Estimate, ...]
    timescales_reference: tuple[Estimate, ...]
    ratio: Estimate
    populations: tuple[Estimate, ...]
    populations_reference: tuple[Estimate, ...]
    js_states: Estimate
    relaxation: Estimate
    relaxation_reference: Estimate
    integrated: Estimate
    integrated_reference: Estimate
    connected: float
    connected_reference: float


def score_kinetics(
    reference: Ensemble,
    learned: Ensemble,
    *,
    lag_time: float,
    features: Features | None = None,
    n_clusters: int = 100,
    n_states: int = 4,
    n_bootstrap: int = 100,
    seed: int = 0,
) -> KineticsScore:
    """Score the kinetics of an ensemble: learned, a second MD run, or MD of equal wall-clock.

    The frame intervals may differ; `lag_time` must be a multiple of both.

    Parameters
    ----------
    lag_time
        ps. Take one at which the `implied_timescales` of the reference no longer rise.
    features
        For `fit_tica`.
    n_clusters
        Clusters of the Markov models.
    n_states
        Metastable states.
    n_bootstrap
        Bootstrap replicates behind the error bars.

    Raises
    ------
    ValueError
        If the ensembles are not of the same molecule, `lag_time` is no multiple of a frame
        interval or longer than every replica, or the reference has too few frames for
        `n_clusters` or too few clusters for `n_states`.
    """
    if n_bootstrap < 2:
        raise ValueError(f"n_bootstrap must be at least 2, got {n_bootstrap}")
    tica = fit_tica(reference, lag_time=lag_time, features=features)
    clusters = fit_clusters(tica, reference, n_clusters=n_clusters, seed=seed)
    both = clusters.assign(reference), clusters.assign(learned)
    model = markov_model(both[0].count_transitions(lag_time).sum(axis=0), lag_time)
    ruler = _Ruler(
        lag_time=lag_time,
        tic0_edges=tic0_edges(both[0].tics),
        tic01_edges=tic01_edges(both[0].tics),
        states=metastable_states(model, clusters, n_states),
    )
    rng = np.random.default_rng(seed)
    first, second = (
        _score_side(side, ruler, bootstrap_weights(len(side.blocks), n_bootstrap, rng))
        for side in both
    )
    return KineticsScore(
        name=reference.name,
        lag_time=lag_time,
        js_tic0=_estimate(js_distance(first.tic0, second.tic0)),
        js_tic01=_estimate(js_distance(first.tic01, second.tic01)),
        timescales=_estimates(second.timescales),
        timescales_reference=_estimates(first.timescales),
        ratio=_estimate(second.timescales[:, 0] / first.timescales[:, 0]),
        populations=_estimates(second.populations),
        populations_reference=_estimates(first.populations),
        js_states=_estimate(js_distance(first.populations, second.populations)),
        relaxation=second.tic0_series.relaxation,
        relaxation_reference=first.tic0_series.relaxation,
        integrated=second.tic0_series.integrated,
        integrated_reference=first.tic0_series.integrated,
        connected=second.connected,
        connected_reference=first.connected,
    )


# What follows has one row for the whole ensemble and under it one per bootstrap replicate.


@dataclass(frozen=True)
class _Ruler:
    """What the reference defines."""

    lag_time: float
    tic0_edges: np.ndarray
    tic01_edges: np.ndarray
    states: np.ndarray


@dataclass(frozen=True)
class _Side:
    """One ensemble.

    `tic0` [n, 100] and `tic01` [n, 2500] are histograms, `tic0_series` is TIC0 over time.
    """

    tic0: np.ndarray
    tic01: np.ndarray
    timescales: np.ndarray
    populations: np.ndarray
    tic0_series: Series
    connected: float


def _score_side(trajectories: StateTrajectories, ruler: _Ruler, weights: np.ndarray) -> _Side:
    lag_time = ruler.lag_time
    models = markov_models(trajectories.count_transitions(lag_time), weights, lag_time)
    pieces = [trajectories.tics[r][a:b] for r, a, b in trajectories.blocks]
    return _Side(
        tic0=weights @ np.stack([tic0_counts(piece, ruler.tic0_edges) for piece in pieces]),
        tic01=weights @ np.stack([tic01_counts(piece, ruler.tic01_edges) for piece in pieces]),
        timescales=np.stack([model.timescales(N_TIMESCALES) for model in models]),
        populations=np.stack([model.populations(ruler.states) for model in models]),
        tic0_series=Series(trajectories.tic0, trajectories.ensemble.frame_interval),
        connected=models[0].connected,
    )


def _estimate(rows: np.ndarray) -> Estimate:
    return Estimate(float(rows[0]), standard_error(rows[1:]))


def _estimates(rows: np.ndarray) -> tuple[Estimate, ...]:
    return tuple(_estimate(column) for column in rows.T)

"""Is a Markov state model valid? Implied timescales against lag time, Chapman–Kolmogorov test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.kinetics.msm import Clusters, markov_model, markov_models
from cgsim.evaluate.statistics.distributions import bootstrap_weights, standard_error


@dataclass(frozen=True)
class ImpliedTimescales:
    """Implied timescales against lag time: flat where the Markov model holds.

    Parameters
    ----------
    name
        Molecule.
    lag_times
        [n_lags], ps.
    values, errors
        [n_lags, n_timescales], ps, slowest first; NaN where unresolved.
    """

    name: str
    lag_times: np.ndarray
    values: np.ndarray
    errors: np.ndarray


def implied_timescales(
    clusters: Clusters,
    ensemble: Ensemble,
    *,
    lag_times: Sequence[float],
    n_timescales: int = 3,
    n_bootstrap: int = 50,
    seed: int = 0,
) -> ImpliedTimescales:
    """Slowest implied timescales of an ensemble at several lag times, with bootstrap errors.

    Parameters
    ----------
    lag_times
        ps, multiples of the frame interval.

    Raises
    ------
    ValueError
        If a lag time is no multiple of the frame interval or longer than every replica, or if the
        molecule is not that of the clusters.
    """
    trajectories = clusters.assign(ensemble)
    weights = bootstrap_weights(len(trajectories.blocks), n_bootstrap, np.random.default_rng(seed))
    values, errors = np.full((2, len(lag_times), n_timescales), np.nan)
    for row, lag_time in enumerate(lag_times):
        models = markov_models(trajectories.count_transitions(lag_time), weights, lag_time)
        times = np.stack([model.timescales(n_timescales) for model in models])
        values[row] = times[0]
        errors[row] = [standard_error(column) for column in times[1:].T]
    return ImpliedTimescales(ensemble.name, np.asarray(lag_times, dtype=float), values, errors)


@dataclass(frozen=True)
class ChapmanKolmogorov:
    """Does a Markov model predict longer times? Probabilities to go from state to state.

    Parameters
    ----------
    times
        [n_steps], ps: multiples of the lag time of the model.
    predicted
        [n_steps, n_states, n_states]: by powers of the transition matrix, P(lag)^k.
    estimated, errors
        The same by a model estimated at k lag times, and its standard error; NaN where that
        model knows no cluster of the state.
    """

    name: str
    times: np.ndarray
    predicted: np.ndarray
    estimated: np.ndarray
    errors: np.ndarray

    @property
    def max_deviation(self) -> float:
        """Largest |predicted − estimated|."""
        return float(np.nanmax(np.abs(self.predicted - self.estimated)))

    @property
    def rms_deviation(self) -> float:
        """Root mean square of predicted − estimated, over states and times."""
        return float(np.sqrt(np.nanmean((self.predicted - self.estimated) ** 2)))


def chapman_kolmogorov(
    clusters: Clusters,
    ensemble: Ensemble,
    *,
    states: np.ndarray,
    lag_time: float,
    n_steps: int = 5,
    n_bootstrap: int = 50,
    seed: int = 0,
) -> ChapmanKolmogorov:
    """Chapman–Kolmogorov test on metastable states (Prinz et al., 2011, section IV F).

    Starts from the stationary distribution within each state. At the first step prediction and
    estimate agree by construction.

    Parameters
    ----------
    states
        Metastable state of each cluster [n_clusters], of `metastable_states`.
    lag_time
        ps, of the model that is tested.
    n_steps
        Tested at 1 .. n_steps lag times.

    Raises
    ------
    ValueError
        If the lag time is no multiple of the frame interval, or `n_steps` lag times are longer
        than every replica, or if the molecule is not that of the clusters.
    """
    if states.shape != (clusters.n_clusters,):
        raise ValueError(
            f"{ensemble.name}: states must be [{clusters.n_clusters}], one per cluster, got "
            f"{states.shape}"
        )
    trajectories = clusters.assign(ensemble)
    model = markov_model(trajectories.count_transitions(lag_time).sum(axis=0), lag_time)
    weights = bootstrap_weights(len(trajectories.blocks), n_bootstrap, np.random.default_rng(seed))
    member = (states[:, None] == np.arange(states.max() + 1)).astype(np.float64)
    times = lag_time * np.arange(1, n_steps + 1)
    n_states = member.shape[1]
    power = np.eye(clusters.n_clusters)
    predicted, estimated, errors = np.full((3, n_steps, n_states, n_states), np.nan)
    for step, time in enumerate(times):
        power = power @ model.transition_matrix
        predicted[step] = _between_states(power, model.stationary, member)
        models = markov_models(trajectories.count_transitions(time), weights, time)
        moved = np.stack(
            [_between_states(m.transition_matrix, model.stationary, member) for m in models]
        )
        estimated[step] = moved[0]
        errors[step] = np.apply_along_axis(standard_error, 0, moved[1:])
    return ChapmanKolmogorov(ensemble.name, times, predicted, estimated, errors)


def _between_states(matrix: np.ndarray, stationary: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Probability [n_states, n_states] to be in a state, started from `stationary` in another.

    Clusters that the matrix does not know (zero rows) are left out; NaN if it knows none.
    """
    start = member * (stationary * (matrix.sum(axis=1) > 0))[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (start.T @ matrix @ member) / start.sum(axis=0)[:, None]

"""Statistics of sequences of states: populations, residence times, rates, path entropy.

All follow from the counts of pairs of states one frame apart, kept block by block, so that error
bars come from a bootstrap over blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.statistics.blocking import cut_series
from cgsim.evaluate.statistics.distributions import bootstrap_weights

N_BOOTSTRAP = 300


@dataclass(frozen=True)
class StateStatistics:
    """What `measure_states` finds; every array has a twin of standard errors.

    Parameters
    ----------
    populations, population_errors
        [n_states], fractions of time.
    residence_times, residence_time_errors
        [n_states], ps: time in a state over the number of departures; infinite without any.
    rates, rate_errors
        [n_states, n_states], 1/ps: transitions from row to column over the time in the row; the
        diagonal is zero, and rows of states never visited are NaN.
    path_entropy, path_entropy_error
        Nats per frame, ``-sum_ij p_i P_ij log P_ij`` with the transition probabilities ``P`` of a
        frame: the entropy of paths of a Markov chain with these counts, and the least cross entropy
        of a model that looks at one frame (Cover and Thomas, Elements of Information Theory, ch.
        4). A model that looks at more may be below.
    n_transitions
        [n_states, n_states], counts behind the rates.
    """

    populations: np.ndarray
    population_errors: np.ndarray
    residence_times: np.ndarray
    residence_time_errors: np.ndarray
    rates: np.ndarray
    rate_errors: np.ndarray
    path_entropy: float
    path_entropy_error: float
    n_transitions: np.ndarray


def measure_states(
    series: Sequence[np.ndarray], n_states: int, *, frame_interval: float, seed: int = 0
) -> StateStatistics:
    """Statistics of sequences of states, with standard errors from a bootstrap over blocks.

    The blocks are the replicas; fewer than 20 are cut into pieces, 20 or more in all.

    Parameters
    ----------
    series
        Replicas [n_frames] of integers 0 to ``n_states - 1``, two frames or more each.
    frame_interval
        ps.
    seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If there is no replica, one has fewer than two frames, or a state is not among ``n_states``.
    """
    if not series:
        raise ValueError("give at least one sequence of states")
    for replica, states in enumerate(series):
        _check_replica(replica, np.asarray(states), n_states)
    blocks = cut_series([states[1:] for states in series], 1.0)
    counts = np.stack([_count_pairs(series[r][a : b + 1], n_states) for r, a, b in blocks])
    weights = bootstrap_weights(len(counts), N_BOOTSTRAP, np.random.default_rng(seed))
    drawn = np.einsum("wb,bij->wij", weights, counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        visits = drawn.sum(axis=2)
        populations = visits / visits.sum(axis=1, keepdims=True)
        leaving = drawn * ~np.eye(n_states, dtype=bool)
        times = visits * frame_interval / leaving.sum(axis=2)
        rates = leaving / (visits[:, :, None] * frame_interval)
        probability = drawn / visits[:, :, None]
        terms = np.where(drawn > 0, probability * np.log(probability), 0.0)
        entropy = -(populations * terms.sum(axis=2)).sum(axis=1)
    return StateStatistics(
        *_value_and_error(populations),
        *_value_and_error(times),
        *_value_and_error(rates),
        path_entropy=float(entropy[0]),
        path_entropy_error=float(entropy[1:].std()),
        n_transitions=leaving[0].astype(np.int64),
    )


@dataclass(frozen=True)
class StateComparison:
    """Learned statistics against those of the reference.

    Parameters
    ----------
    population_difference
        [n_states], learned minus reference.
    residence_ratio
        [n_states], learned over reference.
    rate_ratio
        [n_states, n_states], learned over reference; NaN for transitions seen fewer than
        ``min_transitions`` times in the reference.
    path_entropy_difference, path_entropy_error
        Nats per frame, learned minus reference, and the standard error of both together.
    """

    population_difference: np.ndarray
    residence_ratio: np.ndarray
    rate_ratio: np.ndarray
    path_entropy_difference: float
    path_entropy_error: float

    @property
    def largest_population_difference(self) -> float:
        """Of any state."""
        return float(np.abs(self.population_difference).max())

    @property
    def largest_rate_factor(self) -> float:
        """Factor, at least 1, by which the worst of the well-known rates is off; NaN for none."""
        known = self.rate_ratio[np.isfinite(self.rate_ratio)]
        with np.errstate(divide="ignore"):
            return float(np.exp(np.abs(np.log(known)).max())) if known.size else float("nan")


def compare_states(
    reference: StateStatistics, learned: StateStatistics, *, min_transitions: int = 20
) -> StateComparison:
    """Populations, residence times, rates and path entropy against a reference.

    Raises
    ------
    ValueError
        If the numbers of states differ.
    """
    if reference.rates.shape != learned.rates.shape:
        raise ValueError(
            f"the reference has {len(reference.rates)} states, the other {len(learned.rates)}"
        )
    known = reference.n_transitions >= min_transitions
    with np.errstate(divide="ignore", invalid="ignore"):
        return StateComparison(
            population_difference=learned.populations - reference.populations,
            residence_ratio=learned.residence_times / reference.residence_times,
            rate_ratio=np.where(known, learned.rates / reference.rates, np.nan),
            path_entropy_difference=learned.path_entropy - reference.path_entropy,
            path_entropy_error=float(
                np.hypot(learned.path_entropy_error, reference.path_entropy_error)
            ),
        )


def _check_replica(replica: int, states: np.ndarray, n_states: int) -> None:
    if states.ndim != 1 or len(states) < 2 or not np.issubdtype(states.dtype, np.integer):
        raise ValueError(
            f"replica {replica} must be two or more integers [n_frames], got {states.dtype} "
            f"{states.shape}"
        )
    if states.min() < 0 or states.max() >= n_states:
        raise ValueError(
            f"replica {replica} holds states {states.min()} to {states.max()}, not 0 to "
            f"{n_states - 1}"
        )


def _count_pairs(states: np.ndarray, n_states: int) -> np.ndarray:
    """How often each state follows each, [n_states, n_states]."""
    pair = states[:-1] * n_states + states[1:]
    return np.bincount(pair, minlength=n_states**2).reshape(n_states, n_states)


def _value_and_error(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row, of the data, and the spread of the bootstrap replicates below it."""
    with np.errstate(invalid="ignore"):
        return drawn[0], drawn[1:].std(axis=0)

"""Markov state models of the slow motions, fitted on the reference and estimated for any ensemble.

States are k-means clusters of TICA components. Transitions are counted in a sliding window, the
transition matrix is the reversible one of maximum likelihood on the largest connected set (Prinz
et al., J. Chem. Phys. 134, 174105, 2011). Errors come from a bootstrap over blocks of trajectory.
The computation is deeptime's.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.kinetics.tica import TicaModel, implied_timescales_of, lag_in_frames
from cgsim.evaluate.statistics.autocorrelation import autocorrelation, integrated_time
from cgsim.evaluate.statistics.blocking import cut_series

_MAX_KMEANS_FRAMES = 50_000


@dataclass(frozen=True)
class Clusters:
    """States of the Markov model: the frames nearest to each centre in TICA space.

    Parameters
    ----------
    tica
        Fitted on the reference.
    centres
        [n_clusters, n_components], by rising TIC0.
    """

    tica: TicaModel
    centres: np.ndarray

    @property
    def n_clusters(self) -> int:
        """Number of states."""
        return len(self.centres)

    def assign(self, ensemble: Ensemble) -> "StateTrajectories":
        """Project an ensemble and find the nearest centre of every frame.

        Raises
        ------
        ValueError
            If this is not the molecule that TICA was fitted on.
        """
        tics = self.tica.project(ensemble)
        tree = cKDTree(self.centres)
        states = tuple(tree.query(replica)[1].astype(np.int64) for replica in tics)
        return StateTrajectories(ensemble, tics, states, self.n_clusters)


@dataclass(frozen=True)
class StateTrajectories:
    """An ensemble as trajectories of cluster numbers; made by `Clusters.assign`.

    Parameters
    ----------
    ensemble
        What was projected.
    tics
        TICA components, [n_frames, n_components] per replica.
    states
        Cluster of each frame, [n_frames] per replica.
    n_clusters
        Clusters there are, visited or not.
    """

    ensemble: Ensemble
    tics: tuple[np.ndarray, ...]
    states: tuple[np.ndarray, ...]
    n_clusters: int

    @property
    def tic0(self) -> list[np.ndarray]:
        """Slowest component, [n_frames] per replica."""
        return [replica[:, 0] for replica in self.tics]

    @cached_property
    def blocks(self) -> list[tuple[int, int, int]]:
        """Blocks for the bootstrap, (replica, start, stop), by the integrated time of TIC0."""
        return cut_series(self.tics, integrated_time(autocorrelation(self.tic0), 1.0))

    def count_transitions(self, lag_time: float) -> np.ndarray:
        """Transitions after `lag_time` (ps), in a sliding window, in the block they start in.

        Returns
        -------
        np.ndarray
            [n_blocks, n_clusters, n_clusters].

        Raises
        ------
        ValueError
            If `lag_time` is no multiple of the frame interval or no replica is longer.
        """
        lag = lag_in_frames(self.ensemble, lag_time)
        counts = np.zeros((len(self.blocks), self.n_clusters, self.n_clusters))
        for block, (replica, start, stop) in zip(counts, self.blocks, strict=True):
            later = self.states[replica][start + lag : stop + lag]
            now = self.states[replica][start : start + len(later)]
            pairs = np.bincount(now * self.n_clusters + later, minlength=self.n_clusters**2)
            block[:] = pairs.reshape(block.shape)
        return counts


@dataclass(frozen=True)
class MarkovModel:
    """Markov state model on the largest connected set of clusters, the one with most transitions.

    Parameters
    ----------
    transition_matrix
        [n_clusters, n_clusters]; rows outside the connected set are zero.
    stationary
        [n_clusters], sums to 1; zero outside the connected set.
    eigenvalues
        Of the transition matrix on the connected set, largest first.
    connected
        Share of the observed transitions that lie within the connected set.
    lag_time
        ps.
    """

    transition_matrix: np.ndarray
    stationary: np.ndarray
    eigenvalues: np.ndarray
    connected: float
    lag_time: float

    def timescales(self, n_timescales: int) -> np.ndarray:
        """Slowest implied timescales [n_timescales], ps; NaN where there are no more."""
        padded = np.full(n_timescales + 1, np.nan)
        kept = self.eigenvalues[: n_timescales + 1]
        padded[: len(kept)] = kept
        return implied_timescales_of(padded[1:], self.lag_time)

    def populations(self, states: np.ndarray) -> np.ndarray:
        """Stationary probability [n_states] of metastable states, given that of each cluster."""
        return np.bincount(states, weights=self.stationary, minlength=states.max() + 1)


def fit_clusters(
    tica: TicaModel, reference: Ensemble, *, n_clusters: int = 100, seed: int = 0
) -> Clusters:
    """Cluster the reference by k-means in TICA space, on at most 50,000 evenly spaced frames.

    Raises
    ------
    ValueError
        If there are fewer than two clusters or fewer frames than clusters, or if this is not the
        molecule TICA was fitted on.
    """
    from deeptime.clustering import KMeans

    points = np.concatenate(tica.project(reference))
    if not 2 <= n_clusters <= len(points):
        raise ValueError(
            f"{reference.name}: n_clusters must be from 2 to the {len(points)} frames of the "
            f"reference, got {n_clusters}"
        )
    points = points[:: -(-len(points) // _MAX_KMEANS_FRAMES)]
    estimator = KMeans(min(n_clusters, len(points)), fixed_seed=seed, n_jobs=1, max_iter=200)
    centres = estimator.fit(points).fetch_model().cluster_centers
    return Clusters(tica, np.unique(centres, axis=0))


def markov_model(counts: np.ndarray, lag_time: float) -> MarkovModel:
    """Reversible maximum-likelihood model of transition counts [n_clusters, n_clusters].

    All NaN if no cluster is ever returned to.
    """
    from deeptime.markov import TransitionCountModel
    from deeptime.markov.msm import MaximumLikelihoodMSM

    n_clusters = len(counts)
    within = 0.0
    if counts.sum() > 0:
        observed = TransitionCountModel(counts)
        submodels = [observed.submodel(members) for members in observed.connected_sets()]
        connected = max(submodels, key=lambda submodel: submodel.count_matrix.sum())
        within = float(connected.count_matrix.sum())
    if not within > 0:
        unknown = np.full((n_clusters, n_clusters), np.nan)
        return MarkovModel(unknown, unknown[0], np.empty(0), float("nan"), lag_time)
    fitted = MaximumLikelihoodMSM(reversible=True).fit(connected).fetch_model()
    active = fitted.count_model.state_symbols
    matrix, stationary = np.zeros((n_clusters, n_clusters)), np.zeros(n_clusters)
    matrix[np.ix_(active, active)] = fitted.transition_matrix
    stationary[active] = fitted.stationary_distribution
    return MarkovModel(
        transition_matrix=matrix,
        stationary=stationary,
        eigenvalues=np.sort(np.real(fitted.eigenvalues()))[::-1],
        connected=within / float(counts.sum()),
        lag_time=lag_time,
    )


def markov_models(
    block_counts: np.ndarray, weights: np.ndarray, lag_time: float
) -> list[MarkovModel]:
    """Markov models of weighted sums of blocks.

    Parameters
    ----------
    block_counts
        [n_blocks, n_clusters, n_clusters], of `StateTrajectories.count_transitions`.
    weights
        [n_models, n_blocks].
    """
    return [markov_model(np.tensordot(row, block_counts, axes=1), lag_time) for row in weights]


def metastable_states(model: MarkovModel, clusters: Clusters, n_states: int) -> np.ndarray:
    """Lump clusters into metastable states by PCCA+ (Röblitz and Weber, 2013).

    Each cluster belongs to the state of its largest membership, a cluster outside the connected
    set to that of the nearest centre within. States are numbered by rising mean TIC0.

    Parameters
    ----------
    model
        Of the reference.

    Returns
    -------
    np.ndarray
        [n_clusters], 0 .. n_states − 1.

    Raises
    ------
    ValueError
        If there are not at least two states, or fewer connected clusters than states, or if PCCA+
        finds fewer.
    """
    from deeptime.markov import pcca

    active = np.flatnonzero(model.stationary > 0)
    if not 2 <= n_states <= len(active):
        raise ValueError(
            f"{clusters.tica.name}: n_states must be from 2 to the {len(active)} connected "
            f"clusters, got {n_states}"
        )
    stationary = model.stationary[active]
    matrix = model.transition_matrix[np.ix_(active, active)]
    lumped = pcca(matrix, n_states, stationary).assignments
    weights = np.bincount(lumped, weights=stationary, minlength=n_states)
    if not (weights > 0).all():
        raise ValueError(
            f"{clusters.tica.name}: n_states of {n_states} is more than PCCA+ can tell apart; "
            "take fewer"
        )
    tic0 = clusters.centres[active, 0]
    rank = np.argsort(np.argsort(np.bincount(lumped, weights=stationary * tic0) / weights))
    nearest = cKDTree(clusters.centres[active]).query(clusters.centres)[1]
    return rank[lumped][nearest]

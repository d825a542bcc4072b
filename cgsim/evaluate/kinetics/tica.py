"""Slow collective motions: time-lagged independent component analysis (TICA), and their scores.

Fit on the reference, applied to any ensemble of the same molecule: Pérez-Hernández et al.,
J. Chem. Phys. 139, 015102 (2013). The computation is deeptime's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.kinetics.features import DistanceFeatures, Features, feature_pairs
from cgsim.evaluate.observables.structure import chunks_of
from cgsim.evaluate.statistics.distributions import (
    histogram,
    joint_histogram,
    js_distance,
    union_edges,
)

#: Bins of the distribution of TIC0, and of each axis of that of TIC0 and TIC1.
N_BINS_TIC0 = 100
N_BINS_TIC01 = 50

#: Combinations of features that vary by less than 1e-3 nm, the precision of XTC files, are noise.
_SMALLEST_VARIANCE = 1e-6


@dataclass(frozen=True)
class TicaModel:
    """Slow components of a molecule, fitted by `fit_tica`.

    Parameters
    ----------
    name, n_beads, edge_index
        Of the molecule it was fitted on.
    features
        Function from positions to what the components are linear combinations of.
    mean
        [n_features], removed before the projection.
    components
        [n_features, n_components], slowest first, scaled to the kinetic map (Noé and Clementi,
        2015): component i has standard deviation `eigenvalues[i]` in the reference, so that
        Euclidean distances approximate kinetic ones.
    eigenvalues
        [n_components]: autocorrelation of each component after `lag_time`.
    lag_time
        ps.
    """

    name: str
    n_beads: int
    edge_index: np.ndarray
    features: Features
    mean: np.ndarray
    components: np.ndarray
    eigenvalues: np.ndarray
    lag_time: float

    @property
    def n_components(self) -> int:
        """Components: as many as were asked for, fewer if the features have fewer."""
        return self.components.shape[1]

    @property
    def implied_timescales(self) -> np.ndarray:
        """[n_components], ps: −lag / ln(eigenvalue); NaN if the lag is too long to tell."""
        return implied_timescales_of(self.eigenvalues, self.lag_time)

    def project(self, ensemble: Ensemble) -> tuple[np.ndarray, ...]:
        """Components of every frame, one [n_frames, n_components] per replica.

        Raises
        ------
        ValueError
            If this is not the molecule that the model was fitted on.
        """
        self._check_molecule(ensemble)
        return tuple(self._project(xyz) for xyz in ensemble.xyz)

    def _project(self, xyz: np.ndarray) -> np.ndarray:
        chunks = chunks_of(xyz, n_values=max(len(self.mean), xyz[0].size))
        values = [_values(self.features, chunk) - self.mean for chunk in chunks]
        return np.concatenate([value @ self.components for value in values])

    def _check_molecule(self, ensemble: Ensemble) -> None:
        if ensemble.name != self.name:
            raise ValueError(f"name: TICA was fitted on {self.name!r}, not on {ensemble.name!r}")
        if ensemble.n_beads != self.n_beads:
            raise ValueError(
                f"{self.name}: n_beads is {self.n_beads} in the reference, {ensemble.n_beads} here"
            )
        if _bonds(ensemble.edge_index) != _bonds(self.edge_index):
            raise ValueError(f"{self.name}: edge_index is not that of the reference")


def fit_tica(
    reference: Ensemble,
    *,
    lag_time: float,
    n_components: int = 4,
    features: Features | None = None,
) -> TicaModel:
    """Slowest linear combinations of features in the reference, replicas pooled.

    The covariances are made symmetric, as for reversible dynamics in equilibrium.

    Parameters
    ----------
    lag_time
        ps, a multiple of the frame interval.
    n_components
        At most this many.
    features
        By default distances of the pairs of `feature_pairs`: all, at most 500.

    Raises
    ------
    ValueError
        If `lag_time` is no multiple of the frame interval or no replica is longer, if
        `n_components` is not positive, or if nothing moves.
    """
    from deeptime.decomposition import TICA
    from deeptime.numeric import ZeroRankError

    if n_components < 1:
        raise ValueError(f"n_components must be at least 1, got {n_components}")
    lag = lag_in_frames(reference, lag_time)
    features = features or DistanceFeatures(feature_pairs(reference.n_beads))
    n_values = max(_values(features, reference.xyz[0][:1]).size, 3 * reference.n_beads)
    covariances = TICA.covariance_estimator(lag)
    for xyz in reference.xyz:
        now, later = (chunks_of(part, n_values=n_values) for part in (xyz[:-lag], xyz[lag:]))
        for pair in zip(now, later, strict=True):
            covariances.partial_fit(tuple(_values(features, chunk) for chunk in pair))
    estimator = TICA(
        lagtime=lag, dim=n_components, scaling="kinetic_map", epsilon=_SMALLEST_VARIANCE
    )
    try:
        fitted = estimator.fit_from_covariances(covariances.fetch_model()).fetch_model()
    except ZeroRankError as error:
        raise ValueError(f"{reference.name}: xyz: no feature varies, nothing moves") from error
    return TicaModel(
        name=reference.name,
        n_beads=reference.n_beads,
        edge_index=reference.edge_index,
        features=features,
        mean=fitted.mean_0,
        components=fitted.singular_vectors_left[:, :n_components],
        eigenvalues=fitted.singular_values[:n_components],
        lag_time=lag_time,
    )


def lag_in_frames(ensemble: Ensemble, lag_time: float) -> int:
    """`lag_time` (ps) in frames of the ensemble.

    Raises
    ------
    ValueError
        If it is not a positive multiple of the frame interval, or no replica is longer.
    """
    n_frames = lag_time / ensemble.frame_interval
    lag = round(n_frames) if np.isfinite(n_frames) else 0
    if lag < 1 or abs(n_frames - lag) > 1e-3 * lag:
        raise ValueError(
            f"{ensemble.name}: lag_time of {lag_time:g} ps must be a positive multiple of the "
            f"frame_interval, {ensemble.frame_interval:g} ps"
        )
    longest = max(len(xyz) for xyz in ensemble.xyz)
    if longest <= lag:
        raise ValueError(
            f"{ensemble.name}: lag_time of {lag_time:g} ps is {lag} frames, but the longest "
            f"replica in xyz has only {longest}; simulate longer or take a shorter lag_time"
        )
    return lag


def implied_timescales_of(eigenvalues: np.ndarray, lag_time: float) -> np.ndarray:
    """−lag / ln(eigenvalue), in the unit of `lag_time`; NaN for eigenvalues not within (0, 1)."""
    decaying = (eigenvalues > 0) & (eigenvalues < 1)
    return -lag_time / np.log(np.where(decaying, eigenvalues, np.nan))


def js_tic0(reference: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """Jensen–Shannon distance (base 2) of the distributions of TIC0.

    100 equal bins over the range of the reference; what lies outside counts in the outer bins.

    Parameters
    ----------
    reference, other
        Projections by one `TicaModel`, [n_frames, n_components] per replica.
    """
    edges = tic0_edges(reference)
    counts = [tic0_counts(np.concatenate(tics), edges) for tics in (reference, other)]
    return float(js_distance(*counts))


def js_tic01(reference: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """The same of TIC0 and TIC1 together in 50 x 50 bins; NaN if there is only one component."""
    edges = tic01_edges(reference)
    counts = [tic01_counts(np.concatenate(tics), edges) for tics in (reference, other)]
    return float(js_distance(*counts))


def tic0_edges(reference: Sequence[np.ndarray]) -> np.ndarray:
    """Edges [101] of 100 equal bins over the range of TIC0 in the reference."""
    return _edges(reference, 0, n_bins=N_BINS_TIC0)


def tic01_edges(reference: Sequence[np.ndarray]) -> np.ndarray:
    """Edges [2, 51] of 50 x 50 equal bins over the ranges of TIC0 and TIC1 in the reference.

    Only [1, 51] if there is only one component.
    """
    indices = range(min(2, reference[0].shape[1]))
    return np.stack([_edges(reference, index, n_bins=N_BINS_TIC01) for index in indices])


def tic0_counts(tics: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Histogram [100] of TIC0 of frames [n_frames, n_components]."""
    return histogram(tics[:, 0], edges)


def tic01_counts(tics: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Histogram [2500] of TIC0 and TIC1; empty (all zero) if there is only one component."""
    if len(edges) < 2:
        return np.zeros(N_BINS_TIC01**2)
    return joint_histogram(tics[:, 0], tics[:, 1], edges)


def _edges(tics: Sequence[np.ndarray], index: int, *, n_bins: int) -> np.ndarray:
    values = np.concatenate([replica[:, index] for replica in tics])
    return union_edges(values, values, n_bins=n_bins)


def _values(features: Features, xyz: np.ndarray) -> np.ndarray:
    """Features in double precision: molecules may have diffused far from the origin."""
    return features(np.asarray(xyz, dtype=np.float64))


def _bonds(edge_index: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(sorted(bond)) for bond in edge_index.T.tolist()}

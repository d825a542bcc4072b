"""Observables of one ensemble that do not depend on what it is compared with."""

from functools import cached_property

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.structure import (
    bond_lengths,
    chunks_of,
    nonbonded_pairs,
    pair_distances,
    radius_of_gyration,
)
from cgsim.evaluate.statistics.autocorrelation import (
    autocorrelation,
    integrated_time,
    relaxation_time,
)


class Profile:
    """Radius of gyration, relaxation and distance ranges of one ensemble, computed once."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self.pairs = nonbonded_pairs(ensemble.n_beads, ensemble.edge_index)
        self.rg = tuple(radius_of_gyration(xyz, ensemble.bead_mass) for xyz in ensemble.xyz)
        self.rg_squared = tuple(rg**2 for rg in self.rg)

    @cached_property
    def autocorrelation(self) -> np.ndarray:
        """Normalised autocorrelation of Rg², up to half of the longest replica."""
        return autocorrelation(self.rg_squared)

    @cached_property
    def relaxation_time(self) -> float:
        """1/e time of the autocorrelation of Rg², ps; NaN if unresolved."""
        return relaxation_time(self.autocorrelation, self.ensemble.frame_interval)

    @cached_property
    def integrated_time(self) -> float:
        """Integrated autocorrelation time of Rg², ps; NaN if unresolved."""
        return integrated_time(self.autocorrelation, self.ensemble.frame_interval)

    @cached_property
    def n_effective(self) -> float:
        """Independent samples of Rg²; NaN if unresolved."""
        per_sample = max(2 * self.integrated_time, self.ensemble.frame_interval)
        return self.ensemble.duration / per_sample

    @cached_property
    def bond_range(self) -> np.ndarray:
        """Shortest and longest bond, nm; empty without bonds."""
        return self._range(self.ensemble.edge_index)

    @cached_property
    def pair_range(self) -> np.ndarray:
        """Smallest and largest distance of beads that share no bond, nm; empty without them."""
        return self._range(self.pairs)

    @cached_property
    def mean_bond_length(self) -> float:
        """Mean over bonds and frames, nm; NaN without bonds."""
        edges = self.ensemble.edge_index
        if not edges.size:
            return float("nan")
        total = sum(bond_lengths(xyz, edges).mean(axis=1).sum() for xyz in self.ensemble.xyz)
        return float(total / self.ensemble.n_frames)

    def drift_rg(self) -> tuple[float, float]:
        """Mean Rg of the last tenth minus that of the first, and its standard error, nm.

        The error follows from the variance of Rg and the independent samples in each tenth (at
        least one per replica).
        """
        tenths = [(rg[: _tenth(rg)], rg[-_tenth(rg) :]) for rg in self.rg if len(rg) > 1]
        if not tenths:
            return float("nan"), float("nan")
        first = np.concatenate([head for head, _ in tenths])
        last = np.concatenate([tail for _, tail in tenths])
        n_samples = self.n_effective * len(first) / self.ensemble.n_frames
        n_samples = np.fmax(n_samples, len(tenths))
        spread = np.concatenate(self.rg).std()
        return float(last.mean() - first.mean()), float(spread * np.sqrt(2 / n_samples))

    def _range(self, pairs: np.ndarray) -> np.ndarray:
        if not pairs.size:
            return np.empty(0)
        chunks = [chunk for xyz in self.ensemble.xyz for chunk in chunks_of(xyz)]
        ranges = [(d.min(), d.max()) for d in (pair_distances(chunk, pairs) for chunk in chunks)]
        return np.array([min(low for low, _ in ranges), max(high for _, high in ranges)])


def _tenth(values: np.ndarray) -> int:
    return max(1, len(values) // 10)

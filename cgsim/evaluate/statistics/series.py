"""A number per frame in all replicas of one molecule: how it relaxes, and what it is worth."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from cgsim.evaluate.statistics.autocorrelation import (
    autocorrelation,
    integrated_time,
    relaxation_time,
)
from cgsim.evaluate.statistics.blocking import cut_series, lags_that_resolve
from cgsim.evaluate.statistics.estimate import Estimate


class Series:
    """A scalar over time, with what follows from its autocorrelation.

    Parameters
    ----------
    values
        One array [n_frames] per replica.
    frame_interval
        ps.
    """

    def __init__(self, values: Sequence[np.ndarray], frame_interval: float) -> None:
        self.values = tuple(values)
        self.frame_interval = frame_interval

    @property
    def n_frames(self) -> int:
        """Of all replicas together."""
        return sum(len(values) for values in self.values)

    @cached_property
    def autocorrelation(self) -> np.ndarray:
        """Normalised autocorrelation, up to half of the longest replica."""
        return autocorrelation(self.values)

    @cached_property
    def relaxation_time(self) -> float:
        """Time at which the autocorrelation falls to 1/e, ps; NaN if unresolved."""
        return relaxation_time(self.autocorrelation, self.frame_interval)

    @cached_property
    def integrated_time(self) -> float:
        """Integrated autocorrelation time, ps; NaN if unresolved."""
        return integrated_time(self.autocorrelation, self.frame_interval)

    @property
    def times(self) -> np.ndarray:
        """Relaxation and integrated time, [2] ps."""
        return np.array([self.relaxation_time, self.integrated_time])

    @property
    def n_effective(self) -> float:
        """Independent samples, duration / (2 integrated times); NaN if that is not resolved.

        Never more than the number of frames.
        """
        per_sample = max(2 * self.integrated_time, self.frame_interval)
        return self.n_frames * self.frame_interval / per_sample

    @cached_property
    def blocks(self) -> list[tuple[int, int, int]]:
        """Pieces (replica, start, stop) that are long against the integrated time, in frames."""
        return cut_series(self.values, self.integrated_time / self.frame_interval)

    @property
    def n_lags(self) -> int:
        """Lags needed to find the times again in a bootstrap replicate."""
        return lags_that_resolve(self.values, self.times / self.frame_interval)

    def drift(self, n_effective: float) -> Estimate:
        """Mean of the last tenth of the replicas minus that of the first.

        The error follows from the variance and the independent samples in each tenth, of
        ``n_effective`` in all; at least one per replica.
        """
        tenths = [(x[: _tenth(x)], x[-_tenth(x) :]) for x in self.values if len(x) > 1]
        if not tenths:
            return Estimate(float("nan"), float("nan"))
        first = np.concatenate([head for head, _ in tenths])
        last = np.concatenate([tail for _, tail in tenths])
        n_samples = np.fmax(n_effective * len(first) / self.n_frames, len(tenths))
        spread = np.concatenate(self.values).std()
        return Estimate(float(last.mean() - first.mean()), float(spread * np.sqrt(2 / n_samples)))


def _tenth(values: np.ndarray) -> int:
    return max(1, len(values) // 10)

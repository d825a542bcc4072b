"""A number per frame in all replicas of one molecule: how it relaxes, and what it is worth."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from cgsim.evaluate.statistics.autocorrelation import (
    autocorrelation,
    integrated_time,
    relaxation_time,
)
from cgsim.evaluate.statistics.blocking import cut_series
from cgsim.evaluate.statistics.estimate import UNKNOWN, Estimate
from cgsim.evaluate.statistics.resolution import Resolution, error_inflation, resolve


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
        """Time at which the autocorrelation falls to 1/e, ps; NaN if it never does.

        Whether the run is long enough to tell it, `relaxation` says.
        """
        return relaxation_time(self.autocorrelation, self.frame_interval)

    @cached_property
    def integrated_time(self) -> float:
        """Integrated autocorrelation time, ps; NaN if its window does not close.

        Whether the run is long enough to tell it, `integrated` says.
        """
        return integrated_time(self.autocorrelation, self.frame_interval)

    @cached_property
    def resolution(self) -> Resolution:
        """Both times in frames, with what is needed for their error bars."""
        return resolve(self.values)

    @property
    def relaxation(self) -> Estimate:
        """Relaxation time, ps; a lower bound if the run is too short to tell it."""
        known = self.resolution.relaxation
        return UNKNOWN if known is None else known.estimate(self.frame_interval)

    @property
    def integrated(self) -> Estimate:
        """Integrated time, ps; a lower bound if the run is too short to tell it."""
        known = self.resolution.integrated
        return UNKNOWN if known is None else known.estimate(self.frame_interval)

    @property
    def error_inflation(self) -> float:
        """By how much a bootstrap over `blocks` makes error bars too small."""
        return error_inflation(
            self.resolution.integrated,
            n_frames=self.n_frames,
            n_replicas=len(self.values),
            n_blocks=len(self.blocks),
        )

    @property
    def n_effective(self) -> float:
        """Independent samples, duration / (2 integrated times); NaN if that is not resolved.

        Never more than the number of frames.
        """
        per_sample = max(2 * self.integrated_time, self.frame_interval)
        return self.n_frames * self.frame_interval / per_sample

    @property
    def n_known(self) -> float:
        """Independent samples; NaN too if the run is too short to tell the integrated time."""
        return float("nan") if self.integrated.is_bound else self.n_effective

    @cached_property
    def blocks(self) -> list[tuple[int, int, int]]:
        """Pieces (replica, start, stop) that are long against the integrated time, in frames."""
        return cut_series(self.values, self.integrated_time / self.frame_interval)

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

"""From a one-dimensional trajectory to a sequence of states.

As of Tsai, Kuo and Tiwary, "Learning molecular dynamics with simple language model built upon long
short-term memory neural network", Nature Communications 11, 5115 (2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Means of ``window`` values in a row: [n] -> [n - window + 1].

    Raises
    ------
    ValueError
        If the series is no single row of numbers or shorter than the window.
    """
    if values.ndim != 1 or not 1 <= window <= len(values):
        raise ValueError(
            f"a running mean of {window} values needs a series [n] of at least as many, got "
            f"{values.shape}"
        )
    total = np.cumsum(np.concatenate([[0.0], values]), dtype=np.float64)
    return (total[window:] - total[:-window]) / window


def remove_excursions(states: np.ndarray, max_length: int) -> np.ndarray:
    """Only visits of more than ``max_length`` frames count: the others belong to the one before.

    Short visits at the beginning belong to the first long one.

    Parameters
    ----------
    states
        [n], integers.

    Returns
    -------
    np.ndarray
        [n].

    Raises
    ------
    ValueError
        If no visit is long enough.
    """
    starts = np.flatnonzero(np.diff(states, prepend=states[:1] - 1))
    lengths = np.diff(starts, append=len(states))
    long = lengths > max_length
    if not long.any():
        raise ValueError(
            f"no visit to a state lasts more than {max_length} frames (the longest: "
            f"{lengths.max(initial=0)}); give a shorter max_excursion"
        )
    latest = np.maximum.accumulate(np.where(long, np.arange(len(starts)), long.argmax()))
    return np.repeat(states[starts[latest]], lengths)


@dataclass(frozen=True)
class NearestState:
    """The nearest of given values, after smoothing and without short visits.

    Parameters
    ----------
    centres
        Value of each state.
    window
        Frames of the running mean that comes first; 1 for none.
    max_excursion
        Visits of up to this many frames do not count (see `remove_excursions`); 0 keeps all.

    Raises
    ------
    ValueError
        If there are fewer than two different centres.
    """

    centres: tuple[float, ...]
    window: int = 50
    max_excursion: int = 100

    def __post_init__(self) -> None:
        if len(set(self.centres)) != len(self.centres) or len(self.centres) < 2:
            raise ValueError(f"centres must be two or more different values, got {self.centres}")

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.centres)

    def __call__(self, series: np.ndarray) -> np.ndarray:
        """States [n - window + 1] of a series [n].

        Raises
        ------
        ValueError
            If the series is too short, not finite, or has no visit that is long enough.
        """
        _check_finite(series)
        smooth = running_mean(series, self.window)
        order = np.argsort(self.centres)
        centres = np.array(self.centres)[order]
        rank = np.searchsorted((centres[1:] + centres[:-1]) / 2, smooth)
        return remove_excursions(order[rank], self.max_excursion)


@dataclass(frozen=True)
class Bins:
    """Intervals of values, the first and the last one open.

    Parameters
    ----------
    edges
        Inner borders, increasing: one fewer than there are states.

    Raises
    ------
    ValueError
        If there is no border, or they do not increase.
    """

    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.edges or (np.diff(self.edges) <= 0).any():
            raise ValueError(f"edges must be one or more increasing values, got {self.edges}")

    @classmethod
    def equal(cls, series: Sequence[np.ndarray], n_states: int) -> "Bins":
        """Equal intervals over the range of all series."""
        low = min(float(values.min()) for values in series)
        high = max(float(values.max()) for values in series)
        return cls(tuple(np.linspace(low, high, n_states + 1)[1:-1].tolist()))

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.edges) + 1

    def __call__(self, series: np.ndarray) -> np.ndarray:
        """States [n] of a series [n]; a value on a border belongs to the upper one.

        Raises
        ------
        ValueError
            If a value is not finite.
        """
        _check_finite(series)
        return np.searchsorted(self.edges, series, side="right")


def _check_finite(series: np.ndarray) -> None:
    finite = np.isfinite(series)
    if not finite.all():
        raise ValueError(f"the series is not finite at frame {int(finite.argmin())}")

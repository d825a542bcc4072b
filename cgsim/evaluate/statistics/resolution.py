"""What a trajectory can tell of its correlation times: error bars, or a bound if it is too short.

The autocorrelation of a finite run about its own mean is too small by twice the variance of that
mean, so that times come out too short; and the error of a time grows with the time, so that a run
in which it comes out short by chance also looks certain. Both are set right here, in the error bar:
the value stays the published one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from cgsim.evaluate.statistics.autocorrelation import (
    SOKAL_WINDOW,
    autocorrelation,
    fluctuations,
    relaxation_time,
)
from cgsim.evaluate.statistics.estimate import UNKNOWN, Estimate

#: A run shorter than this many relaxation times, all replicas together, tells none.
FEWEST_RELAXATIONS = 20.0

# Within each replica: the window of the integrated time is five of them, and lags end at half.
_FEWEST_IN_REPLICA = 2 * SOKAL_WINDOW

_MOST_BIAS = 0.3
_MOST_STRETCHED = 3.0


@dataclass(frozen=True)
class CorrelationTime:
    """A correlation time with what is needed for its error bar. All times in frames.

    Parameters
    ----------
    value
        As estimated; NaN if it is not reached.
    corrected
        Without the bias of a finite run; NaN if it is not reached.
    spread
        Standard error of its logarithm.
    is_resolved
        Whether the run is long enough to tell it.
    at_most
        A lower bound is not above this: what the run could have told at all.
    """

    value: float
    corrected: float
    spread: float
    is_resolved: bool
    at_most: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval, log-normal about the corrected time."""
        factor = np.exp(2 * self.spread)
        return float(self.corrected / factor), float(self.corrected * factor)

    @property
    def lower_bound(self) -> float:
        """The truth is not below in 19 of 20 cases."""
        low = self.interval[0]
        return min(low, self.at_most) if np.isfinite(low) else self.at_most

    def estimate(self, frame_interval: float) -> Estimate:
        """In ps: a value whose ± 2 errors hold the interval, or a bound."""
        if not self.is_resolved:
            return Estimate(np.nan, np.nan, lower_bound=self.lower_bound * frame_interval)
        return _with_interval(self.value * frame_interval, *self._scaled(frame_interval))

    def _scaled(self, frame_interval: float) -> tuple[float, float]:
        low, high = self.interval
        return low * frame_interval, high * frame_interval


@dataclass(frozen=True)
class Resolution:
    """What replicas of a series tell of it: see `resolve`.

    Parameters
    ----------
    relaxation
        Time at which the normalised autocorrelation falls to 1/e; None if the series does not vary.
    integrated
        Integrated autocorrelation time, as above.
    """

    relaxation: CorrelationTime | None
    integrated: CorrelationTime | None


def resolve(series: Sequence[np.ndarray]) -> Resolution:
    """Correlation times of replicas [n_frames] with a common mean, and how well they are known.

    The error of the integrated time of ``N`` frames is ``τ sqrt(4 (M + 1/2 - τ) / N)`` for a window
    of ``M`` lags (Madras and Sokal, J. Stat. Phys. 50, 109, 1988; Wolff, Comput. Phys. Commun. 156,
    143, 2004, eq. 42), its bias ``-τ (2 M + 1) / N`` (Wolff, eq. 49). The error of the
    autocorrelation at 1/e is the larger of Bartlett's formula for Gaussian processes (in the form
    of Lüscher, Comput. Phys. Commun. 165, 199, 2005, app. E) and the Γ-method for the ratio of two
    averages (Wolff, sec. 2), with two of its own standard errors on top; it goes over to the time
    by the slope there. Intervals are log-normal, as a time is positive.
    """
    acf = autocorrelation(series)
    if not np.isfinite(acf).all() or len(acf) < 2:
        return Resolution(None, None)
    n_frames, longest = sum(map(len, series)), max(map(len, series))
    window, is_closed = _window(acf)
    partial = max(float(np.cumsum(acf)[window] - 0.5), 0.0)
    spread = float(np.sqrt(4 * max(window + 0.5 - partial, 0.5) / n_frames))
    corrected = max(partial, 0.5) * (1 + (2 * window + 1) / n_frames)
    raised = _raised(acf, bias=2 * corrected / n_frames)
    value, unbiased = relaxation_time(acf, 1.0), relaxation_time(raised, 1.0)
    relative = _relaxation_spread(series, raised, value, window=window, unsure=spread)
    longer = max(unbiased, corrected) * np.exp(relative)
    is_resolved = (
        is_closed
        and bool(np.isfinite(longer))
        and n_frames >= FEWEST_RELAXATIONS * longer
        and longest >= _FEWEST_IN_REPLICA * longer
    )
    at_most = min(n_frames / FEWEST_RELAXATIONS, longest / 4)
    return Resolution(
        CorrelationTime(value, unbiased, relative, is_resolved, at_most),
        CorrelationTime(partial, corrected, spread, is_resolved, at_most),
    )


def ratio_of(
    time: CorrelationTime | None, reference: CorrelationTime | None, *, unit: float
) -> Estimate:
    """One time over another, both in frames; a bound if one of them is only bounded.

    Parameters
    ----------
    unit
        Frame interval of the first over that of the second.
    """
    if time is None or reference is None:
        return UNKNOWN
    if time.is_resolved and reference.is_resolved:
        if not reference.value > 0:
            return UNKNOWN
        spread = np.exp(2 * np.hypot(time.spread, reference.spread))
        middle = unit * time.corrected / reference.corrected
        return _with_interval(unit * time.value / reference.value, middle / spread, middle * spread)
    if reference.is_resolved:
        low = unit * time.lower_bound / reference.interval[1]
        return Estimate(np.nan, np.nan, lower_bound=float(low))
    if time.is_resolved:
        high = unit * time.interval[1] / reference.lower_bound
        return Estimate(np.nan, np.nan, upper_bound=float(high))
    return UNKNOWN


def error_inflation(
    time: CorrelationTime | None, *, n_frames: int, n_replicas: int, n_blocks: int
) -> float:
    """By how much the error bars of a bootstrap over blocks of a short run are too small, ≥ 1.

    Blocks that are not long against the integrated time know of each other, and few of them do not
    know their own spread. For an exponential decay, a block of length ``l τ`` has a mean of the
    variance ``v(l) = 2 / l (1 - (1 - exp(-l)) / l)`` times that of a value (Sokal, 1997); so both
    the variance of the mean of the whole and what `n_blocks` blocks of it show follow. The time is
    taken one standard error long. Few blocks are met by the 95 % quantile of Student's t, over 2.

    Parameters
    ----------
    time
        Integrated time of the number whose blocks they are; None if it does not vary.
    n_frames, n_replicas, n_blocks
        Of all replicas together.
    """
    if time is None or n_blocks < 2:
        return 1.0
    taken = time.corrected * (1 + time.spread)
    truth = _variance_of_mean(n_frames / n_replicas / taken) / n_replicas
    shown = (_variance_of_mean(n_frames / n_blocks / taken) - truth) / (n_blocks - 1)
    freedom = max(1.0, min(n_blocks - 1, n_frames / (2 * time.corrected) - 1))
    factor = np.sqrt(max(truth / shown, 1.0)) if shown > 0 else 1.0
    return float(factor * max(student.ppf(0.975, freedom) / 2, 1.0))


def _with_interval(value: float, low: float, high: float) -> Estimate:
    """± 2 errors reach to the farther end of the interval."""
    return Estimate(float(value), float(max(high - value, value - low) / 2))


def _variance_of_mean(length: float) -> float:
    """Of an exponential decay over so many integrated times, in units of that of a value."""
    return float(2 / length * (1 + np.expm1(-length) / length))


def _window(acf: np.ndarray) -> tuple[int, bool]:
    """Last lag of Sokal's window, and whether it closes within the lags."""
    closed = np.arange(len(acf)) >= SOKAL_WINDOW * (np.cumsum(acf) - 0.5)
    return (int(closed.argmax()), True) if closed.any() else (len(acf) - 1, False)


def _raised(acf: np.ndarray, *, bias: float) -> np.ndarray:
    """The autocorrelation about the true mean: the variance of the mean, ``bias``, comes back."""
    share = min(bias, _MOST_BIAS)
    return acf * (1 - share) + share


def _relaxation_spread(
    series: Sequence[np.ndarray],
    acf: np.ndarray,
    time: float,
    *,
    window: int,
    unsure: float,
) -> float:
    """Standard error of the logarithm of the relaxation time."""
    if not np.isfinite(time):
        return float("nan")
    lag = min(max(round(time), 1), len(acf) - 1)
    n_frames = sum(map(len, series))
    error = max(
        _bartlett(acf[: window + 1], lag, n_frames), _gamma_method(fluctuations(series), lag)
    )
    return float(np.e * np.sqrt(error * (1 + 2 * unsure)) * _stretching(acf, time))


def _stretching(acf: np.ndarray, time: float) -> float:
    """Frames in which the decay falls by e about 1/e, over the time: 1 if it is exponential."""
    early, late = (_falls_to(acf, np.exp(-power)) for power in (0.5, 1.5))
    return float(np.clip((late - early) / time, 1.0, _MOST_STRETCHED)) if late > early else 1.0


def _falls_to(acf: np.ndarray, level: float) -> float:
    below = acf <= level
    return float(below.argmax()) if below.any() else float("nan")


def _bartlett(acf: np.ndarray, lag: int, n_frames: int) -> float:
    """Variance of the autocorrelation at a lag, of a Gaussian process whose own ends with `acf`."""
    padded = np.zeros(2 * lag + len(acf) + 1)
    padded[: len(acf)] = acf
    k = np.arange(1, len(acf) + lag)
    terms = padded[k + lag] + padded[np.abs(k - lag)] - 2 * padded[lag] * padded[k]
    return float((terms**2).sum() / n_frames)


def _gamma_method(centred: Sequence[np.ndarray], lag: int) -> float:
    """The same from the spread of ``x(t) x(t + lag) - ρ x²``, whose mean is nought."""
    heads = [values[:-lag] for values in centred if len(values) > lag]
    tails = [values[lag:] for values in centred if len(values) > lag]
    products = [head * tail for head, tail in zip(heads, tails, strict=True)]
    squares = [(head**2 + tail**2) / 2 for head, tail in zip(heads, tails, strict=True)]
    variance = float(np.concatenate(squares).mean())
    correlation = float(np.concatenate(products).mean()) / variance
    influence = [p - correlation * s for p, s in zip(products, squares, strict=True)]
    acf = autocorrelation(influence)
    if len(acf) < 2 or not np.isfinite(acf).all():
        return 0.0
    window, _ = _window(acf)
    n_frames = sum(map(len, influence))
    time = max(float(acf[: window + 1].sum() - 0.5), 0.5) * (1 + (2 * window + 1) / n_frames)
    spread = float(np.concatenate(influence).var()) / variance**2
    return 2 * time * spread / n_frames

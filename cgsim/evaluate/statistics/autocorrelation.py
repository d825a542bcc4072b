"""Relaxation of a scalar observable: autocorrelation, 1/e time, integrated time.

Several replicas of one molecule are pooled: one common mean, and sums over all pairs of frames
that are `lag` frames apart within a replica.
"""

from collections.abc import Sequence

import numpy as np

#: Window of the integrated time in units of itself (Sokal, 1997).
SOKAL_WINDOW = 5.0


def lagged_products(
    series: np.ndarray, n_lags: int, *, start: int = 0, stop: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Σ_t x_t x_{t+lag} for t in start..stop, and the number of terms, for each lag.

    The partner x_{t+lag} may lie beyond `stop`: the sums of consecutive blocks add up to the sum
    of the whole series.

    Parameters
    ----------
    series
        [n_frames], mean removed.
    n_lags
        Lags 0 .. n_lags − 1.

    Returns
    -------
    tuple of np.ndarray
        Sums [n_lags] and counts [n_lags].
    """
    stop = len(series) if stop is None else min(stop, len(series))
    head, tail = series[start:stop], series[start : stop + n_lags]
    n_fft = 1 << int(len(head) + len(tail)).bit_length()
    spectrum = np.fft.rfft(head, n_fft).conj() * np.fft.rfft(tail, n_fft)
    sums = np.zeros(n_lags)
    n_reachable = min(n_lags, len(tail))
    sums[:n_reachable] = np.fft.irfft(spectrum, n_fft)[:n_reachable]
    counts = np.clip(len(series) - start - np.arange(n_lags), 0, stop - start)
    return sums, counts.astype(np.float64)


def autocorrelation(series: Sequence[np.ndarray], *, n_lags: int | None = None) -> np.ndarray:
    """Normalised autocorrelation function, pooled over replicas with a common mean.

    Parameters
    ----------
    series
        One array [n_frames] per replica.
    n_lags
        By default half of the longest replica: later lags are too noisy to use.

    Returns
    -------
    np.ndarray
        [n_lags], 1 at lag 0; NaN everywhere if the series does not vary.
    """
    n_lags = n_lags or max_lags(series)
    sums, counts = np.zeros(n_lags), np.zeros(n_lags)
    for fluctuation in fluctuations(series):
        block_sums, block_counts = lagged_products(fluctuation, n_lags)
        sums += block_sums
        counts += block_counts
    return normalise(sums, counts)


def normalise(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Autocorrelation from the sums and counts of `lagged_products`, over the last axis."""
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = sums / counts
        return np.where(covariance[..., :1] > 0, covariance / covariance[..., :1], np.nan)


def max_lags(series: Sequence[np.ndarray]) -> int:
    """Number of lags that are estimated: half of the longest replica."""
    return max(1, max(len(values) for values in series) // 2)


def fluctuations(series: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The replicas with their common mean removed; exactly zero if they do not vary."""
    pooled = np.concatenate([np.asarray(values, dtype=np.float64) for values in series])
    mean = pooled.mean()
    if np.ptp(pooled) <= 1e-12 * abs(mean):
        return [np.zeros(len(values)) for values in series]
    return [np.asarray(values, dtype=np.float64) - mean for values in series]


def relaxation_time(acf: np.ndarray, frame_interval: float) -> float:
    """Time at which the autocorrelation first falls to 1/e, linearly interpolated.

    Parameters
    ----------
    acf
        [n_lags], 1 at lag 0.
    frame_interval
        ps.

    Returns
    -------
    float
        ps; NaN if it never falls to 1/e within the lags: unresolved.
    """
    below = acf <= np.exp(-1.0)
    if not below.any():
        return float("nan")
    after = int(below.argmax())
    before = after - 1
    fraction = (acf[before] - np.exp(-1.0)) / (acf[before] - acf[after])
    return float((before + fraction) * frame_interval)


def integrated_time(acf: np.ndarray, frame_interval: float) -> float:
    """Integrated autocorrelation time τ = Δ (½ + Σ_{lag ≥ 1} ρ(lag)), self-consistent window.

    The sum ends at the first lag M ≥ 5 τ(M) (Sokal, "Monte Carlo methods in statistical
    mechanics", 1997). An exponential decay exp(−t/τ) has integrated time τ for Δ ≪ τ.

    Returns
    -------
    float
        ps; NaN if no such window fits into the lags.
    """
    partial = np.cumsum(acf) - 0.5
    closed = np.arange(len(acf)) >= SOKAL_WINDOW * partial
    if not closed.any():
        return float("nan")
    return float(max(partial[int(closed.argmax())], 0.0) * frame_interval)

"""Distances between distributions, correlation, and the bootstrap."""

import numpy as np
from scipy.stats import wasserstein_distance

#: Number of bins of every histogram that is scored.
N_BINS = 50


def js_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Jensen–Shannon distance of two histograms: square root of the base-2 divergence.

    0 for equal, 1 for disjoint distributions (Endres and Schindelin, 2003).

    Parameters
    ----------
    first, second
        [..., n_bins] counts or probabilities; each is normalised over the last axis.

    Returns
    -------
    np.ndarray
        [...]; NaN where a histogram is empty.

    Raises
    ------
    ValueError
        If the numbers of bins differ or a count is negative.
    """
    if first.shape[-1] != second.shape[-1]:
        raise ValueError(f"histograms have {first.shape[-1]} and {second.shape[-1]} bins")
    if (first < 0).any() or (second < 0).any():
        raise ValueError("histogram counts must not be negative")
    with np.errstate(divide="ignore", invalid="ignore"):
        p = first / first.sum(axis=-1, keepdims=True)
        q = second / second.sum(axis=-1, keepdims=True)
        mixture = (p + q) / 2
        terms = np.where(p > 0, p * np.log2(p / mixture), 0.0 * p)
        terms += np.where(q > 0, q * np.log2(q / mixture), 0.0 * q)
    return np.sqrt(np.clip(terms.sum(axis=-1) / 2, 0.0, 1.0))


def union_edges(first: np.ndarray, second: np.ndarray, *, n_bins: int = N_BINS) -> np.ndarray:
    """Edges [n_bins + 1] of equal bins over the union range of two samples."""
    if first.size == 0 or second.size == 0:
        raise ValueError("cannot bin an empty sample")
    low = min(float(first.min()), float(second.min()))
    high = max(float(first.max()), float(second.max()))
    margin = 1e-9 * max(abs(low), abs(high), 1e-9)
    return np.linspace(low - margin, high + margin, n_bins + 1)


def histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts [n_bins] in equal bins; values outside the range go to the first or last bin."""
    index = bin_index(values.ravel(), edges)
    return np.bincount(index, minlength=len(edges) - 1).astype(np.float64)


def joint_histogram(first: np.ndarray, second: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts [n_bins * n_bins] of pairs of values, binned as in `histogram`, row by row.

    Parameters
    ----------
    first, second
        [n_values].
    edges
        [2, n_bins + 1], of the first and of the second values.
    """
    n_bins = edges.shape[1] - 1
    index = bin_index(first, edges[0]) * n_bins + bin_index(second, edges[1])
    return np.bincount(index, minlength=n_bins * n_bins).astype(np.float64)


def bin_index(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Which of the equal bins each value falls into; the first or last one if outside the range."""
    n_bins = len(edges) - 1
    scaled = (values - edges[0]) * (n_bins / (edges[-1] - edges[0]))
    return np.clip(scaled, 0, n_bins - 1).astype(np.int64)


def js_distance_of_samples(first: np.ndarray, second: np.ndarray, *, n_bins: int = N_BINS) -> float:
    """Jensen–Shannon distance of two samples, `n_bins` equal bins over their union range."""
    edges = union_edges(first, second, n_bins=n_bins)
    return float(js_distance(histogram(first, edges), histogram(second, edges)))


def earth_movers_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Earth mover's (Wasserstein-1) distance of two samples, in their unit."""
    return float(wasserstein_distance(first, second))


def histogram_movers_distance(
    first: np.ndarray, second: np.ndarray, bin_width: float
) -> np.ndarray:
    """Earth mover's distance of histograms [..., n_bins] on the same equal bins."""
    with np.errstate(invalid="ignore"):
        p = first / first.sum(axis=-1, keepdims=True)
        q = second / second.sum(axis=-1, keepdims=True)
    return np.abs(np.cumsum(p - q, axis=-1)).sum(axis=-1) * bin_width


def r_squared(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Pearson correlation over the pairs in which both values are finite.

    NaN for fewer than three distinct pairs, or if a side does not vary.
    """
    finite = np.isfinite(first) & np.isfinite(second)
    pairs = np.stack([first[finite], second[finite]])
    if np.unique(pairs, axis=1).shape[1] < 3 or (np.ptp(pairs, axis=1) == 0).any():
        return float("nan")
    return float(np.corrcoef(pairs)[0, 1] ** 2)


def log_r_squared(first: np.ndarray, second: np.ndarray) -> float:
    """`r_squared` of the logarithms: what differs by powers of ten does not hang on the largest."""
    return r_squared(np.log(first), np.log(second))


def finite_mean(values: np.ndarray) -> float:
    """Mean of the finite values; NaN if there are none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


def mean_of_absolute(values: np.ndarray) -> float:
    """Mean of the absolute values of the finite ones; NaN if there are none."""
    return finite_mean(np.abs(values))


def finite_median(values: np.ndarray) -> float:
    """Median of the finite values; NaN if there are none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def standard_error(resampled: np.ndarray) -> float:
    """Standard deviation of bootstrap replicates; NaN unless at least half of them are finite."""
    finite = resampled[np.isfinite(resampled)]
    if finite.size < max(2, len(resampled) / 2):
        return float("nan")
    return float(finite.std())


def error_of(value: float, resampled: np.ndarray) -> float:
    """Root mean square deviation of bootstrap replicates from the value; NaN as `standard_error`.

    Of a mean it is the standard error. A distance of two distributions is too large in a finite
    sample, as they differ by chance too, and larger again in its replicates by about the same: the
    bias is part of the error (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, sec.
    10.2).
    """
    return float(np.hypot(standard_error(resampled), finite_mean(resampled) - value))


def block_weights(n_blocks: int, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """How often each block is drawn in each bootstrap replicate, [n_bootstrap, n_blocks].

    Draws n_blocks − 1 blocks with replacement, which makes the variance of a mean unbiased for
    few blocks (Rao and Wu, 1988). A single block tells nothing about its spread: NaN.
    """
    if n_blocks < 2:
        return np.full((n_bootstrap, n_blocks), np.nan)
    return rng.multinomial(n_blocks - 1, np.full(n_blocks, 1 / n_blocks), n_bootstrap).astype(float)


def bootstrap_weights(n_blocks: int, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Every block once, and under it the `block_weights`: [1 + n_bootstrap, n_blocks]."""
    return np.vstack([np.ones((1, n_blocks)), block_weights(n_blocks, n_bootstrap, rng)])


def resampled_indices(n_items: int, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Indices drawn with replacement, [n_bootstrap, n_items]."""
    return rng.integers(n_items, size=(n_bootstrap, n_items))

import numpy as np
import pytest

from cgsim.evaluate.statistics.autocorrelation import (
    autocorrelation,
    integrated_time,
    lagged_products,
    relaxation_time,
)
from cgsim.evaluate.statistics.series import Series


def ar1(tau: float, n_frames: int, seed: int) -> np.ndarray:
    """Exactly sampled Ornstein-Uhlenbeck process with correlation time `tau` frames."""
    rng = np.random.default_rng(seed)
    decay = np.exp(-1 / tau)
    noise = rng.normal(size=n_frames) * np.sqrt(1 - decay**2)
    values = np.empty(n_frames)
    values[0] = rng.normal()
    for t in range(1, n_frames):
        values[t] = decay * values[t - 1] + noise[t]
    return values


def test_exponential_decay_is_found_exactly() -> None:
    acf = np.exp(-np.arange(400) / 12.5)
    # Linear interpolation of an exponential is off by less than (Δ/τ)²/8.
    assert relaxation_time(acf, 2.0) == pytest.approx(25.0, rel=1e-3)
    # Δ (1/2 + Σ) of a geometric series is Δ/2 coth(Δ/2τ) = τ (1 + (Δ/τ)²/12 ...), less the
    # tail beyond the window of 5 τ.
    assert integrated_time(acf, 2.0) == pytest.approx(25.0 * (1 - np.exp(-5)), rel=3e-3)


def test_interpolation_is_linear() -> None:
    acf = np.array([1.0, 0.5, 0.25, 0.1])
    expected = 3.0 * (1 + (0.5 - np.exp(-1)) / 0.25)
    assert relaxation_time(acf, 3.0) == pytest.approx(expected)


@pytest.mark.parametrize("n_replicas", [1, 5])
def test_times_of_an_ornstein_uhlenbeck_process(n_replicas: int) -> None:
    tau, n_total = 10.0, 100_000
    series = [ar1(tau, n_total // n_replicas, seed) for seed in range(n_replicas)]
    acf = autocorrelation(series, n_lags=300)
    # 5,000 independent samples: the times are known to about 3 %.
    assert relaxation_time(acf, 1.0) == pytest.approx(tau, rel=0.1)
    assert integrated_time(acf, 1.0) == pytest.approx(tau, rel=0.12)
    assert Series(series, 1.0).n_effective == pytest.approx(n_total / (2 * tau), rel=0.12)


def test_autocorrelation_is_the_direct_sum_over_replicas() -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(size=31) + 4.0, rng.normal(size=17) + 4.0]
    mean = np.concatenate(series).mean()
    direct = []
    for lag in range(15):
        products = [(x[: len(x) - lag] - mean) * (x[lag:] - mean) for x in series]
        direct.append(np.concatenate(products).mean())
    np.testing.assert_allclose(autocorrelation(series), np.array(direct) / direct[0], atol=1e-12)


def test_common_mean_keeps_slow_differences_between_replicas() -> None:
    # Two replicas stuck in different states: with a mean of each alone they would look relaxed.
    rng = np.random.default_rng(1)
    stuck = [5.0 + 0.1 * rng.normal(size=500), -5.0 + 0.1 * rng.normal(size=500)]
    assert np.isnan(relaxation_time(autocorrelation(stuck), 1.0))


def test_blocks_add_up_to_the_whole() -> None:
    series = np.random.default_rng(2).normal(size=103)
    whole = lagged_products(series, 40)
    parts = [
        lagged_products(series, 40, start=a, stop=b) for a, b in ((0, 30), (30, 77), (77, 103))
    ]
    for k in range(2):
        np.testing.assert_allclose(sum(part[k] for part in parts), whole[k], atol=1e-10)


def test_unresolved_and_degenerate_series_are_nan() -> None:
    ramp = [np.linspace(0, 1, 20)]
    assert np.isnan(relaxation_time(autocorrelation([np.full(50, 0.3)]), 1.0))
    assert np.isnan(relaxation_time(autocorrelation([np.array([1.0])]), 1.0))
    assert np.isnan(relaxation_time(autocorrelation(ramp, n_lags=4), 1.0))
    assert np.isnan(Series([np.full(50, 0.3)], 1.0).n_effective)


def test_white_noise_has_no_more_samples_than_frames() -> None:
    noise = [np.random.default_rng(4).normal(size=4000)]
    assert Series(noise, 1.0).n_effective == pytest.approx(4000, rel=0.05)
    alternating = [np.tile([1.0, -1.0], 500)]
    assert Series(alternating, 1.0).n_effective == 1000

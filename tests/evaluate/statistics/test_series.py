"""What a series of numbers is worth: independent samples, blocks, drift."""

import numpy as np
import pytest

from cgsim.evaluate.statistics.distributions import block_weights, standard_error
from cgsim.evaluate.statistics.series import Series
from tests.evaluate.processes import integrated_time, ornstein_uhlenbeck


@pytest.mark.parametrize("tau", [2.0, 8.0, 32.0])
@pytest.mark.parametrize("frame_interval", [0.1, 1.0, 20.0])
def test_samples_are_the_duration_over_two_integrated_times(
    tau: float, frame_interval: float
) -> None:
    values = ornstein_uhlenbeck(tau, 60_000, np.random.default_rng(0), n_series=2)
    series = Series(list(values), frame_interval)
    assert series.integrated_time == pytest.approx(frame_interval * integrated_time(tau), rel=0.15)
    assert series.n_effective == pytest.approx(120_000 / (2 * integrated_time(tau)), rel=0.15)


@pytest.mark.parametrize("tau", [0.0, 3.0, 12.0])
def test_the_variance_of_a_mean_is_that_of_a_value_over_the_samples(tau: float) -> None:
    """What "independent samples" means, from many runs."""
    runs = ornstein_uhlenbeck(tau, 2000, np.random.default_rng(1), n_series=400)
    expected = runs.var() / runs.mean(axis=1).var()
    counted = np.mean([Series([run], 0.5).n_effective for run in runs])
    assert counted == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("frame_interval", [0.05, 1.0, 40.0])
def test_blocks_are_long_against_the_relaxation_whatever_the_frame_interval(
    frame_interval: float,
) -> None:
    values = ornstein_uhlenbeck(250.0, 5000, np.random.default_rng(2), n_series=2)
    series = Series(list(values), frame_interval)
    lengths = [stop - start for _, start, stop in series.blocks]
    assert 4 <= len(lengths) < 20
    assert min(lengths) * frame_interval >= 3 * series.integrated_time
    assert min(lengths) >= 2 * 250


@pytest.mark.parametrize("tau", [2.0, 60.0])
def test_error_bars_from_blocks_are_the_spread_of_independent_runs(tau: float) -> None:
    """Blocks shorter than the relaxation time would make them too small."""
    rng = np.random.default_rng(3)
    runs = ornstein_uhlenbeck(tau, 6000, rng, n_series=80)
    squared = []
    for run in runs:
        pieces = [run[start:stop] for _, start, stop in Series([run], 1.0).blocks]
        totals, lengths = (np.array([f(own) for own in pieces]) for f in (np.sum, len))
        weights = block_weights(len(pieces), 100, rng)
        squared.append(standard_error(weights @ totals / (weights @ lengths)) ** 2)
    assert np.sqrt(np.mean(squared)) == pytest.approx(runs.mean(axis=1).std(), rel=0.25)


def test_drift_is_told_from_chance() -> None:
    """Its error is the spread of the drift of runs that do not drift."""
    runs = ornstein_uhlenbeck(4.0, 2000, np.random.default_rng(4), n_series=200)
    drifts = []
    for run in runs:
        series = Series([run], 1.0)
        drift = series.drift(series.n_effective)
        drifts.append((drift.value, drift.error))
    values, errors = np.array(drifts).T
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.2)
    moving = Series([np.linspace(0.0, 9.0, 10), np.linspace(0.0, 9.0, 10)], 1.0)
    assert moving.drift(2.0).value == pytest.approx(9.0)
    assert np.isnan(Series([np.zeros(1)], 1.0).drift(1.0).value)

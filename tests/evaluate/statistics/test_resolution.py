"""Error bars and bounds of correlation times, on processes whose times are known."""

import math

import numpy as np
import pytest

from cgsim.evaluate import Estimate
from cgsim.evaluate.statistics.autocorrelation import (
    autocorrelation,
    integrated_time,
    relaxation_time,
)
from cgsim.evaluate.statistics.blocking import cut_series
from cgsim.evaluate.statistics.resolution import (
    CorrelationTime,
    error_inflation,
    ratio_of,
    resolve,
)
from cgsim.evaluate.statistics.series import Series
from tests.evaluate.processes import integrated_time as exact_integrated_time
from tests.evaluate.processes import ornstein_uhlenbeck

TAU = 8.0
N_TRIALS = 150


def runs(length: float, n_replicas: int, seed: int) -> list[np.ndarray]:
    """Of so many relaxation times each."""
    rng = np.random.default_rng(seed)
    return list(ornstein_uhlenbeck(TAU, round(length * TAU), rng, n_series=n_replicas))


def holds(estimate: Estimate, truth: float) -> bool:
    if estimate.lower_bound is not None:
        return estimate.lower_bound <= truth
    return abs(estimate.value - truth) <= 2 * estimate.error


@pytest.mark.parametrize(("length", "n_replicas"), [(5, 1), (5, 4), (10, 1), (1, 16)])
def test_a_run_that_is_too_short_gives_a_bound_that_holds(length: float, n_replicas: int) -> None:
    found = [Series(runs(length, n_replicas, seed), 1.0) for seed in range(N_TRIALS)]
    bounds = [own.relaxation for own in found if own.relaxation.is_bound]
    assert len(bounds) >= 0.95 * N_TRIALS
    assert np.mean([holds(own, TAU) for own in bounds]) >= 0.95
    assert all(math.isnan(own.value) and math.isnan(own.error) for own in bounds)
    assert np.mean([own.integrated.is_bound for own in found]) >= 0.95


@pytest.mark.parametrize(("length", "n_replicas"), [(60, 1), (30, 4), (30, 16), (400, 1)])
def test_error_bars_hold_the_truth_in_19_of_20_runs(length: float, n_replicas: int) -> None:
    found = [Series(runs(length, n_replicas, seed), 1.0) for seed in range(N_TRIALS)]
    told = [own for own in found if not own.relaxation.is_bound]
    assert len(told) >= (0.6 if length * n_replicas < 100 else 0.9) * N_TRIALS
    # 95 % less the three standard errors of so many trials.
    assert np.mean([holds(own.relaxation, TAU) for own in told]) > 0.9
    truth = exact_integrated_time(TAU)
    assert np.mean([holds(own.integrated, truth) for own in told]) > 0.9


def test_error_bars_are_not_much_wider_than_the_spread() -> None:
    found = [Series(runs(400, 1, seed), 1.0) for seed in range(N_TRIALS)]
    for name in ("relaxation", "integrated"):
        values = [getattr(own, name).value for own in found]
        errors = [getattr(own, name).error for own in found]
        assert np.std(values) < 1.1 * np.median(errors)
        assert np.median(errors) < 2 * np.std(values)


def test_a_corrected_time_is_too_long_as_often_as_too_short() -> None:
    """A run of 60 relaxation times about its own mean has a shorter time in three of five."""
    many = ornstein_uhlenbeck(TAU, round(60 * TAU), np.random.default_rng(0), n_series=2000)
    found = [resolve([series]).relaxation for series in many]
    known = [own for own in found if own is not None]
    assert np.mean([own.value > TAU for own in known]) < 0.43
    assert 0.45 < np.mean([own.corrected > TAU for own in known]) < 0.55


def test_values_are_the_published_ones() -> None:
    """At 1/e, and of Sokal's window: only the error bar knows of the bias."""
    series = runs(200, 3, 0)
    acf = autocorrelation(series)
    own = Series(series, 0.5)
    assert own.relaxation.value == pytest.approx(relaxation_time(acf, 0.5), rel=1e-12)
    assert own.integrated.value == pytest.approx(integrated_time(acf, 0.5), rel=1e-12)


def test_times_are_in_ps_whatever_the_interval() -> None:
    for length in (3, 200):
        series = runs(length, 2, 1)
        one, ten = (Series(series, interval).relaxation for interval in (1.0, 10.0))
        for name in ("value", "error", "lower_bound"):
            first, second = getattr(one, name), getattr(ten, name)
            if first is None:
                assert second is None
            else:
                assert second == pytest.approx(10 * first, nan_ok=True)


def test_a_ratio_with_one_side_unresolved_is_bounded_on_the_right_side() -> None:
    long, other, short = (
        resolve(runs(*size, 2)).relaxation for size in ((900, 1), (800, 2), (4, 1))
    )
    both = ratio_of(long, other, unit=1.0)
    assert abs(both.value - 1) < 2 * both.error < 0.5
    assert ratio_of(long, other, unit=3.0).value == pytest.approx(3 * both.value)
    assert ratio_of(long, other, unit=3.0).error == pytest.approx(3 * both.error)
    slower = ratio_of(short, long, unit=1.0)
    assert slower.upper_bound is None
    assert 0 < (slower.lower_bound or 0) <= 1
    faster = ratio_of(long, short, unit=1.0)
    assert faster.lower_bound is None
    assert (faster.upper_bound or 0) >= 1
    for neither in (ratio_of(short, short, unit=1.0), ratio_of(None, long, unit=1.0)):
        assert math.isnan(neither.value)
        assert not neither.is_bound


def told(value: float, spread: float, *, is_resolved: bool = True) -> CorrelationTime:
    """A time of so many frames whose logarithm is known to so much."""
    return CorrelationTime(value, value, spread, is_resolved, at_most=value)


@pytest.mark.parametrize("spreads", [(0.05, 0.3), (0.3, 0.05), (0.2, 0.2)])
def test_the_error_of_a_ratio_is_of_both_times(spreads: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    held, errors, values = [], [], []
    for _ in range(2000):
        first, second = (
            told(truth * math.exp(spread * rng.normal()), spread)
            for truth, spread in zip((12.0, 4.0), spreads, strict=True)
        )
        ratio = ratio_of(first, second, unit=1.0)
        held.append(holds(ratio, 3.0))
        errors.append(ratio.error)
        values.append(ratio.value)
    assert 0.93 < np.mean(held) < 0.99
    assert np.median(errors) < 1.5 * np.std(values)


def test_bounds_of_ratios_reach_to_the_ends_of_what_is_known() -> None:
    """A time of 40 frames or more over one of 5 to 20: at least 2; the other way at most 1/2."""
    known = told(10.0, math.log(2) / 2)
    assert known.interval == pytest.approx((5.0, 20.0))
    unknown = told(40.0, 0.0, is_resolved=False)
    assert ratio_of(unknown, known, unit=1.0).lower_bound == pytest.approx(2.0)
    assert ratio_of(known, unknown, unit=1.0).upper_bound == pytest.approx(0.5)
    assert ratio_of(unknown, known, unit=5.0).lower_bound == pytest.approx(10.0)


@pytest.mark.parametrize("values", [np.full(50, 0.3), np.zeros(1), np.array([1.0])])
def test_what_does_not_vary_has_no_time_and_no_bound(values: np.ndarray) -> None:
    series = Series([values], 1.0)
    assert math.isnan(series.relaxation.value)
    assert not series.relaxation.is_bound
    assert series.error_inflation == 1.0


@pytest.mark.parametrize(("length", "n_replicas"), [(8, 1), (30, 1), (8, 4), (300, 1)])
def test_inflated_block_errors_hold_the_mean(length: float, n_replicas: int) -> None:
    """Without it a run of eight relaxation times holds the truth in two of three."""
    plain, inflated = [], []
    for seed in range(2 * N_TRIALS):
        series = Series(runs(length, n_replicas, seed), 1.0)
        pieces = [series.values[r][a:b] for r, a, b in series.blocks]
        lengths = np.array([len(piece) for piece in pieces])
        means = np.array([piece.mean() for piece in pieces])
        mean = (lengths * means).sum() / lengths.sum()
        error = np.sqrt(((means - mean) ** 2).sum() / (len(means) - 1) / len(means))
        plain.append(abs(mean) <= 2 * error)
        inflated.append(abs(mean) <= 2 * error * series.error_inflation)
    assert np.mean(inflated) > 0.87
    assert np.mean(inflated) >= np.mean(plain)
    if length * n_replicas < 10:
        assert np.mean(plain) < 0.8


def test_long_blocks_need_no_inflation_but_students() -> None:
    """Twenty blocks of hundreds of relaxation times: 2.093 / 2, the quantile of 19 degrees."""
    series = Series(runs(8000, 1, 3), 1.0)
    assert len(series.blocks) == 20
    assert series.error_inflation == pytest.approx(2.093 / 2, rel=0.01)
    known = resolve(series.values).integrated
    alone = error_inflation(known, n_frames=64_000, n_replicas=1, n_blocks=1)
    assert alone == 1.0
    assert len(cut_series(series.values, TAU)) == 20


@pytest.mark.parametrize(("n_replicas", "n_blocks"), [(1, 4), (2, 4), (2, 8)])
def test_inflation_is_what_blocks_that_know_of_each_other_lack(
    n_replicas: int, n_blocks: int
) -> None:
    """By brute force: the spread of the mean of many runs, over what blocks of each run show."""
    tau, length = 40.0, 400  # frames; long blocks of the same number are the measure
    rng = np.random.default_rng(6)
    many = ornstein_uhlenbeck(tau, length, rng, n_series=4000 * n_replicas)
    blocks = many.reshape(4000, n_blocks, -1).mean(axis=2)
    shown = np.sqrt((blocks.var(axis=1, ddof=1) / n_blocks).mean())
    spread = blocks.mean(axis=1).std()
    short, long = (
        error_inflation(
            told(tau, 0.0), n_frames=n * n_replicas, n_replicas=n_replicas, n_blocks=n_blocks
        )
        for n in (length, 1000 * length)
    )
    assert short / long == pytest.approx(spread / shown, rel=0.05)


def test_samples_of_a_run_that_is_too_short_are_unknown() -> None:
    assert math.isnan(Series(runs(4, 1, 0), 1.0).n_known)
    long = Series(runs(900, 1, 0), 1.0)
    assert long.n_known == long.n_effective

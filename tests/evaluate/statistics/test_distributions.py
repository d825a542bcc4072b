import numpy as np
import pytest

from cgsim.evaluate.statistics.distributions import (
    block_weights,
    bootstrap_weights,
    earth_movers_distance,
    error_of,
    histogram,
    histogram_movers_distance,
    joint_histogram,
    js_distance,
    js_distance_of_samples,
    r_squared,
    standard_error,
    union_edges,
)


def test_js_distance_of_equal_and_disjoint() -> None:
    counts = np.array([3.0, 1.0, 0.0, 6.0])
    assert js_distance(counts, 10 * counts) == pytest.approx(0.0, abs=1e-7)
    assert js_distance(np.array([1.0, 2, 0, 0]), np.array([0.0, 0, 5, 1])) == pytest.approx(1.0)


def test_js_distance_of_two_coins() -> None:
    # p = (1, 0), q = (1/2, 1/2): the divergence is 3/4 log2(4/3) ... summed by hand.
    divergence = 0.5 * np.log2(1 / 0.75) + 0.5 * (0.5 * np.log2(0.5 / 0.75) + 0.5 * np.log2(2.0))
    assert js_distance(np.array([1.0, 0]), np.array([1.0, 1])) == pytest.approx(divergence**0.5)


def test_js_distance_refuses_nonsense_and_knows_nothing_of_nothing() -> None:
    with pytest.raises(ValueError, match="2 and 3 bins"):
        js_distance(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="negative"):
        js_distance(np.array([-1.0, 1]), np.ones(2))
    assert np.isnan(js_distance(np.zeros(4), np.ones(4)))


def test_samples_are_binned_over_their_union() -> None:
    first, second = np.array([0.0, 1.0]), np.array([9.0, 10.0])
    edges = union_edges(first, second, n_bins=10)
    assert (edges[0], edges[-1]) == pytest.approx((0.0, 10.0), abs=1e-6)
    assert histogram(first, edges).tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert histogram(second, edges).sum() == 2
    assert js_distance_of_samples(first, second) == pytest.approx(1.0)
    assert js_distance_of_samples(np.full(3, 2.0), np.full(5, 2.0)) == pytest.approx(0.0)


def test_what_lies_beyond_the_bins_counts_in_the_outer_ones() -> None:
    edges = np.linspace(0.0, 3.0, 4)
    assert histogram(np.array([-0.5, -7.0, 1.5, 3.5, 99.0]), edges).tolist() == [2, 1, 2]


def test_a_joint_histogram_is_row_by_row() -> None:
    edges = np.stack([np.linspace(0.0, 2.0, 3), np.linspace(0.0, 20.0, 3)])
    first, second = np.array([0.5, 0.5, 1.5]), np.array([15.0, 15.0, 5.0])
    assert joint_histogram(first, second, edges).tolist() == [0, 2, 1, 0]


def test_movers_distance_of_a_shift_is_the_shift() -> None:
    sample = np.random.default_rng(0).normal(size=500)
    assert earth_movers_distance(sample, sample + 0.37) == pytest.approx(0.37)
    counts = np.array([1.0, 4, 2, 0, 0])
    assert histogram_movers_distance(counts, np.roll(counts, 2), 0.1) == pytest.approx(0.2)


def test_r_squared_is_exact_and_leaves_out_unknown_pairs() -> None:
    x = np.array([1.0, 2, 3, 4])
    assert r_squared(x, 7 - 2 * x) == pytest.approx(1.0)
    assert r_squared(np.array([-1.0, 0, 1, 0]), np.array([0.0, 1, 0, -1])) == pytest.approx(0.0)
    y = np.array([1.0, 3, 2, np.nan])
    assert r_squared(x, y) == pytest.approx(0.25)


def test_r_squared_needs_three_different_pairs() -> None:
    assert np.isnan(r_squared(np.array([1.0, 2, 2]), np.array([1.0, 3, 3])))
    assert np.isnan(r_squared(np.array([1.0, 2, 3]), np.full(3, 5.0)))


@pytest.mark.parametrize("n_blocks", [2, 4, 20])
def test_bootstrap_variance_of_a_mean_is_unbiased(n_blocks: int) -> None:
    rng = np.random.default_rng(5)
    variances = []
    for _ in range(300):
        blocks = rng.normal(size=n_blocks)
        weights = block_weights(n_blocks, 100, rng)
        variances.append(standard_error(weights @ blocks / weights.sum(axis=1)) ** 2)
    assert np.mean(variances) == pytest.approx(1 / n_blocks, rel=0.25)


def test_the_data_themselves_have_every_block_once() -> None:
    weights = bootstrap_weights(7, 3, np.random.default_rng(0))
    assert weights[0].tolist() == [1.0] * 7
    assert weights[1:].sum(axis=1).tolist() == [6.0] * 3


def test_one_block_has_no_error_bar() -> None:
    weights = block_weights(1, 10, np.random.default_rng(0))
    assert np.isnan(standard_error(weights @ np.array([3.0])))
    assert np.isnan(standard_error(np.array([1.0, np.nan, np.nan, np.nan])))


def test_the_error_of_a_biased_value_has_the_bias_in_it() -> None:
    """Replicates about another centre: spread and distance are the sides of a triangle."""
    replicates = 4.0 + 0.3 * np.random.default_rng(0).normal(size=100_000)
    assert error_of(4.0, replicates) == pytest.approx(0.3, rel=0.02)
    assert error_of(3.6, replicates) == pytest.approx(0.5, rel=0.02)
    assert np.isnan(error_of(3.6, np.full(10, np.nan)))

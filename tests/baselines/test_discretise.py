"""Discretisers on sequences made by hand."""

import numpy as np
import pytest

from cgsim.baselines.discretise import Bins, NearestState, remove_excursions, running_mean


def test_running_mean() -> None:
    values = np.array([1.0, 3.0, 5.0, -1.0])
    np.testing.assert_allclose(running_mean(values, 2), [2.0, 4.0, 2.0])
    np.testing.assert_allclose(running_mean(values, 4), [2.0])
    np.testing.assert_array_equal(running_mean(values, 1), values)


@pytest.mark.parametrize("window", [0, 5])
def test_running_mean_of_a_wrong_window_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=rf"running mean of {window} values"):
        running_mean(np.ones(4), window)


@pytest.mark.parametrize(
    ("max_length", "expected"),
    [
        (0, "00011022220330"),
        (1, "00011122222333"),
        (2, "00000022222222"),
        (3, "22222222222222"),
    ],
)
def test_short_visits_belong_to_the_long_one_before(max_length: int, expected: str) -> None:
    states = np.array([int(letter) for letter in "00011022220330"])
    found = remove_excursions(states, max_length)
    assert "".join(map(str, found)) == expected


def test_many_short_visits_in_a_row_change_nothing() -> None:
    states = np.array([0] * 5 + [1, 2] * 6 + [0] * 2 + [1] * 4)
    expected = [0] * 19 + [1] * 4
    assert remove_excursions(states, 3).tolist() == expected


def test_only_short_visits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"more than 2 frames \(the longest: 2\)"):
        remove_excursions(np.array([0, 0, 1, 1]), 2)


def test_nearest_state() -> None:
    """Centres in any order; the border is half-way."""
    discretise = NearestState((2.0, 0.5, -0.5, -2.0), window=1, max_excursion=0)
    series = np.array([5.0, 1.26, 1.24, 0.1, -0.1, -1.24, -1.26, -9.0])
    assert discretise(series).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert discretise.n_states == 4


def test_smoothing_comes_before_the_nearest_state() -> None:
    discretise = NearestState((-1.0, 1.0), window=2, max_excursion=1)
    series = np.array([-1.0, -1, -1, 3, -3, 1, 1, 1, 1])  # means -1 -1 1 0 -1 1 1 1
    assert discretise(series).tolist() == [0, 0, 0, 0, 0, 1, 1, 1]


def test_bins() -> None:
    bins = Bins.equal([np.array([0.0, 3.0]), np.array([6.0, 8.0])], 4)
    assert bins == Bins((2.0, 4.0, 6.0))
    assert bins(np.array([-7.0, 1.9, 2.0, 5.0, 6.0, 99.0])).tolist() == [0, 0, 1, 2, 3, 3]
    assert bins.n_states == 4


def test_wrong_discretisers_are_refused() -> None:
    with pytest.raises(ValueError, match="two or more different"):
        NearestState((1.0, 1.0))
    with pytest.raises(ValueError, match="increasing"):
        Bins((1.0, 0.0))
    with pytest.raises(ValueError, match="not finite at frame 1"):
        Bins((1.0,))(np.array([0.0, np.nan, 2.0]))

"""Blocks are long against the relaxation, and together they are the trajectory."""

import numpy as np
import pytest

from cgsim.evaluate.statistics.blocking import cut_series


@pytest.mark.parametrize("lengths", [(1000,), (400, 900, 50), (20,) * 30])
@pytest.mark.parametrize("time", [0.5, 7.0, 40.0, float("nan")])
def test_every_frame_is_in_one_block(lengths: tuple[int, ...], time: float) -> None:
    series = [np.zeros(length) for length in lengths]
    seen = [np.zeros(length, dtype=int) for length in lengths]
    for replica, start, stop in cut_series(series, time):
        assert stop > start
        seen[replica][start:stop] += 1
    assert all((counts == 1).all() for counts in seen)


@pytest.mark.parametrize("time", [1.0, 10.0, 40.0, 80.0])
@pytest.mark.parametrize("n_replicas", [1, 2, 5])
def test_blocks_are_at_least_three_integrated_times_long(time: float, n_replicas: int) -> None:
    series = [np.zeros(1000)] * n_replicas
    lengths = [stop - start for _, start, stop in cut_series(series, time)]
    assert min(lengths) >= 3 * time
    assert 4 <= len(lengths) <= 20


def test_of_a_fast_series_there_are_twenty() -> None:
    assert len(cut_series([np.zeros(1000)], 1.0)) == 20
    assert len(cut_series([np.zeros(1000)] * 4, 1.0)) == 20


@pytest.mark.parametrize("time", [900.0, float("nan")])
def test_a_series_that_is_too_short_still_has_four(time: float) -> None:
    assert len(cut_series([np.zeros(1000)], time)) == 4
    assert len(cut_series([np.zeros(1000)] * 3, time)) == 6
    assert cut_series([np.zeros(3)], time) == [(0, 0, 1), (0, 1, 2), (0, 2, 3)]

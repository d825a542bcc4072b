"""How one molecule moves, in the report."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Ensemble
from cgsim.evaluate.report.motion import comparable, memory_section, slow_motion_section

MakeChain = Callable[..., Ensemble]


@pytest.fixture(scope="module")
def pair(make_chain: MakeChain) -> tuple[Ensemble, Ensemble]:
    first, second = (make_chain("a", n_frames=400, seed=seed) for seed in (0, 1))
    return first, second


def test_both_sections_hold_their_figures(pair: tuple[Ensemble, Ensemble]) -> None:
    assert memory_section(*pair).count("data:image/svg") == 1
    assert slow_motion_section(*pair).count("data:image/svg") == 2


def test_sides_are_brought_to_one_interval(pair: tuple[Ensemble, Ensemble]) -> None:
    first, second = pair
    coarse = replace(
        second, xyz=tuple(x[::4] for x in second.xyz), frame_interval=4 * second.frame_interval
    )
    for sides in (comparable(first, coarse), comparable(coarse, first)):
        assert [own.frame_interval for own in sides] == [coarse.frame_interval] * 2
    np.testing.assert_array_equal(comparable(first, coarse)[0].xyz[0], first.xyz[0][::4])


def test_what_cannot_be_measured_is_said(pair: tuple[Ensemble, Ensemble]) -> None:
    first, second = pair
    odd = replace(second, frame_interval=1.5 * second.frame_interval)
    for section in (memory_section, slow_motion_section):
        page = section(first, odd)
        assert "cannot be compared" in page
        assert "svg" not in page
    still = replace(first, xyz=(np.zeros((2, *first.xyz[0].shape[1:])),))
    assert "Not shown" in memory_section(still, still)
    assert "Not shown" in slow_motion_section(still, still)


@pytest.mark.parametrize("n_frames", [1, 3, 25])
def test_short_trajectories_do_not_stop_the_report(
    pair: tuple[Ensemble, Ensemble], n_frames: int
) -> None:
    first, second = pair
    short = replace(second, xyz=tuple(x[:n_frames] for x in second.xyz))
    for sides in ((first, short), (short, first)):
        for section in (memory_section, slow_motion_section):
            page = section(*sides)
            assert ("Not shown" in page) != ("data:image/svg" in page)

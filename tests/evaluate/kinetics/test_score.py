from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Ensemble, score_kinetics
from tests.evaluate.kinetics.slow_systems import (
    TRANSITIONS,
    sample_states,
    stationary,
    three_shapes,
)

POPULATIONS = stationary(TRANSITIONS)


@pytest.fixture(scope="module")
def jumper() -> Ensemble:
    return three_shapes([sample_states(20_000, seed) for seed in (0, 1)])


def values(estimates: object) -> np.ndarray:
    assert isinstance(estimates, tuple)
    return np.array([estimate.value for estimate in estimates])


def test_identical_ensembles(jumper: Ensemble) -> None:
    score = score_kinetics(jumper, jumper, lag_time=2.0, n_clusters=3, n_states=3)
    assert score.js_tic0.value == score.js_tic01.value == score.js_states.value == 0
    assert score.ratio.value == 1
    assert 0 < score.ratio.error < 0.2
    assert score.timescales[0].value == score.timescales_reference[0].value
    assert score.relaxation.value == score.relaxation_reference.value > 0
    assert score.integrated.value == score.integrated_reference.value > 0
    assert score.connected == score.connected_reference == 1
    np.testing.assert_allclose(np.sort(values(score.populations)), np.sort(POPULATIONS), atol=0.03)


def test_second_sample_is_equal_within_its_errors(jumper: Ensemble) -> None:
    other = three_shapes([sample_states(20_000, seed) for seed in (2, 3)])
    score = score_kinetics(jumper, other, lag_time=2.0, n_clusters=3, n_states=3)
    assert abs(score.ratio.value - 1) < 3 * score.ratio.error
    assert 0 < score.js_states.value < 0.06
    for mine, exact in zip(score.populations, score.populations_reference, strict=True):
        assert abs(mine.value - exact.value) < 4 * np.hypot(mine.error, exact.error)


def test_slower_ensemble_with_a_longer_frame_interval(jumper: Ensemble) -> None:
    # Half of the jumps in frames twice as long: four times slower.
    lazy = (TRANSITIONS + np.eye(3)) / 2
    slow = three_shapes([sample_states(20_000, s, lazy) for s in (2, 3)], frame_interval=4.0)
    score = score_kinetics(jumper, slow, lag_time=4.0, n_clusters=3, n_states=2)
    assert score.ratio.value == pytest.approx(4.0, rel=0.2)
    assert score.relaxation.value / score.relaxation_reference.value == pytest.approx(4.0, rel=0.25)
    assert score.js_tic0.value < 0.06


def test_state_that_is_never_visited(jumper: Ensemble) -> None:
    states = [
        sample_states(20_000, seed, TRANSITIONS[:2, :2] + [[0.02, 0], [0, 0.02]]) for seed in (4,)
    ]
    score = score_kinetics(jumper, three_shapes(states), lag_time=2.0, n_clusters=3, n_states=3)
    populations, reference = values(score.populations), values(score.populations_reference)
    missed = populations == 0
    assert missed.sum() == 1
    assert reference[missed][0] == pytest.approx(POPULATIONS[2], abs=0.03)
    np.testing.assert_allclose(np.sort(populations[~missed]), [1 / 3, 2 / 3], atol=0.03)
    assert score.connected == 1
    assert score.ratio.value < 0.5
    assert score.js_tic0.value == pytest.approx(score.js_states.value, abs=0.02)


def test_frozen_ensemble_has_no_timescales(jumper: Ensemble) -> None:
    frozen = three_shapes([np.zeros(100, dtype=int)])
    score = score_kinetics(jumper, frozen, lag_time=2.0, n_clusters=3, n_states=3)
    assert np.isnan([score.ratio.value, score.relaxation.value, score.integrated.value]).all()
    assert sorted(values(score.populations)) == [0, 0, 1]


def test_replicas_stuck_apart_are_seen(jumper: Ensemble) -> None:
    stuck = three_shapes([np.zeros(300, dtype=int), np.full(100, 2)])
    score = score_kinetics(jumper, stuck, lag_time=2.0, n_clusters=3, n_states=3)
    assert score.connected == pytest.approx(299 / 398)


def test_errors_name_the_field(jumper: Ensemble) -> None:
    with pytest.raises(ValueError, match="name"):
        score_kinetics(jumper, replace(jumper, name="other"), lag_time=2.0, n_clusters=3)
    with pytest.raises(ValueError, match="frame_interval, 4 ps"):
        score_kinetics(
            jumper, replace(jumper, frame_interval=4.0), lag_time=2.0, n_clusters=3, n_states=3
        )
    short = replace(jumper, xyz=(jumper.xyz[0][:1],))
    with pytest.raises(ValueError, match="longest replica"):
        score_kinetics(jumper, short, lag_time=2.0, n_clusters=3, n_states=3)
    with pytest.raises(ValueError, match="n_bootstrap"):
        score_kinetics(jumper, jumper, lag_time=2.0, n_bootstrap=1)

"""Roll-outs of propagators."""

from dataclasses import replace

import numpy as np
import pytest

from cgsim.baselines.propagate import first_history, n_sound_frames, propagate
from cgsim.baselines.propagators import LinearPropagator, no_op, random_walk
from cgsim.testing.systems import random_chain


def test_a_linear_map_without_noise_is_iterated_exactly() -> None:
    shrink = LinearPropagator(np.array([0.5 * np.eye(2)]), np.zeros((2, 2)))
    start = np.array([[[[1.0, 0, 0]], [[-1.0, 0, 0]]]])  # centred, so x' = x / 2
    frames = propagate(shrink, start, 3, seed=0)
    np.testing.assert_allclose(frames[0, :, 0, 0], [0.5, 0.25, 0.125])
    np.testing.assert_array_equal(frames[0, :, 1], -frames[0, :, 0])


def test_the_history_moves_on() -> None:
    """x' = x + (x - y), with y the frame before: at constant velocity."""
    coefficients = np.stack([2 * np.eye(1), -np.eye(1)])
    start = np.array([[[[0.0, 0, 0], [1.0, 2.0, 0]]]])
    frames = propagate(LinearPropagator(coefficients, np.zeros((1, 1))), start, 4, seed=0)
    np.testing.assert_allclose(frames[0, :, 0], np.arange(2, 6)[:, None] * [1.0, 2.0, 0])


def test_noise_differs_between_steps_and_repeats_with_the_seed() -> None:
    random = np.random.default_rng(0)
    history = random.normal(size=(500, 3, 1, 3))
    propagator = random_walk(history, history[:, :, 0] + random.normal(size=(500, 3, 3)))
    frames = propagate(propagator, history[:2], 400, seed=0)
    np.testing.assert_array_equal(frames, propagate(propagator, history[:2], 400, seed=0))
    steps = np.diff(frames, axis=1)
    np.testing.assert_allclose(steps.std(axis=(0, 1)), 1.0, atol=0.15)
    assert abs((steps[:, 1:] * steps[:, :-1]).mean()) < 0.05


def test_start_is_the_first_frames_a_step_apart() -> None:
    chain = random_chain(n_beads=4, n_frames=10, seed=0)
    start = first_history(chain, 3, stride=4)
    np.testing.assert_array_equal(start, np.asarray(chain.pos)[[0, 4, 8]].swapaxes(0, 1))
    with pytest.raises(ValueError, match="need 13"):
        first_history(chain, 4, stride=4)
    still = propagate(no_op(4), start[None], 2, seed=0)
    np.testing.assert_allclose(still[0], np.stack([start[:, -1]] * 2))


def test_frames_count_until_a_bond_is_too_long_or_a_bead_too_far() -> None:
    frames = np.zeros((6, 2, 3))
    frames[:, 1, 0] = [1, 2, 3, 1, np.nan, 1]
    bond = np.array([[0], [1]])
    limits = {"longest_bond": 2.5, "farthest": 100.0}
    assert n_sound_frames(frames, bond, **limits) == 2
    assert n_sound_frames(frames[3:], bond, **limits) == 1
    assert n_sound_frames(frames[:2], bond, **limits) == 2
    assert n_sound_frames(frames[:2] + 99.5, bond, **limits) == 0
    far = replace(random_chain(n_beads=2, n_frames=3, seed=0), pos=np.full((3, 2, 3), np.inf))
    assert n_sound_frames(far.pos, bond, **limits) == 0

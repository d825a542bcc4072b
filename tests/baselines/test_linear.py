"""Linear propagators: exact mean and noise, numbers that give them back, bad shapes."""

import numpy as np
import pytest

from cgsim.baselines.linear import LinearPropagator
from tests.baselines.linear_maps import N_BEADS, histories, known


def test_samples_have_the_mean_and_the_covariance() -> None:
    propagator, history = known(), histories(2)
    samples = propagator.sample(history, 40_000, seed=0)
    assert samples.shape == (40_000, 2, N_BEADS, 3)
    np.testing.assert_allclose(samples.mean(axis=0), propagator.mean(history), atol=0.06)
    flat = (samples - propagator.mean(history)).reshape(len(samples), -1)
    expected = np.kron(np.eye(2), np.kron(propagator.covariance, np.eye(3)))
    np.testing.assert_allclose(flat.T @ flat / len(flat), expected, atol=0.25)


def test_samples_follow_the_seed() -> None:
    propagator, history = known(), histories(2)
    first = propagator.sample(history, 3, seed=1)
    np.testing.assert_array_equal(first, propagator.sample(history, 3, seed=1))
    assert (first != propagator.sample(history, 3, seed=2)).all()


def test_only_the_last_frames_of_a_longer_history_count() -> None:
    propagator, history = known(), histories(5, n_frames=4)
    np.testing.assert_array_equal(propagator.mean(history), propagator.mean(history[:, :, 2:]))


def test_a_step_is_a_sample() -> None:
    propagator, history = known(), histories(5)
    step = propagator.step(history, np.random.default_rng(3))
    np.testing.assert_array_equal(step, propagator.sample(history, 1, seed=3)[0])


def test_its_numbers_give_it_back() -> None:
    propagator, history = known(n_frames=3), histories(5, n_frames=3)
    again = LinearPropagator.from_arrays(propagator.arrays(), timestep=2.0, length_scale=0.5)
    assert (again.history, again.n_beads) == (3, N_BEADS)
    assert (again.timestep, again.length_scale) == (2.0, 0.5)
    np.testing.assert_array_equal(
        again.sample(history, 2, seed=0), propagator.sample(history, 2, seed=0)
    )


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 or more frames"):
        known().mean(histories(5, n_frames=1))
    with pytest.raises(ValueError, match=r"\[n_windows, 4, 2 or more frames, 3\]"):
        known().mean(np.zeros((5, 3, 2, 3)))
    with pytest.raises(ValueError, match="covariance"):
        LinearPropagator(np.zeros((1, 3, 3)), np.zeros((2, 2)), timestep=1.0)

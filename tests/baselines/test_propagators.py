"""Propagators to beat: exact regression, exact noise, the symmetries of space."""

import numpy as np
import pytest

from cgsim.baselines.propagators import (
    LinearPropagator,
    cut_windows,
    no_op,
    random_walk,
    vector_autoregression,
)
from cgsim.testing.checks import random_rotation

N_BEADS = 4


def known(seed: int = 0, *, n_frames: int = 2) -> LinearPropagator:
    """Random coefficients whose rows sum to 1 over all frames, and a random covariance."""
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=(n_frames, N_BEADS, N_BEADS)) / (2 * N_BEADS)
    excess = coefficients.sum(axis=(0, 2)) - 1
    coefficients[0] -= excess[:, None] / N_BEADS
    root = rng.normal(size=(N_BEADS, N_BEADS))
    return LinearPropagator(coefficients, root @ root.T)


def histories(n_windows: int, *, n_frames: int = 2, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_windows, N_BEADS, n_frames, 3))


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_autoregression_is_exact_without_noise(n_frames: int) -> None:
    truth = known(n_frames=n_frames)
    history = histories(40, n_frames=n_frames)
    fitted = vector_autoregression(history, truth.mean(history))
    np.testing.assert_allclose(fitted.coefficients, truth.coefficients, atol=1e-10)
    np.testing.assert_allclose(fitted.covariance, 0, atol=1e-18)


def test_autoregression_recovers_coefficients_and_covariance() -> None:
    truth, history = known(), histories(20_000)
    fitted = vector_autoregression(history, truth.sample(history, 1, seed=2)[0])
    np.testing.assert_allclose(fitted.coefficients, truth.coefficients, atol=0.06)
    np.testing.assert_allclose(fitted.covariance, truth.covariance, atol=0.12)


def test_residual_covariance_is_unbiased() -> None:
    truth = known()
    fits = [
        vector_autoregression(history, truth.sample(history, 1, seed=seed)[0]).covariance
        for seed in range(2000)
        for history in [histories(6, seed=seed)]
    ]
    error = np.std(fits, axis=0) / np.sqrt(len(fits))
    assert (np.abs(np.mean(fits, axis=0) - truth.covariance) < 4.5 * error).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_fit_and_sample_turn_and_shift_with_the_molecule(sign: int) -> None:
    rotation, shift = sign * random_rotation(seed=3).numpy(), np.array([30.0, -20.0, 10.0])
    history, next_pos = histories(30), histories(30, n_frames=1, seed=5)[:, :, 0]
    fitted = vector_autoregression(history, next_pos)
    moved = vector_autoregression(history @ rotation.T + shift, next_pos @ rotation.T + shift)
    np.testing.assert_allclose(moved.coefficients, fitted.coefficients, atol=1e-8)
    np.testing.assert_allclose(moved.covariance, fitted.covariance, atol=1e-8)
    np.testing.assert_allclose(
        fitted.mean(history @ rotation.T + shift),
        fitted.mean(history) @ rotation.T + shift,
        atol=1e-8,
    )


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


def test_no_op_stays() -> None:
    history = histories(5)
    samples = no_op(N_BEADS).sample(history, 3, seed=0)
    np.testing.assert_allclose(samples, np.stack([history[:, :, -1]] * 3), atol=1e-14)


def test_random_walk_has_the_covariance_of_the_displacements() -> None:
    history, truth = histories(20_000), known().covariance
    start = LinearPropagator(np.eye(N_BEADS)[None], truth)
    fitted = random_walk(history, start.sample(history, 1, seed=0)[0])
    np.testing.assert_allclose(fitted.mean(history), history[:, :, -1], atol=1e-12)
    np.testing.assert_allclose(fitted.covariance, truth, atol=0.12)


def test_windows_are_the_right_frames() -> None:
    pos = np.arange(8.0)[:, None, None] + np.zeros((8, N_BEADS, 3))
    history, next_pos = cut_windows(pos, n_history=3, stride=2)
    assert history.shape == (2, N_BEADS, 3, 3)
    assert history[:, 0, :, 0].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert next_pos[:, 0, 0].tolist() == [6, 7]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="need at least 7"):
        cut_windows(np.zeros((6, N_BEADS, 3)), n_history=3, stride=2)
    with pytest.raises(ValueError, match="more than 2"):
        vector_autoregression(histories(2), np.zeros((2, N_BEADS, 3)))
    with pytest.raises(ValueError, match="next_pos"):
        random_walk(histories(5), np.zeros((4, N_BEADS, 3)))
    with pytest.raises(ValueError, match="2 or more frames"):
        known().mean(histories(5, n_frames=1))
    with pytest.raises(ValueError, match="covariance"):
        LinearPropagator(np.zeros((1, 3, 3)), np.zeros((2, 2)))

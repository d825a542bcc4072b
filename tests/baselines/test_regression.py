"""Linear propagators fitted to windows: exact regression, unbiased noise, symmetries of space."""

from collections.abc import Callable

import numpy as np
import pytest

from cgsim.baselines.linear import LinearPropagator
from cgsim.baselines.regression import (
    cut_windows,
    independent_frames,
    persistence,
    random_walk,
    vector_autoregression,
)
from cgsim.testing.checks import random_rotation
from tests.baselines.linear_maps import N_BEADS, histories, known


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_autoregression_is_exact_without_noise(n_frames: int) -> None:
    truth = known(n_frames=n_frames)
    history = histories(40, n_frames=n_frames)
    fitted = vector_autoregression(history, truth.mean(history), timestep=1.0)
    np.testing.assert_allclose(fitted.coefficients, truth.coefficients, atol=1e-10)
    np.testing.assert_allclose(fitted.covariance, 0, atol=1e-18)


def test_autoregression_recovers_coefficients_and_covariance() -> None:
    truth, history = known(), histories(20_000)
    following = truth.sample(history, 1, seed=2)[0]
    fitted = vector_autoregression(history, following, timestep=1.0)
    np.testing.assert_allclose(fitted.coefficients, truth.coefficients, atol=0.06)
    np.testing.assert_allclose(fitted.covariance, truth.covariance, atol=0.12)


def test_residual_covariance_is_unbiased() -> None:
    truth = known()
    fits = [
        vector_autoregression(
            history, truth.sample(history, 1, seed=seed)[0], timestep=1.0
        ).covariance
        for seed in range(2000)
        for history in [histories(6, seed=seed)]
    ]
    error = np.std(fits, axis=0) / np.sqrt(len(fits))
    assert (np.abs(np.mean(fits, axis=0) - truth.covariance) < 4.5 * error).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_fit_and_sample_turn_and_shift_with_the_molecule(sign: int) -> None:
    rotation, shift = sign * random_rotation(seed=3).numpy(), np.array([30.0, -20.0, 10.0])
    history, next_pos = histories(30), histories(30, n_frames=1, seed=5)[:, :, 0]
    fitted = vector_autoregression(history, next_pos, timestep=1.0)
    moved = vector_autoregression(
        history @ rotation.T + shift, next_pos @ rotation.T + shift, timestep=1.0
    )
    np.testing.assert_allclose(moved.coefficients, fitted.coefficients, atol=1e-8)
    np.testing.assert_allclose(moved.covariance, fitted.covariance, atol=1e-8)
    np.testing.assert_allclose(
        fitted.mean(history @ rotation.T + shift),
        fitted.mean(history) @ rotation.T + shift,
        atol=1e-8,
    )


def test_persistence_stays() -> None:
    history = histories(5)
    still = persistence(history, history[:, :, -1], timestep=1.0)
    samples = still.sample(history, 3, seed=0)
    np.testing.assert_allclose(samples, np.stack([history[:, :, -1]] * 3), atol=1e-14)


def test_random_walk_has_the_covariance_of_the_displacements() -> None:
    history, truth = histories(20_000), known().covariance
    start = LinearPropagator(np.eye(N_BEADS)[None], truth, timestep=1.0)
    fitted = random_walk(history, start.sample(history, 1, seed=0)[0], timestep=1.0)
    np.testing.assert_allclose(fitted.mean(history), history[:, :, -1], atol=1e-12)
    np.testing.assert_allclose(fitted.covariance, truth, atol=0.12)


def test_windows_are_the_right_frames() -> None:
    pos = np.arange(8.0)[:, None, None] + np.zeros((8, N_BEADS, 3))
    history, next_pos = cut_windows(pos, n_history=3, stride=2)
    assert history.shape == (2, N_BEADS, 3, 3)
    assert history[:, 0, :, 0].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert next_pos[:, 0, 0].tolist() == [6, 7]


def test_independent_frames_have_the_covariance_about_the_centre_and_no_memory() -> None:
    history, truth = histories(20_000), known().covariance
    own = LinearPropagator(np.zeros((1, N_BEADS, N_BEADS)), truth, timestep=1.0)
    fitted = independent_frames(history, own.sample(history, 1, seed=0)[0], timestep=1.0)
    np.testing.assert_allclose(fitted.covariance, truth, atol=0.12)
    centre = history[:, :, -1].mean(axis=1)
    for bead in range(N_BEADS):  # wherever it was
        np.testing.assert_allclose(fitted.mean(history)[:, bead], centre, atol=1e-12)


@pytest.mark.parametrize(
    "regression", [persistence, random_walk, independent_frames, vector_autoregression]
)
def test_the_time_step_is_kept(regression: Callable[..., LinearPropagator]) -> None:
    history, next_pos = histories(30), histories(30, n_frames=1, seed=5)[:, :, 0]
    assert regression(history, next_pos, timestep=2.5).timestep == 2.5


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="need at least 7"):
        cut_windows(np.zeros((6, N_BEADS, 3)), n_history=3, stride=2)
    with pytest.raises(ValueError, match="more than 2"):
        vector_autoregression(histories(2), np.zeros((2, N_BEADS, 3)), timestep=1.0)
    for regression in (persistence, random_walk, independent_frames, vector_autoregression):
        with pytest.raises(ValueError, match="next_pos"):
            regression(histories(5), np.zeros((4, N_BEADS, 3)), timestep=1.0)

"""Forecasters: exact answers, symmetry of the decomposition, bad input."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cgsim.baselines.forecast import (
    Cell,
    ForecastConfig,
    Forecaster,
    build_network,
    fit_forecaster,
    superposed,
)
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.checks import random_rotation
from cgsim.testing.systems import random_chain

TRAINED: tuple[Cell, ...] = ("linear", "feed_forward", "lstm", "gru")


def trajectory_of(pos: np.ndarray) -> MappedTrajectory:
    return replace(random_chain(pos.shape[1], n_frames=2), pos=pos.astype(np.float32))


def untrained(config: ForecastConfig, *, n_beads: int = 4, seed: int = 0) -> Forecaster:
    torch.manual_seed(seed)
    network = build_network(config, 3 if config.decomposed else 3 * n_beads)
    return Forecaster(config, network.eval(), mean=torch.zeros(n_beads, 3), scale=1.0)


def histories(config: ForecastConfig, *, n_beads: int = 4) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(size=(7, config.history, n_beads, 3))


def test_static_is_the_last_frame() -> None:
    config = ForecastConfig("static", history=3, lead=5)
    forecaster = fit_forecaster(random_chain(4, n_frames=20), config, seed=0)
    history = histories(config)
    np.testing.assert_array_equal(forecaster.predict(history), history[:, -1])


@pytest.mark.parametrize("decomposed", [False, True])
def test_linear_recovers_a_linear_process(decomposed: bool) -> None:
    """Waves of one frequency: ``x(t + 2) = (4 c^2 - 1) x(t) - 2 c x(t - 1)``, c = cos w."""
    random = np.random.default_rng(0)
    amplitude, phase = random.normal(size=(2, 3, 3))
    time = np.arange(400)[:, None, None]
    pos = amplitude * np.cos(0.7 * time + phase)
    trajectory = trajectory_of(pos)
    config = ForecastConfig("linear", decomposed=decomposed, history=2, lead=2, n_steps=3000)
    forecaster = fit_forecaster(trajectory.frames(0, 200), config, seed=0)
    start = np.arange(200, 397)
    found = forecaster.predict(pos[start[:, None] + np.arange(2)])
    np.testing.assert_allclose(found, pos[start + 3], atol=0.02 * np.abs(amplitude).max())


@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("kind", TRAINED)
def test_shapes(kind: Cell, decomposed: bool) -> None:
    config = ForecastConfig(kind, decomposed=decomposed, history=5)
    found = untrained(config).predict(histories(config))
    assert found.shape == (7, 4, 3)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", TRAINED)
def test_decomposition_follows_a_renumbering_of_atoms(kind: Cell) -> None:
    config = ForecastConfig(kind, decomposed=True, history=3)
    forecaster, history = untrained(config), histories(config)
    order = [2, 0, 3, 1]
    expected = forecaster.predict(history)[:, order]
    np.testing.assert_allclose(forecaster.predict(history[:, :, order]), expected, atol=1e-6)


def test_decomposed_atoms_do_not_see_each_other_and_whole_structures_do() -> None:
    for decomposed in (True, False):
        config = ForecastConfig("gru", decomposed=decomposed, history=3)
        forecaster, history = untrained(config), histories(config)
        moved = history.copy()
        moved[:, :, 0] += 1.0
        change = np.abs(forecaster.predict(moved) - forecaster.predict(history)).max(axis=(0, 2))
        assert change[0] > 1e-3
        assert (change[1:].max() < 1e-6) == decomposed


@pytest.mark.parametrize("kind", TRAINED)
def test_training_beats_the_mean(kind: Cell) -> None:
    pos = np.sin(0.2 * np.arange(300))[:, None, None] * np.ones((1, 2, 3))
    config = ForecastConfig(kind, history=4, n_steps=150, batch_size=32)
    forecaster = fit_forecaster(trajectory_of(pos), config, seed=0)
    start = np.arange(290)
    found = forecaster.predict(pos[start[:, None] + np.arange(4)])
    assert np.square(found - pos[start + 4]).mean() < 0.1 * pos.var()


def test_same_seed_same_forecast() -> None:
    chain = random_chain(4, n_frames=30)
    config = ForecastConfig("lstm", n_steps=3)
    history = histories(config)
    one, again, other = (
        fit_forecaster(chain, config, seed=seed).predict(history) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-4


def test_superposed_undoes_shifts_and_rotations() -> None:
    pos = random_chain(5, n_frames=1).pos[0].astype(np.float64)
    frames = np.stack(
        [pos, *(pos @ random_rotation(seed=seed).numpy().T + seed for seed in range(3))]
    )
    found = superposed(trajectory_of(frames)).pos
    expected = np.broadcast_to(pos - pos.mean(axis=0), found.shape)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_superposed_keeps_mirror_images_apart() -> None:
    pos = random_chain(5, n_frames=1).pos[0].astype(np.float64)
    found = superposed(trajectory_of(np.stack([pos, -pos]))).pos
    assert np.abs(found[1] - found[0]).max() > 0.05


def test_bad_input() -> None:
    chain = random_chain(4, n_frames=12)
    with pytest.raises(ValueError, match="kind must be one of"):
        ForecastConfig("transformer")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lead must be positive"):
        ForecastConfig("lstm", lead=0)
    with pytest.raises(ValueError, match="12 frames; a history of 5 and a lead of 8"):
        fit_forecaster(chain, ForecastConfig("linear", lead=8), seed=0)
    with pytest.raises(ValueError, match="nothing moves"):
        fit_forecaster(trajectory_of(np.ones((20, 4, 3))), ForecastConfig("linear"), seed=0)
    with pytest.raises(ValueError, match=r"\[n_windows, 5, 4, 3\], got \(7, 3, 4, 3\)"):
        untrained(ForecastConfig("linear")).predict(np.zeros((7, 3, 4, 3)))

"""Memory: the Ornstein-Uhlenbeck process, free flight, Brownian motion, rotation of bodies."""

import numpy as np
import pytest
from scipy import stats

from cgsim.evaluate import Ensemble
from cgsim.evaluate.observables.correlations import (
    displacement_kurtosis,
    measure_memory,
    position_autocorrelation,
    velocity_autocorrelation,
)
from cgsim.evaluate.report.plots.memory import plot_memory


def ornstein_uhlenbeck(rho: float, *, n_frames: int = 4000, seed: int = 0) -> list[np.ndarray]:
    """Two replicas [n_frames, 2, 3] with the autocorrelation ``rho^t``."""
    noise = np.random.default_rng(seed).normal(size=(n_frames, 2, 2, 3))
    x = np.empty_like(noise)
    x[0] = noise[0]
    for frame in range(1, n_frames):
        x[frame] = rho * x[frame - 1] + np.sqrt(1 - rho**2) * noise[frame]
    return list(x.swapaxes(0, 1))


def test_ornstein_uhlenbeck_positions() -> None:
    found, errors = position_autocorrelation(ornstein_uhlenbeck(0.8), n_lags=12)
    assert (np.abs(found - 0.8 ** np.arange(12)) < 5 * errors + 1e-12).all()
    assert (errors[1:] < 0.05).all()
    assert errors[0] == 0


def test_ornstein_uhlenbeck_velocities() -> None:
    """Of ``x(t + 1) - x(t)``: ``-(1 - rho) rho^(t - 1) / 2``."""
    found, errors = velocity_autocorrelation(ornstein_uhlenbeck(0.6), n_lags=6)
    expected = np.array([1.0, *(-0.2 * 0.6 ** np.arange(5))])
    assert (np.abs(found - expected) < 5 * errors + 1e-12).all()
    assert (errors[1:] < 0.03).all()


def test_the_mean_is_that_of_all_replicas() -> None:
    """Two particles at rest at different places: one process with two values."""
    replicas = [np.full((50, 1, 3), -1.0), np.full((50, 1, 3), 1.0)]
    found, _ = position_autocorrelation(replicas, n_lags=5)
    np.testing.assert_allclose(found, 1.0)


def test_free_flight_is_remembered_for_ever() -> None:
    velocity = np.random.default_rng(0).normal(size=(1, 4, 3))
    flight = np.arange(60)[:, None, None] * velocity
    found, errors = velocity_autocorrelation([flight], n_lags=20)
    np.testing.assert_allclose(found, 1.0, atol=1e-9)
    np.testing.assert_allclose(errors, 0.0, atol=1e-9)


def test_kurtosis_of_every_particle() -> None:
    """Gaussian 3, uniform 9/5, two values 1; of any width, drift and direction."""
    random = np.random.default_rng(0)
    shape = (40000, 3)
    steps = np.stack(
        [
            random.normal(size=shape) * [1.0, 5.0, 0.1] + [0.3, 0.0, 7.0],
            random.uniform(size=shape),
            random.choice([-1.0, 1.0], size=shape),
        ],
        axis=1,
    )
    found, errors = displacement_kurtosis([np.cumsum(steps, axis=0)])
    assert (np.abs(found - [3, 1.8, 1]) < 5 * errors + 1e-3).all()
    assert (errors < 0.05).all()
    assert errors[0] == pytest.approx(np.sqrt(24 / 40000 / 3), rel=0.5)


def test_kurtosis_is_about_the_mean_of_all_displacements() -> None:
    """Replicas of unequal lengths that drift apart are one sample."""
    random = np.random.default_rng(2)
    steps = [random.normal(size=(300, 2, 3)), 1.5 + random.uniform(size=(900, 2, 3))]
    start = np.zeros((1, 2, 3))
    walks = [np.concatenate([start, np.cumsum(own, axis=0)]) for own in steps]
    found, _ = displacement_kurtosis(walks)
    expected = stats.kurtosis(np.concatenate(steps), axis=0, fisher=False).mean(axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_where_particles_are_is_no_memory() -> None:
    replicas = ornstein_uhlenbeck(0.5, n_frames=300)
    place = np.array([[40.0, -3.0, 7.0], [0.0, 90.0, 1.0]])
    here, there = (position_autocorrelation([x + at for x in replicas]) for at in (0.0, place))
    np.testing.assert_allclose(here, there, atol=1e-9)


def test_kurtosis_falls_with_the_lag() -> None:
    """Sums of independent steps: the excess of two is half of that of one."""
    steps = np.random.default_rng(0).choice([-1.0, 1.0], size=(40000, 1, 3))
    walk = [np.cumsum(steps, axis=0)]
    excess = [displacement_kurtosis(walk, lag=lag)[0][0] - 3 for lag in (1, 2, 4)]
    np.testing.assert_allclose(excess, [-2, -1, -0.5], atol=0.05)


def molecule(replicas: list[np.ndarray]) -> Ensemble:
    return Ensemble("pair", tuple(replicas), 2.0, np.array([1.0, 3.0]), np.array([[0], [1]]))


def test_a_molecule_is_seen_from_its_centre_of_mass() -> None:
    replicas = ornstein_uhlenbeck(0.8, n_frames=400)
    drift = np.cumsum(np.random.default_rng(1).normal(size=(400, 1, 3)), axis=0)
    still, moving = (
        measure_memory(molecule([x + shift for x in replicas]), n_lags=10) for shift in (0.0, drift)
    )
    np.testing.assert_allclose(moving.velocity, still.velocity, atol=1e-10)
    np.testing.assert_allclose(moving.position, still.position, atol=1e-10)
    np.testing.assert_allclose(moving.excess_kurtosis, still.excess_kurtosis, atol=1e-8)
    np.testing.assert_allclose(still.times, 2.0 * np.arange(10))
    assert np.abs(still.excess_kurtosis).max() < 0.6


def test_three_panels() -> None:
    memory = measure_memory(molecule(ornstein_uhlenbeck(0.8, n_frames=60)))
    axes = plot_memory(memory, memory).axes
    assert len(axes) == 3
    drawn = np.asarray(axes[1].lines[0].get_ydata(), dtype=float)
    np.testing.assert_array_equal(drawn, memory.position)
    bars = np.asarray(axes[2].containers[0][0].get_ydata(), dtype=float)
    np.testing.assert_array_equal(bars, memory.kurtosis)


def test_bad_input() -> None:
    walk = np.zeros((5, 2, 3))
    with pytest.raises(ValueError, match="three frames or more"):
        velocity_autocorrelation([walk[:2]])
    with pytest.raises(ValueError, match="differ in their particles"):
        position_autocorrelation([walk, walk[:, :1]])
    with pytest.raises(ValueError, match="lag must be 1 to 4 frames, got 5"):
        displacement_kurtosis([walk], lag=5)

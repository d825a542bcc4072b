"""The four wells: energies by hand, exact populations, samples of equilibrium."""

import numpy as np
import pytest

from cgsim.testing.exact.four_well import WELLS, FourWell


def test_populations_are_the_published_ones() -> None:
    found = FourWell().populations
    np.testing.assert_allclose(found, [0.2697, 0.2308, 0.2298, 0.2697], atol=1e-3)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found, found[::-1], atol=1e-12)  # (x, y) -> (-x, -y)


def test_hot_particles_fill_the_strips() -> None:
    """Without wells to speak of the walls ``x^6`` alone count."""
    x = np.linspace(-6, 6, 40001)
    weight = np.exp(-(x**6))
    expected = [weight[(x > low) & (x <= high)].sum() for low, high in ((1.25, 6), (0, 1.25))]
    found = FourWell(beta=1e-6, wall=1e6).populations
    np.testing.assert_allclose(found[:2], np.array(expected) / weight.sum(), atol=1e-3)


def test_energy_by_hand() -> None:
    system = FourWell()
    wells = np.array(WELLS)
    gauss = np.exp(-(wells**2).sum(axis=1) / (2 * 0.64)).sum()
    assert system.energy(np.zeros(2)) == pytest.approx(1 - gauss)
    far = np.array([50.0, -3.0])
    assert system.energy(far) == pytest.approx(1e-4 * (50.0**6 + 3.0**6))


def test_force_is_the_gradient() -> None:
    system, step = FourWell(), 1e-5
    position = np.random.default_rng(0).uniform(-3, 3, size=(2, 50))
    for axis in (0, 1):
        shift = np.zeros((2, 1))
        shift[axis] = step
        rise = system.energy(position + shift) - system.energy(position - shift)
        np.testing.assert_allclose(system.force(position)[axis], -rise / (2 * step), atol=1e-8)
    assert system.force(position.astype(np.float32)).dtype == np.float32


def test_walkers_stay_in_equilibrium() -> None:
    """A hot particle, whose wells mix within the run: the exact populations, at the end too."""
    system = FourWell(beta=2.0)
    x = system.sample(2000, 30, stride=10, seed=0)
    assert x.shape == (2000, 30)
    nearest = np.abs(x[..., None] - system.centres).argmin(axis=2)
    for frame in (0, 29):
        found = np.bincount(nearest[:, frame], minlength=4) / 2000
        np.testing.assert_allclose(found, system.populations, atol=0.05)
    assert (nearest[:, 0] != nearest[:, -1]).mean() > 0.2


def test_walkers_fly_at_first() -> None:
    """They have inertia: at short times ``<(x_t - x_0)^2> = t^2 / (beta m)``, not ``2 D t``."""
    for mass in (1.0, 4.0):
        system = FourWell(mass=mass, friction=0.2)
        x = system.sample(4000, 5, stride=5, seed=0)
        found = ((x[:, 1:] - x[:, :1]) ** 2).mean(axis=0)
        time = 5 * system.timestep * np.arange(1, 5)
        np.testing.assert_allclose(found, time**2 / (system.beta * mass), rtol=0.12)


def test_velocities_are_forgotten_at_the_rate_of_friction() -> None:
    """Free flight: ``<(x_t - x_0)^2> = 2 / (beta m g^2) (g t - 1 + e^(-g t))``."""
    system = FourWell(beta=1e-4, mass=2e6, friction=3.0, wall=0.0)
    x = system.sample(4000, 6, stride=20, seed=1)
    found = ((x[:, 1:] - x[:, :1]) ** 2).mean(axis=0)
    decay = system.friction * 20 * system.timestep * np.arange(1, 6)
    expected = 2 * (decay - 1 + np.exp(-decay))
    expected /= system.beta * system.mass * system.friction**2
    np.testing.assert_allclose(found, expected, rtol=0.08)


def test_stride_leaves_frames_out() -> None:
    system = FourWell()
    every, third = system.sample(5, 7, seed=1), system.sample(5, 3, stride=3, seed=1)
    np.testing.assert_allclose(every[:, 0], third[:, 0])
    assert not np.array_equal(every, system.sample(5, 7, seed=2))
    one = system.sample(1000, 2, stride=100, seed=3)
    drift = system.sample(1000, 101, seed=3)
    np.testing.assert_allclose(one[:, 0], drift[:, 0])
    np.testing.assert_allclose(one.std(), drift.std(), rtol=0.1)


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1, got 0, 5, 1"):
        FourWell().sample(0, 5, seed=0)

"""Exact systems against brute force: fine Euler steps, numerical integrals, averages."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad

from cgsim.testing.exact import (
    DoubleWell,
    ExactSystem,
    GaussianSystem,
    InertialChain,
    RouseNetwork,
    rouse_chain,
    tethered_particle,
)

GAUSSIAN: dict[str, GaussianSystem] = {
    "rouse": rouse_chain(5, spring=2.0, friction=1.5, thermal_energy=0.7),
    "tethered": tethered_particle(anchor_friction=7.0),
    "star": RouseNetwork(((0, 1), (0, 2), (0, 3)), (1.0, 1.0, 2.0, 2.0)),
    "inertial": InertialChain(4, spring=3.0, friction=0.8, mass=1.7, thermal_energy=0.6),
}
WELL = DoubleWell()


def windows(pos: np.ndarray, n_frames: int) -> np.ndarray:
    """All windows [w, n_frames, n, 3] of a trajectory."""
    return np.stack([pos[i : len(pos) - n_frames + 1 + i] for i in range(n_frames)], axis=1)


def euler(system: RouseNetwork, pos: np.ndarray, duration: float, n_steps: int) -> np.ndarray:
    """Brute-force integration of the equations of motion of many copies [m, n, 3]."""
    random = np.random.default_rng(5)
    friction, step = np.array(system.friction)[:, None], duration / n_steps
    kick = np.sqrt(2 * system.thermal_energy * step / friction)
    for _ in range(n_steps):
        force = -system.stiffness @ pos
        pos = pos + step * force / friction + kick * random.normal(size=pos.shape)
    return pos


@pytest.mark.parametrize("name", ["rouse", "tethered", "star"])
def test_transition_agrees_with_fine_euler_steps(name: str) -> None:
    system = GAUSSIAN[name]
    assert isinstance(system, RouseNetwork)
    start = np.random.default_rng(1).normal(size=(system.n_beads, 3))
    ends = euler(system, np.tile(start, (20000, 1, 1)), 0.8, 200)
    found = np.mean([np.cov(ends[:, :, axis].T) for axis in range(3)], axis=0)
    np.testing.assert_allclose(ends.mean(0), system.predict(start[None], 0.8), atol=0.04)
    np.testing.assert_allclose(found, system.covariance(0.8), atol=0.03)


def test_inertial_propagator_agrees_with_fine_steps() -> None:
    chain = InertialChain(3, spring=3.0, friction=0.8, mass=1.7, thermal_energy=0.6)
    random = np.random.default_rng(2)
    start = random.normal(size=(3, 3))
    pos, step = np.tile(start, (20000, 1, 1)), 0.9 / 450
    velocity = np.sqrt(0.6 / 1.7) * random.normal(size=pos.shape)
    kick = np.sqrt(2 * 0.8 * 0.6 * step) / 1.7
    for _ in range(450):
        force = -chain.stiffness @ pos - 0.8 * velocity
        velocity = velocity + step * force / 1.7 + kick * random.normal(size=pos.shape)
        pos = pos + step * velocity
    found = np.mean([np.cov(pos[:, :, axis].T) for axis in range(3)], axis=0)
    np.testing.assert_allclose(pos.mean(0), chain.predict(start[None], 0.9), atol=0.02)
    np.testing.assert_allclose(found, chain.covariance(0.9), atol=0.01)


@pytest.mark.parametrize("name", GAUSSIAN)
@pytest.mark.parametrize("history", [1, 3])
def test_entropy_rate_is_the_mean_negative_log_density(name: str, history: int) -> None:
    system = GAUSSIAN[name]
    pos = system.frames(20000, 0.9, np.random.default_rng(3))
    window = windows(pos, history + 1)
    nll = -system.log_density(window[:, :-1], window[:, -1], 0.9) / (3 * system.n_beads)
    assert nll.mean() == pytest.approx(system.entropy_rate(0.9, history=history), abs=0.01)


def test_inertial_history_agrees_with_conditioning_the_joint_gaussian() -> None:
    """Kalman filter against the Schur complement of the stationary covariance of a mode."""
    chain, step = GAUSSIAN["inertial"], 0.7
    assert isinstance(chain, InertialChain)
    n_past = 4
    memory = chain.mode_autocorrelation(step * np.arange(n_past + 1))[0]
    stiffness = 3.0 * 4 * np.sin(np.pi / 8) ** 2
    lag = np.abs(np.subtract.outer(np.arange(n_past + 1), np.arange(n_past + 1)))
    joint = 0.6 / stiffness * memory[lag]
    weights = np.linalg.solve(joint[:-1, :-1], joint[:-1, -1])
    mode = np.linalg.eigh(chain.stiffness)[1][:, 1]
    history = np.random.default_rng(4).normal(size=(n_past, 4, 3))
    expected = np.einsum("k,n,knc->c", weights, mode, history)
    np.testing.assert_allclose(mode @ chain.predict(history, step), expected, atol=1e-10)
    variance = joint[-1, -1] - joint[:-1, -1] @ weights
    covariance = chain.covariance(step, history=n_past)
    np.testing.assert_allclose(mode @ covariance @ mode, variance, rtol=1e-10)


def test_history_tells_of_velocities_up_to_a_limit() -> None:
    chain = GAUSSIAN["inertial"]
    rates = [chain.entropy_rate(0.3, history=history) for history in (1, 2, 3, 40, 80)]
    assert rates[0] > rates[1] > rates[2] > rates[3]
    assert rates[4] == pytest.approx(rates[3], abs=1e-12)
    rouse = GAUSSIAN["rouse"]
    assert rouse.entropy_rate(0.3, history=5) == rouse.entropy_rate(0.3)


def test_inertial_chain_of_high_friction_is_a_rouse_chain() -> None:
    heavy = InertialChain(4, friction=100.0, mass=0.01)
    rouse = rouse_chain(4, friction=100.0)
    np.testing.assert_allclose(heavy.covariance(50.0), rouse.covariance(50.0), rtol=1e-4)


@pytest.mark.parametrize("name", GAUSSIAN)
def test_two_steps_are_one_of_twice_the_length(name: str) -> None:
    """Chapman-Kolmogorov for the overdamped; for the inertial, memory of the stationary process."""
    system = GAUSSIAN[name]
    pos = system.frames(40000, 0.4, np.random.default_rng(6))
    for mode, exact in zip(
        system.modes(pos), system.mode_autocorrelation(np.array([0.4, 0.8])), strict=True
    ):
        variance = (mode**2).mean()
        found = [(mode[:-lag] * mode[lag:]).mean() / variance for lag in (1, 2)]
        np.testing.assert_allclose(found, exact, atol=0.05)


@pytest.mark.parametrize("name", GAUSSIAN)
def test_squared_radius_in_the_first_and_in_the_last_frame(name: str) -> None:
    system, random = GAUSSIAN[name], np.random.default_rng(7)
    pos = np.stack([system.frames(4, 1.0, random) for _ in range(8000)])
    centred = pos - pos.mean(axis=2, keepdims=True)
    squared = (centred**2).sum(axis=3).mean(axis=2)
    mean, variance = system.squared_radius
    for frame in (0, -1):
        assert squared[:, frame].mean() == pytest.approx(mean, rel=0.03)
        assert squared[:, frame].var() == pytest.approx(variance, rel=0.12)


def test_rouse_relaxation_times_are_those_of_the_textbook() -> None:
    chain = rouse_chain(6, spring=2.0, friction=3.0)
    expected = 3.0 / (8.0 * np.sin(np.arange(1, 6) * np.pi / 12) ** 2)
    np.testing.assert_allclose(chain.relaxation_times, expected)
    np.testing.assert_allclose(chain.mode_autocorrelation(expected).diagonal(), np.exp(-1))


def test_centre_diffuses_freely() -> None:
    chain = rouse_chain(5, friction=1.5, thermal_energy=0.7)
    ones = np.full(5, 1 / 5)
    assert ones @ chain.covariance(3.0) @ ones == pytest.approx(2 * 0.7 * 3.0 / (5 * 1.5))


def test_independent_beads_lose_the_correlations() -> None:
    chain = rouse_chain(5)
    assert chain.independent_entropy_rate(1.0) > chain.entropy_rate(1.0) + 0.01
    short = chain.independent_entropy_rate(1e-4) - chain.entropy_rate(1e-4)
    assert short == pytest.approx(0, abs=1e-4)


def test_double_well_agrees_with_fine_euler_steps() -> None:
    pos = WELL.replicas(4000, 4, 0.05, np.random.default_rng(8))
    now, later = pos[:, :-1, None], pos[:, 1:]
    nll = -WELL.log_density(now, later, 0.05) / 6
    assert nll.mean() == pytest.approx(WELL.entropy_rate(0.05), abs=0.015)
    mean, variance = WELL.squared_radius
    for frame in (0, -1):
        squared = ((pos[:, frame, 1] - pos[:, frame, 0]) ** 2).sum(axis=1) / 4
        assert squared.mean() == pytest.approx(mean, rel=0.03)
        assert squared.var() == pytest.approx(variance, rel=0.1)
    exact = WELL.mode_autocorrelation(np.array([0.15]))
    for mode, expected in zip(("length", "vector"), exact[:, 0], strict=True):
        first, last = (WELL.modes(pos[:, frame])[mode == "vector"] for frame in (0, -1))
        shift = first.mean() if mode == "length" else 0.0
        found = ((first - shift) * (last - shift)).mean() / ((first - shift) ** 2).mean()
        assert found == pytest.approx(expected, abs=0.04)


def test_double_well_density_is_normalised_and_positive() -> None:
    density, cosine = WELL.bond_density(0.1)
    radius, spacing = WELL._grid
    weight = np.polynomial.legendre.leggauss(len(cosine))[1]
    total = 2 * np.pi * np.einsum("ijg,g,j->i", density, weight, spacing * radius**2)
    np.testing.assert_allclose(total, 1, atol=1e-10)
    assert density.min() > -1e-6 * density.max()


def test_double_well_forgets_in_a_long_step() -> None:
    """The bond vector is then drawn from ``exp(-U) / Z``; moments and entropy by quadrature."""

    def integral(weight: Callable[[float], float]) -> float:
        def shell(r: float) -> float:
            return 4 * np.pi * r**2 * np.exp(-WELL.energy(np.array(r))) * weight(r)

        return float(quad(shell, 0, 4, limit=200)[0])

    total = integral(lambda r: 1)
    energy = integral(lambda r: float(WELL.energy(np.array(r)))) / total
    centre = 1.5 * (1 + np.log(2 * np.pi * 100.0))
    expected = (energy + np.log(total) + centre) / 6
    assert WELL.entropy_rate(100.0) == pytest.approx(expected, abs=1e-4)
    mean = integral(lambda r: r**2 / 4) / total
    variance = integral(lambda r: (r**2 / 4 - mean) ** 2) / total
    assert WELL.squared_radius == pytest.approx((mean, variance), rel=1e-3)


@pytest.mark.parametrize("system", [*GAUSSIAN.values(), WELL], ids=[*GAUSSIAN, "double well"])
def test_trajectory(system: ExactSystem) -> None:
    made, again = (system.trajectory(3, 0.02, seed=1) for _ in range(2))
    assert made.pos.shape == (3, system.n_beads, 3)
    assert made.frame_interval == 0.02
    assert made.edge_index.shape == (2, len(system.bonds))
    np.testing.assert_array_equal(made.pos, again.pos)
    assert not np.array_equal(made.pos, system.trajectory(3, 0.02, seed=2).pos)

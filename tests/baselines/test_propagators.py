"""Propagators by name: each is rolled out like a simulator; VAR against exact answers."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cgsim.baselines import PROPAGATORS, fit_propagator, load_propagator, save_propagator
from cgsim.baselines.linear import LinearPropagator
from cgsim.baselines.propagators import fit_linear
from cgsim.baselines.recurrent import RecurrentConfig
from cgsim.baselines.regression import cut_windows, vector_autoregression
from cgsim.evaluate.sources import read_ensembles
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.rollout.simulate import roll_out_beside, simulate
from cgsim.testing.checks import random_rotation
from cgsim.testing.exact import rouse_chain
from cgsim.testing.systems import random_chain

CHAIN = rouse_chain(4)
TIMESTEP = 0.5  # ps; the relaxation times of the chain are 1.71, 0.5 and 0.29 ps
N_TRAINING, N_REPLICAS, N_STEPS = 20_000, 10, 2000


@pytest.fixture(scope="module")
def md() -> MappedTrajectory:
    """A Rouse chain: its normal modes are Ornstein-Uhlenbeck processes, which are VAR(1)."""
    return CHAIN.trajectory(N_TRAINING, TIMESTEP, seed=0)


@pytest.fixture(scope="module")
def modes(md: MappedTrajectory) -> np.ndarray:
    """Normal modes [n_modes, n_replicas, n_steps, 3] of a roll-out of VAR(1)."""
    propagator = fit_propagator("var", [md], stride=1, history=1)
    rollout = simulate(propagator, md, N_STEPS, n_replicas=N_REPLICAS, seed=1)
    assert not rollout.failures
    return np.stack([CHAIN.modes(np.asarray(own.pos)) for own in rollout.trajectories], axis=1)


def sampling_error(first: float, second: float) -> float:
    """Of a mean of products of two processes ``x_{t+1} = a x_t + e`` of variance 1.

    It falls with the number of independent samples, ``n (1 - a b) / (1 + a b)`` of n frames
    (Bartlett, J. R. Stat. Soc. B 8, 27, 1946), three components each; the error of the fit comes
    on top of that of the roll-out.
    """
    n_training, n_rolled = 3 * N_TRAINING, 3 * N_REPLICAS * N_STEPS
    correlation = (1 + first * second) / (1 - first * second)
    return float(np.sqrt(correlation / n_training + correlation / n_rolled))


def test_autoregression_reproduces_the_covariance(modes: np.ndarray) -> None:
    """Of normal modes: ``kT / r`` on the diagonal, nothing off it; within 4 standard errors."""
    decay = np.exp(-TIMESTEP / CHAIN.relaxation_times)
    spread = np.sqrt(CHAIN.thermal_energy * CHAIN.relaxation_times)
    found = np.einsum("irtc,jrtc->ij", modes, modes) / modes[0].size
    for i in range(3):
        for j in range(3):
            error = spread[i] * spread[j] * sampling_error(decay[i], decay[j])
            expected = spread[i] ** 2 if i == j else 0.0
            assert abs(found[i, j] - expected) < 4 * error * (np.sqrt(2) if i == j else 1)


def test_autoregression_reproduces_the_autocorrelation(modes: np.ndarray) -> None:
    """``exp(-r t)`` at lags of 1 to 6 steps, within 4 standard errors."""
    decay = np.exp(-TIMESTEP / CHAIN.relaxation_times)
    lags = np.arange(1, 7)
    expected = CHAIN.mode_autocorrelation(lags * TIMESTEP)
    for mode, own in enumerate(modes):
        error = sampling_error(decay[mode], decay[mode])
        for lag in lags:
            found = (own[:, lag:] * own[:, :-lag]).mean() / np.square(own).mean()
            assert abs(found - expected[mode, lag - 1]) < 4 * error


def test_frames_without_memory_have_the_covariance_and_no_correlation(
    md: MappedTrajectory,
) -> None:
    rollout = simulate(fit_propagator("independent", [md], stride=1), md, 4000, seed=0)
    pos = np.asarray(rollout.trajectories[0].pos, dtype=np.float64)
    found = CHAIN.modes(pos)
    for mode, time in zip(found, CHAIN.relaxation_times, strict=True):
        assert mode.var() == pytest.approx(CHAIN.thermal_energy * time, rel=0.1)
        assert abs((mode[1:] * mode[:-1]).mean() / mode.var()) < 4 / np.sqrt(mode.size)


def chain(name: str, *, n_beads: int = 4, seed: int = 0) -> MappedTrajectory:
    """Beads on springs to places in a row, a frame every 2 ps."""
    random = np.random.default_rng(seed)
    moved = np.zeros((300, n_beads, 3))
    for frame in range(1, 300):
        moved[frame] = 0.9 * moved[frame - 1] + 0.02 * random.normal(size=(n_beads, 3))
    places = 0.4 * np.arange(n_beads)[:, None] * [1.0, 0.0, 0.0]
    own = random_chain(n_beads, n_frames=300, name=name)
    return replace(own, pos=(places + moved).astype(np.float32), frame_interval=2.0)


@pytest.fixture
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """An LSTM that is trained for a moment only."""
    short = partial(RecurrentConfig, n_units=8, n_steps=20)
    monkeypatch.setattr("cgsim.baselines.propagators.RecurrentConfig", short)


@pytest.mark.parametrize("kind", PROPAGATORS)
def test_each_is_fitted_stored_and_rolled_out_like_a_simulator(
    kind: str, tmp_path: Path, short_training: None
) -> None:
    train, test = [chain("a", seed=1), chain("b", seed=2)], [chain("c", seed=3)]
    fitted = fit_propagator(kind, train, stride=2)
    assert fitted.timestep == 4.0
    assert fitted.length_scale == pytest.approx(0.4, rel=0.05)
    propagator = load_propagator(save_propagator(fitted, tmp_path / "fitted.safetensors"))
    rollout = roll_out_beside(propagator, test, 400.0, seed=0, output=tmp_path / "out")
    assert rollout.n_steps == 100
    assert not rollout.failures
    (learned,) = read_ensembles([tmp_path / "out"])
    assert (learned.name, learned.n_frames, learned.frame_interval) == ("c", 100, 4.0)


def test_an_autoregression_sees_as_many_frames_as_are_asked_for() -> None:
    train = [chain("a")]
    assert fit_propagator("var", train, stride=1).history == 5
    assert fit_propagator("var", train, stride=1, history=2).history == 2


def test_windows_start_a_step_apart() -> None:
    train = [chain("a", seed=1), chain("b", seed=2)]
    fitted = fit_linear(vector_autoregression, train, stride=3, history=2)
    windows = [cut_windows(own.pos, n_history=2, stride=3) for own in train]
    past, following = (np.concatenate([own[side][::3] for own in windows]) for side in (0, 1))
    expected = vector_autoregression(past, following, timestep=6.0)
    np.testing.assert_allclose(fitted.coefficients, expected.coefficients, rtol=1e-12)
    np.testing.assert_allclose(fitted.covariance, expected.covariance, rtol=1e-12)


def test_turning_is_not_learned_where_rigid_motion_was_taken_out() -> None:
    """A rigid molecule that turns by itself: what its windows show is that nothing moves."""
    still = chain("a").pos[5].astype(np.float64)
    still -= still.mean(axis=0)
    turned = np.stack([still @ random_rotation(seed=seed).numpy().T for seed in range(40)])
    own = replace(chain("a"), pos=turned.astype(np.float32), bead_mass=np.ones(4))
    shapes = replace(own, recipe=own.recipe | {"rigid_motion": False})
    fitted, other = (
        fit_linear(vector_autoregression, [each], stride=1, history=1)
        for each in (_moving(shapes), _moving(own))
    )
    assert isinstance(fitted, LinearPropagator)
    assert np.trace(fitted.covariance) < 1e-3 * np.trace(other.covariance)


def _moving(trajectory: MappedTrajectory) -> MappedTrajectory:
    """A little noise on top, as what does not move cannot be fitted."""
    noise = 1e-3 * np.random.default_rng(0).normal(size=trajectory.pos.shape)
    return replace(trajectory, pos=(trajectory.pos + noise).astype(np.float32))


def test_bad_input_is_refused() -> None:
    train = [chain("a")]
    with pytest.raises(ValueError, match="no propagator 'arima'; there are persistence"):
        fit_propagator("arima", train, stride=1)
    with pytest.raises(ValueError, match="history and stride must be at least 1, got 5 and 0"):
        fit_propagator("var", train, stride=0)
    with pytest.raises(ValueError, match=r"molecules of one size.*\[4, 5\] beads"):
        fit_propagator("var", [*train, chain("b", n_beads=5)], stride=1)
    with pytest.raises(ValueError, match="a: 10 frames; 5 past frames"):
        fit_propagator("var", [train[0].frames(0, 10)], stride=2)
    with pytest.raises(ValueError, match="frame intervals differ: a has 2 ps, b has 3 ps"):
        fit_propagator("var", [*train, replace(chain("b"), frame_interval=3.0)], stride=1)

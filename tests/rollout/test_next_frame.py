"""Samples of the next frame: the simulator's own steps, from the right frames."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.rollout.next_frame import sample_next
from cgsim.rollout.simulate import simulate
from cgsim.testing.systems import random_chain, random_simulator

CHAINS = [random_chain(n, n_frames=30, seed=n, name=f"c{n}") for n in (5, 6)]
LONG = random_chain(30, n_frames=30, seed=30, name="c30")
CELL = 1.2  # nm, so small that the long chain meets its images
PERIODIC = replace(LONG, cell=np.tile(CELL * np.eye(3, dtype=np.float32), (30, 1, 1)))


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return random_simulator(CHAINS, stride=2).eval()


def test_windows_are_frames_of_the_trajectory(simulator: Simulator) -> None:
    steps = sample_next(simulator, CHAINS, n_windows=4, n_samples=3, seed=0)
    assert [step.name for step in steps] == ["c5", "c6"]
    for step, chain in zip(steps, CHAINS, strict=True):
        assert step.samples.shape == (3, 4, chain.n_beads, 3)
        assert step.history.shape == (4, chain.n_beads, 2, 3)
        for window, first in enumerate((0, 8, 17, 25)):  # evenly over 26 windows
            np.testing.assert_array_equal(
                step.history[window].swapaxes(0, 1), chain.pos[[first, first + 2]]
            )
            np.testing.assert_array_equal(step.observed[window], chain.pos[first + 4])


@pytest.mark.parametrize("chain", [CHAINS[0], PERIODIC], ids=["free", "periodic"])
def test_a_sample_is_the_first_step_of_a_rollout(
    simulator: Simulator, chain: MappedTrajectory
) -> None:
    step = sample_next(simulator, [chain], n_windows=1, n_samples=1, seed=3)[0]
    rollout = simulate(simulator, chain.frames(0, 3), 1, seed=3)
    expected = np.asarray(rollout.trajectories[0].pos[-1])
    np.testing.assert_allclose(step.samples[0, 0], expected, atol=1e-6)


def test_refinement_is_included(simulator: Simulator) -> None:
    refined = sample_next(simulator, CHAINS[:1], n_windows=2, n_samples=1, seed=3)[0]
    denoiser, simulator.score = simulator.score, None
    plain = sample_next(simulator, CHAINS[:1], n_windows=2, n_samples=1, seed=3)[0]
    simulator.score = denoiser
    assert np.abs(refined.samples - plain.samples).max() > 1e-4


def test_samples_are_independent_and_follow_the_seed(simulator: Simulator) -> None:
    first, again, other = (
        sample_next(simulator, CHAINS, n_windows=2, n_samples=2, seed=seed) for seed in (1, 1, 2)
    )
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one.samples, same.samples)
        assert (one.samples != different.samples).all()
        assert (one.samples[0] != one.samples[1]).all()


def test_samples_have_the_predicted_mean_and_variance() -> None:
    simulator = random_simulator(CHAINS, stride=2).eval()
    simulator.score = None
    step = sample_next(simulator, CHAINS[:1], n_windows=2, n_samples=1500, seed=0)[0]
    with torch.no_grad():
        windows = simulator.windows(CHAINS[:1])
        acceleration = simulator.predict(windows[[0, len(windows) - 1]]).acceleration
        drawn = torch.stack([acceleration.deviation() for _ in range(1500)])
    scale = simulator.scales.step_scale
    velocity = step.history[:, :, 1] - step.history[:, :, 0]
    mean = acceleration.mean.reshape(2, -1, 3).numpy() * scale
    spread = drawn.std(dim=0).reshape(2, -1, 3).numpy() * scale
    np.testing.assert_allclose(
        (step.samples.mean(axis=0) - step.history[:, :, 1] - velocity) / spread,
        mean / spread,
        atol=0.12,
    )
    np.testing.assert_allclose(step.samples.std(axis=0), spread, rtol=0.15)


def test_periodic_images_are_neighbours(simulator: Simulator) -> None:
    free, periodic = (
        sample_next(simulator, [chain], n_windows=4, n_samples=1, seed=0)[0]
        for chain in (LONG, PERIODIC)
    )
    assert np.abs(free.samples - periodic.samples).max() > 1e-4


def test_bad_input_is_refused(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="n_windows must be at least 1"):
        sample_next(simulator, CHAINS, n_windows=0, n_samples=1)
    with pytest.raises(ValueError, match="n_samples must be at least 1"):
        sample_next(simulator, CHAINS, n_windows=1, n_samples=0)
    with pytest.raises(ValueError, match="c5: 30 frames hold 26 windows"):
        sample_next(simulator, CHAINS, n_windows=27, n_samples=1)
    with pytest.raises(ValueError, match=r"c5: 2 frames of 3 ps are not a time step"):
        sample_next(simulator, [replace(CHAINS[0], frame_interval=3.0)], n_windows=1, n_samples=1)

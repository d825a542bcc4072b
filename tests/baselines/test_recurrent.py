"""A recurrent network that moves beads one by one, with noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cgsim.baselines.recurrent import (
    RecurrentConfig,
    RecurrentPropagator,
    fit_recurrent,
    root_mean_square,
)
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.checks import random_rotation
from cgsim.testing.systems import random_chain


class Constant(nn.Module):
    """The same mean and logarithm of the spread for every bead: [n, history, 3] -> [n, 4]."""

    def __init__(self, *said: float) -> None:
        super().__init__()
        self.said = torch.tensor(said)

    def forward(self, series: Tensor) -> Tensor:
        return self.said.expand(len(series), 4)


def walk(n_frames: int, *, step: float, seed: int) -> MappedTrajectory:
    """Beads that diffuse by themselves, not centred."""
    chain = random_chain(n_beads=4, n_frames=n_frames, seed=0)
    moved = np.random.default_rng(seed).normal(scale=step, size=(n_frames, 4, 3)).cumsum(axis=0)
    return replace(chain, pos=moved.astype(np.float32))


def test_samples_have_the_mean_and_spread_of_the_network() -> None:
    network = Constant(1.0, 0.0, -2.0, np.log(0.5))
    propagator = RecurrentPropagator(
        network, history=2, position_scale=1.0, step_scale=0.1, timestep=1.0
    )
    history = np.random.default_rng(0).normal(size=(3, 4, 5, 3))
    sampled = propagator.sample(history, 4000, seed=0) - history[:, :, -1]
    assert sampled.shape == (4000, 3, 4, 3)
    np.testing.assert_allclose(sampled.mean(axis=(0, 1, 2)), [0.1, 0.0, -0.2], atol=0.002)
    np.testing.assert_allclose(sampled.std(axis=0), 0.05, rtol=0.1)


def test_samples_move_with_the_molecule_and_repeat_with_the_seed() -> None:
    trajectory = walk(200, step=0.1, seed=0)
    config = RecurrentConfig(history=3, n_units=8, n_steps=5)
    propagator = fit_recurrent([trajectory], config, stride=1, seed=0)
    history = np.random.default_rng(0).normal(size=(2, 4, 3, 3))
    shift = np.array([1.0, -2.0, 3.0])
    first, moved = (propagator.sample(own, 2, seed=0) for own in (history, history + shift))
    np.testing.assert_allclose(moved, first + shift, atol=1e-5)
    again = fit_recurrent([trajectory], config, stride=1, seed=0).sample(history, 2, seed=0)
    np.testing.assert_array_equal(first, again)
    assert (propagator.sample(history, 2, seed=1) != first).any()


def test_it_learns_the_spread_of_a_random_walk() -> None:
    trajectories = [walk(400, step=0.1, seed=seed) for seed in range(2)]
    config = RecurrentConfig(history=2, n_units=8, n_steps=200)
    propagator = fit_recurrent(trajectories, config, stride=4, seed=0)
    history = np.asarray(trajectories[0].pos[:200], dtype=float)[:, None].swapaxes(1, 2)
    history = np.concatenate([history, history], axis=2)  # [200, 4, 2, 3]
    moved = propagator.sample(history, 50, seed=0) - history[:, :, -1]
    assert root_mean_square([moved]) == pytest.approx(0.2, rel=0.1)  # sqrt(4) steps of 0.1


def test_scales_are_those_of_the_data() -> None:
    trajectory = walk(200, step=0.1, seed=0)
    propagator = fit_recurrent([trajectory], RecurrentConfig(n_steps=1), stride=4, seed=0)
    assert propagator.timestep == 4 * trajectory.frame_interval
    assert propagator.n_beads is None
    assert propagator.step_scale == pytest.approx(0.2, rel=0.1)
    first, second = trajectory.edge_index
    bonds = np.linalg.norm(trajectory.pos[:, first] - trajectory.pos[:, second], axis=2)
    assert propagator.length_scale == pytest.approx(bonds[:196].mean(), rel=1e-3)


def test_turning_is_not_learned_where_rigid_motion_was_taken_out() -> None:
    """A rigid molecule in random orientations: superposed, its beads hardly move."""
    still = random_chain(n_beads=4, n_frames=1, seed=0).pos[0]
    still = still - still.mean(axis=0)
    turned = np.stack([still @ random_rotation(seed=seed).numpy().T for seed in range(60)])
    own = replace(walk(60, step=0.1, seed=0), pos=turned.astype(np.float32), bead_mass=np.ones(4))
    shapes = replace(own, recipe={"method": "calpha", "rigid_motion": False})
    config = RecurrentConfig(history=1, n_units=8, n_steps=150)
    history = turned[:50, :, None]  # [50, 4, 1, 3]
    moved = [
        fit_recurrent([each], config, stride=1, seed=0).sample(history, 4, seed=0) - turned[:50]
        for each in (shapes, own)
    ]
    assert root_mean_square(moved[:1]) < 0.3 * root_mean_square(moved[1:])


def test_its_numbers_give_it_back() -> None:
    config = RecurrentConfig(history=3, n_units=8, n_steps=5)
    propagator = fit_recurrent([walk(200, step=0.1, seed=0)], config, stride=2, seed=0)
    again = RecurrentPropagator.from_arrays(propagator.arrays(), timestep=2.0, length_scale=0.5)
    history = np.random.default_rng(0).normal(size=(2, 4, 3, 3))
    np.testing.assert_array_equal(
        again.sample(history, 2, seed=0), propagator.sample(history, 2, seed=0)
    )
    assert (again.history, again.timestep, again.length_scale) == (3, 2.0, 0.5)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="n_units must be positive"):
        RecurrentConfig(n_units=0)
    with pytest.raises(ValueError, match="need at least 41"):
        fit_recurrent([walk(40, step=0.1, seed=0)], RecurrentConfig(), stride=4, seed=0)
    with pytest.raises(ValueError, match="nothing moves"):
        fit_recurrent([walk(40, step=0.0, seed=0)], RecurrentConfig(), stride=1, seed=0)
    propagator = RecurrentPropagator(
        Constant(0, 0, 0, 0), history=3, position_scale=1.0, step_scale=1.0, timestep=1.0
    )
    with pytest.raises(ValueError, match="3 or more frames"):
        propagator.sample(np.zeros((1, 4, 2, 3)), 1, seed=0)

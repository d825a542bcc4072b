"""Scales of the training data, against the definition."""

from dataclasses import replace

import numpy as np
import pytest

from cgsim.data.scales import measure, shared_frame_interval
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.systems import random_chain


def brownian(*, n_frames: int = 2000, step: float = 0.1, seed: int = 0) -> MappedTrajectory:
    """Four free beads that take independent Gaussian steps."""
    chain = random_chain(4, n_frames=2, seed=seed)
    random = np.random.default_rng(seed)
    pos = np.cumsum(random.normal(scale=step, size=(n_frames, 4, 3)), axis=0)
    return replace(chain, pos=pos.astype(np.float32), frame_interval=2.0)


@pytest.mark.parametrize("stride", [1, 4])
def test_step_of_a_brownian_walk(stride: int) -> None:
    found = measure([brownian()], stride=stride)
    assert found.step_scale == pytest.approx(0.1 * np.sqrt(stride), rel=0.05)
    assert found.timestep == 2.0 * stride
    assert found.frame_interval == 2.0
    assert found.stride == stride


def test_the_stride_at_other_frame_intervals() -> None:
    found = measure([brownian()], stride=3)
    assert [found.stride_at(interval) for interval in (6.0, 2.0, 1.5, 0.6, 2.0001)] == [
        1,
        3,
        4,
        10,
        3,
    ]
    for interval in (4.0, 12.0, 1.7):
        with pytest.raises(
            ValueError, match=rf"steps by 6 ps, .* interval of the data, {interval:g}"
        ):
            found.stride_at(interval)


def test_scales_by_definition() -> None:
    """Of all trajectories together, every bead and every bond alike."""
    trajectories = [random_chain(4, n_frames=9), random_chain(7, n_frames=9, seed=1)]
    found = measure(trajectories, stride=2)
    squares, lengths = [], []
    for trajectory in trajectories:
        pos = trajectory.pos.astype(np.float64)
        squares.append(np.square(pos[2:] - pos[:-2]).mean(axis=(0, 2)))
        lengths.append(np.linalg.norm(pos[:-2, 1:] - pos[:-2, :-1], axis=2).mean(axis=0))
    assert found.step_scale == pytest.approx(np.sqrt(np.concatenate(squares).mean()))
    assert found.length_scale == pytest.approx(np.concatenate(lengths).mean())
    masses = np.concatenate([trajectory.bead_mass for trajectory in trajectories])
    assert found.mass_scale == pytest.approx(masses.mean())


def test_samples_are_spread_over_the_whole_trajectory() -> None:
    """A walk that moves only in its second half: a few samples find the mean."""
    walk = brownian()
    walk.pos[:1000] = walk.pos[1000]
    assert measure([walk], stride=1, n_samples=400).step_scale == pytest.approx(
        0.1 / np.sqrt(2), rel=0.1
    )


def test_far_from_the_origin_and_without_bonds() -> None:
    walk = brownian()
    bare = replace(walk, edge_index=np.zeros((2, 0), dtype=np.int64))
    found = measure([bare], stride=1)
    assert found.length_scale == 1.0
    assert found.step_scale == measure([walk], stride=1).step_scale


def test_mistakes() -> None:
    walk = brownian(n_frames=5)
    with pytest.raises(ValueError, match=r"chain: 5 frames, a stride of 5 needs at least 6"):
        measure([walk], stride=5)
    with pytest.raises(ValueError, match="nothing moves"):
        measure([replace(walk, pos=np.zeros((5, 4, 3)))], stride=1)
    with pytest.raises(ValueError, match="no trajectories"):
        measure([], stride=1)
    other = replace(walk, name="other", frame_interval=2.5)
    with pytest.raises(ValueError, match=r"chain has 2 ps, other has 2\.5 ps"):
        measure([walk, other], stride=1)


def test_frame_intervals_may_differ_by_rounding() -> None:
    walk = brownian(n_frames=5)
    assert shared_frame_interval([walk, replace(walk, frame_interval=2.0 + 1e-5)]) == 2.0

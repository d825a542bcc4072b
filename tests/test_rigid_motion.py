"""Rigid motion taken out: shapes stay, turns and shifts go, nothing comes from later frames."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from cgsim.data import MappedTrajectory
from cgsim.rigid_motion import without_rigid_motion
from cgsim.testing import random_chain


def distances(pos: np.ndarray) -> np.ndarray:
    return np.stack([pdist(frame) for frame in pos])


def tumbling(n_frames: int, *, jitter: float) -> MappedTrajectory:
    """One shape, turned and shifted at random in every frame."""
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(6, 3))
    turns = Rotation.random(n_frames, random_state=1).as_matrix()
    pos = shape @ turns + 10 * rng.normal(size=(n_frames, 1, 3))
    pos += jitter * rng.normal(size=pos.shape)
    return replace(random_chain(6, n_frames=2, seed=0), pos=pos)


def test_a_rigid_body_rests() -> None:
    found = without_rigid_motion(tumbling(20, jitter=0.0)).pos
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=1e-6)


def test_shapes_stay_and_the_centre_of_mass_rests() -> None:
    given = tumbling(30, jitter=0.1)
    found = without_rigid_motion(given)
    np.testing.assert_allclose(distances(found.pos), distances(given.pos), atol=1e-5)
    np.testing.assert_allclose(
        np.einsum("n,fnc->fc", given.bead_mass, found.pos), 0.0, atol=1e-3 * given.bead_mass.sum()
    )
    raw, quiet = (np.square(np.diff(own.pos, axis=0)).mean() for own in (given, found))
    assert quiet < 0.1 * raw


def test_mirror_images_stay_mirror_images() -> None:
    given = tumbling(10, jitter=0.1)
    mirrored = replace(given, pos=np.asarray(given.pos) * [1, 1, -1])
    expected = without_rigid_motion(given).pos * [1, 1, -1]
    np.testing.assert_allclose(without_rigid_motion(mirrored).pos, expected, atol=1e-5)


def test_later_frames_change_nothing() -> None:
    given = tumbling(12, jitter=0.1)
    whole, part = without_rigid_motion(given), without_rigid_motion(given.frames(0, 5))
    np.testing.assert_array_equal(whole.pos[:5], part.pos)


def test_a_cell_is_refused() -> None:
    given = tumbling(3, jitter=0.0)
    periodic = replace(given, cell=np.stack([np.eye(3)] * 3))
    with pytest.raises(ValueError, match="chain: has a periodic cell"):
        without_rigid_motion(periodic)

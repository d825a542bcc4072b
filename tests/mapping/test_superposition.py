import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from cgsim.mapping.superposition import Superposition, best_rotation, centred, squared_deviation


def cloud(n_points: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    weight = random.uniform(0.5, 2.0, n_points)
    return centred(random.normal(size=(n_points, 3)), weight)[0], weight


@pytest.mark.parametrize("n_points", [3, 4, 10])
def test_a_rotation_is_found(n_points: int) -> None:
    points, weight = cloud(n_points)
    turned = points @ Rotation.random(7, random_state=1).as_matrix()
    rotation = best_rotation(points, turned, weight)
    assert rotation.shape == (7, 3, 3)
    np.testing.assert_allclose(points @ rotation, turned, atol=1e-12)
    np.testing.assert_allclose(squared_deviation(points, turned, weight), 0.0, atol=1e-12)


def test_a_mirror_image_is_never_reached() -> None:
    points, weight = cloud(6)
    mirror = points * [1.0, 1.0, -1.0]
    rotation = best_rotation(points, mirror, weight)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    deviation = np.average(((points @ rotation - mirror) ** 2).sum(-1), weights=weight)
    assert deviation == pytest.approx(float(squared_deviation(points, mirror, weight)))
    assert deviation > 0.01


def test_no_rotation_is_better() -> None:
    points, weight = cloud(5)
    other, _ = cloud(5, seed=1)
    other, _ = centred(other, weight)
    best = float(squared_deviation(points, other, weight))
    tried = points @ Rotation.random(500, random_state=0).as_matrix()
    found = (weight[:, None] * (tried - other) ** 2).sum((1, 2)) / weight.sum()
    assert found.min() >= best
    assert found.min() < 1.2 * best


def test_single_points_are_not_turned() -> None:
    zero = np.zeros((1, 3))
    np.testing.assert_array_equal(best_rotation(zero, zero, np.ones(1)), np.eye(3))


def tumbling(n_frames: int, *, jitter: float) -> np.ndarray:
    """One shape, turned and shifted at random in every frame."""
    random = np.random.default_rng(0)
    turns = Rotation.random(n_frames, random_state=1).as_matrix()
    pos = random.normal(size=(6, 3)) @ turns + 10 * random.normal(size=(n_frames, 1, 3))
    return pos + jitter * random.normal(size=pos.shape)


MASS = np.linspace(1.0, 3.0, 6)


def test_a_rigid_body_rests() -> None:
    found = Superposition(MASS)(tumbling(20, jitter=0.0))
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=1e-9)


def test_shapes_stay_and_the_centre_of_mass_rests() -> None:
    given = tumbling(30, jitter=0.1)
    found = Superposition(MASS)(given)
    for before, after in zip(given, found, strict=True):
        np.testing.assert_allclose(pdist(after), pdist(before), atol=1e-9)
    np.testing.assert_allclose(np.einsum("n,fnc->fc", MASS, found), 0.0, atol=1e-9)
    assert np.square(np.diff(found, axis=0)).mean() < 0.1 * np.square(np.diff(given, axis=0)).mean()


def test_every_frame_lies_best_on_the_one_before() -> None:
    found = Superposition(MASS)(tumbling(10, jitter=0.1))
    turns = best_rotation(found[1:], found[:-1], MASS)
    np.testing.assert_allclose(turns, np.broadcast_to(np.eye(3), turns.shape), atol=1e-9)


def test_mirror_images_stay_mirror_images() -> None:
    given = tumbling(10, jitter=0.1)
    mirror = np.array([1.0, 1.0, -1.0])
    expected = Superposition(MASS)(given) * mirror
    np.testing.assert_allclose(Superposition(MASS)(given * mirror), expected, atol=1e-9)


def test_chunks_are_the_whole() -> None:
    given = tumbling(12, jitter=0.1)
    superpose = Superposition(MASS)
    chunks = [superpose(given[:1]), superpose(given[1:5]), superpose(given[5:])]
    np.testing.assert_allclose(np.concatenate(chunks), Superposition(MASS)(given), atol=1e-12)

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cgsim.backmapping.superposition import best_rotation, centred, squared_deviation


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

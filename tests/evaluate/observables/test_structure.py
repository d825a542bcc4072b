import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cgsim.evaluate.observables.structure import (
    bond_lengths,
    contact_map,
    count_collisions,
    end_to_end,
    nonbonded_pairs,
    pair_distances,
    radius_of_gyration,
)


def moved(xyz: np.ndarray) -> np.ndarray:
    rotation = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
    return xyz @ rotation.T + np.array([5.0, -7.0, 2.0])


@pytest.fixture
def xyz() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(20, 6, 3))


def test_rg_of_known_shapes() -> None:
    dumbbell = np.array([[[0.0, 0, 0], [3.0, 0, 0]]])
    assert radius_of_gyration(dumbbell, np.array([1.0, 1.0]))[0] == pytest.approx(1.5)
    # Reduced mass form: Rg² = m1 m2 / (m1 + m2)² d².
    assert radius_of_gyration(dumbbell, np.array([1.0, 2.0]))[0] == pytest.approx(np.sqrt(2.0))
    n_beads = 11
    rod = np.zeros((1, n_beads, 3))
    rod[0, :, 2] = np.arange(n_beads)
    expected = np.sqrt((n_beads**2 - 1) / 12)
    assert radius_of_gyration(rod, np.ones(n_beads))[0] == pytest.approx(expected)


def test_rg_needs_one_mass_per_bead(xyz: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\[6\].*\(5,\)"):
        radius_of_gyration(xyz, np.ones(5))


def test_nothing_depends_on_place_or_orientation(xyz: np.ndarray) -> None:
    mass, edges = np.arange(1.0, 7.0), np.array([[0, 1], [1, 2]])
    for observable in (
        lambda x: radius_of_gyration(x, mass),
        lambda x: bond_lengths(x, edges),
        lambda x: pair_distances(x),
        lambda x: contact_map(x, 1.2),
        lambda x: end_to_end(x),
    ):
        np.testing.assert_allclose(observable(moved(xyz)), observable(xyz), atol=1e-12)
    assert count_collisions(moved(xyz), 0.8) == count_collisions(xyz, 0.8)


def test_collisions_are_counted_per_pair_and_frame() -> None:
    xyz = np.zeros((3, 3, 3))
    xyz[:, :, 0] = [[0.0, 1.0, 2.0], [0.0, 0.05, 2.0], [0.0, 0.05, 0.09]]
    assert count_collisions(xyz) == 0 + 1 + 3
    assert count_collisions(xyz, cutoff=0.045) == 1


def test_contact_map_counts_fractions() -> None:
    xyz = np.zeros((4, 2, 3))
    xyz[:, 1, 0] = [0.5, 1.0, 1.5, 2.0]
    np.testing.assert_allclose(contact_map(xyz, 1.0), [[1.0, 0.5], [0.5, 1.0]])


def test_nonbonded_pairs_leave_out_bonds_in_either_order() -> None:
    pairs = nonbonded_pairs(4, np.array([[1, 1], [0, 2]]))
    assert pairs.T.tolist() == [[0, 2], [0, 3], [1, 3], [2, 3]]


def test_end_to_end_and_bonds_of_a_rod() -> None:
    rod = np.zeros((2, 5, 3))
    rod[:, :, 1] = 0.4 * np.arange(5)
    edges = np.stack([np.arange(4), np.arange(1, 5)])
    np.testing.assert_allclose(end_to_end(rod), 1.6)
    np.testing.assert_allclose(bond_lengths(rod, edges), np.full((2, 4), 0.4))

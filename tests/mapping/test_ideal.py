"""Ideal distances: exact answers on chains, rings and stars, and nothing claimed without bonds."""

import numpy as np
import pytest

from cgsim.mapping import ideal, ideal_distances
from tests.io.systems import comb_bonds


def chain(n_atoms: int) -> np.ndarray:
    return np.stack([np.arange(n_atoms - 1), np.arange(1, n_atoms)])


def every_pair(n_beads: int) -> np.ndarray:
    return np.stack(np.triu_indices(n_beads, 1))


def test_atoms_of_a_chain_are_apart_as_the_root_of_their_bonds() -> None:
    pairs = every_pair(7)
    found = ideal_distances(chain(7), np.arange(7), pairs)
    np.testing.assert_allclose(found, np.sqrt(pairs[1] - pairs[0]))


@pytest.mark.parametrize("m", [1, 2, 5])
def test_halves_of_a_chain(m: int) -> None:
    """Centres of two blocks of m atoms: 2/3 m + 1/(3 m), as of a random walk."""
    (found,) = ideal_distances(chain(2 * m), np.arange(2 * m) // m, np.array([[0], [1]]))
    assert found**2 == pytest.approx(2 * m / 3 + 1 / (3 * m))


def test_a_ring_is_two_chains_side_by_side() -> None:
    n = 6
    bonds = np.concatenate([chain(n), [[0], [n - 1]]], axis=1)
    pairs = every_pair(n)
    along = pairs[1] - pairs[0]
    found = ideal_distances(bonds, np.arange(n), pairs)
    np.testing.assert_allclose(found**2, along * (n - along) / n)


def test_a_simulation_of_springs_agrees() -> None:
    """Normal bond vectors of mean square 1 along a branched molecule."""
    rng = np.random.default_rng(0)
    parent = np.array([0, 0, 1, 1, 3, 3, 5])
    bead = np.array([0, 0, 1, 1, 2, 2, 2])
    xyz = np.zeros((200_000, 7, 3))
    for atom in range(1, 7):
        xyz[:, atom] = xyz[:, parent[atom]] + rng.normal(size=(len(xyz), 3)) / np.sqrt(3)
    centres = np.stack([xyz[:, bead == b].mean(axis=1) for b in range(3)], axis=1)
    pairs = every_pair(3)
    measured = ((centres[:, pairs[0]] - centres[:, pairs[1]]) ** 2).sum(axis=2).mean(axis=0)
    found = ideal_distances(np.stack([parent[1:], np.arange(1, 7)]), bead, pairs)
    np.testing.assert_allclose(found**2, measured, rtol=0.02)


def test_without_bonds_between_them_no_distance_is_known() -> None:
    bonds = np.array([[0, 2, 3], [1, 3, 4]])  # 0-1, 2-3-4, 5 alone
    bead = np.array([0, 1, 2, 3, 4, 4])  # the last bead holds atoms of two molecules
    pairs = np.array([[0, 2, 3, 0, 1, 4], [1, 3, 2, 2, 4, 2]])
    np.testing.assert_allclose(ideal_distances(bonds, bead, pairs), [1, 1, 1, 0, 0, 0])
    assert ideal_distances(bonds, bead, np.zeros((2, 0), dtype=int)).shape == (0,)


def test_the_numbering_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    bonds, bead, pairs = chain(12), np.arange(12) // 3, every_pair(4)
    atoms, beads = rng.permutation(12), rng.permutation(4)
    renumbered = np.empty(12, dtype=int)
    renumbered[atoms] = beads[bead]
    found = ideal_distances(atoms[bonds], renumbered, beads[pairs])
    np.testing.assert_allclose(found, ideal_distances(bonds, bead, pairs))


def test_large_molecules_are_solved_for_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same distances, with a memory that is linear in the beads."""
    bonds = np.array(comb_bonds(30, 2)).T
    n_atoms = int(bonds.max()) + 1
    beads = np.arange(n_atoms) // 4
    n_beads = int(beads.max()) + 1
    pairs = np.random.default_rng(0).integers(n_beads, size=(2, 200))
    expected = ideal_distances(bonds, beads, pairs)
    monkeypatch.setattr(ideal, "LARGEST_SOLVE", 5 * n_atoms)
    np.testing.assert_allclose(ideal_distances(bonds, beads, pairs), expected, atol=1e-9)

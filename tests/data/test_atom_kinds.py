"""Kinds of atoms: those that message passing cannot tell apart, no more and no less."""

import numpy as np
import pytest
import torch

from cgsim.config import EmbeddingConfig
from cgsim.data.atom_kinds import atom_kinds
from cgsim.model.embedding import GraphEmbedding

CHAIN = np.stack([np.arange(11), np.arange(1, 12)])


def random_atoms(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Types of 60 atoms and bonds of a tree with some rings."""
    random = np.random.default_rng(seed)
    child = np.arange(1, 60)
    parent = random.integers(np.maximum(child - 4, 0), child)
    extra = random.integers(60, size=(2, 5))
    bonds = np.concatenate([np.stack([parent, child]), extra[:, extra[0] != extra[1]]], axis=1)
    return random.integers(2, size=60), bonds


@pytest.mark.parametrize("n_layers", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_every_atom_is_embedded_as_its_kind(seed: int, n_layers: int) -> None:
    """Also what is as many rounds away, through rings, and bonds that are there twice."""
    types, bonds = random_atoms(seed)
    bead = np.arange(60) // 4
    torch.manual_seed(0)
    network = GraphEmbedding(2, EmbeddingConfig(n_channels=8, n_layers=n_layers)).double()
    found = atom_kinds(types, bonds, n_bonds=n_layers)
    assert len(found.first) < 60
    both = np.concatenate([bonds, bonds[::-1]], axis=1)
    inputs = [
        (types[found.first], found.edge_index, found.atom_kind),
        (types, both, np.arange(60)),
    ]
    of_kinds, of_atoms = (
        network(
            torch.as_tensor(own_types),
            atom_edge_index=torch.as_tensor(edges),
            atom_kind=torch.as_tensor(kind),
            bead_index=torch.as_tensor(bead),
        )
        for own_types, edges, kind in inputs
    )
    torch.testing.assert_close(of_kinds, of_atoms, rtol=1e-12, atol=1e-12)


def test_kinds_of_a_chain_are_distances_from_its_ends() -> None:
    types = np.zeros(12, dtype=np.int64)
    kinds = [atom_kinds(types, CHAIN, n_bonds=n).atom_kind for n in range(4)]
    distance = np.minimum(np.arange(12), np.arange(12)[::-1])
    for n_bonds, kind in enumerate(kinds):
        expected = np.minimum(distance, n_bonds)
        assert len(set(zip(kind.tolist(), expected.tolist(), strict=True))) == n_bonds + 1
        assert len(set(kind.tolist())) == n_bonds + 1


def test_each_kind_receives_what_its_first_atom_does() -> None:
    types, bonds = random_atoms(7)
    found = atom_kinds(types, bonds, n_bonds=2)
    source, destination = np.concatenate([bonds, bonds[::-1]], axis=1)
    assert (np.diff(found.edge_index[1]) >= 0).all()
    for kind, atom in enumerate(found.first):
        assert found.atom_kind[atom] == kind
        expected = sorted(found.atom_kind[source[destination == atom]])
        assert found.edge_index[0, found.edge_index[1] == kind].tolist() == expected


def test_atoms_without_bonds() -> None:
    found = atom_kinds(np.array([1, 0, 1]), np.zeros((2, 0), dtype=np.int64), n_bonds=3)
    assert found.atom_kind.tolist() == [1, 0, 1]
    assert found.first.tolist() == [1, 0]
    assert found.edge_index.shape == (2, 0)

"""The bead embedding: from types and bonds alone, whatever their order."""

import math

import torch
from torch import Tensor

from cgsim.config import EmbeddingConfig
from cgsim.model.embedding import GraphEmbedding

# Six atoms in two beads: 0-1-2 and 3-4-5, a chain.
TYPES = torch.tensor([0, 1, 0, 1, 2, 0])
BONDS = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
BEADS = torch.tensor([0, 0, 0, 1, 1, 1])


def network(n_layers: int) -> GraphEmbedding:
    torch.manual_seed(0)
    return GraphEmbedding(3, EmbeddingConfig(n_channels=5, n_layers=n_layers)).double()


def embed(
    layer: GraphEmbedding, types: Tensor = TYPES, bonds: Tensor = BONDS, beads: Tensor = BEADS
) -> Tensor:
    both = torch.cat([bonds, bonds.flip(0)], dim=1)
    found: Tensor = layer(
        types, atom_edge_index=both, atom_kind=torch.arange(len(types)), bead_index=beads
    )
    return found


def test_one_row_per_bead() -> None:
    assert embed(network(1)).shape == (2, 5)


def test_order_of_atoms_and_bonds_does_not_matter() -> None:
    layer = network(2)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    new = torch.argsort(order)
    shuffled = embed(layer, TYPES[order], new[BONDS][:, [4, 2, 0, 1, 3]], BEADS[order])
    torch.testing.assert_close(shuffled, embed(layer), rtol=1e-12, atol=1e-12)


def test_order_of_beads_is_followed() -> None:
    layer = network(2)
    swapped = embed(layer, beads=1 - BEADS)
    torch.testing.assert_close(swapped, embed(layer).flip(0), rtol=1e-12, atol=1e-12)


def test_layers_are_the_range_of_sight() -> None:
    """Atom 5 is three bonds away from bead 0: two rounds do not see its type, three do."""
    other = TYPES.clone()
    other[5] = 2
    for n_layers, sees in ((2, False), (3, True)):
        layer = network(n_layers)
        changed = (embed(layer, other) - embed(layer)).abs().amax(dim=1)
        assert changed[1] > 1e-6
        assert (changed[0] > 1e-9) == sees


def test_pooling_is_the_mean_and_the_size() -> None:
    """``h_I = MLP(mean_{i in I} a_i, log |I|)``, of beads of one and three atoms."""
    layer, types = network(0), torch.tensor([2, 0, 1, 1])
    found = embed(layer, types, torch.zeros(2, 0, dtype=torch.long), torch.tensor([0, 1, 1, 1]))
    atoms = layer.types(types)
    means = torch.stack([atoms[0], atoms[1:].mean(dim=0)])
    size = torch.tensor([[0.0], [math.log(3)]], dtype=torch.float64)
    torch.testing.assert_close(found, layer.pool(torch.cat([means, size], dim=1)))


def test_molecules_side_by_side_do_not_mix() -> None:
    layer = network(3)
    types, bonds = torch.cat([TYPES, TYPES[:3]]), torch.cat([BONDS, BONDS[:, :2] + 6], dim=1)
    both = embed(layer, types, bonds, torch.cat([BEADS, BEADS[:3] + 2]))
    alone = embed(layer, TYPES[:3], BONDS[:, :2], BEADS[:3])
    torch.testing.assert_close(both, torch.cat([embed(layer), alone]), rtol=1e-12, atol=1e-12)

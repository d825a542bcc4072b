"""What inverts differences along bonds."""

import torch
from torch import Tensor

from cgsim.nn.graph.bond_tree import BondModes
from cgsim.nn.graph.layout import Layout

#: Of a chain of four beads, a star of three, and a lone bead; each bond both ways.
BONDS = torch.tensor([[0, 1, 2, 5, 5], [1, 2, 3, 4, 6]])
BOTH_WAYS = torch.cat([BONDS, BONDS.flip(0)], dim=1)
BATCH = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])


def modes() -> tuple[BondModes, Layout]:
    layout = Layout.of(BATCH, 3)
    return BondModes.of(BOTH_WAYS, layout), layout


def mean_of_systems(pos: Tensor) -> Tensor:
    """Of every bead's own system."""
    return torch.stack([pos[own == BATCH].mean(dim=0) for own in BATCH])


def test_means_are_those_of_every_molecule() -> None:
    found, layout = modes()
    pos = torch.randn(8, 3, dtype=torch.float64)
    means = layout.unpadded(found.means @ layout.padded(pos))
    torch.testing.assert_close(means, mean_of_systems(pos))


def test_bonds_and_means_say_where_beads_are() -> None:
    found, layout = modes()
    pos = torch.randn(8, 3, dtype=torch.float64)
    source, destination = BOTH_WAYS
    into = torch.zeros_like(pos).index_add(0, destination, pos[source] - pos[destination])
    centred = layout.unpadded(-found.inverse @ layout.padded(into))
    torch.testing.assert_close(centred + mean_of_systems(pos), pos)


def test_the_type_is_that_of_what_is_placed() -> None:
    found, _ = modes()
    assert {own.dtype for own in found} == {torch.float64}
    assert {own.dtype for own in found.to(torch.zeros(1))} == {torch.float32}

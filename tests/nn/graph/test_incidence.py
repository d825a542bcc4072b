"""A grid of all pairs says what a list of edges says."""

import pytest
import torch

from cgsim.nn.graph.incidence import Incidence, Pairing
from cgsim.nn.graph.layout import Layout


def both() -> tuple[Incidence, Incidence]:
    """All pairs of two systems of three beads, as a grid and as a list."""
    grid, edges = Incidence(), Incidence()
    index = [(3 * g + j, 3 * g + i) for g in range(2) for i in range(3) for j in range(3)]
    grid.edge_index = edges.edge_index = torch.tensor(index).T
    grid.width, edges.width = 3, 0
    return grid, edges


def test_ends_of_a_grid_are_those_of_the_list() -> None:
    grid, edges = both()
    values = torch.randn(6, 2)
    for name in ("source", "destination"):
        broadcast = getattr(grid, name)(values).expand(2, 3, 3, 2)
        assert torch.equal(broadcast.flatten(0, 2), getattr(edges, name)(values))
    assert torch.equal(edges.source(values), values[edges.edge_index[0]])


def test_sums_of_a_grid_are_those_of_the_list() -> None:
    grid, edges = both()
    values = torch.randn(18, 4, 2)
    found = grid.total(grid.grid(values), 6)
    torch.testing.assert_close(found, edges.total(edges.grid(values), 6))
    torch.testing.assert_close(found[4], values[edges.edge_index[1] == 4].sum(dim=0))


def test_layout_pads_and_unpads() -> None:
    batch = torch.tensor([0, 0, 1, 1, 1])
    layout = Layout.of(batch, 2)
    values = torch.arange(5.0)
    assert layout.width == 3
    assert not layout.is_full
    expected = torch.tensor([[0.0, 1.0, 9.0], [2.0, 3.0, 4.0]])
    assert torch.equal(layout.padded(values, fill=9.0), expected)
    assert torch.equal(layout.unpadded(expected), values)


def test_layout_of_equal_systems_is_a_view() -> None:
    layout = Layout.of(torch.tensor([0, 0, 1, 1]), 2)
    values = torch.randn(4, 3)
    assert layout.is_full
    assert layout.padded(values).data_ptr() == values.data_ptr()
    assert torch.equal(layout.slot, torch.arange(4))


def test_a_pairing_is_the_two_edges_of_every_pair() -> None:
    edge_index = torch.tensor([[1, 3, 0, 2, 1, 0], [0, 0, 1, 1, 2, 3]])  # 0-1, 1-2, 0-3
    once = (edge_index[0] < edge_index[1]).nonzero()[:, 0]
    pairing = Pairing.of(edge_index, once)
    assert pairing is not None
    ends = edge_index[:, pairing.once]
    assert torch.equal(ends[:, pairing.row].sort(dim=0).values, edge_index.sort(dim=0).values)
    assert pairing.row.bincount().tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "edges",
    [
        [[1, 0, 2], [0, 1, 1]],  # one way only
        [[1, 1, 0, 0], [0, 0, 1, 1]],  # two images of one pair
        [[0, 1, 0], [0, 0, 1]],  # a bead and its own image
        [[1, 2, 0, 1], [0, 0, 1, 2]],  # two beads, and one way each of two pairs
        [[], []],
    ],
)
def test_other_edges_are_no_pairing(edges: list[list[int]]) -> None:
    edge_index = torch.tensor(edges, dtype=torch.long)
    once = (edge_index[0] < edge_index[1]).nonzero()[:, 0]
    assert Pairing.of(edge_index, once) is None

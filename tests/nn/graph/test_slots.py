"""A graph by slots is the bead graph: the same edges, and some that are none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.nn.graph.layout import Layout
from cgsim.nn.graph.neighbours import BeadGraph, Topology, bead_graph, topological_pairs
from cgsim.nn.graph.slots import SlotGraph, SlotTable
from cgsim.testing.waits import no_waits

CUTOFF = 1.1


def systems(n_beads: int, n_graphs: int) -> tuple[Tensor, Topology, Layout]:
    """Chains of random positions, ideal distances included."""
    random = np.random.default_rng(n_beads)
    bonds = np.stack([np.arange(n_beads - 1), np.arange(1, n_beads)])
    pairs, hop = topological_pairs(bonds, n_beads, n_hops=2)
    topology = Topology(
        torch.as_tensor(np.concatenate([pairs + n_beads * i for i in range(n_graphs)], axis=1)),
        torch.as_tensor(np.tile(hop, n_graphs)),
        torch.as_tensor(random.random(n_graphs * len(hop))),
    )
    batch = torch.repeat_interleave(torch.arange(n_graphs), n_beads)
    pos = torch.as_tensor(random.normal(size=(n_beads * n_graphs, 3)))
    return pos, topology, Layout.of(batch, n_graphs)


def searched(pos: Tensor, topology: Topology, layout: Layout) -> BeadGraph:
    return bead_graph(
        pos,
        cutoff=CUTOFF,
        topology=topology,
        batch=layout.batch,
        n_graphs=len(layout.counts),
    )


def edges_of(graph: BeadGraph, pos: Tensor) -> list[tuple[float, ...]]:
    """Those within reach, with all that is known of them, in their order."""
    vector = graph.displacement(pos)
    kept = (vector.norm(dim=1) < CUTOFF) | (graph.hop > 0)
    columns = [*graph.edge_index, graph.hop, graph.reach, *vector.T]
    return list(zip(*(column[kept].tolist() for column in columns), strict=True))


@pytest.mark.parametrize(("n_beads", "n_graphs"), [(5, 1), (20, 3), (50, 2)])
def test_it_is_the_bead_graph(n_beads: int, n_graphs: int) -> None:
    pos, topology, layout = systems(n_beads, n_graphs)
    table = SlotTable.of(pos, topology, layout, cutoff=CUTOFF)
    for step in range(3):
        there = pos + 0.02 * step
        graph, overflows = table.graph_at(there)
        expected = searched(there, topology, layout)
        assert edges_of(graph, there) == edges_of(expected, there)
        assert not overflows.any()
        assert graph.edge_index.shape[1] == len(pos) * table.slots
        assert (graph.edge_index[1].diff() >= 0).all()
        last = graph.edge_index[:, table.slots - 1 :: table.slots]
        assert torch.equal(last[0], last[1])  # one is always left over


def test_pairs_are_held_once_and_the_rest_are_none() -> None:
    pos, topology, layout = systems(20, 3)
    graph, _ = SlotTable.of(pos, topology, layout, cutoff=CUTOFF).graph_at(pos)
    expected = searched(pos, topology, layout)
    first, second = graph.pairs
    is_pair = first != second
    found = set(zip(first[is_pair].tolist(), second[is_pair].tolist(), strict=True))
    assert len(found) == is_pair.sum()
    assert found == set(zip(*expected.pairs.tolist(), strict=True))
    left_over = graph.displacement(pos)[graph.once[~is_pair]]
    assert (left_over.norm(dim=1) > CUTOFF).all()
    assert not graph.hop[graph.once[~is_pair]].any()


def test_values_go_to_edges_and_back_as_by_index() -> None:
    pos, topology, layout = systems(20, 2)
    graph, _ = SlotTable.of(pos, topology, layout, cutoff=CUTOFF).graph_at(pos)
    flat = replace(graph, slots=0)
    values = torch.randn(len(pos), 3, dtype=torch.float64)
    on_edges = torch.randn(len(graph.hop), 3, dtype=torch.float64)
    assert torch.equal(graph.source(values).flatten(0, 1), flat.source(values))
    whole = graph.destination(values).expand(-1, graph.slots, -1)
    assert torch.equal(whole.flatten(0, 1), flat.destination(values))
    torch.testing.assert_close(
        graph.total(graph.grid(on_edges), len(pos)), flat.total(on_edges, len(pos))
    )
    assert torch.equal(graph.difference(values), flat.difference(values))


def test_too_few_slots_are_told_of_the_systems_that_have_them() -> None:
    pos, topology, layout = systems(30, 3)
    pos[30:60] *= 5.0  # few neighbours
    table = SlotTable.of(pos[30:60].repeat(3, 1), topology, layout, cutoff=CUTOFF)
    _, overflows = table.graph_at(pos)
    assert overflows.tolist() == [True, False, True]
    most = int(searched(pos, topology, layout).edge_index[1].bincount().max())
    exact, overflows = replace(table, slots=most + 1).graph_at(pos)
    assert not overflows.any()
    assert edges_of(exact, pos) == edges_of(searched(pos, topology, layout), pos)
    assert replace(table, slots=most).graph_at(pos)[1].any()


def test_no_graph_makes_a_host_wait() -> None:
    pos, topology, layout = systems(20, 3)
    table = SlotTable.of(pos, topology, layout, cutoff=CUTOFF)
    with no_waits():
        graph, _ = table.graph_at(pos)
        _ = graph.pairs, graph.twice().pairs


def test_twice_is_both() -> None:
    pos, topology, layout = systems(20, 2)
    graph, _ = SlotTable.of(pos, topology, layout, cutoff=CUTOFF).graph_at(pos)
    twice = graph.twice()
    assert isinstance(twice, SlotGraph)
    n_pairs = graph.pairs.shape[1]
    assert torch.equal(twice.pairs[:, :n_pairs], graph.pairs)
    assert torch.equal(twice.pairs[:, n_pairs:], graph.pairs + len(pos))
    assert twice.layout.counts.tolist() == [20] * 4


def test_other_systems_are_refused() -> None:
    pos, topology, _ = systems(20, 2)
    uneven = Layout.of(torch.tensor([0] * 15 + [1] * 25), 2)
    with pytest.raises(ValueError, match="equal systems of at most 512 beads"):
        SlotTable.of(pos, topology, uneven, cutoff=CUTOFF)

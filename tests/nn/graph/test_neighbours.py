"""The bead graph: brute force is the judge of every way to find neighbours and pairs."""

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.nn.graph import neighbours
from cgsim.nn.graph.neighbours import (
    BeadGraph,
    Topology,
    bead_graph,
    complete_pairs,
    ordered_pairs,
    topological_pairs,
)

NO_TOPOLOGY = Topology(torch.zeros(2, 0, dtype=torch.long), torch.zeros(0, dtype=torch.long))


def chain(n_beads: int) -> np.ndarray:
    return np.stack([np.arange(n_beads - 1), np.arange(1, n_beads)])


def ring(n_beads: int) -> np.ndarray:
    return np.stack([np.arange(n_beads), (np.arange(n_beads) + 1) % n_beads])


def branched(n_beads: int) -> np.ndarray:
    """A random tree, and one bond more."""
    random = np.random.default_rng(0)
    parents = [random.integers(child) for child in range(1, n_beads)]
    return np.stack([np.array([*parents, 2]), np.append(np.arange(1, n_beads), n_beads - 1)])


def two_chains(n_beads: int) -> np.ndarray:
    bonds = chain(n_beads)
    return np.delete(bonds, n_beads // 2, axis=1)


def bonds_between(bonds: np.ndarray, n_beads: int, n_hops: int) -> dict[tuple[int, int], int]:
    """Breadth-first search from every bead."""
    bonded: dict[int, set[int]] = {bead: set() for bead in range(n_beads)}
    for first, second in bonds.T.tolist():
        bonded[first].add(second)
        bonded[second].add(first)
    found: dict[tuple[int, int], int] = {}
    for start in range(n_beads):
        hops, queue = {start: 0}, deque([start])
        while queue:
            bead = queue.popleft()
            for other in bonded[bead] - hops.keys():
                hops[other] = hops[bead] + 1
                queue.append(other)
        found |= {(other, start): hop for other, hop in hops.items() if 0 < hop <= n_hops}
    return found


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("n_hops", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("n_beads", [4, 11])
@pytest.mark.parametrize("bonds", [chain, ring, branched, two_chains])
def test_topological_pairs(
    bonds: Callable[[int], np.ndarray],
    n_beads: int,
    n_hops: int,
    dense: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "DENSE_LIMIT", 300 if dense else 0)
    edges = bonds(n_beads)
    pairs, hop = topological_pairs(edges, n_beads, n_hops=n_hops)
    expected = bonds_between(edges, n_beads, n_hops)
    assert dict(zip(map(tuple, pairs.T.tolist()), hop.tolist(), strict=True)) == expected
    assert len(hop) == len(expected)
    assert (np.diff(pairs[1]) >= 0).all()
    assert pairs.dtype == hop.dtype == np.int64


@pytest.mark.parametrize("dense", [True, False])
def test_beads_without_bonds_have_no_pairs(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "DENSE_LIMIT", 300 if dense else 0)
    pairs, hop = topological_pairs(np.zeros((2, 0), dtype=np.int64), 3, n_hops=2)
    assert pairs.shape == (2, 0)
    assert hop.shape == (0,)


@pytest.mark.parametrize("bonds", [chain, ring, branched, two_chains])
def test_complete_pairs(bonds: Callable[[int], np.ndarray]) -> None:
    """Every ordered pair; those that are no topological neighbours are 0 bonds apart."""
    edges = bonds(11)
    pairs, hop = complete_pairs(edges, 11, n_hops=2)
    expected = dict.fromkeys(itertools.permutations(range(11), 2), 0) | bonds_between(edges, 11, 2)
    assert dict(zip(map(tuple, pairs.T.tolist()), hop.tolist(), strict=True)) == expected
    assert (np.diff(pairs[1]) >= 0).all()
    assert pairs.dtype == hop.dtype == np.int64


def test_complete_pairs_are_the_whole_graph() -> None:
    """Of two systems, at any distance, and nothing is joined between them."""
    pairs, hop = complete_pairs(chain(5), 5, n_hops=2)
    topology = Topology(
        torch.as_tensor(np.concatenate([pairs, pairs + 5], axis=1)),
        torch.as_tensor(np.concatenate([hop, hop])),
        torch.arange(1.0, 1 + 2 * len(hop)),
    )
    pos, batch = random_systems([5, 5], spread=50.0)
    graph = bead_graph(pos, cutoff=0.1, topology=topology, batch=batch, n_graphs=2)
    own = graph.edge_index[0] == graph.edge_index[1]  # a grid also holds every bead with itself
    assert graph.width == 5
    assert torch.equal(graph.edge_index[:, ~own], topology.pairs)
    assert torch.equal(graph.hop[~own], topology.hop)
    assert topology.reach is not None
    torch.testing.assert_close(graph.reach[~own], topology.reach.to(graph.reach))
    assert not graph.reach[own].any()
    assert not graph.shift[~own].any()
    assert (graph.displacement(pos)[own].norm(dim=1) > 0.1).all()  # but out of reach
    assert torch.equal(graph.pairs, topology.pairs[:, topology.pairs[0] < topology.pairs[1]])


def test_ordered_pairs() -> None:
    counts = [3, 1, 4]
    pairs = ordered_pairs(torch.tensor(counts))
    expected, start = [], 0
    for count in counts:
        expected += [
            (start + source, start + destination)
            for destination in range(count)
            for source in range(count)
            if source != destination
        ]
        start += count
    assert [tuple(pair) for pair in pairs.T.tolist()] == expected


def edges_of(graph: BeadGraph, decimals: int = 9) -> list[tuple[float, ...]]:
    """All edges with their shifts, in an order of their own."""
    shift = (graph.shift.double().numpy().round(decimals) + 0.0).tolist()
    rows = zip(*graph.edge_index.tolist(), graph.hop.tolist(), shift, strict=True)
    return sorted((source, destination, hop, *image) for source, destination, hop, image in rows)


def random_systems(counts: list[int], *, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    n_beads = sum(counts)
    pos = spread * torch.randn(n_beads, 3, dtype=torch.float64)
    return pos, torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


@pytest.mark.parametrize("dense", [True, False])
def test_all_pairs_within_the_cutoff(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "DENSE_LIMIT", 300 if dense else 0)
    counts = [9, 1, 14]
    pos, batch = random_systems(counts)
    pairs, hop = topological_pairs(chain(9), 9, n_hops=2)
    topology = Topology(torch.as_tensor(pairs), torch.as_tensor(hop), torch.as_tensor(hop) ** 0.5)
    graph = bead_graph(pos, cutoff=1.3, topology=topology, batch=batch, n_graphs=3)
    bonded = bonds_between(chain(9), 9, 2)
    expected = {pair: hops for pair, hops in bonded.items()}
    for i, j in itertools.permutations(range(len(pos)), 2):
        if batch[i] == batch[j] and (pos[i] - pos[j]).norm() < 1.3:
            expected.setdefault((i, j), 0)
    assert 0 in expected.values()
    assert edges_of(graph) == sorted((*pair, hops, 0, 0, 0) for pair, hops in expected.items())
    torch.testing.assert_close(graph.reach, graph.hop.to(graph.reach).sqrt())
    assert (graph.edge_index[1].diff() >= 0).all()
    source, destination = graph.edge_index
    torch.testing.assert_close(graph.displacement(pos), pos[source] - pos[destination])


def test_number_of_neighbours_has_no_cap() -> None:
    pos, batch = random_systems([120], spread=0.1)
    for limit in (300, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(neighbours, "DENSE_LIMIT", limit)
            graph = bead_graph(pos, cutoff=5.0, topology=NO_TOPOLOGY, batch=batch, n_graphs=1)
        assert graph.edge_index.shape[1] == 120 * 119


def brute_force_images(
    pos: Tensor, batch: Tensor, cells: Tensor, cutoff: float
) -> list[tuple[float, ...]]:
    """All pairs of beads and periodic images within the cutoff, 4 cells in every direction."""
    found = []
    for graph, cell in enumerate(cells):
        beads = (batch == graph).nonzero()[:, 0].tolist()
        for image in itertools.product(range(-4, 5), repeat=3):
            shift = torch.tensor(image, dtype=cell.dtype) @ cell
            distance = torch.cdist(pos[beads] + shift, pos[beads])
            if image == (0, 0, 0):
                distance.fill_diagonal_(torch.inf)
            rounded = (shift.numpy().round(9) + 0.0).tolist()
            for i, j in (distance < cutoff).nonzero().tolist():
                found.append((beads[i], beads[j], 0, *rounded))
    return sorted(found)


@pytest.mark.parametrize(
    "cell",
    [
        [[2.0, 0, 0], [0, 2.2, 0], [0, 0, 1.8]],
        [[2.0, 0, 0], [0.7, 1.9, 0], [-0.6, 0.8, 1.7]],
    ],
    ids=["orthorhombic", "triclinic"],
)
@pytest.mark.parametrize("cutoff", [0.8, 2.3], ids=["below half a cell", "above a cell"])
def test_periodic_images(cell: list[list[float]], cutoff: float) -> None:
    """Unwrapped positions far outside of the cell too; the second system has a cell of its own."""
    pos, batch = random_systems([5, 3], spread=1.5)
    cells = torch.tensor(cell, dtype=torch.float64)
    cells = torch.stack([cells, 1.1 * cells])
    graph = bead_graph(
        pos, cutoff=cutoff, topology=NO_TOPOLOGY, batch=batch, n_graphs=2, cell=cells
    )
    assert edges_of(graph) == brute_force_images(pos, batch, cells, cutoff)
    assert (graph.displacement(pos).norm(dim=1) < cutoff).all()


def test_periodic_topological_pairs_are_taken_as_they_are() -> None:
    """A bond longer than half a cell stays one edge; the nearer image of its end is an edge too."""
    pos = torch.tensor([[0.0, 0, 0], [1.2, 0, 0]], dtype=torch.float64)
    topology = Topology(torch.tensor([[1, 0], [0, 1]]), torch.tensor([1, 1]))
    cell = 2 * torch.eye(3, dtype=torch.float64)[None]
    graph = bead_graph(
        pos, cutoff=1.3, topology=topology, batch=torch.zeros(2).long(), n_graphs=1, cell=cell
    )
    expected = [(0, 1, 0, 2.0, 0, 0), (0, 1, 1, 0, 0, 0), (1, 0, 0, -2.0, 0, 0), (1, 0, 1, 0, 0, 0)]
    assert edges_of(graph) == sorted(expected)


def test_unsorted_batch_is_refused() -> None:
    pos, _ = random_systems([3])
    with pytest.raises(ValueError, match="batch must be sorted"):
        bead_graph(pos, cutoff=1.0, topology=NO_TOPOLOGY, batch=torch.tensor([0, 1, 0]), n_graphs=2)


def test_graph_converts_its_shifts() -> None:
    pos, batch = random_systems([3])
    graph = bead_graph(pos, cutoff=1.0, topology=NO_TOPOLOGY, batch=batch, n_graphs=1)
    assert graph.shift.dtype == torch.float64
    assert graph.to(torch.float32).shift.dtype == torch.float32


@pytest.mark.parametrize("sizes", [[3, 5], [4, 4]])
def test_a_graph_twice_is_that_of_the_systems_twice(sizes: list[int]) -> None:
    """As a list of edges, and as a grid."""
    pos, batch = random_systems(sizes)
    pairs = ordered_pairs(torch.tensor(sizes)) if sizes[0] == sizes[1] else NO_TOPOLOGY.pairs
    hop = torch.arange(pairs.shape[1])

    def joined(k: int) -> BeadGraph:
        """Of the systems, k times."""
        shifted = torch.cat([pairs + i * len(pos) for i in range(k)], dim=1)
        return bead_graph(
            pos.repeat(k, 1),
            cutoff=1.0,
            topology=Topology(shifted, hop.repeat(k), hop.repeat(k) / 2),
            batch=torch.cat([batch + 2 * i for i in range(k)]),
            n_graphs=2 * k,
            chirality=torch.arange(len(pos)).repeat(k),
        )

    graph, expected = joined(1), joined(2)
    assert bool(graph.width) == (sizes[0] == sizes[1])
    assert (graph.edge_index[0] != graph.edge_index[1]).any()
    twice = graph.twice()
    for field in fields(BeadGraph):
        found, wanted = (getattr(own, field.name) for own in (twice, expected))
        if isinstance(wanted, Tensor):
            assert torch.equal(found, wanted), field.name
        else:
            assert found == wanted, field.name

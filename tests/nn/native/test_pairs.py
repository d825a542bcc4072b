"""Near pairs in one pass: those of the search operation by operation."""

import pytest
import torch
from torch import Tensor

from cgsim.nn.graph import neighbours
from cgsim.nn.graph.neighbours import BeadGraph, Topology, bead_graph
from cgsim.nn.native.kernels import is_built
from cgsim.nn.native.pairs import can_join, joined_pairs

pytestmark = pytest.mark.skipif(not is_built(), reason="built without a C++ compiler")


def systems(*counts: int, seed: int = 0) -> tuple[Tensor, Tensor, Topology]:
    """Positions, systems and bonds of chains of so many beads."""
    torch.manual_seed(seed)
    batch = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    pos = torch.randn(len(batch), 3) * torch.tensor(counts)[batch, None] ** (1 / 3)
    joined = (batch[1:] == batch[:-1]).nonzero()[:, 0]
    pairs = torch.cat([torch.stack([joined, joined + 1]), torch.stack([joined + 1, joined])], dim=1)
    order = torch.argsort(pairs[1] * len(batch) + pairs[0])
    reach = torch.rand(pairs.shape[1]) + 0.5
    hop = torch.ones(pairs.shape[1], dtype=torch.int64)
    return pos, batch, Topology(pairs[:, order], hop, reach)


def graph_of(pos: Tensor, batch: Tensor, topology: Topology, cutoff: float) -> BeadGraph:
    n_graphs = int(batch[-1]) + 1
    return bead_graph(pos, cutoff=cutoff, topology=topology, batch=batch, n_graphs=n_graphs)


@pytest.mark.parametrize("cutoff", [1e-6, 1.3, 100.0])
@pytest.mark.parametrize("counts", [(1,), (2, 1, 30), (17, 17), (300,)])
def test_it_is_the_graph_of_the_search(
    counts: tuple[int, ...], cutoff: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pos, batch, topology = systems(*counts)
    found = graph_of(pos, batch, topology, cutoff)
    monkeypatch.setattr(neighbours, "can_join", lambda *_: False)
    expected = graph_of(pos, batch, topology, cutoff)
    for field in ("edge_index", "hop", "shift", "reach"):
        assert torch.equal(getattr(found, field), getattr(expected, field)), field


def test_known_pairs_are_kept_and_named_at_any_distance() -> None:
    pos = torch.tensor([[0.0, 0, 0], [9.0, 0, 0], [9.5, 0, 0]])
    known = torch.tensor([[1, 0], [0, 1]])
    pairs, which = joined_pairs(pos, known, cutoff=1.0, counts=torch.tensor([3]))
    assert pairs.T.tolist() == [[1, 0], [0, 1], [2, 1], [1, 2]]
    assert which.tolist() == [0, 1, -1, -1]


def test_it_is_for_small_systems_in_single_precision() -> None:
    pos = torch.zeros(4, 3)
    assert can_join(pos, 1024)
    assert not can_join(pos, 1025)
    assert not can_join(pos.double(), 10)

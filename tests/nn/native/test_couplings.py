"""Couplings of pairs in one pass: as operation by operation, on any number of threads."""

import pytest
import torch
from torch import Tensor

from cgsim.model.noise.heads import PairPrecision
from cgsim.nn.edges import EdgeFeatures, spherical_harmonics
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.native import kernels
from cgsim.nn.native.couplings import applies
from cgsim.nn.native.kernels import CHANNELS, is_built
from cgsim.testing.systems import perturb_parameters

pytestmark = pytest.mark.skipif(not is_built(), reason="built without a C++ compiler")
N_BEADS, N_INVARIANTS = 30, 37


def some_edges(n_edges: int) -> tuple[EdgeFeatures, BeadGraph]:
    """Edges of a few beads, and their graph."""
    torch.manual_seed(0)
    edge_index = torch.randint(N_BEADS, (2, n_edges))
    edges = EdgeFeatures(
        torch.randn(n_edges, N_INVARIANTS),
        spherical_harmonics(1)(torch.randn(n_edges, 3)),
        torch.rand(n_edges),
        edge_index,
    )
    batch = torch.zeros(N_BEADS, dtype=torch.int64)
    hop = torch.zeros(n_edges, dtype=torch.int64)
    return edges, BeadGraph(edge_index, hop, torch.zeros(n_edges, 3), batch, 1, torch.zeros(0))


def head(n_channels: int, n_values: int) -> tuple[PairPrecision, Tensor]:
    torch.manual_seed(1)
    own = PairPrecision(n_channels, n_edge=N_INVARIANTS, n_values=n_values)
    perturb_parameters(own, scale=0.3)
    return own, torch.randn(N_BEADS, n_channels)


@pytest.mark.parametrize("n_edges", [0, 1, 29, 700])
@pytest.mark.parametrize("n_values", [1, 2])
@pytest.mark.parametrize("n_channels", CHANNELS)
@torch.no_grad()
def test_it_is_what_the_operations_say(
    n_channels: int, n_values: int, n_edges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges, graph = some_edges(n_edges)
    network, scalars = head(n_channels, n_values)
    assert applies(scalars, edges)
    once, found = network(scalars, edges, graph)
    monkeypatch.setattr(kernels, "_kernels", None)
    expected_once, expected = network(scalars, edges, graph)
    assert found.shape == (len(once), n_values)
    assert torch.equal(once, expected_once)
    torch.testing.assert_close(found, expected, rtol=3e-5, atol=1e-6)


@torch.no_grad()
def test_threads_change_no_bit() -> None:
    edges, graph = some_edges(40_000)
    network, scalars = head(32, 1)
    threads, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            found.append(network(scalars, edges, graph)[1])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)


def test_a_gradient_takes_the_operations() -> None:
    edges, _ = some_edges(9)
    assert not applies(torch.randn(N_BEADS, 8), edges)

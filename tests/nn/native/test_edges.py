"""Edges described in one pass: as operation by operation, on any number of threads."""

import pytest
import torch
from torch import Tensor

from cgsim.config import GraphConfig
from cgsim.nn.edges import EdgeFeatures, EdgeGeometry
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.native import kernels
from cgsim.nn.native.edges import applies
from cgsim.nn.native.kernels import is_built

pytestmark = pytest.mark.skipif(not is_built(), reason="built without a C++ compiler")
N_BEADS, N_EDGES, N_SCALARS = 40, 6000, 7


def some_graph() -> tuple[Tensor, BeadGraph]:
    """Edge vectors of all lengths, one of them zero, and a graph of them."""
    torch.manual_seed(0)
    vector = torch.randn(N_EDGES, 3) * torch.logspace(-3, 0.5, N_EDGES)[:, None]
    vector[5] = 0.0
    edge_index = torch.randint(N_BEADS, (2, N_EDGES))
    hop = torch.randint(4, (N_EDGES,))
    reach = torch.where(hop > 0, torch.rand(N_EDGES) + 0.5, 0.0)
    batch = torch.zeros(N_BEADS, dtype=torch.int64)
    return vector, BeadGraph(edge_index, hop, torch.zeros(N_EDGES, 3), batch, 1, reach)


def geometry(config: GraphConfig, *, knows_before: bool = False) -> EdgeGeometry:
    torch.manual_seed(1)
    return EdgeGeometry(config, lmax=1, n_scalars=N_SCALARS, knows_before=knows_before)


CONFIGS = (
    GraphConfig(n_hops=3, cutoff=2.0, n_radial=5, n_pair=0, ideal_distance=False),
    GraphConfig(n_hops=4, cutoff=3.0, n_radial=12, n_pair=16),
    GraphConfig(n_hops=3, cutoff=0.7, n_radial=16, n_pair=3),
)


@pytest.mark.parametrize("when", ["now", "before", "partly seen"])
@pytest.mark.parametrize("config", CONFIGS)
@torch.no_grad()
def test_it_is_what_the_operations_say(
    config: GraphConfig, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vector, graph = some_graph()
    edges, scalars = geometry(config, knows_before=when != "now"), torch.randn(N_BEADS, N_SCALARS)
    before = None if when == "now" else vector + 0.1 * torch.randn(N_EDGES, 3)
    seen = torch.randint(2, (N_BEADS,)).float() if when == "partly seen" else None

    def described() -> EdgeFeatures:
        return edges(vector, graph, scalars, before=before, seen=seen)

    assert applies(edges, vector)
    found = described()
    monkeypatch.setattr(kernels, "_kernels", None)
    expected = described()
    assert found.attr.shape == (N_EDGES, edges.n_edge)
    torch.testing.assert_close(found.attr, expected.attr, rtol=1e-4, atol=2e-5)
    torch.testing.assert_close(found.harmonics, expected.harmonics, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.envelope, expected.envelope, rtol=1e-6, atol=1e-6)


@torch.no_grad()
def test_threads_change_no_bit() -> None:
    vector, graph = some_graph()
    edges, scalars = geometry(CONFIGS[1]), torch.randn(N_BEADS, N_SCALARS)
    threads, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            found.append(edges(vector, graph, scalars))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0].attr, found[1].attr)
    assert torch.equal(found[0].envelope, found[1].envelope)

"""What an edge says: invariants do not turn, harmonics do, the envelope is smooth."""

import math

import pytest
import torch
from e3nn import o3

from cgsim.config import GraphConfig
from cgsim.nn.edges import EdgeGeometry
from cgsim.nn.neighbours import BeadGraph
from cgsim.testing import random_rotation

CONFIG = GraphConfig(n_hops=3, cutoff=2.0, n_radial=5)


def graph_of(hop: list[int]) -> BeadGraph:
    """Edges with these separations; nothing else of the graph matters here."""
    none = torch.zeros(0)
    return BeadGraph(none, torch.tensor(hop), none, none, n_graphs=1)


@pytest.fixture(params=[1, 2])
def edges(request: pytest.FixtureRequest) -> EdgeGeometry:
    torch.set_default_dtype(torch.float64)
    return EdgeGeometry(CONFIG, lmax=request.param)


def test_shapes_and_values(edges: EdgeGeometry) -> None:
    vector = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -3.0], [0.6, 0.0, 0.8]])
    found = edges(vector, graph_of([0, 2, 3]))
    assert found.attr.shape == (3, edges.n_edge)
    torch.testing.assert_close(found.attr[:, 0], torch.tensor([1.0, 3.0, 1.0]))
    torch.testing.assert_close(
        found.attr[:, -4:], torch.eye(4)[[0, 2, 3]], msg="separation is one-hot"
    )
    torch.testing.assert_close(found.envelope, torch.tensor([0.5, 1.0, 1.0]))
    direction = vector / vector.norm(dim=1, keepdim=True)
    # e3nn orders x, y, z; its component normalisation makes |Y_l|^2 = 2 l + 1
    torch.testing.assert_close(found.harmonics[:, :4][:, 1:], math.sqrt(3) * direction)
    torch.testing.assert_close(
        found.harmonics.square().sum(dim=1), torch.full((3,), found.harmonics.shape[1] * 1.0)
    )


def test_turning_the_edges(edges: EdgeGeometry) -> None:
    vector = torch.randn(6, 3)
    graph = graph_of([0, 1, 2, 3, 0, 0])
    rotation = random_rotation(seed=1)
    before, after = edges(vector, graph), edges(vector @ rotation.T, graph)
    torch.testing.assert_close(after.attr, before.attr)
    torch.testing.assert_close(after.envelope, before.envelope)
    irreps = o3.Irreps.spherical_harmonics(edges.harmonics._lmax)
    turned = before.harmonics @ irreps.D_from_matrix(rotation).T
    torch.testing.assert_close(after.harmonics, turned, rtol=1e-10, atol=1e-10)


def test_bonded_pairs_have_no_cutoff(edges: EdgeGeometry) -> None:
    far = edges(torch.tensor([[50.0, 0.0, 0.0], [51.0, 0.0, 0.0]]), graph_of([1, 1]))
    torch.testing.assert_close(far.envelope, torch.ones(2))
    assert far.attr[1, 0] - far.attr[0, 0] == 1.0

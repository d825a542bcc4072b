"""What an edge says: invariants do not turn, harmonics do, the envelope is smooth."""

import math
from dataclasses import replace

import pytest
import torch
from e3nn import o3

from cgsim.config import GraphConfig
from cgsim.nn.edges import EdgeGeometry
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.testing.checks import random_rotation

CONFIG = GraphConfig(n_hops=3, cutoff=2.0, n_radial=5, n_pair=0)


def graph_of(hop: list[int], *, reach: float = 2.0) -> BeadGraph:
    """Edges with these separations; nothing else of the graph matters here."""
    none, known = torch.zeros(0), torch.tensor(hop) > 0
    return BeadGraph(none, torch.tensor(hop), none, none, n_graphs=1, reach=reach * known)


@pytest.fixture(params=[1, 2])
def edges(request: pytest.FixtureRequest) -> EdgeGeometry:
    torch.set_default_dtype(torch.float64)
    return EdgeGeometry(CONFIG, lmax=request.param, n_scalars=0)


NOTHING = torch.zeros(4, 0)  # known of the beads


def test_shapes_and_values(edges: EdgeGeometry) -> None:
    vector = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -3.0], [0.6, 0.0, 0.8]])
    found = edges(vector, graph_of([0, 2, 3]), NOTHING)
    assert found.attr.shape == (3, edges.n_edge)
    torch.testing.assert_close(found.attr[:, 0], torch.tensor([1.0, 3.0, 1.0]))
    torch.testing.assert_close(
        found.attr[:, -6:-2], torch.eye(4)[[0, 2, 3]], msg="separation is one-hot"
    )
    half, log_2 = 1 / 2, math.log(2)
    torch.testing.assert_close(
        found.attr[:, -2:], torch.tensor([[0.0, 0.0], [log_2, 3 * half], [log_2, half]])
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
    before, after = (edges(turned, graph, NOTHING) for turned in (vector, vector @ rotation.T))
    torch.testing.assert_close(after.attr, before.attr)
    torch.testing.assert_close(after.envelope, before.envelope)
    irreps = o3.Irreps.spherical_harmonics(math.isqrt(before.harmonics.shape[1]) - 1)
    turned = before.harmonics @ irreps.D_from_matrix(rotation).T
    torch.testing.assert_close(after.harmonics, turned, rtol=1e-10, atol=1e-10)


def test_bonded_pairs_have_no_cutoff(edges: EdgeGeometry) -> None:
    far = edges(torch.tensor([[50.0, 0.0, 0.0], [51.0, 0.0, 0.0]]), graph_of([1, 1]), NOTHING)
    torch.testing.assert_close(far.envelope, torch.ones(2))
    assert far.attr[1, 0] - far.attr[0, 0] == 1.0


def test_products_are_those_of_both_ends() -> None:
    """Symmetric, bilinear in the two ends, and the last of the invariants."""
    torch.set_default_dtype(torch.float64)
    config = GraphConfig(n_hops=3, cutoff=2.0, n_radial=5, n_pair=2)
    edges = EdgeGeometry(config, lmax=1, n_scalars=3)
    index = torch.tensor([[0, 1, 2], [1, 0, 0]])
    graph = replace(graph_of([1, 1, 0]), edge_index=index)
    scalars, vector = torch.randn(3, 3), torch.randn(3, 3)
    found = edges(vector, graph, scalars).attr
    assert found.shape == (3, edges.n_edge)
    assert edges.kind is not None
    kind = scalars @ edges.kind.weight.T + edges.kind.bias
    torch.testing.assert_close(
        found[:, -2:], torch.stack([kind[0] * kind[1]] * 2 + [kind[0] * kind[2]])
    )


def test_without_ideal_distances_nothing_is_left_of_them() -> None:
    vector = torch.randn(3, 3)
    known, unknown = (graph_of([1, 2, 0], reach=reach) for reach in (2.0, 0.0))
    edges = EdgeGeometry(CONFIG, lmax=1, n_scalars=0)
    assert edges(vector, unknown, NOTHING).attr[:, -2:].abs().max() == 0
    assert edges(vector, known, NOTHING).attr[:2, -2:].abs().min() > 0
    blind = EdgeGeometry(replace(CONFIG, ideal_distance=False), lmax=1, n_scalars=0)
    assert blind.n_edge == edges.n_edge - 2
    torch.testing.assert_close(
        blind(vector, known, NOTHING).attr, blind(vector, unknown, NOTHING).attr
    )

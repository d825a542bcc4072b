"""Precisions are positive, symmetric and bounded."""

import math

import torch

from cgsim.config import GraphConfig
from cgsim.model.noise.heads import (
    LOG_BOUND,
    WEIGHT_START,
    BeadPrecision,
    PairPrecision,
    bounded_exp,
)
from cgsim.nn.edges import EdgeFeatures, EdgeGeometry
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.testing.systems import perturb_parameters


def test_bounded_exp() -> None:
    value = torch.linspace(-60, 60, 401, dtype=torch.float64, requires_grad=True)
    found = bounded_exp(value)
    assert math.exp(-LOG_BOUND) <= found.min() < found.max() <= math.exp(LOG_BOUND)
    assert (found.diff() >= 0).all()
    (slope,) = torch.autograd.grad(found.sum(), value)
    torch.testing.assert_close([found[200].item(), slope[200].item()], [1.0, 1.0])


def test_bead_precision_starts_at_one() -> None:
    torch.set_default_dtype(torch.float64)
    layer, scalars = BeadPrecision(4), torch.randn(6, 4)
    torch.testing.assert_close(layer(scalars), torch.ones(6))
    perturb_parameters(layer, scale=3.0)
    found = layer(scalars)
    assert found.shape == (6,)
    assert (found > 0).all()
    assert found.std() > 0.1


def pairs_of_three() -> tuple[EdgeFeatures, BeadGraph]:
    """Beads 0-1 bonded, 1-2 near, both directions of each."""
    config = GraphConfig(n_hops=1, cutoff=2.0, n_radial=3)
    pos = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [1.0, 1.5, 0]])
    edge_index = torch.tensor([[1, 0, 2, 1], [0, 1, 1, 2]])
    hop, zeros = torch.tensor([1, 1, 0, 0]), torch.zeros(3, dtype=torch.long)
    graph = BeadGraph(edge_index, hop, torch.zeros(4, 3), zeros, n_graphs=1, reach=torch.ones(4))
    return EdgeGeometry(config, lmax=1, n_scalars=2)(
        graph.displacement(pos), graph, pos[:, :2]
    ), graph


def test_pair_precision() -> None:
    torch.set_default_dtype(torch.float64)
    edges, graph = pairs_of_three()
    layer, scalars = PairPrecision(4, n_edge=edges.attr.shape[1], n_values=2), torch.randn(3, 4)
    start = bounded_exp(torch.tensor(WEIGHT_START)).item()
    once, weight = layer(scalars, edges, graph)
    pairs, envelope = graph.edge_index[:, once], edges.envelope[once][:, None]
    assert pairs.tolist() == [[0, 1], [1, 2]]
    torch.testing.assert_close(weight, (start * envelope).expand(2, 2))
    perturb_parameters(layer, scale=1.0)
    once, weight = layer(scalars, edges, graph)
    assert (weight > 0).all()
    assert (weight / start - envelope).abs().min() > 1e-3
    assert (weight[:, 0] - weight[:, 1]).abs().min() > 1e-3
    swapped = BeadGraph(
        2 - graph.edge_index, graph.hop, graph.shift, graph.batch, n_graphs=1, reach=graph.reach
    )  # beads counted from the other end: the other direction of every pair is read
    other_once, other = layer(scalars.flip(0), edges, swapped)
    assert (2 - swapped.edge_index[:, other_once]).flip(0).tolist() == pairs.tolist()
    torch.testing.assert_close(other, weight)

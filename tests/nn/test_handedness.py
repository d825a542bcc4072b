"""What handedness adds to the sum over neighbours: a path of the right parity, written out."""

import pytest
import torch
from e3nn import o3

from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.handedness import ChiralSum, HandedTensorSum, HandedVectorSum, handedness
from cgsim.nn.linear import by_order, joined
from cgsim.nn.product import hidden_irreps

EDGE_INDEX = torch.tensor([[1, 2, 0, 3, 3, 1], [0, 0, 1, 1, 2, 2]])
CHIRALITY = torch.tensor([1.0, -1.0, 0.0, 1.0])
N_EDGE = 3


@pytest.fixture(autouse=True)
def _float64() -> None:
    torch.set_default_dtype(torch.float64)


def edges_of(
    vector: torch.Tensor, chirality: torch.Tensor | None = CHIRALITY, *, lmax: int = 1
) -> EdgeFeatures:
    orders = list(range(lmax + 1))
    harmonics = o3.spherical_harmonics(orders, vector, normalize=True, normalization="component")
    attr = torch.ones(6, N_EDGE)
    return EdgeFeatures(attr, harmonics, torch.ones(6), EDGE_INDEX, chirality)


def test_a_path_more() -> None:
    layer = ChiralSum(5, lmax=1)
    assert layer.weight_numel == 5 * 5
    assert layer.irreps_out == o3.Irreps("10x0e + 10x1o + 5x1o")


def test_written_out_is_the_tensor_product() -> None:
    """Values and all gradients; the same scale as e3nn's other paths, up to the sign."""
    features = torch.randn(4, 4 * 5, requires_grad=True)
    harmonics = torch.randn(6, 4, requires_grad=True)
    weight = torch.randn(6, 5, requires_grad=True)
    edges = EdgeFeatures(torch.empty(6, 0), harmonics, torch.ones(6), EDGE_INDEX, CHIRALITY)
    parts = by_order(features, (5, 5))
    exact = joined(HandedTensorSum(5, lmax=1)(parts, edges, weight))
    fast = joined(HandedVectorSum(5)(parts, edges, weight))
    torch.testing.assert_close(fast, exact, rtol=1e-12, atol=1e-12)
    assert exact.abs().max() > 0.1
    push = torch.randn_like(exact)
    for ours, theirs in zip(
        torch.autograd.grad(fast, (features, harmonics, weight), push),
        torch.autograd.grad(exact, (features, harmonics, weight), push),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_it_is_the_cross_product() -> None:
    """One channel, one neighbour each: ``w chi v x r sqrt(3 / 2)``, none of an achiral sender."""
    vector, weight = torch.randn(6, 3), torch.randn(6, 1)
    features = torch.randn(4, 4)
    found = joined(HandedVectorSum(1)(by_order(features, (1, 1)), edges_of(vector), weight))
    source, destination = EDGE_INDEX
    direction = torch.nn.functional.normalize(vector, dim=1) * 3**0.5
    crossed = torch.linalg.cross(features[source, 1:], direction) / 2**0.5
    sent = weight * CHIRALITY[source, None] * crossed
    expected = torch.zeros(4, 3).index_add(0, destination, sent)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lmax", [1, 2])
def test_convolution_follows_reflections_with_handedness_only(lmax: int) -> None:
    convolution = EquivariantConvolution(4, lmax=lmax, n_edge=N_EDGE, chiral=True)

    def layer(features: torch.Tensor, edges: EdgeFeatures) -> torch.Tensor:
        return joined(convolution(by_order(features, (4,) * (lmax + 1)), edges))

    irreps = hidden_irreps(4, lmax)
    features, vector = torch.randn(4, irreps.dim), torch.randn(6, 3)
    matrix = -o3.rand_matrix()
    turned = irreps.D_from_matrix(matrix)
    expected = layer(features, edges_of(vector, lmax=lmax)) @ turned.T
    mirrored, handed = vector @ matrix.T, -CHIRALITY
    found = layer(features @ turned.T, edges_of(mirrored, handed, lmax=lmax))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    twin = layer(features @ turned.T, edges_of(mirrored, lmax=lmax))
    assert (twin - expected).abs().max() > 1e-3


def test_chirality_must_be_known() -> None:
    with pytest.raises(ValueError, match="needs the chirality of its beads"):
        handedness(edges_of(torch.randn(6, 3), None))

"""The sum over neighbours: e3nn's tensor product, and the same written out."""

import pytest
import torch
from e3nn import o3
from torch import nn

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.linear import by_order, joined
from cgsim.nn.product import TensorSum, VectorSum, hidden_irreps, neighbour_sum


def test_hidden_irreps() -> None:
    assert hidden_irreps(3, 2) == o3.Irreps("3x0e + 3x1o + 3x2e")


@pytest.mark.parametrize(("lmax", "kind"), [(0, TensorSum), (1, VectorSum), (2, TensorSum)])
def test_the_fast_sum_is_for_vectors(lmax: int, kind: type) -> None:
    assert isinstance(neighbour_sum(3, lmax=lmax), kind)


def test_a_weight_per_path_and_channel() -> None:
    """0x0->0, 0x1->1, 1x0->1 and 1x1->0 for lmax 1 (1x1->1 has the wrong parity)."""
    for layer in (TensorSum(5, lmax=1), VectorSum(5)):
        assert layer.weight_numel == 4 * 5
        assert layer.irreps_out == o3.Irreps("10x0e + 10x1o")


def test_written_out_is_the_tensor_product() -> None:
    """Values and all gradients, with vectors of any length."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    edge_index = torch.tensor([[1, 2, 0, 3, 3, 1], [0, 0, 1, 1, 2, 2]])
    features = torch.randn(4, 4 * 5, requires_grad=True)
    vector = torch.randn(6, 3, requires_grad=True)
    harmonics = nn.functional.pad(vector, (1, 0), value=1.0)
    weight = torch.randn(6, 4 * 5, requires_grad=True)
    edges = EdgeFeatures(torch.empty(6, 0), harmonics, torch.ones(6), edge_index)
    parts = by_order(features, (5, 5))
    exact = joined(TensorSum(5, lmax=1)(parts, edges, weight))
    fast = joined(VectorSum(5)(parts, edges, weight))
    torch.testing.assert_close(fast, exact, rtol=1e-12, atol=1e-12)
    assert (exact[3] == 0).all()  # nobody sends to the last bead
    push = torch.randn_like(exact)
    for ours, theirs in zip(
        torch.autograd.grad(fast, (features, vector, weight), push),
        torch.autograd.grad(exact, (features, vector, weight), push),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)

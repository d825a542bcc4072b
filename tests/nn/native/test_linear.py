"""Linear layers of many narrow rows: `torch.nn.Linear`, its gradient included."""

import pytest
import torch
from torch import Tensor, nn

from cgsim.nn.mlp import mlp
from cgsim.nn.native.kernels import CHANNELS
from cgsim.nn.native.linear import in_turn, linear


def with_slopes(value: Tensor, *inputs: Tensor) -> list[Tensor]:
    torch.manual_seed(1)
    total = (torch.randn(value.shape).to(value) * value).sum()
    return [value.detach(), *torch.autograd.grad(total, inputs)]


@pytest.mark.parametrize("n_rows", [0, 1, 24, 77])
@pytest.mark.parametrize("n_in", [1, 8, 36, 128])
@pytest.mark.parametrize("n_out", [*CHANNELS, 5])
def test_it_is_the_product_and_its_gradient(n_out: int, n_in: int, n_rows: int) -> None:
    torch.manual_seed(0)
    layer, rows = nn.Linear(n_in, n_out), torch.randn(n_rows, n_in, requires_grad=True)
    found = with_slopes(linear(layer, rows), rows, *layer.parameters())
    weight, bias, wide = (x.detach().double().requires_grad_() for x in (*layer.parameters(), rows))
    expected = with_slopes(wide @ weight.T + bias, wide, weight, bias)
    for own, right in zip(found, expected, strict=True):
        torch.testing.assert_close(own.double(), right, rtol=1e-5, atol=1e-4)


def test_rows_without_a_gradient_have_none() -> None:
    layer = nn.Linear(10, 16)
    rows = torch.randn(30, 10)
    (slope,) = torch.autograd.grad(linear(layer, rows).sum(), [layer.bias])
    torch.testing.assert_close(slope, torch.full((16,), 30.0))


def test_layers_in_turn_are_the_network() -> None:
    torch.manual_seed(0)
    network, rows = mlp(20, 24, 2), torch.randn(50, 20, requires_grad=True)
    found, expected = (
        with_slopes(function(rows), rows, *network.parameters())
        for function in (lambda own: in_turn(network, own), network)
    )
    for own, right in zip(found, expected, strict=True):
        torch.testing.assert_close(own, right, rtol=1e-4, atol=1e-5)

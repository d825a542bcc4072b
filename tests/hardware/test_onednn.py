"""Products by oneDNN: the same numbers, of the products that are meant and of no others."""

import sys

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.profiler import ProfilerActivity, profile

import cgsim.hardware.onednn
from cgsim.hardware.compile import compiled, has_compiler
from cgsim.hardware.onednn import ByOneDNN, product
from cgsim.rollout.compiled import fastest_options

aten = torch.ops.aten
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def some_products(values: Tensor, weight: Tensor, bias: Tensor, double: Tensor) -> list[Tensor]:
    """Alone, with a bias, with a matrix added, scaled, of half the rows, in double precision."""
    with_bias = nn.functional.linear(values, weight, bias)
    return [
        values @ weight.T,
        with_bias,
        torch.addmm(with_bias, values, weight.T),
        torch.addmm(bias, values, weight.T, alpha=2.0),
        values[::2] @ weight.T,
        double @ double.T,
    ]


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """Matrices of which the smallest product that is meant is that of all rows."""
    monkeypatch.setattr(cgsim.hardware.onednn, "SMALLEST", 8 * 4 * 6)
    double = torch.randn(20, 30, dtype=torch.float64)
    return torch.randn(8, 4), torch.randn(6, 4), torch.randn(6), double


def test_a_product_is_a_linear_map(inputs: Inputs) -> None:
    values, weight, bias, _ = inputs
    torch.testing.assert_close(product(values, weight, bias), values @ weight.T + bias)
    torch.testing.assert_close(product(values, weight, None), values @ weight.T)


def test_only_large_plain_products_in_float32_are_replaced(inputs: Inputs) -> None:
    traced = make_fx(some_products, tracing_mode="fake")(*inputs)
    ByOneDNN()(traced.graph)
    traced.recompile()
    targets = [node.target for node in traced.graph.nodes]
    assert targets.count(torch.ops.cgsim.product.default) == 2
    assert targets.count(aten.addmm.default) == targets.count(aten.mm.default) == 2
    for found, expected in zip(traced(*inputs), some_products(*inputs), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.skipif(
    not (has_compiler() and torch.backends.mkldnn.is_available()),
    reason="there is no C++ compiler, or PyTorch has no oneDNN",
)
def test_compiled_products_are_of_onednn_and_the_same(inputs: Inputs) -> None:
    function = compiled(some_products, {"post_grad_custom_post_pass": ByOneDNN()})
    with torch.no_grad():
        function(*inputs)
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            results = function(*inputs)
    calls = {event.key: event.count for event in profiler.key_averages()}
    assert calls["mkldnn::_linear_pointwise"] == 2
    for found, expected in zip(results, some_products(*inputs), strict=True):
        torch.testing.assert_close(found, expected)


def test_another_compiler_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cgsim.hardware.onednn", None)
    assert fastest_options(torch.device("cpu")) == {}
    assert fastest_options(torch.device("cuda")) == {"triton.cudagraphs": True}

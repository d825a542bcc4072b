"""Linear layers of many narrow rows with their gradient: slow in libraries for large matrices."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cgsim.nn.native.gradients import addresses, can_learn, run
from cgsim.nn.native.kernels import CHANNELS, MOST_INVARIANTS


def linear(layer: nn.Module, rows: Tensor) -> Tensor:
    """`torch.nn.Linear` of rows [n, n_in], to rounding."""
    is_native = (
        can_learn(rows)
        and isinstance(layer, nn.Linear)
        and layer.bias is not None
        and rows.dim() == 2
        and rows.dtype == layer.weight.dtype
        and layer.out_features in CHANNELS
        and layer.in_features <= MOST_INVARIANTS
    )
    found = _Linear.apply(rows, layer.weight, layer.bias) if is_native else layer(rows)
    return torch.as_tensor(found)


def in_turn(network: nn.Module, rows: Tensor) -> Tensor:
    """The layers of a network one after the other, linear ones by `linear`."""
    if not isinstance(network, nn.Sequential):
        return linear(network, rows)
    for layer in network:
        rows = linear(layer, rows)
    return rows


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        rows, bias = rows.contiguous(), bias.contiguous()
        out = rows.new_empty(len(rows), len(bias))
        wide = _wide(weight).t().contiguous()
        arrays = rows, wide, bias, out
        run("linear", *weight.shape, len(rows), *addresses(*arrays))
        ctx.save_for_backward(rows, weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        rows, weight = ctx.saved_tensors
        n_out, n_in = weight.shape
        slope, wide = slope.contiguous(), _wide(weight)
        of_rows = torch.empty_like(rows) if ctx.needs_input_grad[0] else None
        of_weight, of_bias = slope.new_zeros(wide.shape[1], n_out), slope.new_zeros(n_out)
        arrays = rows, wide, slope, of_rows, of_weight, of_bias
        run("linear_slopes", n_out, n_in, len(rows), *addresses(*arrays))
        return of_rows, of_weight[:n_in].t(), of_bias


def _wide(weight: Tensor) -> Tensor:
    """With columns of zeros up to a multiple of eight [n_out, width]."""
    return nn.functional.pad(weight, (0, -weight.shape[1] % 8)).contiguous()

"""Features sorted by order, and linear maps that mix the channels of each."""

from collections.abc import Sequence

import torch
from e3nn import o3
from torch import Tensor, nn


def channels_of(irreps: o3.Irreps) -> tuple[int, ...]:
    """Channels of each order, from 0 to the highest."""
    orders = range(irreps.lmax + 1)
    return tuple(sum(n for n, ir in irreps if ir.l == order) for order in orders)


def by_order(features: Tensor, n_channels: Sequence[int]) -> list[Tensor]:
    """Split features into their orders l, components before channels.

    Parameters
    ----------
    features : [n, irreps.dim]
        Laid out as in e3nn.
    n_channels
        Of each order, see `channels_of`.

    Returns
    -------
    A view [n, 2 l + 1, n_channels] for each order.
    """
    shapes = [(n, 2 * order + 1) for order, n in enumerate(n_channels)]
    parts = features.split([n * size for n, size in shapes], dim=1)
    return [
        part.unflatten(1, shape).transpose(1, 2) for part, shape in zip(parts, shapes, strict=True)
    ]


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Inverse of `by_order`: [n, irreps.dim]."""
    return torch.cat([part.transpose(1, 2).flatten(1) for part in parts], dim=1)


class EquivariantLinear(nn.Module):
    """A matrix per order, ``y_l = x_l W_l / sqrt(n_l)``: `e3nn.o3.Linear`, written out.

    The weights are those of `e3nn.o3.Linear`, one after the other in the order of its terms.

    Parameters
    ----------
    irreps_in
        Terms of one order need not be neighbours; their channels are taken in this sequence.
    irreps_out
        One term per order.

    Shapes
    ------
    parts [n, 2 l + 1, n_channels] -> the same with the channels of ``irreps_out``
    """

    def __init__(self, irreps_in: o3.Irreps, irreps_out: o3.Irreps) -> None:
        super().__init__()
        self.shapes: dict[int, tuple[int, int]] = {}
        self.slices: dict[int, list[slice]] = {}
        start = 0
        for n_in, ir in irreps_in:
            for n_out, _ in (term for term in irreps_out if term.ir == ir):
                before = self.shapes.get(ir.l, (0, n_out))[0]
                self.shapes[ir.l] = (before + n_in, n_out)
                self.slices.setdefault(ir.l, []).append(slice(start, start + n_in * n_out))
                start += n_in * n_out
        self.weight = nn.Parameter(torch.randn(start))

    def forward(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Map every order."""
        return [self.order(order, part) for order, part in enumerate(parts)]

    def order(self, order: int, part: Tensor) -> Tensor:
        """Map one order [n, 2 l + 1, n_in] -> [n, 2 l + 1, n_out]."""
        return part @ self.matrix(order)

    def matrix(self, order: int) -> Tensor:
        """``W_l / sqrt(n_l)`` [n_in, n_out]."""
        n_in, n_out = self.shapes[order]
        blocks = [self.weight[block] for block in self.slices[order]]
        weight = blocks[0] if len(blocks) == 1 else torch.cat(blocks)
        return (weight * n_in**-0.5).view(n_in, n_out)

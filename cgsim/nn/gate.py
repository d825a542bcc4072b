"""A nonlinearity that keeps features equivariant."""

from collections.abc import Sequence

import torch
from e3nn.math import normalize2mom
from torch import Tensor, nn


class Gate(nn.Module):
    r"""``s -> c silu(s)``, ``x_l -> c' sigmoid(g_l) x_l``: `e3nn.nn.Gate`, written out.

    The constants make the mean square of a normal variable one again.

    Shapes
    ------
    parts [n, 2 l + 1, n_channels] of which the scalars hold the gates g_l of all other orders after
    their own -> the same without the gates
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.of_silu = float(normalize2mom(nn.functional.silu).cst)
        self.of_sigmoid = float(normalize2mom(torch.sigmoid).cst)

    def forward(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Gate every order."""
        scalars, *others = parts
        own, gates = scalars.tensor_split([self.n_channels], dim=2)
        gated = [self.of_silu * nn.functional.silu(own)]
        if others:
            opened = self.of_sigmoid * gates.sigmoid()
            pairs = zip(opened.split(self.n_channels, dim=2), others, strict=True)
            gated += [gate * part for gate, part in pairs]
        return gated

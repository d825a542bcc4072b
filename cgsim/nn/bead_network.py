"""What every bead makes of all that it has heard."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cgsim.nn.mlp import mlp, zero_init

SMALLEST = 1e-4  # square of a length whose slope is still bounded


class BeadNetwork(nn.Module):
    r"""``s_i <- s_i + MLP(s_i, |x_i1|, |x_i2|, ...)``, after a convolution.

    A convolution is nonlinear in single edges, but linear, up to a gate, in what a bead receives
    over all of them. This is where it can tell one combination of neighbours from another; it costs
    little, as there are fewer beads than edges. Untrained it changes nothing.

    Shapes
    ------
    parts [n, 2 l + 1, n_channels] of all orders (see `cgsim.nn.linear.by_order`) -> the same
    """

    def __init__(self, n_channels: int, *, lmax: int, n_hidden: int) -> None:
        super().__init__()
        self.network = mlp((lmax + 1) * n_channels, n_hidden, n_hidden, n_channels)
        zero_init(self.network[-1])

    def forward(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Update the scalars."""
        scalars, *others = parts
        sizes = [(part.square().sum(dim=1) + SMALLEST).sqrt() for part in others]
        change = self.network(torch.cat([scalars[:, 0], *sizes], dim=1))
        return [scalars + change[:, None], *others]

"""What handedness adds to the sum over neighbours: products that turn with the sender's sign."""

import math
from collections.abc import Sequence

import torch
from e3nn import o3
from torch import Tensor, nn

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.linear import by_order, channels_of, joined
from cgsim.nn.product import channel_product, hidden_irreps, neighbour_sum


class ChiralSum(nn.Module):
    r"""`neighbour_sum`, and beside it ``sum_j w_ij chi_j (v_j x Y_1(r_ij))``.

    The cross product of two vectors is a pseudo-vector: a mirror leaves it as it is. The handedness
    ``chi_j`` of the sender, -1, 0 or 1, changes sign in a mirror, so the product is a vector, and
    inner products with it are scalars that tell the two sides of a plane apart. The network stays
    O(3)-equivariant, of positions *and* handedness; by positions alone it need not be
    mirror-symmetric.

    Shapes
    ------
    parts of the hidden irreps (see `cgsim.nn.linear.by_order`), edges with chirality, weight
    [*grid, weight_numel] (see `cgsim.nn.graph.incidence`) -> parts of ``irreps_out``
    """

    def __init__(self, n_channels: int, *, lmax: int) -> None:
        super().__init__()
        self.plain = neighbour_sum(n_channels, lmax=lmax)
        self.handed = (
            HandedVectorSum(n_channels) if lmax == 1 else HandedTensorSum(n_channels, lmax=lmax)
        )
        self.sizes = [self.plain.weight_numel, self.handed.weight_numel]
        self.weight_numel = sum(self.sizes)
        self.irreps_out = self.plain.irreps_out + self.handed.irreps_out

    def forward(self, parts: Sequence[Tensor], edges: EdgeFeatures, weight: Tensor) -> list[Tensor]:
        """Return what every bead receives."""
        plain, handed = weight.split(self.sizes, dim=-1)
        totals = (self.plain(parts, edges, plain), self.handed(parts, edges, handed))
        return [torch.cat(both, dim=2) for both in zip(*totals, strict=True)]


class HandedTensorSum(nn.Module):
    """The sum at any order, by e3nn: features times handedness have the opposite parity."""

    def __init__(self, n_channels: int, *, lmax: int) -> None:
        super().__init__()
        hidden = hidden_irreps(n_channels, lmax)
        flipped = o3.Irreps([(n_copies, (ir.l, -ir.p)) for n_copies, ir in hidden])
        self.product = channel_product(flipped, hidden)
        self.weight_numel = self.product.weight_numel
        self.irreps_out = self.product.irreps_out.simplify()
        self.n_channels_out = channels_of(self.irreps_out)

    def forward(self, parts: Sequence[Tensor], edges: EdgeFeatures, weight: Tensor) -> list[Tensor]:
        """Return what every bead receives."""
        sent = joined(parts).index_select(0, edges.edge_index[0]) * handedness(edges)
        messages = self.product(sent, edges.harmonics, weight.reshape(-1, self.weight_numel))
        return by_order(edges.total(edges.grid(messages), len(parts[0])), self.n_channels_out)


class HandedVectorSum(nn.Module):
    """`HandedTensorSum` of scalars and vectors v, as ``w chi_j (v_j x Y_1) / sqrt(2)``."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.n_channels = self.weight_numel = n_channels
        self.irreps_out = o3.Irreps([(n_channels, "1o")])

    def forward(self, parts: Sequence[Tensor], edges: EdgeFeatures, weight: Tensor) -> list[Tensor]:
        """Return what every bead receives."""
        vectors = parts[1]
        sent = edges.source(vectors.contiguous())
        direction = math.sqrt(1 / 2) * handedness(edges) * edges.harmonics[:, 1:]
        first, second, third = sent.unbind(dim=-2)
        x, y, z = edges.grid(direction)[..., None].unbind(dim=-2)
        crossed = [second * z - third * y, third * x - first * z, first * y - second * x]
        messages = weight.unsqueeze(-2) * torch.stack(crossed, dim=-2)
        total = edges.total(messages, len(vectors))
        return [total[:, :1, :0], total]


def handedness(edges: EdgeFeatures) -> Tensor:
    """Of the sender of every edge [n_edges, 1].

    Raises
    ------
    ValueError
        If the edges do not know it.
    """
    if edges.chirality is None:
        raise ValueError("a network of chiral molecules needs the chirality of its beads")
    sender = edges.chirality.index_select(0, edges.edge_index[0])
    return sender[:, None].to(edges.harmonics)

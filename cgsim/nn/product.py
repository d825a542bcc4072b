"""What neighbours send: the channel-wise tensor product with the direction of the edge, summed."""

import math
from collections.abc import Sequence

import torch
from e3nn import o3
from torch import Tensor, nn

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.linear import by_order, channels_of, joined


def hidden_irreps(n_channels: int, lmax: int) -> o3.Irreps:
    """``n_channels`` copies of 0e, 1o, 2e, ... up to ``lmax``: parities of spherical harmonics."""
    return o3.Irreps([(n_channels, (order, (-1) ** order)) for order in range(lmax + 1)])


def neighbour_sum(n_channels: int, *, lmax: int) -> "TensorSum | VectorSum":
    """``sum_j w_ij * (x_j (x) Y_ij)``, at the best speed for this order.

    Shapes
    ------
    parts of the hidden irreps (see `cgsim.nn.linear.by_order`), edges (see `EdgeFeatures`), weight
    [*grid, weight_numel] (see `cgsim.nn.graph.incidence`) -> parts of ``irreps_out``
    """
    return VectorSum(n_channels) if lmax == 1 else TensorSum(n_channels, lmax=lmax)


class TensorSum(nn.Module):
    """The sum at any order, by e3nn: ``uvu``, every path that ends in the hidden irreps."""

    def __init__(self, n_channels: int, *, lmax: int) -> None:
        super().__init__()
        hidden = hidden_irreps(n_channels, lmax)
        self.product = channel_product(hidden, hidden)
        self.weight_numel = self.product.weight_numel
        self.irreps_out = self.product.irreps_out.simplify()
        self.n_channels_out = channels_of(self.irreps_out)

    def forward(self, parts: Sequence[Tensor], edges: EdgeFeatures, weight: Tensor) -> list[Tensor]:
        """Return what every bead receives."""
        sent = joined(parts).index_select(0, edges.edge_index[0])
        messages = self.product(sent, edges.harmonics, weight.reshape(-1, self.weight_numel))
        return by_order(edges.total(edges.grid(messages), len(parts[0])), self.n_channels_out)


class VectorSum(nn.Module):
    r"""`TensorSum` of scalars s and vectors v, written out: several times faster.

    Messages are the scalars ``w_0 s``, ``w_3 v . Y_1 / sqrt(3)`` and the vectors ``w_1 s Y_1``,
    ``w_2 v``: ``Y_0`` is one.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.weight_numel = 4 * n_channels
        self.irreps_out = o3.Irreps([(2 * n_channels, "0e"), (2 * n_channels, "1o")])

    def forward(self, parts: Sequence[Tensor], edges: EdgeFeatures, weight: Tensor) -> list[Tensor]:
        """Return what every bead receives."""
        n_beads = len(parts[0])
        scalar, vector = (edges.source(part.contiguous()) for part in parts)
        direction = edges.grid(edges.harmonics)[..., 1:, None]
        of_scalar, to_vector, of_vector, to_scalar = weight.unsqueeze(-2).chunk(4, dim=-1)
        along = (direction * vector).sum(dim=-2, keepdim=True)
        scalars = [of_scalar * scalar, math.sqrt(1 / 3) * to_scalar * along]
        vectors = [direction * (to_vector * scalar), of_vector * vector]
        return [
            torch.cat([edges.total(message, n_beads) for message in messages], dim=-1)
            for messages in (scalars, vectors)
        ]


def channel_product(node: o3.Irreps, hidden: o3.Irreps) -> o3.TensorProduct:
    """Node features with spherical harmonics to what is hidden: a weight per channel and path."""
    edge = o3.Irreps.spherical_harmonics(hidden.lmax)
    out: list[tuple[int, o3.Irrep]] = []
    instructions = []
    for i, (n_copies, ir_node) in enumerate(node):
        for j, (_, ir_edge) in enumerate(edge):
            for ir_out in ir_node * ir_edge:
                if ir_out in hidden:
                    instructions.append((i, j, len(out), "uvu", True))
                    out.append((n_copies, ir_out))
    order = sorted(range(len(out)), key=lambda path: out[path][1])
    place = {path: rank for rank, path in enumerate(order)}
    return o3.TensorProduct(
        node,
        edge,
        o3.Irreps([out[path] for path in order]),
        [(i, j, place[path], mode, train) for i, j, path, mode, train in instructions],
        internal_weights=False,
        shared_weights=False,
    )

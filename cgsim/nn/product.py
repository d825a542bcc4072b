"""What neighbours send: the channel-wise tensor product with the direction of the edge, summed."""

import math

import torch
from e3nn import o3
from torch import Tensor, nn
from torch_geometric.utils import scatter

from cgsim.nn.edges import EdgeFeatures


def hidden_irreps(n_channels: int, lmax: int) -> o3.Irreps:
    """``n_channels`` copies of 0e, 1o, 2e, ... up to ``lmax``: parities of spherical harmonics."""
    return o3.Irreps([(n_channels, (order, (-1) ** order)) for order in range(lmax + 1)])


def neighbour_sum(n_channels: int, *, lmax: int) -> "TensorSum | VectorSum":
    """``sum_j w_ij * (x_j (x) Y_ij)``, at the best speed for this order.

    Shapes
    ------
    features [n, hidden_irreps.dim], edges (see `EdgeFeatures`), weight [n_edges, weight_numel]
    -> [n, irreps_out.dim]
    """
    return VectorSum(n_channels) if lmax == 1 else TensorSum(n_channels, lmax=lmax)


class TensorSum(nn.Module):
    """The sum at any order, by e3nn: ``uvu``, every path that ends in the hidden irreps."""

    def __init__(self, n_channels: int, *, lmax: int) -> None:
        super().__init__()
        self.product = _product(n_channels, lmax=lmax)
        self.weight_numel = self.product.weight_numel
        self.irreps_out = self.product.irreps_out.simplify()

    def forward(self, features: Tensor, edges: EdgeFeatures, weight: Tensor) -> Tensor:
        """Return what every bead receives."""
        source, destination = edges.edge_index
        messages = self.product(features.index_select(0, source), edges.harmonics, weight)
        return scatter(messages, destination, dim_size=len(features), reduce="sum")


class VectorSum(nn.Module):
    r"""`TensorSum` of scalars s and vectors v, written out: two to three times faster.

    Messages are the scalars ``w_0 s Y_0``, ``w_3 v . Y_1 / sqrt(3)`` and the vectors ``w_1 s Y_1``,
    ``w_2 v Y_0``. Within, vectors lie as [3, n_channels]: the loops run over channels.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.n_channels, self.weight_numel = n_channels, 4 * n_channels
        self.irreps_out = o3.Irreps([(2 * n_channels, "0e"), (2 * n_channels, "1o")])

    def forward(self, features: Tensor, edges: EdgeFeatures, weight: Tensor) -> Tensor:
        """Return what every bead receives."""
        source, destination = edges.edge_index
        messages = self.messages(
            self._by_component(features, 1).index_select(0, source), edges.harmonics, weight
        )
        return self._by_channel(
            scatter(messages, destination, dim_size=len(features), reduce="sum"), 2
        )

    def messages(self, features: Tensor, harmonics: Tensor, weight: Tensor) -> Tensor:
        """Products of the two ends of every edge, all by component."""
        scalar, *vector = features.chunk(4, dim=1)
        one, x, y, z = harmonics.split(1, dim=1)
        of_scalar, to_vector, of_vector, to_scalar = weight.chunk(4, dim=1)
        along = x * vector[0] + y * vector[1] + z * vector[2]
        pushed, carried = to_vector * scalar, of_vector * one
        products = [of_scalar * one * scalar, math.sqrt(1 / 3) * to_scalar * along]
        for direction, component in zip((x, y, z), vector, strict=True):
            products += [direction * pushed, carried * component]
        return torch.cat(products, dim=1)

    def _by_component(self, features: Tensor, n_copies: int) -> Tensor:
        """Vectors from [n_channels, 3] to [3, n_channels]."""
        return self._transposed(features, (n_copies * self.n_channels, 3))

    def _by_channel(self, features: Tensor, n_copies: int) -> Tensor:
        """Vectors from [3, n_channels] to [n_channels, 3]."""
        return self._transposed(features, (3, n_copies * self.n_channels))

    def _transposed(self, features: Tensor, shape: tuple[int, int]) -> Tensor:
        n_vector = shape[0] * shape[1]
        scalar, vector = features.split([features.shape[1] - n_vector, n_vector], dim=1)
        return torch.cat([scalar, vector.unflatten(1, shape).transpose(1, 2).flatten(1)], dim=1)


def _product(n_channels: int, *, lmax: int) -> o3.TensorProduct:
    """A weight per edge, channel and path."""
    node, edge = hidden_irreps(n_channels, lmax), o3.Irreps.spherical_harmonics(lmax)
    out: list[tuple[int, o3.Irrep]] = []
    instructions = []
    for i, (n_copies, ir_node) in enumerate(node):
        for j, (_, ir_edge) in enumerate(edge):
            for ir_out in ir_node * ir_edge:
                if ir_out in node:
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

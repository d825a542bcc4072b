"""The equivariant convolution."""

import torch
from e3nn import o3
from e3nn.nn import Gate
from torch import Tensor, nn
from torch_geometric.utils import scatter

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.mlp import mlp


def hidden_irreps(n_channels: int, lmax: int) -> o3.Irreps:
    """``n_channels`` copies of 0e, 1o, 2e, ... up to ``lmax``: parities of spherical harmonics."""
    return o3.Irreps([(n_channels, (order, (-1) ** order)) for order in range(lmax + 1)])


def channelwise_product(node: o3.Irreps, edge: o3.Irreps) -> o3.TensorProduct:
    """Tensor product that keeps channels apart (``uvu``): a weight per edge, channel and path."""
    out: list[tuple[int, o3.Irrep]] = []
    instructions = []
    for i, (n_channels, ir_node) in enumerate(node):
        for j, (_, ir_edge) in enumerate(edge):
            for ir_out in ir_node * ir_edge:
                if ir_out in node:
                    instructions.append((i, j, len(out), "uvu", True))
                    out.append((n_channels, ir_out))
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


class EquivariantConvolution(nn.Module):
    r"""One round of equivariant message passing with a gated residual update.

    ``m_i = N^{-1/2} sum_j  w(e_ij, s_i, s_j) * (x_j (x) Y(r_ij))``,
    ``x_i <- x_i + gate(A x_i + B m_i)``

    with ``(x)`` the channel-wise tensor product, ``Y`` spherical harmonics, ``e_ij`` edge
    invariants and ``s`` the scalar part of ``x``.

    Shapes
    ------
    features [n, irreps.dim], edges (see `EdgeFeatures`) -> [n, irreps.dim]
    """

    def __init__(self, n_channels: int, *, lmax: int, n_edge: int) -> None:
        super().__init__()
        irreps = hidden_irreps(n_channels, lmax)
        scalars = o3.Irreps([(n_channels, "0e")])
        others = irreps[1:]
        gates = o3.Irreps([(n_channels * lmax, "0e")])
        self.n_channels = n_channels
        self.gate = Gate(scalars, [nn.functional.silu], gates, [torch.sigmoid], others)
        self.product = channelwise_product(irreps, o3.Irreps.spherical_harmonics(lmax))
        self.edge = nn.Linear(n_edge, n_channels)
        self.ends = nn.Linear(n_channels, 2 * n_channels)
        self.weight = mlp(n_channels, n_channels, self.product.weight_numel)
        self.from_self = o3.Linear(irreps, self.gate.irreps_in)
        self.from_messages = o3.Linear(self.product.irreps_out.simplify(), self.gate.irreps_in)

    def forward(self, features: Tensor, edges: EdgeFeatures) -> Tensor:
        """Update the features of every bead."""
        source, destination = edges.edge_index
        ends = self.ends(features[:, : self.n_channels])
        ends_source, ends_destination = ends.chunk(2, dim=1)
        invariants = self.edge(edges.attr) + ends_source[source] + ends_destination[destination]
        weight = self.weight(nn.functional.silu(invariants)) * edges.envelope[:, None]
        messages = self.product(features[source], edges.harmonics, weight)
        total = scatter(messages, destination, dim_size=len(features), reduce="sum")
        degree = scatter(edges.envelope, destination, dim_size=len(features), reduce="sum")
        total = total / (1 + degree).sqrt()[:, None]
        return features + self.gate(self.from_self(features) + self.from_messages(total))

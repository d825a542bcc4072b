"""The equivariant convolution."""

import torch
from e3nn import o3
from e3nn.nn import Gate
from torch import Tensor, nn
from torch_geometric.utils import scatter

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.mlp import mlp
from cgsim.nn.product import hidden_irreps, neighbour_sum


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
        self.neighbour_sum = neighbour_sum(n_channels, lmax=lmax)
        self.edge = nn.Linear(n_edge, n_channels)
        self.ends = nn.Linear(n_channels, 2 * n_channels)
        self.weight = mlp(n_channels, n_channels, self.neighbour_sum.weight_numel)
        self.from_self = o3.Linear(irreps, self.gate.irreps_in)
        self.from_messages = o3.Linear(self.neighbour_sum.irreps_out, self.gate.irreps_in)

    def forward(self, features: Tensor, edges: EdgeFeatures) -> Tensor:
        """Update the features of every bead."""
        source, destination = edges.edge_index
        ends = self.ends(features[:, : self.n_channels])
        ends_source, ends_destination = ends.chunk(2, dim=1)
        invariants = self.edge(edges.attr) + ends_source.index_select(0, source)
        invariants = invariants + ends_destination.index_select(0, destination)
        weight = self.weight(nn.functional.silu(invariants)) * edges.envelope[:, None]
        total = self.neighbour_sum(features, edges, weight)
        degree = scatter(edges.envelope, destination, dim_size=len(features), reduce="sum")
        total = total / (1 + degree).sqrt()[:, None]
        return features + self.gate(self.from_self(features) + self.from_messages(total))

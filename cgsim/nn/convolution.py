"""The equivariant convolution."""

from collections.abc import Sequence

from e3nn import o3
from torch import Tensor, nn

from cgsim.nn.blocks import in_blocks, rows_joined
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.gate import Gate
from cgsim.nn.handedness import ChiralSum
from cgsim.nn.linear import EquivariantLinear
from cgsim.nn.mlp import mlp
from cgsim.nn.native.convolution import applies, convolved
from cgsim.nn.native.learning import learns, learnt
from cgsim.nn.product import hidden_irreps, neighbour_sum


class EquivariantConvolution(nn.Module):
    r"""One round of equivariant message passing with a gated residual update.

    ``m_i = N^{-1/2} sum_j  w(e_ij, s_i, s_j) * (x_j (x) Y(r_ij))``,
    ``x_i <- x_i + gate(A x_i + B m_i)``

    with ``(x)`` the channel-wise tensor product, ``Y`` spherical harmonics, ``e_ij`` edge
    invariants and ``s`` the scalar part of ``x``; of chiral molecules with the products of
    `cgsim.nn.handedness.ChiralSum`.

    Shapes
    ------
    parts of the hidden irreps (see `cgsim.nn.linear.by_order`), edges (see `EdgeFeatures`) -> the
    same
    """

    def __init__(self, n_channels: int, *, lmax: int, n_edge: int, chiral: bool = False) -> None:
        super().__init__()
        self.n_channels, self.lmax, self.chiral = n_channels, lmax, chiral
        irreps = hidden_irreps(n_channels, lmax)
        with_gates = o3.Irreps([((lmax + 1) * n_channels, "0e"), *irreps[1:]])
        self.gate = Gate(n_channels)
        self.neighbour_sum = (ChiralSum if chiral else neighbour_sum)(n_channels, lmax=lmax)
        self.edge = nn.Linear(n_edge, n_channels)
        self.ends = nn.Linear(n_channels, 2 * n_channels)
        self.weight = mlp(n_channels, n_channels, self.neighbour_sum.weight_numel)
        self.from_self = EquivariantLinear(irreps, with_gates)
        self.from_messages = EquivariantLinear(self.neighbour_sum.irreps_out, with_gates)

    def forward(self, parts: Sequence[Tensor], edges: EdgeFeatures) -> list[Tensor]:
        """Update the features of every bead, by the fastest way there is for it."""
        if applies(self, parts, edges):
            return convolved(self, parts, edges.unpaired())
        parts = [part.contiguous() for part in parts]
        if learns(self, parts, edges):
            return learnt(self, parts, edges)
        edges = edges.unpaired()
        ends = self.ends(parts[0][:, 0])
        own = self.from_self(parts)
        received = self.from_messages(self.received(parts, ends, edges))
        gated = self.gate([a + b for a, b in zip(own, received, strict=True)])
        return [part + change for part, change in zip(parts, gated, strict=True)]

    def received(self, parts: Sequence[Tensor], ends: Tensor, edges: EdgeFeatures) -> list[Tensor]:
        """What arrives at every bead."""
        blocks = [self.messages(parts, ends, block) for block in in_blocks(edges, len(ends))]
        return blocks[0] if len(blocks) == 1 else rows_joined(blocks)

    def messages(self, parts: Sequence[Tensor], ends: Tensor, edges: EdgeFeatures) -> list[Tensor]:
        """What arrives over some edges at the beads that they lead to."""
        total = self.neighbour_sum(parts, edges, self.edge_weight(ends, edges))
        degree = edges.total(edges.grid(edges.envelope), len(ends))
        norm = (1 + degree).rsqrt()[:, None, None]
        return [part * norm for part in total]

    def edge_weight(self, ends: Tensor, edges: EdgeFeatures) -> Tensor:
        """Weights of every edge, channel and path [*grid, weight_numel]."""
        at_source, at_destination = ends.chunk(2, dim=1)
        invariants = edges.grid(self.edge(edges.attr)) + edges.source(at_source)
        invariants = invariants + edges.destination(at_destination)
        weight = self.weight(nn.functional.silu(invariants))
        return weight * edges.grid(edges.envelope)[..., None]

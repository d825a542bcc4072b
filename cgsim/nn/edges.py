"""What an edge of the bead graph says: invariants, direction and how much it counts."""

from dataclasses import dataclass

import torch
from e3nn import o3
from torch import Tensor, nn

from cgsim.config import GraphConfig
from cgsim.nn.neighbours import BeadGraph
from cgsim.nn.radial import GaussianBasis, polynomial_envelope


@dataclass(frozen=True)
class EdgeFeatures:
    """Features of every edge.

    Attributes
    ----------
    attr : [n_edges, n_edge]
        Invariants: distance, its radial basis, separation along the bonds (one-hot), products of
        the two ends.
    harmonics : [n_edges, (lmax + 1)^2]
        Spherical harmonics of the direction.
    envelope : [n_edges]
        1 for topological pairs, a smooth step to zero at the cutoff for all others.
    edge_index : [2, n_edges]
        Source and destination.
    """

    attr: Tensor
    harmonics: Tensor
    envelope: Tensor
    edge_index: Tensor


class EdgeGeometry(nn.Module):
    r"""From edge vectors (in mean bond lengths) to `EdgeFeatures`.

    ``e_ij = (r, basis(r), hop, z_i z_j)`` with ``z = W h + b``, of scalars ``h`` of the beads. The
    products are what lets a network that has seen like attract like say what unlike ones do (as
    ``eps_ij = sqrt(eps_i eps_j)``).

    Topological pairs have no cutoff and see the distance itself, so that a bond stretched beyond
    anything in the training data still pulls.

    Shapes
    ------
    vector [n_edges, 3], graph, scalars [n, n_scalars] -> attr [n_edges, n_edge],
    harmonics [n_edges, (lmax + 1)^2], envelope [n_edges]
    """

    cutoff: Tensor

    def __init__(self, config: GraphConfig, *, lmax: int, n_scalars: int) -> None:
        super().__init__()
        self.n_hops = config.n_hops
        self.n_edge = config.n_radial + config.n_hops + 2 + config.n_pair
        self.register_buffer("cutoff", torch.tensor(config.cutoff), persistent=False)
        self.basis = GaussianBasis(config.cutoff, n_radial=config.n_radial)
        irreps = o3.Irreps.spherical_harmonics(lmax)
        self.harmonics = o3.SphericalHarmonics(irreps, normalize=True, normalization="component")
        self.kind = nn.Linear(n_scalars, config.n_pair) if config.n_pair else None

    def forward(self, vector: Tensor, graph: BeadGraph, scalars: Tensor) -> EdgeFeatures:
        """Describe every edge."""
        distance = vector.norm(dim=1)
        hop = nn.functional.one_hot(graph.hop, self.n_hops + 1).to(distance)
        attr = [distance[:, None], self.basis(distance), hop]
        if self.kind is not None:
            source, destination = graph.edge_index
            kind = self.kind(scalars)
            attr.append(kind.index_select(0, source) * kind.index_select(0, destination))
        near = polynomial_envelope(distance, self.cutoff)
        envelope = torch.where(graph.hop > 0, torch.ones_like(near), near)
        harmonics = self.harmonics(vector)
        return EdgeFeatures(torch.cat(attr, dim=1), harmonics, envelope, graph.edge_index)

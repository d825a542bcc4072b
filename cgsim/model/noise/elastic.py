"""The elastic-network distribution: stiff along the bonds, soft across them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cgsim.model.noise.correlated import PairField
from cgsim.model.noise.gaussian import Noise
from cgsim.model.noise.heads import BeadPrecision, PairPrecision
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.random import randn_like


@dataclass(frozen=True)
class ElasticGaussian(PairField):
    r"""A Gaussian whose precision is the Hessian of an elastic network on the bead graph.

    ``P = diag(d_i) + sum_{i<j} B_ij (delta_i - delta_j)(delta_i - delta_j)^T`` with the 3 x 3
    blocks ``B_ij = w_ij 1 + k_ij n_ij n_ij^T``, ``n_ij`` the direction of the pair: two beads may
    be free to turn about each other and yet keep their distance. Equivariant because ``n_ij`` turns
    with the molecule (anisotropic network model: Atilgan et al., Biophys. J. 80, 505, 2001).

    Attributes
    ----------
    stiffness : [n_pairs]
        ``k_ij > 0``.
    direction : [n_pairs, 3]
        Unit vectors ``n_ij``.
    """

    n_alike = 1

    stiffness: Tensor
    direction: Tensor

    def pull(self, stretch: Tensor) -> Tensor:
        """``B_ij (v_i - v_j)`` [n_pairs, 3]."""
        along = (stretch * self.direction).sum(dim=1, keepdim=True) * self.direction
        return self.weight[:, None] * stretch + self.stiffness[:, None] * along

    def random_pull(self, generator: torch.Generator | None) -> Tensor:
        """``w_ij^(1/2) z_ij + k_ij^(1/2) n_ij z'_ij`` [n_pairs, 3]."""
        across = self.weight.sqrt()[:, None] * randn_like(self.direction, generator)
        along = self.stiffness.sqrt() * randn_like(self.stiffness, generator)
        return across + along[:, None] * self.direction

    def strength(self) -> Tensor:
        """``w_ij + k_ij / 3`` [n_pairs]."""
        return self.weight + self.stiffness / 3

    def precision(self) -> Tensor:
        """See `GaussianField`, [n_graphs, 3 width, 3 width]."""
        width, (first, second) = self.layout.width, self.layout.slot[self.pairs]
        one = torch.eye(3, dtype=torch.float64, device=self.mean.device)
        direction = self.direction.double()
        along = direction[:, :, None] * direction[:, None, :]
        block = self.weight.double()[:, None, None] * one
        block = block + self.stiffness.double()[:, None, None] * along
        place = torch.cat([first * width + second % width, second * width + first % width])
        pull = block.new_zeros(self.n_graphs * width**2, 3, 3)
        pull = pull.index_add(0, place, torch.cat([block, block]))
        pull = pull.view(self.n_graphs, width, width, 3, 3)
        alone = self.layout.padded(self.diagonal.double(), fill=1.0)[:, :, None, None] * one
        own = (alone + pull.sum(dim=2)).permute(0, 2, 3, 1)
        matrix = torch.diag_embed(own).permute(0, 3, 1, 4, 2) - pull.transpose(2, 3)
        return matrix.reshape(self.n_graphs, 3 * width, 3 * width)


class ElasticNoise(Noise):
    """A precision per bead, and per pair a coupling across and a stiffness along it."""

    def __init__(self, n_channels: int, *, n_edge: int) -> None:
        super().__init__(n_channels, n_edge=n_edge)
        self.bead = BeadPrecision(n_channels)
        self.pair = PairPrecision(n_channels, n_edge=n_edge, n_values=2)

    def forward(
        self,
        mean: Tensor,
        scalars: Tensor,
        vector: Tensor,
        *,
        edges: EdgeFeatures,
        graph: BeadGraph,
    ) -> ElasticGaussian:
        """See `Noise`."""
        diagonal = self.bead(scalars)
        once, values = self.pair(scalars, edges, graph)
        return ElasticGaussian(
            mean,
            diagonal,
            graph.batch,
            graph.n_graphs,
            values[:, 0],
            graph.pairs,
            values[:, 1],
            nn.functional.normalize(vector[once], dim=1),
            known_layout=graph.layout,
        )

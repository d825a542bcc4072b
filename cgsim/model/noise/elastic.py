"""The elastic-network distribution: stiff along the bonds, soft across them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cgsim.model.noise.correlated import PairField
from cgsim.nn.random import randn_like

DENSE_SOLVE_LIMIT = 100  # beads of one system up to which a dense factorisation is used


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

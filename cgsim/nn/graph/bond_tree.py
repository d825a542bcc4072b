"""What a tree of bonds says of its beads: positions from bond vectors."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from cgsim.nn.graph.layout import Layout

SMALLEST = 1e-8  # mode, of the largest eigenvalue; a chain of 300 beads has one of 3e-5


class BondModes(NamedTuple):
    """What inverts differences along bonds.

    Attributes
    ----------
    inverse : [n_graphs, width, width]
        Pseudo-inverse of the Laplacian of the bonds.
    means : [n_graphs, width, width]
        What bonds do not see: takes the mean over every molecule.
    """

    inverse: Tensor
    means: Tensor

    @classmethod
    def of(cls, bonds: Tensor, layout: Layout) -> Self:
        """Of bonds [2, n_bonds], each in both directions; float64."""
        laplacian = _laplacian(bonds, layout)
        inverse = torch.linalg.pinv(laplacian, hermitian=True, rtol=SMALLEST)
        one = torch.eye(layout.width, dtype=laplacian.dtype, device=laplacian.device)
        return cls(inverse, one - inverse @ laplacian)

    def to(self, like: Tensor) -> Self:
        """The same on the device and in the type of a tensor."""
        return type(self)(self.inverse.to(like), self.means.to(like))


def _laplacian(bonds: Tensor, layout: Layout) -> Tensor:
    """Of every system [n_graphs, width, width], float64."""
    n_graphs, width = len(layout.counts), layout.width
    source, destination = layout.slot[bonds]
    joined = torch.zeros(n_graphs * width * width, dtype=torch.float64, device=bonds.device)
    joined = joined.index_add(0, destination * width + source % width, joined.new_ones(len(source)))
    joined = joined.view(n_graphs, width, width)
    return torch.diag_embed(joined.sum(dim=2)) - joined

"""Without the atom graph: a bead is the number of its atoms of each type."""

import torch
from torch import Tensor

from cgsim.config import EmbeddingConfig
from cgsim.model.embedding import EmbeddingNetwork
from cgsim.nn.mlp import mlp


class CompositionEmbedding(EmbeddingNetwork):
    r"""Invariant embedding of every bead from the types of its atoms; bonds are not looked at.

    ``h_I = MLP(n_I / |I|, log |I|)`` with ``n_I`` the number of atoms of each type in bead ``I``.
    Of the configuration only ``n_channels`` has a meaning.

    Shapes
    ------
    atom_type [n_kinds] (integers), atom_edge_index [2, n_edges] (ignored), atom_kind [n_atoms],
    bead_index [n_atoms] -> [n_beads, n_channels]
    """

    def __init__(self, n_types: int, config: EmbeddingConfig) -> None:
        super().__init__(n_types, config)
        self.n_types = n_types
        self.network = mlp(n_types + 1, config.n_channels, config.n_channels)

    def forward(
        self, atom_type: Tensor, *, atom_edge_index: Tensor, atom_kind: Tensor, bead_index: Tensor
    ) -> Tensor:
        """Embed every bead."""
        n_beads = int(bead_index.max()) + 1  # every bead holds an atom
        cell = bead_index * self.n_types + atom_type[atom_kind]
        counts = torch.bincount(cell, minlength=n_beads * self.n_types).view(n_beads, -1)
        counts = counts.to(next(self.parameters()))
        size = counts.sum(dim=1, keepdim=True)
        return self.network(torch.cat([counts / size, size.log()], dim=1))

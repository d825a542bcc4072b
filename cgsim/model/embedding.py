"""EMBED: message passing over the bonded atom graph, pooled onto beads.

No coordinates: computed once per molecule.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from cgsim.config import EmbeddingConfig
from cgsim.nn.mlp import mlp


class EmbeddingNetwork(nn.Module, ABC):
    """What stands for EMBED in a simulator: a network from atoms and bonds to numbers of beads.

    Attributes
    ----------
    Config
        Of its settings: `cgsim.config.EmbeddingConfig`, or a dataclass that inherits from it.
    """

    Config: ClassVar[type[EmbeddingConfig]] = EmbeddingConfig

    def __init__(self, n_types: int, config: EmbeddingConfig) -> None:
        super().__init__()

    @abstractmethod
    def forward(
        self, atom_type: Tensor, *, atom_edge_index: Tensor, atom_kind: Tensor, bead_index: Tensor
    ) -> Tensor:
        """Embed every bead [n_beads, config.n_channels]; see `GraphEmbedding` for the shapes."""


class GraphEmbedding(EmbeddingNetwork):
    r"""Invariant embedding of every bead from the types and bonds of its atoms.

    ``a_i <- a_i + MLP(a_i, sum_{j bonded to i} a_j)``,  ``h_I = MLP(mean_{i in I} a_i, log |I|)``

    Shapes
    ------
    atom_type [n_kinds] (integers), atom_edge_index [2, n_edges], of kinds of atoms (see
    `cgsim.data.atom_kinds`), atom_kind [n_atoms], bead_index [n_atoms] -> [n_beads, n_channels]
    """

    def __init__(self, n_types: int, config: EmbeddingConfig) -> None:
        super().__init__(n_types, config)
        width = config.n_channels
        self.types = nn.Embedding(n_types, width)
        self.updates = nn.ModuleList(mlp(2 * width, width, width) for _ in range(config.n_layers))
        self.pool = mlp(width + 1, width, width)

    def forward(
        self, atom_type: Tensor, *, atom_edge_index: Tensor, atom_kind: Tensor, bead_index: Tensor
    ) -> Tensor:
        """Embed every bead."""
        atoms = self.types(atom_type)
        source, destination = atom_edge_index
        for update in self.updates:
            bonded = scatter(
                atoms.index_select(0, source), destination, dim_size=len(atoms), reduce="sum"
            )
            atoms = atoms + update(torch.cat([atoms, bonded], dim=1))
        n_beads = int(bead_index.max()) + 1  # every bead holds an atom
        members = atoms.index_select(0, atom_kind)
        beads = scatter(members, bead_index, dim_size=n_beads, reduce="mean")
        size = torch.bincount(bead_index, minlength=n_beads).to(beads.dtype).log()
        return self.pool(torch.cat([beads, size[:, None]], dim=1))

"""Large graphs piece by piece: bounded memory, and faster where pieces fit into the caches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from cgsim.hardware.memory import BUSY_EDGES, CACHED_EDGES
from cgsim.nn.edges import EdgeFeatures


@dataclass(frozen=True)
class EdgeBlock(EdgeFeatures):
    """All edges into a range of beads; they start anywhere.

    Attributes
    ----------
    first
        The first of these beads.
    n_into
        How many they are.
    """

    first: int = 0
    n_into: int = 0

    def total(self, values: Tensor, n_beads: int) -> Tensor:
        """Sum over the edges into every bead of the range [n_into, ...]."""
        into = self.edge_index[1] - self.first
        return values.new_zeros(self.n_into, *values.shape[1:]).index_add(0, into, values)


def in_blocks(edges: EdgeFeatures, n_beads: int) -> list[EdgeFeatures]:
    """The edges of a large graph in pieces, where no gradient is wanted; others as they are.

    With gradients, all that is computed on edges is kept for them anyway.
    """
    most = BUSY_EDGES if edges.envelope.is_cuda else CACHED_EDGES
    if edges.width or edges.slots or torch.is_grad_enabled() or len(edges.envelope) <= 2 * most:
        return [edges]
    return list(blocks_of(edges, n_beads, most=most))


def blocks_of(edges: EdgeFeatures, n_beads: int, *, most: int) -> Iterator[EdgeBlock]:
    """The edges, cut between two destinations about every ``most`` edges."""
    destination = edges.edge_index[1]
    bead = torch.arange(n_beads + 1, device=destination.device)
    start = torch.searchsorted(destination, bead)  # first edge into each bead
    wanted = torch.arange(0, len(destination), most, device=destination.device)
    first_bead = torch.searchsorted(start, wanted).unique()
    bounds = sorted({0, n_beads, *first_bead.tolist()})
    edge_bounds = start[bounds].tolist()
    for beads, rows in zip(pairwise(bounds), pairwise(edge_bounds), strict=True):
        own = slice(*rows)
        yield EdgeBlock(
            attr=edges.attr[own],
            harmonics=edges.harmonics[own],
            envelope=edges.envelope[own],
            edge_index=edges.edge_index[:, own],
            chirality=edges.chirality,
            first=beads[0],
            n_into=beads[1] - beads[0],
        )


def rows_joined(blocks: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Parts of all beads, of parts of each block."""
    return [torch.cat(own) for own in zip(*blocks, strict=True)]

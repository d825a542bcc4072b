"""The messages of a convolution, in one pass over the edges.

Operation by operation, a convolution writes and reads back some twenty numbers per edge and channel
for every one that arrives at a bead: it waits for memory. Here every edge is computed where it is
used, by `messages.hpp`. It is a matter of speed alone: the formulas are those of
`cgsim.nn.convolution.EquivariantConvolution`, to rounding.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from cgsim.hardware.threads import EDGES_PER_THREAD
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.native.kernels import (
    CHANNELS,
    MOST_INVARIANTS,
    can_run,
    in_shares,
    run,
    transposed,
)


class Convolution(Protocol):
    """What is used of an `EquivariantConvolution`."""

    edge: nn.Linear
    weight: nn.Sequential
    n_channels: int
    lmax: int
    chiral: bool


def applies(convolution: Convolution, ends: Tensor, edges: EdgeFeatures) -> bool:
    """Whether `sum_messages` can take the place of the operations one by one.

    Where `can_run` says so, and only for scalars and vectors.
    """
    return (
        can_run(ends)
        and convolution.lmax == 1
        and convolution.n_channels in CHANNELS
        and edges.attr.shape[1] <= MOST_INVARIANTS
    )


def sum_messages(
    convolution: Convolution, parts: Sequence[Tensor], ends: Tensor, edges: EdgeFeatures
) -> list[Tensor]:
    """What arrives at every bead: `EquivariantConvolution.messages` of all edges.

    Parameters
    ----------
    parts
        Scalars [n, 1, n_channels] and vectors [n, 3, n_channels].
    ends : [n, 2 n_channels]
        What every bead adds to the invariants of edges from it and to it.
    edges
        Sorted by destination.

    Returns
    -------
    Scalars [n, 1, 2 n_channels] and vectors [n, 3, 2 n_channels], of chiral molecules 3 n_channels.
    """
    n_beads, n_channels, chiral = len(ends), convolution.n_channels, convolution.chiral
    hidden, of_paths = convolution.weight[0], convolution.weight[2]
    source, destination = edges.edge_index
    received = [
        ends.new_empty(n_beads, 1, 2 * n_channels),
        ends.new_empty(n_beads, 3, (3 if chiral else 2) * n_channels),
    ]
    start = torch.searchsorted(destination.contiguous(), torch.arange(n_beads + 1))
    arrays = [
        *(start, source, edges.attr, edges.harmonics, edges.envelope),
        edges.chirality.to(ends.dtype) if chiral and edges.chirality is not None else None,
        *(*parts, ends),
        *(term for layer in (convolution.edge, hidden, of_paths) for term in transposed(layer)),
        *received,
    ]
    arrays = [None if array is None else array.contiguous() for array in arrays]

    def between(beads: tuple[int, int]) -> None:
        run("messages", (n_channels, edges.attr.shape[1], *beads), arrays)

    in_shares(_bounds(start), between)
    return received


def _bounds(start: Tensor) -> list[int]:
    """Where the share of one thread ends and the next begins, in beads, of equally many edges."""
    n_edges, n_beads = int(start[-1]), len(start) - 1
    n_threads = min(torch.get_num_threads(), max(1, n_edges // EDGES_PER_THREAD))
    cuts = torch.arange(1, n_threads) * (n_edges // n_threads)
    return sorted({0, n_beads, *torch.searchsorted(start, cuts).tolist()})

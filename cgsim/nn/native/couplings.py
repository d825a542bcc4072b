"""The network of all pairs of beads that noise couples, in one pass over the pairs."""

import torch
from torch import Tensor, nn

from cgsim.hardware.threads import EDGES_PER_THREAD
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.native.kernels import (
    CHANNELS,
    MOST_INVARIANTS,
    can_run,
    even_bounds,
    in_shares,
    run,
)


def applies(scalars: Tensor, edges: EdgeFeatures) -> bool:
    """Whether `of_pairs` can take the place of the operations one by one."""
    n_channels, n_attr = scalars.shape[1], edges.attr.shape[1]
    return can_run(scalars) and n_channels in CHANNELS and n_attr <= MOST_INVARIANTS


def of_pairs(
    network: nn.Sequential, scalars: Tensor, edges: EdgeFeatures, once: Tensor
) -> Tensor:
    """``MLP(s_i + s_j, s_i * s_j, e_ij)`` of the edges that hold every pair once, to rounding.

    Parameters
    ----------
    network
        Two layers, the hidden one as wide as ``scalars``.
    scalars : [n, n_channels]
    once : [n_pairs]
        Which edges.

    Returns
    -------
    [n_pairs, n_values]
    """
    first, last = network[0], network[2]
    n_channels, n_attr = scalars.shape[1], edges.attr.shape[1]
    # Of the sum of two beads each can be told alone, before there are pairs.
    ends = scalars @ first.weight[:, :n_channels].t()
    of_pair = first.weight[:, n_channels:].t().contiguous()
    source, destination = edges.edge_index
    out = scalars.new_empty(len(once), len(last.bias))
    arrays = [
        *(once, source, destination, scalars, ends, edges.attr),
        *(of_pair, first.bias, last.weight, last.bias, out),
    ]
    arrays = [array.contiguous() for array in arrays]

    def between(pairs: tuple[int, int]) -> None:
        run("couplings", (n_channels, n_attr, out.shape[1], *pairs), arrays)

    in_shares(even_bounds(len(once), per_thread=2 * EDGES_PER_THREAD), between)
    return out

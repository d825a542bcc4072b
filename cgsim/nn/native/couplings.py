"""The network of all pairs of beads that noise couples, in one pass over the pairs."""

from typing import cast

from torch import Tensor, nn

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.native.kernels import CHANNELS, MOST_INVARIANTS, can_run, even_bounds, packed, run

PAIRS_PER_SHARE = 600  # some 50 microseconds


def applies(scalars: Tensor, edges: EdgeFeatures) -> bool:
    """Whether `of_pairs` can take the place of the operations one by one."""
    n_channels, n_attr = scalars.shape[1], edges.attr.shape[1]
    return can_run(scalars) and n_channels in CHANNELS and n_attr <= MOST_INVARIANTS


def of_pairs(network: nn.Sequential, scalars: Tensor, edges: EdgeFeatures, once: Tensor) -> Tensor:
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
    first, last = cast(nn.Linear, network[0]), cast(nn.Linear, network[2])
    n_channels, n_attr = scalars.shape[1], edges.attr.shape[1]
    # Of the sum of two beads each can be told alone, before there are pairs.
    of_end, of_pair = packed(network, lambda: _halves(first.weight, n_channels))
    ends = scalars @ of_end
    source, destination = edges.edge_index
    out = scalars.new_empty(len(once), len(last.bias))
    arrays = [
        *(once, source, destination, scalars, ends, edges.attr),
        *(of_pair, first.bias, last.weight, last.bias, out),
    ]
    arrays = [array.contiguous() for array in arrays]

    bounds = even_bounds(len(once), per_share=PAIRS_PER_SHARE)
    run("couplings", bounds, (n_channels, n_attr, out.shape[1]), arrays)
    return out


def _halves(weight: Tensor, n_channels: int) -> list[Tensor]:
    """What a layer makes of one bead, and of a pair."""
    return [part.t().contiguous() for part in (weight[:, :n_channels], weight[:, n_channels:])]

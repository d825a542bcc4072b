"""A convolution in one pass over the beads and the edges into them.

Operation by operation, a convolution writes and reads back some twenty numbers per edge and channel
for every one that arrives at a bead: it waits for memory. Here every edge is computed where it is
used, by `convolution.hpp`. It is a matter of speed alone: the formulas are those of
`cgsim.nn.convolution.EquivariantConvolution`, to rounding.
"""

from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.gate import Gate
from cgsim.nn.linear import EquivariantLinear
from cgsim.nn.native.kernels import (
    CHANNELS,
    MOST_INVARIANTS,
    bounds_by_weight,
    can_run,
    packed,
    run,
    transposed,
)

EDGES_PER_SHARE = 300  # some 50 microseconds


class Convolution(Protocol):
    """What is used of an `EquivariantConvolution`."""

    edge: nn.Linear
    ends: nn.Linear
    weight: nn.Sequential
    from_self: EquivariantLinear
    from_messages: EquivariantLinear
    gate: Gate
    n_channels: int
    lmax: int
    chiral: bool


def applies(convolution: Convolution, parts: Sequence[Tensor], edges: EdgeFeatures) -> bool:
    """Whether `convolved` can take the place of the operations one by one.

    Where `can_run` says so, and only for scalars and vectors.
    """
    return (
        can_run(parts[0])
        and has_kernel(convolution)
        and edges.attr.shape[1] <= MOST_INVARIANTS
        and not (convolution.chiral and edges.chirality is None)
    )


def has_kernel(convolution: Convolution) -> bool:
    """Whether there is a kernel for so many channels and orders."""
    return convolution.lmax == 1 and convolution.n_channels in CHANNELS


def convolved(
    convolution: Convolution, parts: Sequence[Tensor], edges: EdgeFeatures
) -> list[Tensor]:
    """`EquivariantConvolution.forward`, to rounding.

    Parameters
    ----------
    parts
        Scalars [n, 1, n_channels] and vectors [n, 3, n_channels].
    edges
        Sorted by destination.

    Returns
    -------
    As ``parts``.
    """
    ends, gate = convolution.ends(parts[0][:, 0]), convolution.gate
    source, destination = edges.edge_index
    start = torch.searchsorted(destination.contiguous(), torch.arange(len(ends) + 1))
    handedness = edges.chirality.to(ends) if edges.chirality is not None else None
    changed = [torch.empty_like(part, memory_format=torch.contiguous_format) for part in parts]
    arrays = [
        *(start, source, edges.attr, edges.harmonics, edges.envelope),
        handedness if convolution.chiral else None,
        *(*parts, ends),
        *packed(cast(nn.Module, convolution), lambda: _weights(convolution)),
    ]
    kept = [*(None if array is None else array.contiguous() for array in arrays), *changed]

    sizes = (convolution.n_channels, edges.attr.shape[1])
    bounds = bounds_by_weight(start, per_share=EDGES_PER_SHARE)
    run("convolution", bounds, (*sizes, gate.of_silu, gate.of_sigmoid), kept)
    return changed


def _weights(convolution: Convolution) -> list[Tensor]:
    """Layers of an edge, then what is made of a bead and of what arrives, of each order."""
    layers = (convolution.edge, convolution.weight[0], convolution.weight[2])
    own, received = convolution.from_self, convolution.from_messages
    joined = (torch.cat([own.matrix(order), received.matrix(order)]) for order in range(2))
    return [*(term for layer in layers for term in transposed(layer)), *joined]

"""Features of every edge, in one pass over the edges."""

from typing import Protocol

import torch
from torch import Tensor

from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.native.kernels import MOST_INVARIANTS, can_run, even_bounds, run
from cgsim.nn.radial import GaussianBasis

EDGES_PER_SHARE = 1500  # some 50 microseconds


class Geometry(Protocol):
    """What is used of a `cgsim.nn.edges.EdgeGeometry`."""

    n_hop_classes: int
    n_references: int
    ideal_distance: bool
    n_edge: int
    lmax: int
    basis: GaussianBasis
    cutoff: Tensor


def applies(geometry: Geometry, vector: Tensor) -> bool:
    """Whether `described` can take the place of the operations one by one."""
    return can_run(vector) and geometry.lmax == 1 and geometry.n_edge <= MOST_INVARIANTS


def described(
    geometry: Geometry,
    vector: Tensor,
    graph: BeadGraph,
    *,
    kind: Tensor | None,
    before: Tensor | None,
    seen: Tensor | None,
    stretch: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """What `cgsim.nn.edges.EdgeGeometry` says of edges, to rounding.

    Parameters
    ----------
    vector : [n_edges, 3]
    kind : [n, n_pair] or None
        Of which products are invariants.
    before : [n_edges, 3] or None
        The edges in an earlier frame.
    seen : [n] or None
        Factor of what is said of the earlier frame, per bead.

    Returns
    -------
    attr [n_edges, n_edge], harmonics [n_edges, 4] and envelope [n_edges].
    """
    basis, (source, destination) = geometry.basis, graph.edge_index
    n_edges, n_radial = len(vector), len(basis.centres)
    out = [vector.new_empty(n_edges, width) for width in (geometry.n_edge, 4, 1)]
    known = graph.reach[:, None] if graph.reach.ndim == 1 else graph.reach
    known = known[:, 0 if geometry.ideal_distance else 1 : 1 + geometry.n_references]
    n_pair = 0 if kind is None else kind.shape[1]
    sizes = (n_radial, geometry.n_hop_classes, n_pair, geometry.n_edge, known.shape[1])
    constants = (1 / basis.width, basis.upper, stretch)
    padded = torch.nn.functional.pad(basis.centres, (0, -n_radial % 8))  # read eight at a time
    arrays = [
        *(vector, graph.hop, source, destination, known, kind, padded, before, seen),
        *out,
    ]
    arrays = [None if array is None else array.contiguous() for array in arrays]

    numbers = (*sizes, *constants)
    run("edges", even_bounds(n_edges, per_share=EDGES_PER_SHARE), numbers, arrays)
    attr, harmonics, envelope = out
    return attr, harmonics, envelope[:, 0]

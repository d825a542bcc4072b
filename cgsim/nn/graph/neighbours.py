"""The bead graph: topological neighbours at any distance, spatial ones under a smooth cutoff."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix, identity
from scipy.sparse.csgraph import shortest_path
from torch import Tensor, nn

from cgsim.nn.graph.bond_tree import BondModes
from cgsim.nn.graph.cell_list import in_image_order, near_pairs
from cgsim.nn.graph.incidence import Incidence
from cgsim.nn.graph.layout import Layout
from cgsim.nn.native.pairs import can_join, joined_pairs

COMPLETE_LIMIT = 16  # beads of one system up to which all pairs are edges, at any distance
DENSE_LIMIT = 300  # beads of one system up to which all pairs are faster than a neighbour list


class Topology(NamedTuple):
    """What is known of pairs of beads from bonds and references, of a batch of systems.

    Attributes
    ----------
    pairs : [2, n_pairs]
        `topological_pairs` or `complete_pairs`, and those near in a reference.
    hop : [n_pairs]
        Bead bonds between the two; one more than the most for those near in a reference.
    reach : [n_pairs] or [n_pairs, 1 + n_references] or None
        `cgsim.mapping.ideal_distances` of the two, and their distances in references, in mean
        bond lengths; 0 where unknown.
    """

    pairs: Tensor
    hop: Tensor
    reach: Tensor | None = None


@dataclass(frozen=True)
class BeadGraph(Incidence):
    """Directed edges of a batch of systems, sorted by destination, then by source.

    Attributes
    ----------
    edge_index : [2, n_edges]
        Source and destination bead of each edge; both directions are present.
    hop : [n_edges]
        Bead bonds between the two: 1 for a bond; 0 for a pair that is only close in space.
    shift : [n_edges, 3]
        Periodic image of the source, nm: ``r = x_source + shift - x_destination``.
    batch : [n]
        System of each bead.
    n_graphs
        Number of systems.
    reach : [n_edges] or [n_edges, 1 + n_references]
        Distance of the two if all atom bonds were ideal springs, in bond lengths; 0 if unknown.
        Behind it, where there are references, the distances in those.
    chirality : [n] or None
        Handedness of each bead, for networks of chiral molecules.
    width, slots
        See `Incidence`.
    """

    edge_index: Tensor
    hop: Tensor
    shift: Tensor
    batch: Tensor
    n_graphs: int
    reach: Tensor
    chirality: Tensor | None = None
    width: int = 0
    slots: int = 0

    def displacement(self, pos: Tensor) -> Tensor:
        """Vectors from destination to source [n_edges, 3], nm."""
        return self.difference(pos) + self.shift

    def difference(self, values: Tensor) -> Tensor:
        """Values of beads [n, ...] at the source less those at the destination [n_edges, ...]."""
        change = self.source(values) - self.destination(values)
        return change.reshape(-1, *values.shape[1:])

    @cached_property
    def once(self) -> Tensor:
        """The edges that hold every pair once [n_pairs]."""
        return (self.edge_index[0] < self.edge_index[1]).nonzero()[:, 0]

    @cached_property
    def pairs(self) -> Tensor:
        """The two beads of every pair [2, n_pairs], each pair once."""
        return self.edge_index[:, self.once]

    @cached_property
    def layout(self) -> Layout:
        """Where the beads are in an array padded to the largest system."""
        return Layout.of(self.batch, self.n_graphs)

    @cached_property
    def bond_modes(self) -> BondModes:
        """Of the bonds of every system."""
        return BondModes.of(self.edge_index[:, self.hop == 1], self.layout)

    def twice(self) -> Self:
        """The batch, and the same systems once more behind it."""
        return replace(
            self,
            edge_index=torch.cat([self.edge_index, self.edge_index + len(self.batch)], dim=1),
            hop=self.hop.repeat(2),
            shift=self.shift.repeat(2, 1),
            batch=torch.cat([self.batch, self.batch + self.n_graphs]),
            n_graphs=2 * self.n_graphs,
            reach=torch.cat([self.reach, self.reach]),
            chirality=None if self.chirality is None else self.chirality.repeat(2),
        )

    def to(self, dtype: torch.dtype) -> "BeadGraph":
        """The same graph in another floating-point type."""
        return replace(self, shift=self.shift.to(dtype), reach=self.reach.to(dtype))


def topological_pairs(
    bonds: np.ndarray, n_beads: int, *, n_hops: int
) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs at most ``n_hops`` bonds apart.

    Parameters
    ----------
    bonds : [2, n_bonds]
        Each bond once.

    Returns
    -------
    Pairs [2, n_pairs] sorted by the second bead, and their separation in bonds [n_pairs].
    """
    adjacency = csr_matrix((np.ones(bonds.shape[1]), tuple(bonds)), shape=(n_beads, n_beads))
    if n_beads <= 4 * DENSE_LIMIT:
        separation = shortest_path(adjacency, directed=False, unweighted=True)
        destination, source = np.nonzero((separation > 0) & (separation <= n_hops))
        return np.stack([source, destination]), separation[destination, source].astype(np.int64)
    return _sparse_pairs(adjacency, n_hops)


def complete_pairs(
    bonds: np.ndarray, n_beads: int, *, n_hops: int
) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs; the separation of those more than ``n_hops`` bonds apart is given as 0.

    The bead graph of a small system is then the same at every step: an edge beyond the cutoff has
    an envelope of zero, which is no edge.

    Returns
    -------
    As `topological_pairs`, of ``n_beads (n_beads - 1)`` pairs.
    """
    separation = np.zeros((n_beads, n_beads), dtype=np.int64)
    (source, destination), hop = topological_pairs(bonds, n_beads, n_hops=n_hops)
    separation[destination, source] = hop
    destination, source = np.nonzero(~np.eye(n_beads, dtype=bool))
    return np.stack([source, destination]), separation[destination, source]


def _sparse_pairs(adjacency: csr_matrix, n_hops: int) -> tuple[np.ndarray, np.ndarray]:
    """Breadth-first rings by sparse products: linear in the number of beads."""
    step = ((adjacency + adjacency.T) > 0).astype(np.int64).tocsr()
    ring = reached = identity(step.shape[0], dtype=np.int64, format="csr")
    separation = csr_matrix(step.shape, dtype=np.int64)
    for hop in range(1, n_hops + 1):
        ring = ((ring @ step) > 0).astype(np.int64)
        ring = (ring - ring.multiply(reached)).tocsr()
        ring.eliminate_zeros()
        reached = reached + ring
        separation = separation + hop * ring
    coo = separation.tocoo()
    order = np.lexsort((coo.col, coo.row))
    return np.stack([coo.col, coo.row])[:, order].astype(np.int64), coo.data[order]


def bead_graph(
    pos: Tensor,
    *,
    cutoff: float,
    topology: Topology,
    batch: Tensor,
    n_graphs: int,
    cell: Tensor | None = None,
    chirality: Tensor | None = None,
) -> BeadGraph:
    """Join the topological pairs with all other pairs closer than the cutoff.

    Where the pairs are complete (see `complete_pairs`) there is nothing to search.

    Parameters
    ----------
    pos : [n, 3]
        Bead positions, nm (unwrapped: topological pairs are taken as they are).
    cutoff
        nm. Every pair within it is found: there is no cap on the number of neighbours.
    topology
        What the bonds say of the pairs of the batch.
    batch : [n]
        System of each bead, sorted.
    cell : [n_graphs, 3, 3]
        Periodic cells, rows are vectors, nm.
    chirality : [n]
        Handedness of each bead, handed on.

    Raises
    ------
    ValueError
        If ``batch`` is not sorted.
    """
    if bool((batch[1:] < batch[:-1]).any()):
        raise ValueError("batch must be sorted: the beads of one system after those of another")
    pairs, hop = topology[:2]
    reach = pos.new_zeros(len(hop)) if topology.reach is None else topology.reach.to(pos)
    counts = torch.bincount(batch, minlength=n_graphs)
    if cell is None and pairs.shape[1] == int((counts * (counts - 1)).sum()):
        if int(counts.min()) == int(counts.max()):
            grid = _grid(hop, reach, batch, n_graphs=n_graphs, apart=pos.new_tensor(2 * cutoff))
            return replace(grid, chirality=chirality)
        shift = pos.new_zeros(pairs.shape[1], 3)
        return BeadGraph(pairs, hop, shift, batch, n_graphs, reach, chirality)
    if cell is None and can_join(pos, int(counts.max())):
        edge_index, which = joined_pairs(pos, pairs, cutoff=cutoff, counts=counts)
        is_known = which >= 0
        has_reach = is_known if reach.ndim == 1 else is_known[:, None]
        return BeadGraph(
            edge_index=edge_index,
            hop=torch.where(is_known, hop[which], 0),
            shift=pos.new_zeros(len(which), 3),
            batch=batch,
            n_graphs=n_graphs,
            reach=torch.where(has_reach, reach[which], 0.0),
            chirality=chirality,
        )
    if cell is None and int(counts.max()) <= DENSE_LIMIT:
        near, shift = _dense_pairs(pos, cutoff, counts)
    else:
        near, shift = _listed_pairs(pos, cutoff, counts, cell)
    image = torch.cat([shift.new_zeros(pairs.shape[1], 3), shift])
    edge_index = torch.cat([pairs, near], dim=1)
    key = edge_index[1] * len(pos) + edge_index[0]
    order = torch.argsort(key, stable=True)
    order = order[~_repeated(key[order], order < pairs.shape[1], image[order])]
    return BeadGraph(
        edge_index=edge_index[:, order],
        hop=torch.cat([hop, hop.new_zeros(near.shape[1])])[order],
        shift=image[order],
        batch=batch,
        n_graphs=n_graphs,
        reach=torch.cat([reach, reach.new_zeros(near.shape[1], *reach.shape[1:])])[order],
        chirality=chirality,
    )


def _repeated(key: Tensor, is_topological: Tensor, shift: Tensor) -> Tensor:
    """Which edges, sorted by pair, are a topological one found again in space [n_edges]."""
    is_first = torch.ones_like(is_topological)
    is_first[1:] = key[1:] != key[:-1]
    of_pair = is_topological[is_first][is_first.cumsum(0) - 1]
    return of_pair & ~is_topological & (shift == 0).all(dim=1)


def _grid(hop: Tensor, reach: Tensor, batch: Tensor, *, n_graphs: int, apart: Tensor) -> BeadGraph:
    """All ordered pairs of equal systems; a bead and itself are ``apart``, beyond the cutoff.

    Parameters
    ----------
    hop, reach : [n_edges]
        Of all pairs of different beads.
    """
    width = len(batch) // n_graphs
    bead = torch.arange(len(batch), device=batch.device).view(n_graphs, width)
    source = bead[:, None, :].expand(n_graphs, width, width)
    destination = bead[:, :, None].expand(n_graphs, width, width)
    same = source == destination
    shift = torch.where(same.reshape(-1, 1), apart, torch.zeros_like(apart))
    return BeadGraph(
        edge_index=torch.stack([source.flatten(), destination.flatten()]),
        hop=_off_diagonal(hop, n_graphs, width),
        shift=nn.functional.pad(shift, (0, 2)),
        batch=batch,
        n_graphs=n_graphs,
        reach=_off_diagonal(reach, n_graphs, width),
        width=width,
    )


def _off_diagonal(values: Tensor, n_graphs: int, width: int) -> Tensor:
    """Values of all pairs of different beads with zeros for a bead and itself between them."""
    more = values.shape[1:]
    grid = values.new_zeros(n_graphs, width * width, *more)
    inner = values.view(n_graphs, -1, width, *more)
    grid[:, 1:].view(n_graphs, -1, width + 1, *more)[:, :, :width] = inner
    return grid.flatten(0, 1)


def ordered_pairs(counts: Tensor) -> Tensor:
    """All ordered pairs of beads of one system [2, n_pairs], for systems of ``counts`` beads."""
    per_bead = torch.repeat_interleave(counts, counts)  # partners of each bead, itself included
    first = torch.repeat_interleave(torch.cumsum(counts, 0) - counts, counts)
    destination = torch.repeat_interleave(
        torch.arange(len(per_bead), device=counts.device), per_bead
    )
    start = torch.cumsum(per_bead, 0) - per_bead
    source = torch.arange(len(destination), device=counts.device) - (start - first)[destination]
    pairs = torch.stack([source, destination])
    return pairs[:, source != destination]


def _dense_pairs(pos: Tensor, cutoff: float, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs within the cutoff, from all pairs: the fast way for small systems without a cell."""
    pairs = ordered_pairs(counts)
    distance = (pos[pairs[0]] - pos[pairs[1]]).norm(dim=1)
    pairs = pairs[:, distance < cutoff]
    return pairs, pos.new_zeros(pairs.shape[1], 3)


def _listed_pairs(
    pos: Tensor, cutoff: float, counts: Tensor, cell: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Pairs within the cutoff from a linear-time neighbour list, system by system."""
    pairs, shifts, start = [], [], 0
    for graph, count in enumerate(counts.tolist()):
        box = None if cell is None else cell[graph].detach().double()
        points = pos[start : start + count].detach().double()
        found, image = near_pairs(points, cutoff, box)
        if box is None:
            shifts.append(pos.new_zeros(found.shape[1], 3))
        else:  # images of one pair, if it has several, in an order of their own
            found, image = in_image_order(found, image)
            along = image[:, :, None] * box
            # Each rounded alike in every list.
            shifts.append((along[:, 0] + along[:, 1] + along[:, 2]).to(pos))
        pairs.append(found + start)
        start += count
    return torch.cat(pairs, dim=1), torch.cat(shifts)

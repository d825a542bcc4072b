"""A bead graph whose number of edges never changes: equally many slots for the edges into a bead.

On a GPU a step should be one recorded sequence of operations, a CUDA graph, and the number of
neighbours differs from step to step. So every bead has the same number of slots, found anew at
every step without asking the device for a number; those that are left over hold the bead itself,
out of reach, which is no edge, as its envelope is zero. Systems of which a bead has more
neighbours than slots are told: their step must be taken another way.

All pairs are looked at, which for systems of up to a few hundred beads costs less than a search
by cells does.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn

from cgsim.nn.graph.layout import Layout
from cgsim.nn.graph.neighbours import BeadGraph, Topology

MOST_BEADS = 512  # of a system whose pairs are all looked at
SPARE = 1.3  # times the most neighbours that were seen
LEAST_SPARE = 4  # slots


@dataclass(frozen=True)
class SlotGraph(BeadGraph):
    """Edges by slots; of those that are left over the last one of every bead is always one.

    Attributes
    ----------
    known_once, known_layout
        `once`, with left-over edges at its end, and `layout`.
    """

    known_once: Tensor | None = None
    known_layout: Layout | None = None

    @property
    def once(self) -> Tensor:
        """The edges that hold every pair once [n_pairs], and some that are left over."""
        if self.known_once is None:
            raise ValueError("a graph by slots was made without its pairs")
        return self.known_once

    @property
    def pairs(self) -> Tensor:
        """The two beads of every pair [2, n_pairs]."""
        return self.edge_index.index_select(1, self.once)

    @property
    def layout(self) -> Layout:
        """Where the beads are in an array padded to the largest system."""
        if self.known_layout is None:
            raise ValueError("a graph by slots was made without its layout")
        return self.known_layout

    def twice(self) -> Self:
        """See `BeadGraph`."""
        other = super().twice()
        once, layout = self.once, self.layout
        return replace(
            other,
            known_once=torch.cat([once, once + len(self.hop)]),
            known_layout=Layout(other.batch, layout.counts.repeat(2), layout.width),
        )


@dataclass(frozen=True)
class SlotTable:
    """What is known of the pairs of equal systems, and how many slots a bead has.

    Attributes
    ----------
    hop : [n_graphs, width, width]
        Bead bonds between destination and source, 0 for pairs that are no topological neighbours.
    reach : [n_graphs, width, width]
        Their ideal distances.
    chirality : [n] or None
        Of every bead.
    layout
        Of the beads.
    cutoff
        nm.
    slots
        Edges into a bead, one that is always left over included.
    """

    hop: Tensor
    reach: Tensor
    chirality: Tensor | None
    layout: Layout
    cutoff: float
    slots: int

    @classmethod
    def of(
        cls,
        pos: Tensor,
        topology: Topology,
        layout: Layout,
        *,
        cutoff: float,
        chirality: Tensor | None = None,
        most_seen: int = 0,
    ) -> "SlotTable":
        """With slots for the neighbours at some positions [n, 3], and some more.

        Parameters
        ----------
        most_seen
            Neighbours of a bead that were seen elsewhere.

        Raises
        ------
        ValueError
            If the systems are of several sizes, or too large.
        """
        n_graphs, width = len(layout.counts), layout.width
        if not layout.is_full or width > MOST_BEADS:
            raise ValueError(f"slots are for equal systems of at most {MOST_BEADS} beads")
        source, destination = topology.pairs
        place = destination * width + source % width
        size = n_graphs * width * width
        hop = topology.hop.new_zeros(size).index_copy(0, place, topology.hop)
        reach = pos.new_zeros(size)
        if topology.reach is not None:
            reach = reach.index_copy(0, place, topology.reach.to(pos))
        shape = (n_graphs, width, width)
        table = cls(hop.view(shape), reach.view(shape), chirality, layout, cutoff, slots=1)
        found = max(most_seen, int(table.near(pos).sum(dim=2).max()))
        most = max(int(SPARE * found), found + LEAST_SPARE)
        return replace(table, slots=min(most, width - 1) + 1)

    def near(self, pos: Tensor) -> Tensor:
        """Which pairs are edges at positions [n, 3]: [n_graphs, width (destination), width]."""
        points = pos.view(len(self.hop), -1, 3)
        apart = (points[:, None] - points[:, :, None]).square().sum(dim=-1)
        own = torch.eye(points.shape[1], dtype=torch.bool, device=pos.device)
        return ((apart < self.cutoff**2) | (self.hop > 0)) & ~own

    def graph_at(self, pos: Tensor) -> tuple[SlotGraph, Tensor]:
        """The bead graph at positions [n, 3], and which systems have too few slots [n_graphs]."""
        near = self.near(pos)
        rank = near.cumsum(dim=2)
        n_graphs, width, _ = near.shape
        bead = torch.arange(width, device=pos.device)
        # What finds no slot goes to the last one, and is put right below.
        slot = torch.where(near & (rank < self.slots), rank - 1, self.slots - 1)
        own = bead[None, :, None].expand(n_graphs, width, self.slots)
        source = own.contiguous().scatter(2, slot, bead[None, None].expand_as(slot))
        number = torch.arange(self.slots, device=pos.device)
        is_edge = (number < rank[:, :, -1:]) & (number < self.slots - 1)
        source = torch.where(is_edge, source, own)
        graph = self._graph(source, is_edge, pos)
        return graph, (rank[:, :, -1] >= self.slots).any(dim=1)

    def _graph(self, source: Tensor, is_edge: Tensor, pos: Tensor) -> SlotGraph:
        """Of the sources of all slots [n_graphs, width, slots]."""
        layout, (n_graphs, width, slots) = self.layout, source.shape
        first = width * torch.arange(n_graphs, device=pos.device)
        bead = torch.arange(n_graphs * width, device=pos.device)
        index = torch.stack(
            [
                (source + first[:, None, None]).flatten(),
                bead[:, None].expand(-1, slots).flatten(),
            ]
        )
        out_of_reach = torch.where(is_edge.flatten(), 0.0, 2 * self.cutoff).to(pos)
        return SlotGraph(
            edge_index=index,
            hop=self.hop.gather(2, source).flatten(),
            shift=nn.functional.pad(out_of_reach[:, None], (0, 2)),
            batch=layout.batch,
            n_graphs=n_graphs,
            reach=self.reach.gather(2, source).flatten(),
            chirality=self.chirality,
            slots=slots,
            known_once=_once(index, is_edge.flatten(), slots),
            known_layout=layout,
        )


def _once(index: Tensor, is_edge: Tensor, slots: int) -> Tensor:
    """Edges from lower to higher beads; the rest of half the slots is one that is left over."""
    is_lower = is_edge & (index[0] < index[1])
    n_edges = len(is_lower)
    n_pairs = n_edges // 2
    rank = is_lower.cumsum(dim=0)
    place = torch.where(is_lower & (rank <= n_pairs), rank - 1, n_pairs)
    left_over = torch.full((n_pairs + 1,), slots - 1, dtype=torch.int64, device=index.device)
    number = torch.arange(n_edges, device=index.device)
    return left_over.scatter(0, place, number)[:n_pairs]

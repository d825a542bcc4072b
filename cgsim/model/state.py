"""The state of a roll-out between two steps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cgsim.nn.graph.layout import Layout
from cgsim.nn.graph.neighbours import BeadGraph, Topology, bead_graph
from cgsim.nn.graph.skin import SkinList
from cgsim.nn.graph.slots import SlotTable


@dataclass(frozen=True)
class State:
    """A batch of systems in a roll-out; every step makes a new one.

    Attributes
    ----------
    pos : [n, k, 3]
        The k last frames, the current one last, nm (float64: systems may diffuse far from the
        origin).
    embedding : [n, n_channels]
        Bead embedding, constant in time.
    mass : [n]
        Da.
    chirality : [n]
        Handedness of each bead, -1, 0 or 1.
    topology
        What the bonds say of pairs of beads.
    layout
        Where the beads are in an array padded to the largest system.
    generator
        Source of all randomness.
    cell : [n_graphs, 3, 3] or None
        Periodic cells, nm.
    fixed_graph
        The bead graph, where it is the same at every step: all pairs of small systems.
    skin_list
        Pairs to look for neighbours among, where that is faster than to search.
    slot_table
        Where every step is to have equally many edges (see `cgsim.nn.graph.slots`).
    """

    pos: Tensor
    embedding: Tensor
    mass: Tensor
    chirality: Tensor
    topology: Topology
    layout: Layout
    generator: torch.Generator
    cell: Tensor | None = None
    fixed_graph: BeadGraph | None = None
    skin_list: SkinList | None = None
    slot_table: SlotTable | None = None

    @property
    def batch(self) -> Tensor:
        """System of each bead [n], sorted."""
        return self.layout.batch

    @property
    def n_graphs(self) -> int:
        """Number of systems."""
        return len(self.layout.counts)

    def edges_at(self, pos: Tensor, *, cutoff: float) -> tuple[BeadGraph, Tensor | None]:
        """The bead graph of a step from centred positions [n, 3].

        By slots, also which systems have too few of them [n_graphs]: their graph lacks edges.
        """
        if self.slot_table is not None:
            return self.slot_table.graph_at(pos)
        return self.graph_at(pos, cutoff=cutoff), None

    def graph_at(self, pos: Tensor, *, cutoff: float) -> BeadGraph:
        """The bead graph at centred positions [n, 3]: a known one, or of the list that holds."""
        if self.fixed_graph is not None:
            return self.fixed_graph
        if self.skin_list is not None and self.skin_list.holds_at(pos):
            return self.skin_list.graph_at(pos)
        return self.search(pos, cutoff=cutoff)

    def search(self, pos: Tensor, *, cutoff: float) -> BeadGraph:
        """The bead graph at centred positions [n, 3], searched for."""
        return bead_graph(
            pos,
            cutoff=cutoff,
            topology=self.topology,
            batch=self.batch,
            n_graphs=self.n_graphs,
            cell=None if self.cell is None else self.cell.to(pos.dtype),
            chirality=self.chirality,
        )


def centred(pos: Tensor, layout: Layout) -> Tensor:
    """History [n, k, 3] with every system's current centre at the origin."""
    total = layout.padded(pos[:, -1]).sum(dim=1)
    centre = total / layout.counts[:, None]
    return pos - centre[layout.batch][:, None]

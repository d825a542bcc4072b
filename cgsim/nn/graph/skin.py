"""A neighbour list with a skin: searched anew only when a bead has moved far."""

from dataclasses import dataclass, replace

from torch import Tensor

from cgsim.nn.graph.neighbours import BeadGraph

WIDEST = 40.0  # root-mean-square displacements of a step; that lasts for a dozen steps
NARROWEST = 16.0  # likewise; less would not last for two
LARGEST_SKIN = 0.5  # of the cutoff; a wider one holds so many pairs that it does not pay


def skin_width(step: float, *, cutoff: float) -> float:
    """Width of the skin for beads of a root-mean-square displacement ``step`` per component.

    Lists found with any skin give the same graphs, so that this is a matter of speed alone.

    Returns
    -------
    In the unit of both; 0 where a step takes beads too far for a skin to pay.
    """
    width = min(WIDEST * step, LARGEST_SKIN * cutoff)
    return width if width >= NARROWEST * step else 0.0


@dataclass(frozen=True)
class SkinList:
    """Pairs within the cutoff and a skin, good until a bead has moved by half the skin.

    No pair can have come within the cutoff unseen before (Verlet, Phys. Rev. 159, 98 (1967)).

    Attributes
    ----------
    candidates
        The bead graph (see `cgsim.nn.graph.neighbours.bead_graph`) with ``cutoff + skin``.
    pos : [n, 3]
        Where it was made, nm.
    cutoff, skin
        nm.
    """

    candidates: BeadGraph
    pos: Tensor
    cutoff: float
    skin: float

    def holds_at(self, pos: Tensor) -> bool:
        """Whether no bead has moved by more than half the skin to here [n, 3]."""
        moved = (pos - self.pos).square().sum(dim=1)
        return bool((moved <= (self.skin / 2) ** 2).all())

    def graph_at(self, pos: Tensor) -> BeadGraph:
        """The bead graph at other positions [n, 3]: that of a new search, edge by edge.

        An edge within rounding of the cutoff may be in one and not in the other; its envelope is
        zero.
        """
        graph = self.candidates
        near = graph.displacement(pos).square().sum(dim=1) < self.cutoff**2
        kept = (near | (graph.hop > 0)).nonzero()[:, 0]
        return replace(
            graph,
            edge_index=graph.edge_index.index_select(1, kept),
            hop=graph.hop.index_select(0, kept),
            shift=graph.shift.index_select(0, kept),
            reach=graph.reach.index_select(0, kept),
        )

"""Values carried from beads to edges and back: by index, or as a grid of equally many per bead."""

from torch import Tensor


class Incidence:
    """Which beads an edge joins.

    Where the edges are all ordered pairs of equal systems, every bead with itself included, a value
    per edge is a grid [n_graphs, width (destination), width (source)], and nothing need be gathered
    or scattered: it is broadcast and summed. Where equally many edges lead into every bead (see
    `cgsim.nn.graph.slots`) it is a grid [n, slots], and nothing need be scattered.

    Attributes
    ----------
    edge_index : [2, n_edges]
        Source and destination, sorted by destination.
    width
        Beads of each system of a grid of all pairs; else 0.
    slots
        Edges into every bead, where they are equally many; else 0.
    """

    edge_index: Tensor
    width: int
    slots: int = 0

    def grid(self, values: Tensor) -> Tensor:
        """Values of the edges [n_edges, ...] as a grid, or as they are."""
        if self.width:
            return values.unflatten(0, (-1, self.width, self.width))
        return values.unflatten(0, (-1, self.slots)) if self.slots else values

    def source(self, values: Tensor) -> Tensor:
        """Values of beads [n, ...] at the source of every edge, to be broadcast over the grid."""
        if self.width:
            return values.unflatten(0, (-1, 1, self.width))
        return self.grid(values.index_select(0, self.edge_index[0]))

    def destination(self, values: Tensor) -> Tensor:
        """Values of beads [n, ...] at the destination of every edge, likewise."""
        if self.width:
            return values.unflatten(0, (-1, self.width, 1))
        if self.slots:
            return values.unsqueeze(1)
        return values.index_select(0, self.edge_index[1])

    def total(self, values: Tensor, n_beads: int) -> Tensor:
        """Sum of a grid, or list, of values over the edges into every bead [n_beads, ...]."""
        if self.width:
            return values.sum(dim=2).flatten(0, 1)
        if self.slots:
            return values.sum(dim=1)
        return values.new_zeros(n_beads, *values.shape[1:]).index_add(0, self.edge_index[1], values)

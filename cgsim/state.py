"""The state of a roll-out between two steps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cgsim.nn.layout import Layout
from cgsim.nn.neighbours import BeadGraph, Topology


@dataclass(frozen=True)
class State:
    """A batch of systems in a roll-out; every step makes a new one.

    Attributes
    ----------
    pos : [n, k, 3]
        The k last frames, the present one last, nm (float64: systems may diffuse far from the
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

    @property
    def batch(self) -> Tensor:
        """System of each bead [n], sorted."""
        return self.layout.batch

    @property
    def n_graphs(self) -> int:
        """Number of systems."""
        return len(self.layout.counts)


def centred(pos: Tensor, layout: Layout) -> Tensor:
    """History [n, k, 3] with every system's present centre at the origin."""
    total = layout.padded(pos[:, -1]).sum(dim=1)
    centre = total / layout.counts[:, None]
    return pos - centre[layout.batch][:, None]

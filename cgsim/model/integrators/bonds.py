r"""Steps that turn bonds and keep the length that they are given.

The distance of two bonded beads hardly changes while the bond turns by tens of degrees, and what
little it changes is what is slow: it tells how the atoms of the two are twisted. A Gaussian of
Cartesian displacements cannot say so. To let a bond of length r turn by ``phi`` it must let it
stretch by ``r (1 - cos phi)``, which is more than bonds of molecules do.

`Turning` reads a displacement ``d`` as a tangent vector at the current frame. With the bond vector
``b``, its length r and direction u, the bond's own part ``delta = d_j - d_i = rho u + t``, t across
u, takes it along a great circle:

    ``b' = (r + rho) (cos(phi) u + sin(phi) t / |t|)``, ``phi = |t| / r``

which is the exponential map of the bond's sphere, and ``b + delta`` to first order. The centre
moves by the mean of d. As the beads form a tree, the bonds and the centre say where all beads are,
and every step can be undone.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.integrators.steps import Steps
from cgsim.model.score.whitening import PrecisionWhitening
from cgsim.nn.graph.bond_tree import BondModes
from cgsim.nn.graph.neighbours import BeadGraph

SHORTEST = 0.1  # of its current length: shorter gets no bond in a step
SMALLEST_TURN = 1e-2  # of 1 + cos, below which opposite directions have no shortest way
MOST_BEADS = 300  # of a molecule that takes turning steps: its matrices are dense


@dataclass(frozen=True)
class Turning(Steps):
    """Bonds turn, and are stretched by what of a displacement is along them; see the module.

    Attributes
    ----------
    pos : [n, 3]
        The current frame, nm.
    graph
        Its edges; those of one hop are the bonds.
    modes
        Of the bonds.
    length : [n_edges, 1]
        Of the edges in the current frame, nm.
    direction : [n_edges, 3]
        Of the edges in the current frame.
    """

    whitening = PrecisionWhitening

    pos: Tensor
    graph: BeadGraph
    modes: BondModes
    length: Tensor
    direction: Tensor

    @classmethod
    def at(cls, pos: Tensor, graph: BeadGraph) -> Self:
        """See `Steps`."""
        return cls(pos, graph, graph.bond_modes.to(pos), *_polar(graph.difference(pos)))

    @classmethod
    def check(cls, trajectory: MappedTrajectory) -> None:
        """See `Steps`: rings, a periodic cell, or more than 300 beads."""
        n_beads, bonds = trajectory.n_beads, np.asarray(trajectory.edge_index)
        shape = (n_beads, n_beads)
        joined = coo_array((np.ones(bonds.shape[1]), tuple(bonds)), shape=shape)
        n_bonds = len(np.unique(np.sort(bonds, axis=0), axis=1).T)
        problem = None
        if n_bonds != n_beads - connected_components(joined, directed=False)[0]:
            problem = "beads that form a ring"
        elif trajectory.cell is not None:
            problem = "a periodic cell"
        elif n_beads > MOST_BEADS:
            problem = f"{n_beads} beads, more than {MOST_BEADS}"
        if problem:
            raise ValueError(
                f"{trajectory.name}: turning steps are not for {problem}; use dynamics.steps "
                "'straight'"
            )

    def exp_map(self, target_pos: Tensor) -> Tensor:
        """See `Steps`."""
        change = self.graph.difference(target_pos - self.pos)
        along = (change * self.direction).sum(dim=1, keepdim=True)
        across = (change - along * self.direction) / self.length
        angle = across.norm(dim=1, keepdim=True)
        turned = angle.cos() * self.direction + torch.sinc(angle / math.pi) * across
        return self._placed(
            (self.length + along).maximum(SHORTEST * self.length) * turned, target_pos
        )

    def log_map(self, end: Tensor) -> Tensor:
        """See `Steps`."""
        length, direction = _polar(self.graph.difference(end))
        cosine = (direction * self.direction).sum(dim=1, keepdim=True)
        across, sine = _unit(direction - cosine * self.direction)
        angle = torch.atan2(sine, cosine)
        change = (length - self.length) * self.direction + self.length * angle * across
        return self.pos + self._placed(change, end - self.pos)

    def transport(self, vectors: Tensor, end: Tensor) -> Tensor:
        """See `Steps`; the part of each bond turns as the bond does (parallel transport)."""
        return self._transported(vectors, self.direction, self._directions(end))

    def transport_back(self, vectors: Tensor, end: Tensor) -> Tensor:
        """See `Steps`."""
        return self._transported(vectors, self._directions(end), self.direction)

    def _directions(self, pos: Tensor) -> Tensor:
        return _unit(self.graph.difference(pos))[0]

    def _transported(self, vectors: Tensor, before: Tensor, after: Tensor) -> Tensor:
        bonds = self.graph.difference(vectors)
        turned = _turned(bonds, before[:, :, None], after[:, :, None])
        return self._placed(turned.flatten(1), vectors.flatten(1)).view_as(vectors)

    def _placed(self, bonds: Tensor, like: Tensor) -> Tensor:
        """Values of beads [n, m] with these differences [n_edges, m], and the means of others."""
        graph, layout = self.graph, self.graph.layout
        is_bond = (graph.hop == 1)[:, None]
        into = graph.total(graph.grid(torch.where(is_bond, bonds, 0.0)), len(like))
        modes = self.modes
        return layout.unpadded(
            modes.means @ layout.padded(like) - modes.inverse @ layout.padded(into)
        )


def _polar(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Length [n, 1] and direction [n, 3]; something harmless of a vector that is zero."""
    direction, length = _unit(vectors)
    return torch.where(length > 0, length, 1.0), direction


def _turned(vectors: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Vectors [n, 3, m], turned as directions [n, 3, 1] are, the shortest way from one to other."""
    both = before + after
    cosine = (before * after).sum(dim=1, keepdim=True)
    along = (vectors * both).sum(dim=1, keepdim=True) / (1 + cosine).clamp(min=SMALLEST_TURN)
    return vectors - along * both + 2 * (vectors * before).sum(dim=1, keepdim=True) * after


def _unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Direction [n, 3], zero where there is none, and length [n, 1]."""
    return nn.functional.normalize(vectors, dim=1), vectors.norm(dim=1, keepdim=True)

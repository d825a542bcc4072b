r"""STEPS: from a displacement to the next positions, straight on or with bonds that turn.

The distance of two bonded beads hardly changes while the bond turns by tens of degrees, and what
little it changes is what is slow: it tells how the atoms of the two are twisted. A Gaussian of
Cartesian displacements cannot say so. To let a bond of length r turn by ``phi`` it must let it
stretch by ``r (1 - cos phi)``, which is more than bonds of molecules do.

`Turning` reads a displacement ``d`` as a tangent vector at the present. With the bond vector ``b``,
its length r and direction u, the bond's own part ``delta = d_j - d_i = rho u + t``, t across u,
takes it along a great circle:

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

from cgsim.data import MappedTrajectory
from cgsim.nn.neighbours import BeadGraph

SHORTEST = 0.1  # of its present length: shorter gets no bond in a step
SMALLEST_TURN = 1e-2  # of 1 + cos, below which opposite directions have no shortest way
SMALLEST_MODE = 1e-8  # of the largest eigenvalue; a chain of 300 beads has one of 3e-5
MOST_BEADS = 300  # of a molecule that takes turning steps: its matrices are dense


@dataclass(frozen=True)
class Straight:
    """Beads go where their displacement points."""

    @classmethod
    def at(cls, pos: Tensor, graph: BeadGraph) -> Self:
        """Steps from the present [n, 3], nm."""
        return cls()

    @classmethod
    def check(cls, trajectory: MappedTrajectory) -> None:
        """Raise a ValueError if these steps cannot be those of a molecule."""

    def bent(self, ahead: Tensor) -> Tensor:
        """Where a step ends [n, 3], nm; ``ahead`` is the present plus the displacement."""
        return ahead

    def straightened(self, end: Tensor) -> Tensor:
        """The inverse of `bent`."""
        return end

    def carried(self, vectors: Tensor, end: Tensor) -> Tensor:
        """Displacements [n, 3, n_vectors] from the present as they are seen at the end [n, 3]."""
        return vectors

    def carried_back(self, vectors: Tensor, end: Tensor) -> Tensor:
        """The inverse of `carried`."""
        return vectors


@dataclass(frozen=True)
class Turning(Straight):
    """Bonds turn, and are stretched by what of a displacement is along them; see the module.

    Attributes
    ----------
    pos : [n, 3]
        The present, nm.
    graph
        Its edges; those of one hop are the bonds.
    inverse : [n_graphs, width, width]
        Pseudo-inverse of the Laplacian of the bonds.
    means : [n_graphs, width, width]
        What bonds do not see: takes the mean over every molecule.
    """

    pos: Tensor
    graph: BeadGraph
    inverse: Tensor
    means: Tensor

    @classmethod
    def at(cls, pos: Tensor, graph: BeadGraph) -> Self:
        """See `Straight`."""
        laplacian = _laplacian(graph)
        inverse = torch.linalg.pinv(laplacian, hermitian=True, rtol=SMALLEST_MODE)
        one = torch.eye(laplacian.shape[1], dtype=laplacian.dtype, device=pos.device)
        return cls(pos, graph, inverse.to(pos), (one - inverse @ laplacian).to(pos))

    @classmethod
    def check(cls, trajectory: MappedTrajectory) -> None:
        """See `Straight`: rings, a periodic cell, or more than 300 beads."""
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

    def bent(self, ahead: Tensor) -> Tensor:
        """See `Straight`."""
        length, direction = _polar(self._bonds(self.pos))
        change = self._bonds(ahead - self.pos)
        along = (change * direction).sum(dim=1, keepdim=True)
        across = (change - along * direction) / length
        angle = across.norm(dim=1, keepdim=True)
        turned = angle.cos() * direction + torch.sinc(angle / math.pi) * across
        return self._placed((length + along).maximum(SHORTEST * length) * turned, ahead)

    def straightened(self, end: Tensor) -> Tensor:
        """See `Straight`."""
        length, direction = _polar(self._bonds(self.pos))
        length_after, after = _polar(self._bonds(end))
        cosine = (after * direction).sum(dim=1, keepdim=True)
        across, sine = _unit(after - cosine * direction)
        angle = torch.atan2(sine, cosine)
        change = (length_after - length) * direction + length * angle * across
        return self.pos + self._placed(change, end - self.pos)

    def carried(self, vectors: Tensor, end: Tensor) -> Tensor:
        """See `Straight`; the part of each bond turns as the bond does (parallel transport)."""
        return self._carried(vectors, self.pos, end)

    def carried_back(self, vectors: Tensor, end: Tensor) -> Tensor:
        """See `Straight`."""
        return self._carried(vectors, end, self.pos)

    def _carried(self, vectors: Tensor, start: Tensor, end: Tensor) -> Tensor:
        before, after = (_unit(self._bonds(pos))[0][:, :, None] for pos in (start, end))
        turned = _turned(self._bonds(vectors), before, after)
        return self._placed(turned.flatten(1), vectors.flatten(1)).view_as(vectors)

    def _bonds(self, vectors: Tensor) -> Tensor:
        """Vectors of beads [n, 3, ...] at the source of every edge less at its destination."""
        change = self.graph.source(vectors) - self.graph.destination(vectors)
        return change.reshape(-1, *vectors.shape[1:])

    def _placed(self, bonds: Tensor, like: Tensor) -> Tensor:
        """Values of beads [n, m] with these differences [n_edges, m], and the means of others."""
        graph, layout = self.graph, self.graph.layout
        is_bond = (graph.hop == 1)[:, None]
        into = graph.total(graph.grid(torch.where(is_bond, bonds, 0.0)), len(like))
        return layout.unpadded(
            self.means @ layout.padded(like) - self.inverse @ layout.padded(into)
        )


#: By their name in `cgsim.config.DynamicsConfig`.
STEPS: dict[str, type[Straight]] = {"straight": Straight, "turning": Turning}


def _laplacian(graph: BeadGraph) -> Tensor:
    """Of the bonds of every system [n_graphs, width, width], float64."""
    layout = graph.layout
    width = layout.width
    source, destination = layout.slot[graph.edge_index]
    is_bond = (graph.hop == 1).double()
    joined = is_bond.new_zeros(graph.n_graphs * width * width)
    joined = joined.index_add(0, destination * width + source % width, is_bond)
    joined = joined.view(graph.n_graphs, width, width)
    return torch.diag_embed(joined.sum(dim=2)) - joined


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

"""Windows cut out of large systems: a core to learn from, among beads that are only there.

The beads nearest to a random one are a window. The inner ones are its core: the loss is that of
their accelerations, given what the others do (see `GaussianField.core_log_prob`). The others are a
shell that gives the core its surroundings. All edges between beads of a window are those of the
whole system, through the walls of a cell too; what the networks say of the core is what they say of
it in the whole system if no chain of edges as long as they have convolutions leads out of the
window.
"""

from dataclasses import replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from cgsim.data.graphs import CGData, Picked, SystemGraph, join
from cgsim.data.windows import Index, WindowDataset, rows_of
from cgsim.io.periodic import minimum_image

SMALLEST_CORE = 0.25  # of the beads of a window, however thick the shell ought to be


class CutoutDataset(torch.utils.data.Dataset):
    """Windows of at most ``n_beads`` beads, cut out of those of larger systems.

    An index stands for a window and the bead in its middle; smaller systems are taken whole.

    Parameters
    ----------
    windows
        Windows of whole systems.
    n_beads
        Most beads of a window.
    shell
        Thickness of what surrounds the core, nm; less where the core would be smaller than a
        quarter of the window.
    n_bonds
        Atom bonds that the embedding of a bead sees.

    Raises
    ------
    ValueError
        If ``n_beads`` is not positive.
    """

    def __init__(self, windows: WindowDataset, *, n_beads: int, shell: float, n_bonds: int) -> None:
        if n_beads < 1:
            raise ValueError(f"a window needs at least 1 bead, got n_beads={n_beads}")
        self.windows, self.n_beads, self.shell = windows, n_beads, shell
        self.trajectories = windows.trajectories
        self._sizes = np.array([system.n_beads for system in self.trajectories])
        self._n_middles = int(self._sizes.max())
        self._scissors = {
            id(graph): Scissors(graph, n_bonds=n_bonds)
            for graph in windows.graphs
            if len(graph.mass) > n_beads
        }

    def __len__(self) -> int:
        return len(self.windows) * self._n_middles

    def __getitem__(self, index: Index) -> CGData:
        return join(*self.pick(rows_of(index, len(self))))

    def pick(self, indices: np.ndarray) -> Picked:
        """Windows as `cgsim.data.graphs.join` takes them."""
        rows, middles = np.divmod(indices, self._n_middles)
        is_large = self._n_beads(rows) > self.n_beads
        parts = [] if is_large.all() else [self.windows.pick(rows[~is_large])]
        for row, middle in zip(rows[is_large], middles[is_large], strict=True):
            parts.append(self._cut(self.windows.pick(np.array([row])), int(middle)))
        graphs, counts, windows = zip(*parts, strict=True)
        return list(chain(*graphs)), list(chain(*counts)), list(chain(*windows))

    def draw(self, random: np.random.Generator, n_windows: int) -> np.ndarray:
        """Indices of random windows about random beads, with replacement."""
        rows = self.windows.draw(random, n_windows)
        return rows * self._n_middles + random.integers(self._n_beads(rows))

    def _n_beads(self, rows: np.ndarray) -> np.ndarray:
        """Beads of the system of each window."""
        return self._sizes[np.searchsorted(self.windows.starts, rows, side="right") - 1]

    def _cut(self, picked: Picked, middle: int) -> Picked:
        """One window of a whole system, cut out around a bead."""
        (graph,), _, ((frames, cell),) = picked
        current = frames[0, -2].double().numpy()
        box = None if cell is None else cell[0].double().numpy()
        beads, core = surroundings(
            current, box, middle=middle, n_beads=self.n_beads, shell=self.shell
        )
        part = frames[:, :, beads]
        part = part - part[:, -2:-1].mean(dim=2, keepdim=True)
        return [self._scissors[id(graph)](beads, core)], [1], [(part, cell)]


def surroundings(
    pos: np.ndarray, cell: np.ndarray | None, *, middle: int, n_beads: int, shell: float
) -> tuple[np.ndarray, np.ndarray]:
    """The beads nearest to one of them.

    Parameters
    ----------
    pos : [n, 3]
        nm.
    cell : [3, 3] or None
        Periodic cell, nm.
    middle
        The bead.
    n_beads
        How many, fewer than n.
    shell
        nm.

    Returns
    -------
    The beads [n_beads], ascending, and whether each lies deeper than ``shell`` below the surface,
    or is among the inner quarter.
    """
    distance = np.linalg.norm(nearest_image(pos - pos[middle], cell), axis=1)
    nearest = np.argpartition(distance, n_beads)
    radius = distance[nearest[n_beads]]  # of the first one outside
    beads = np.sort(nearest[:n_beads])
    inner = np.quantile(distance[beads], SMALLEST_CORE)
    return beads, distance[beads] <= max(radius - shell, inner)


def nearest_image(displacement: np.ndarray, cell: np.ndarray | None) -> np.ndarray:
    """The shortest of all periodic images [n, 3], nm: by rounding where all angles are right."""
    if cell is None:
        return displacement
    if np.count_nonzero(cell - np.diag(np.diag(cell))):
        return minimum_image(displacement[None], cell[None])[0]
    lengths = np.diag(cell)
    return displacement - lengths * np.rint(displacement / lengths)


class Scissors:
    """Cuts the graph of a system, in time that grows with what is cut out.

    Parameters
    ----------
    graph
        Of the whole system.
    n_bonds
        Rounds of message passing: kinds of atoms (see `cgsim.data.atom_kinds`) that are so many
        edges away come along.
    """

    def __init__(self, graph: SystemGraph, *, n_bonds: int) -> None:
        self.graph, self.n_bonds = graph, n_bonds
        self._bead_of, self._kind_of = graph.bead_index.numpy(), graph.atom_kind.numpy()
        self._atoms = np.argsort(self._bead_of, kind="stable")
        self._of_bead = _Rows(self._bead_of[self._atoms], len(graph.mass))
        self._into_bead = _Rows(graph.edge_index[1].numpy(), len(graph.mass))
        self._into_kind = _Rows(graph.atom_edge_index[1].numpy(), len(graph.atom_type))

    def __call__(self, beads: np.ndarray, core: np.ndarray) -> SystemGraph:
        """The graph of some beads [n] and of the kinds of atoms that their embedding needs."""
        graph = self.graph
        atoms = np.sort(self._atoms[self._of_bead(beads)])
        kinds = self._kinds_around(atoms)
        pairs, kept = _induced(graph.edge_index, self._into_bead, beads)
        bonds, _ = _induced(graph.atom_edge_index, self._into_kind, kinds)
        chosen = torch.as_tensor(beads)
        return replace(
            graph,
            mass=graph.mass[chosen],
            chirality=graph.chirality[chosen],
            edge_index=pairs,
            edge_hop=graph.edge_hop[kept],
            edge_reach=graph.edge_reach[kept],
            atom_type=graph.atom_type[torch.as_tensor(kinds)],
            atom_edge_index=bonds,
            atom_kind=torch.as_tensor(np.searchsorted(kinds, self._kind_of[atoms])),
            bead_index=torch.as_tensor(np.searchsorted(beads, self._bead_of[atoms])),
            core=torch.as_tensor(core),
        )

    def _kinds_around(self, atoms: np.ndarray) -> np.ndarray:
        """The kinds of some atoms and those that they receive from, ascending."""
        kinds = np.unique(self._kind_of[atoms])
        source = self.graph.atom_edge_index[0].numpy()
        for _ in range(self.n_bonds):
            kinds = np.union1d(kinds, source[self._into_kind(kinds)])
        return kinds


class _Rows:
    """Where each of ``n`` numbers is in a sorted list of them."""

    def __init__(self, values: np.ndarray, n: int) -> None:
        self.start = np.searchsorted(values, np.arange(n + 1))

    def __call__(self, wanted: np.ndarray) -> np.ndarray:
        """Places of all of these, in their order."""
        first, counts = self.start[wanted], self.start[wanted + 1] - self.start[wanted]
        before = np.cumsum(counts) - counts
        return np.repeat(first - before, counts) + np.arange(counts.sum())


def _induced(edges: Tensor, into: _Rows, nodes: np.ndarray) -> tuple[Tensor, Tensor]:
    """Edges between some nodes (ascending), in terms of these, and which of all they are."""
    rows = into(nodes)
    source, destination = edges[:, torch.as_tensor(rows)].numpy()
    place = np.minimum(np.searchsorted(nodes, source), len(nodes) - 1)
    inside = nodes[place] == source
    ends = np.stack([place[inside], np.searchsorted(nodes, destination[inside])])
    return torch.as_tensor(ends), torch.as_tensor(rows[inside])

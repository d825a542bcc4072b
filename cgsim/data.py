"""Mapped trajectories on disk, and windows of them as graphs.

Only bead positions are needed per frame (the atom graph is static), so a trajectory is mapped once,
in chunks, into a small memory-mapped array, from which windows are read at random.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from cgsim.environments import environments
from cgsim.mapping import ideal_distances
from cgsim.nn.neighbours import COMPLETE_LIMIT, Topology, complete_pairs, topological_pairs
from cgsim.superposition import superposed


@dataclass(frozen=True)
class MappedTrajectory:
    """One trajectory of one system in beads, with its static atom graph.

    Attributes
    ----------
    name
        Of the molecule or system.
    atom_type : n_atoms strings
    atom_bonds : [2, n_atom_bonds]
        Each bond once.
    bead_index : [n_atoms]
        Bead of each atom.
    bead_name : n_beads pairs
        Residue and atom name of each bead, for structure files.
    bead_mass : [n_beads]
        Da.
    edge_index : [2, n_bonds]
        Bead bonds, each once.
    pos : [n_frames, n_beads, 3]
        Unwrapped bead positions, nm; may be a memory map.
    frame_interval
        ps.
    cell : [n_frames, 3, 3] or None
        Periodic cells (rows are vectors), nm.
    recipe
        How the mapping was made (see `cgsim.mapping.build_mapping`).
    temperature
        K, where it is known.
    chirality : [n_beads] or None
        Handedness of each bead, -1, 0 or 1 (see `cgsim.mapping.bead_chirality`); None where no bead
        has any.
    """

    name: str
    atom_type: tuple[str, ...]
    atom_bonds: np.ndarray
    bead_index: np.ndarray
    bead_name: tuple[tuple[str, str], ...]
    bead_mass: np.ndarray
    edge_index: np.ndarray
    pos: np.ndarray
    frame_interval: float
    recipe: dict[str, Any]
    cell: np.ndarray | None = None
    temperature: float | None = None
    chirality: np.ndarray | None = None

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.bead_mass)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.pos)

    def at(self, rows: np.ndarray, *, present: int = -1) -> np.ndarray:
        """Windows [..., k, n_beads, 3] of k frames; without rigid motion superposed on one, nm."""
        pos = np.asarray(self.pos[rows], dtype=np.float64)
        if self.recipe.get("rigid_motion", True):
            return pos
        return superposed(pos, pos[..., present, :, :][..., None, :, :], self.bead_mass)

    def frames(self, start: int, stop: int) -> "MappedTrajectory":
        """The same system, frames ``start`` to ``stop`` (exclusive), without copying."""
        cell = None if self.cell is None else self.cell[start:stop]
        return replace(self, pos=self.pos[start:stop], cell=cell)


class CGData(Data):
    """A window of one system (or a batch of windows): nodes are beads.

    Windows of the same molecule share one atom graph in a batch made by `WindowDataset`, so that
    the embedding is computed once per molecule.

    Attributes
    ----------
    pos : [n, k, 3]
        The k past frames, the present one last, nm.
    next_pos : [n, 3]
        The frame to predict, nm.
    mass : [n]
        Bead masses, Da.
    chirality : [n]
        Handedness of each bead, -1, 0 or 1.
    edge_index : [2, n_edges]
        Topological pairs, both ways, sorted by destination.
    edge_hop : [n_edges]
        Bead bonds between the two.
    edge_reach : [n_edges]
        Their ideal distance (see `cgsim.mapping.ideal_distances`), 0 if unknown.
    embedding_index : [n]
        Row of the bead embedding that each bead uses.
    atom_type : [n_kinds]
        Of each kind of atoms (see `cgsim.environments`), index into the types of the simulator.
    atom_edge_index : [2, n_atom_edges]
        Which kind each kind receives from, sorted by destination.
    atom_kind : [n_atoms]
        Kind of each atom.
    bead_index : [n_atoms]
        Row of the bead embedding that each atom is pooled to.
    cell : [n_graphs, 3, 3]
        Periodic cells, nm; absent without.
    core : [n]
        Which beads are learnt from; absent where all are (see `cgsim.cutouts`).
    """

    @property
    def topology(self) -> Topology:
        """What the bonds say of pairs of beads."""
        return Topology(self.edge_index, self.edge_hop, self.edge_reach)

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key in ("atom_edge_index", "atom_kind"):
            return len(self.atom_type)
        if key in ("bead_index", "embedding_index"):
            return int(self.bead_index.max()) + 1
        return super().__inc__(key, value, *args, **kwargs)


@dataclass(frozen=True)
class SystemGraph:
    """The static tensors of one system, made once; of a cut-out, with its `CGData.core`."""

    mass: Tensor
    chirality: Tensor
    edge_index: Tensor
    edge_hop: Tensor
    edge_reach: Tensor
    atom_type: Tensor
    atom_edge_index: Tensor
    atom_kind: Tensor
    bead_index: Tensor
    core: Tensor | None = None

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.mass)

    @classmethod
    def build(
        cls, system: MappedTrajectory, *, atom_types: Sequence[str], n_hops: int, n_bonds: int
    ) -> "SystemGraph":
        """Tensors of a system.

        Parameters
        ----------
        n_hops, n_bonds
            See `WindowDataset`.

        Raises
        ------
        ValueError
            If the system holds an atom type that is not in ``atom_types``.
        """
        unknown = sorted(set(system.atom_type) - set(atom_types))
        if unknown:
            raise ValueError(
                f"{system.name}: atom type {unknown[0]!r} was never seen in training; "
                f"known types: {', '.join(atom_types)}"
            )
        code = {name: index for index, name in enumerate(atom_types)}
        is_small = system.cell is None and system.n_beads <= COMPLETE_LIMIT
        connect = complete_pairs if is_small else topological_pairs
        pairs, hop = connect(system.edge_index, system.n_beads, n_hops=n_hops)
        reach = np.zeros(len(hop))
        bonded = hop > 0
        reach[bonded] = ideal_distances(system.atom_bonds, system.bead_index, pairs[:, bonded])
        codes = np.array([code[name] for name in system.atom_type])
        kinds = environments(codes, system.atom_bonds, n_bonds=n_bonds)
        return cls(
            mass=torch.as_tensor(system.bead_mass, dtype=torch.float32),
            chirality=torch.as_tensor(
                np.zeros(system.n_beads) if system.chirality is None else system.chirality,
                dtype=torch.float32,
            ),
            edge_index=torch.as_tensor(pairs),
            edge_hop=torch.as_tensor(hop),
            edge_reach=torch.as_tensor(reach, dtype=torch.float32),
            atom_type=torch.as_tensor(codes[kinds.first]),
            atom_edge_index=torch.as_tensor(kinds.edge_index),
            atom_kind=torch.as_tensor(kinds.atom_kind),
            bead_index=torch.as_tensor(system.bead_index),
        )


Picked = tuple[list[SystemGraph], list[int], list[tuple[Tensor, Tensor | None]]]


class WindowDataset(torch.utils.data.Dataset):
    """All windows of ``history + 1`` frames, ``stride`` apart, of several trajectories.

    ``dataset[i]`` is one window; ``dataset[[i, j, ...]]`` is a batch, assembled without a loop over
    windows.

    Parameters
    ----------
    trajectories
        Trajectories with one frame interval.
    atom_types
        The simulator's atom types.
    history
        Number k of past frames.
    stride
        Frames per step.
    n_hops
        Topological neighbours (see `cgsim.config.GraphConfig`).
    n_bonds
        Atom bonds that the embedding of a bead sees (see `cgsim.config.EmbeddingConfig`).

    Raises
    ------
    ValueError
        If a trajectory is too short for one window, or holds an unknown atom type.
    """

    def __init__(
        self,
        trajectories: Sequence[MappedTrajectory],
        *,
        atom_types: Sequence[str],
        history: int,
        stride: int,
        n_hops: int,
        n_bonds: int,
    ) -> None:
        self.trajectories = [replace(own, pos=np.asarray(own.pos)) for own in trajectories]
        self.offsets = np.arange(-(history - 1), 2) * stride
        span = history * stride
        for trajectory in self.trajectories:
            if trajectory.n_frames <= span:
                raise ValueError(
                    f"{trajectory.name}: {trajectory.n_frames} frames; {history} past frames and "
                    f"the next one at a stride of {stride} need at least {span + 1}"
                )
        self.first = (history - 1) * stride
        self.graphs = [
            SystemGraph.build(trajectory, atom_types=atom_types, n_hops=n_hops, n_bonds=n_bonds)
            for trajectory in self.trajectories
        ]
        self.starts = np.cumsum(
            [0] + [trajectory.n_frames - span for trajectory in self.trajectories]
        )

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: int | np.integer | Sequence[int]) -> CGData:
        return self.__getitems__(
            [int(index)] if isinstance(index, (int, np.integer)) else list(index)
        )

    def __getitems__(self, indices: Sequence[int]) -> CGData:
        """A batch of windows, grouped by trajectory."""
        return join(*self.pick(np.asarray(indices)))

    def pick(self, indices: np.ndarray) -> Picked:
        """Windows as `join` takes them: systems, windows of each, positions and cells."""
        order = np.sort(indices)
        if len(order) == 0 or order[0] < 0 or order[-1] >= len(self):
            raise IndexError(f"window indices must lie in 0..{len(self) - 1}")
        owner = np.searchsorted(self.starts, order, side="right") - 1
        owners, first = np.unique(owner, return_index=True)
        present = np.split(order - self.starts[owner] + self.first, first[1:])
        windows = [self._windows(*own) for own in zip(owners, present, strict=True)]
        return [self.graphs[k] for k in owners], [len(rows) for rows in present], windows

    def draw(self, random: np.random.Generator, n_windows: int) -> np.ndarray:
        """Indices of random windows, with replacement."""
        return random.integers(len(self), size=n_windows)

    def _windows(self, which: int, present: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """Positions [w, k + 1, n, 3] centred on the present frame, and cells [w, 3, 3]."""
        pos = self.trajectories[which].at(present[:, None] + self.offsets, present=-2)
        pos = pos - pos[:, -2:-1].sum(axis=2, keepdims=True) / pos.shape[2]
        cell = self.trajectories[which].cell
        cells = None if cell is None else torch.as_tensor(cell[present]).float()
        return torch.from_numpy(pos.astype(np.float32)), cells


def join(
    graphs: Sequence[SystemGraph],
    n_windows: Sequence[int],
    windows: Sequence[tuple[Tensor, Tensor | None]],
) -> CGData:
    """A batch of windows: ``n_windows[g]`` of system ``graphs[g]``, sharing its atom graph.

    Raises
    ------
    ValueError
        If some systems have a periodic cell and others none.
    """
    data = CGData(**_join_atoms(graphs), **_join_beads(graphs, n_windows))
    frames = torch.cat([pos.transpose(1, 2).flatten(0, 1) for pos, _ in windows])
    data.pos, data.next_pos = frames[:, :-1], frames[:, -1]
    cells = [cell for _, cell in windows if cell is not None]
    if cells and len(cells) != len(windows):
        raise ValueError(
            "some systems have a periodic cell and others none: train and simulate them apart"
        )
    if cells:
        data.cell = torch.cat(cells)
    if any(graph.core is not None for graph in graphs):
        cores = [torch.ones_like(g.mass).bool() if g.core is None else g.core for g in graphs]
        data.core = torch.cat([core.repeat(n) for core, n in zip(cores, n_windows, strict=True)])
    return data


def _join_atoms(graphs: Sequence[SystemGraph]) -> dict[str, Tensor]:
    """Atom graphs side by side."""
    n_kinds = [len(graph.atom_type) for graph in graphs]
    n_atoms = [len(graph.atom_kind) for graph in graphs]
    n_edges = [graph.atom_edge_index.shape[1] for graph in graphs]
    joined = _side_by_side(graphs, "atom_type", "atom_edge_index", "atom_kind", "bead_index")
    joined["atom_edge_index"] += _before(n_kinds, n_edges)
    joined["atom_kind"] += _before(n_kinds, n_atoms)
    joined["bead_index"] += _before([graph.n_beads for graph in graphs], n_atoms)
    return joined


def _join_beads(graphs: Sequence[SystemGraph], n_windows: Sequence[int]) -> dict[str, Any]:
    """Bead graphs repeated for every window."""
    each = list(chain(*(repeat(graph, n) for graph, n in zip(graphs, n_windows, strict=True))))
    n_beads = [graph.n_beads for graph in each]
    batch = torch.arange(len(each)).repeat_interleave(torch.tensor(n_beads))
    joined = _side_by_side(each, "edge_index", "edge_hop", "edge_reach", "mass", "chirality")
    joined["edge_index"] += _before(n_beads, [len(graph.edge_hop) for graph in each])
    bead = torch.arange(len(batch)) - _before(n_beads, n_beads)
    row = _before([graph.n_beads for graph in graphs], n_windows)
    return {**joined, "embedding_index": bead + row[batch], "batch": batch, "num_nodes": len(batch)}


def _side_by_side(graphs: Sequence[SystemGraph], *names: str) -> dict[str, Tensor]:
    return {name: torch.cat([getattr(g, name) for g in graphs], dim=-1) for name in names}


def _before(sizes: Sequence[int], lengths: Sequence[int]) -> Tensor:
    """How much all earlier ones hold, once for every entry: entry ``i`` is ``lengths[i]`` long."""
    total = torch.tensor([0, *sizes[:-1]]).cumsum(0)
    return total.repeat_interleave(torch.tensor(lengths))


def atom_types_of(trajectories: Iterable[MappedTrajectory]) -> tuple[str, ...]:
    """All atom types, sorted."""
    return tuple(sorted({name for trajectory in trajectories for name in trajectory.atom_type}))


def split_by_molecule(
    trajectories: Sequence[MappedTrajectory], *, fraction: float, seed: int
) -> tuple[list[MappedTrajectory], list[MappedTrajectory]]:
    """Hold out whole molecules: all trajectories of a name go to one side.

    Raises
    ------
    ValueError
        If fewer than two molecules are there to be split.
    """
    names = sorted({trajectory.name for trajectory in trajectories})
    if len(names) < 2:
        raise ValueError("a split by molecule needs at least two molecules of different names")
    n_held = min(max(round(fraction * len(names)), 1), len(names) - 1)
    held = set(np.random.default_rng(seed).permutation(names)[:n_held])
    return (
        [trajectory for trajectory in trajectories if trajectory.name not in held],
        [trajectory for trajectory in trajectories if trajectory.name in held],
    )


def split_by_time(
    trajectories: Sequence[MappedTrajectory], *, fraction: float
) -> tuple[list[MappedTrajectory], list[MappedTrajectory]]:
    """Hold out the last part of every trajectory."""
    runs = [(own, round(own.n_frames * (1 - fraction))) for own in trajectories]
    early = [own.frames(0, cut) for own, cut in runs]
    return early, [own.frames(cut, own.n_frames) for own, cut in runs]

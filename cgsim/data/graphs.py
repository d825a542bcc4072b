"""GRAPHS: one system as static tensors, and batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from cgsim.data.atom_kinds import atom_kinds
from cgsim.data.references import ReferenceEdges
from cgsim.mapping import ideal_distances
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.nn.graph.neighbours import COMPLETE_LIMIT, Topology, complete_pairs, topological_pairs

MIXED_CELLS = "some systems have a periodic cell and others none: train and simulate them apart"


class CGData(Data):
    """A window of one system (or a batch of windows): nodes are beads.

    Windows of the same molecule share one atom graph in a batch made by `WindowDataset`, so that
    the embedding is computed once per molecule.

    Attributes
    ----------
    pos : [n, k, 3]
        The k past frames, the current one last, nm.
    next_pos : [n, 3]
        The frame to predict, nm.
    mass : [n]
        Bead masses, Da.
    chirality : [n]
        Handedness of each bead, -1, 0 or 1.
    edge_index : [2, n_edges]
        Topological pairs, both ways, sorted by destination.
    edge_hop : [n_edges]
        Bead bonds between the two (see `cgsim.nn.graph.neighbours.Topology`).
    edge_reach : [n_edges] or [n_edges, 1 + n_references]
        Their ideal distance (see `cgsim.mapping.ideal_distances`), 0 if unknown; and those in
        reference structures.
    embedding_index : [n]
        Row of the bead embedding that each bead uses.
    atom_type : [n_kinds]
        Of each kind of atoms (see `cgsim.data.atom_kinds`), index into the types of the simulator.
    atom_edge_index : [2, n_atom_edges]
        Which kind each kind receives from, sorted by destination.
    atom_kind : [n_atoms]
        Kind of each atom.
    bead_index : [n_atoms]
        Row of the bead embedding that each atom is pooled to.
    cell : [n_graphs, 3, 3]
        Periodic cells, nm; absent without.
    core : [n]
        Which beads are learnt from; absent where all are (see `cgsim.data.cutouts`).
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
        cls,
        system: MappedTrajectory,
        *,
        atom_types: Sequence[str],
        n_hops: int,
        n_bonds: int,
        references: ReferenceEdges | None = None,
    ) -> "SystemGraph":
        """Tensors of a system.

        Parameters
        ----------
        n_hops, n_bonds, references
            See `WindowDataset`.

        Raises
        ------
        ValueError
            If the system holds an atom type that is not in ``atom_types``, or has no reference
            where one is needed.
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
        bonded = hop > 0
        if references is not None:
            pairs, hop = references.joined(system, pairs, hop)
            bonded = (hop > 0) & (hop < references.hop)
        reach = np.zeros(len(hop))
        reach[bonded] = ideal_distances(system.atom_bonds, system.bead_index, pairs[:, bonded])
        if references is not None:
            known = references.distances(system, pairs) * (hop > 0)[:, None]
            reach = np.column_stack([reach, known])
        codes = np.array([code[name] for name in system.atom_type])
        kinds = atom_kinds(codes, system.atom_bonds, n_bonds=n_bonds)
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
        raise ValueError(MIXED_CELLS)
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
    joined = _side_by_side(each, "edge_index", "edge_hop", "mass", "chirality")
    joined["edge_reach"] = torch.cat([graph.edge_reach for graph in each])
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

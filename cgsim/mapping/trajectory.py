"""Mapped trajectories: frames of beads with their static atom graph; training and test splits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cgsim.io.display import Facts, frames, shown
from cgsim.mapping.bead_mapping import recipe_text
from cgsim.mapping.superposition import superposed


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
    drift : [n_frames, n_beads, 3] or None
        How far `pos`, whose differences are displacements, is from a periodic image in the cell of
        its frame, nm; None of cells that are constant, and of one molecule alone.
    recipe
        How the mapping was made (see `cgsim.mapping.build_mapping`).
    temperature
        K, where it is known.
    chirality : [n_beads] or None
        Handedness of each bead, -1, 0 or 1 (see `cgsim.mapping.bead_chirality`); None where no bead
        has any.
    reference : [n_references, n_beads, 3] or None
        Structures that hold a folded molecule together (see `cgsim.mapping.reference`), nm.
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
    drift: np.ndarray | None = field(default=None, kw_only=True)
    temperature: float | None = None
    chirality: np.ndarray | None = None
    reference: np.ndarray | None = field(default=None, kw_only=True)

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.bead_mass)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.pos)

    def at(self, rows: np.ndarray, *, current: int = -1) -> np.ndarray:
        """Windows [..., k, n_beads, 3] of k frames; without rigid motion superposed on one, nm.

        In a cell that fluctuates the current frame holds periodic images, and the others are where
        the displacements lead from there.
        """
        pos = np.asarray(self.pos[rows], dtype=np.float64)
        if self.drift is not None:
            pos = pos - self.drift[rows[..., current]][..., None, :, :]
        if self.recipe.get("rigid_motion", True):
            return pos
        return superposed(pos, pos[..., current, :, :][..., None, :, :], self.bead_mass)

    def frames(self, start: int, stop: int) -> "MappedTrajectory":
        """The same system, frames ``start`` to ``stop`` (exclusive), without copying."""
        cell = None if self.cell is None else self.cell[start:stop]
        drift = None if self.drift is None else self.drift[start:stop]
        return replace(self, pos=self.pos[start:stop], cell=cell, drift=drift)

    def _facts(self) -> Facts:
        n_handed = 0 if self.chirality is None else int(np.count_nonzero(self.chirality))
        return {
            "beads": f"{self.n_beads:,} of {len(self.atom_type):,} atoms",
            "bonds": f"{self.edge_index.shape[1]:,} between beads",
            "frames": frames(self.n_frames, self.frame_interval),
            "cell": "periodic" if self.cell is not None else "none",
            "temperature": None if self.temperature is None else f"{self.temperature:g} K",
            "mapping": recipe_text(self.recipe),
            "handedness": f"of {n_handed:,} beads" if n_handed else None,
            "references": None if self.reference is None else f"{len(self.reference)}",
            "positions": "nm, memory-mapped" if isinstance(self.pos, np.memmap) else "nm",
        }

    __repr__, _repr_html_ = shown(_facts)


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


def is_same_molecule(first: MappedTrajectory, second: MappedTrajectory) -> bool:
    """Whether atoms, beads, bonds and handedness are the same, and both have a cell or neither."""
    return (
        first.atom_type == second.atom_type
        and np.array_equal(first.bead_index, second.bead_index)
        and np.array_equal(first.edge_index, second.edge_index)
        and _handedness(first) == _handedness(second)
        and (first.cell is None) == (second.cell is None)
    )


def _handedness(trajectory: MappedTrajectory) -> list[int]:
    zero = np.zeros(trajectory.n_beads, dtype=np.int64)
    return (zero if trajectory.chirality is None else trajectory.chirality).tolist()

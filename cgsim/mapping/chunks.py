"""A trajectory of atoms as beads, chunk by chunk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mdtraj
import numpy as np

from cgsim.io import Unwrapper, iter_frames
from cgsim.mapping import Mapping, bead_chirality
from cgsim.mapping.estimate import FirstChunk
from cgsim.mapping.sanity import SaneFrames
from cgsim.mapping.superposition import Superposition


@dataclass(frozen=True)
class MappedChunk:
    """Some frames in single precision (see `cgsim.mapping.trajectory.MappedTrajectory`)."""

    pos: np.ndarray
    cell: np.ndarray | None
    drift: np.ndarray | None
    chirality: np.ndarray | None
    """``[n_beads]`` handedness in the first frame of all, None where no bead has any."""


def mapped_chunks(
    mapping: Mapping, frame_interval: float | None, sane: SaneFrames
) -> Iterator[MappedChunk]:
    """Yield the paths of the beads, and what belongs to them.

    Raises
    ------
    ValueError
        If something cannot be, some of it after the last chunk: keep none then.
    """
    mapped = _Mapped(mapping, sane)
    first = FirstChunk(sane.files, sane.molecule.n_atoms, mapping)
    for chunk in iter_frames(sane.files, sane.molecule, frame_interval=frame_interval):
        first.chunk_is_read(chunk.n_frames)
        yield mapped(chunk)
    sane.end()


class _Mapped:
    """Maps one chunk after the other; a call of its own frees its arrays before the next."""

    def __init__(self, mapping: Mapping, sane: SaneFrames) -> None:
        self.mapping, self.sane = mapping, sane
        self.unwrapper = Unwrapper(sane.molecule)
        keeps = mapping.keeps_rigid_motion
        self.superpose = None if keeps else Superposition(mapping.bead_mass)
        self.chirality: np.ndarray | None = None
        self.is_first = True

    def __call__(self, chunk: mdtraj.Trajectory) -> MappedChunk:
        unwrapped, cell = self.unwrapper.follow(chunk), chunk.unitcell_vectors
        self.sane.add(chunk, unwrapped)
        if self.is_first:
            handed = bead_chirality(self.sane.molecule, self.mapping, unwrapped.images[0])
            self.chirality, self.is_first = handed if handed.any() else None, False
        pos, drift = self.mapping(unwrapped.path), None
        if cell is not None and self.unwrapper.n_components > 1:
            of_atoms = unwrapped.drift[:, unwrapped.component]
            drift = self.mapping(of_atoms).astype(np.float32)
        if self.superpose is not None:
            if cell is not None:
                raise ValueError(
                    f"{self.sane.molecule.name}: the trajectory has a periodic cell; rigid motion "
                    "can be taken out of one free molecule only"
                )
            pos = self.superpose(pos)
        return MappedChunk(
            pos.astype(np.float32),
            None if cell is None else cell.astype(np.float32),
            drift,
            self.chirality,
        )


def joined(parts: Sequence[np.ndarray | None], *, only_if_any: bool = False) -> np.ndarray | None:
    """One array of all frames; None where there is none, or only zeros and these are not wanted."""
    arrays = [part for part in parts if part is not None]
    if not arrays or (only_if_any and not any(part.any() for part in arrays)):
        return None
    return np.concatenate(arrays)

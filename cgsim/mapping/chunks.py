"""A trajectory of atoms as beads, chunk by chunk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    molecule = sane.molecule
    unwrapper = Unwrapper(molecule)
    superpose = None if mapping.keeps_rigid_motion else Superposition(mapping.bead_mass)
    chirality = None
    first = FirstChunk(sane.files, molecule.n_atoms, mapping)
    for number, chunk in enumerate(
        iter_frames(sane.files, molecule, frame_interval=frame_interval)
    ):
        first.chunk_is_read(chunk.n_frames)
        unwrapped, cell = unwrapper.follow(chunk), chunk.unitcell_vectors
        sane.add(chunk, unwrapped)
        if number == 0:
            handed = bead_chirality(molecule, mapping, unwrapped.images[0])
            chirality = handed if handed.any() else None
        pos, drift = mapping(unwrapped.path), None
        if cell is not None and unwrapper.n_components > 1:
            drift = mapping(unwrapped.drift[:, unwrapped.component]).astype(np.float32)
        if superpose is not None:
            if cell is not None:
                raise ValueError(
                    f"{molecule.name}: the trajectory has a periodic cell; rigid motion can be "
                    "taken out of one free molecule only"
                )
            pos = superpose(pos)
        yield MappedChunk(
            pos.astype(np.float32),
            None if cell is None else cell.astype(np.float32),
            drift,
            chirality,
        )
    sane.end()


def joined(parts: Sequence[np.ndarray | None], *, only_if_any: bool = False) -> np.ndarray | None:
    """One array of all frames; None where there is none, or only zeros and these are not wanted."""
    arrays = [part for part in parts if part is not None]
    if not arrays or (only_if_any and not any(part.any() for part in arrays)):
        return None
    return np.concatenate(arrays)

"""From a file of beads to a file of atoms."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from cgsim.backmapping.backmapper import CHUNK, Backmapper, Minimise
from cgsim.io import (
    Molecule,
    Unwrapper,
    append_frames,
    atomic_path,
    iter_frames,
    molecule_from_topology,
)
from cgsim.io.files import file_extension
from cgsim.mapping import Mapping, bead_topology


def backmap_file(
    beads: str | Path,
    molecule: Molecule,
    mapping: Mapping,
    *,
    reference: list[Path],
    output: str | Path,
    n_reference: int = 200,
    minimise: Minimise = "geometry",
) -> int:
    """Put atoms on the beads of a trajectory file (see `backmap`), chunk by chunk.

    Parameters
    ----------
    beads
        Trajectory of the beads, for example of a roll-out.
    molecule, mapping
        The atoms, and how they became beads.
    reference
        Consecutive trajectory files of all atoms.
    output
        ``*.xtc`` or ``*.dcd``, written whole or not at all; its cells are those of the beads.
    n_reference
        Frames of the reference to use, evenly spaced.
    minimise
        See `backmap`.

    Returns
    -------
    int
        Number of frames.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or does not fit the molecule or its beads.
    """
    if file_extension(output) not in (".xtc", ".dcd"):
        raise ValueError(f"{output}: atoms can be written to .xtc and .dcd files only")
    backmapper = Backmapper(
        molecule,
        mapping,
        reference=read_reference(reference, molecule, n_frames=n_reference),
        minimise=minimise,
    )
    coarse = molecule_from_topology(
        bead_topology(molecule, mapping), masses=mapping.bead_mass, name=molecule.name
    )
    unwrapper = Unwrapper(coarse)
    n_frames = 0
    with (
        atomic_path(output) as partial,
        tqdm(desc="backmapping", unit="frame", disable=None) as bar,
    ):
        for chunk in iter_frames(beads, coarse, chunk=CHUNK):
            xyz = backmapper(unwrapper(chunk))
            append_frames(partial, xyz, time=chunk.time, cell=chunk.unitcell_vectors)
            n_frames += len(xyz)
            bar.update(len(xyz))
    return n_frames


def read_reference(files: list[Path], molecule: Molecule, *, n_frames: int) -> np.ndarray:
    """Return at most `n_frames` evenly spaced frames ``[n, n_atoms, 3]`` of files, made whole.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or of another molecule, or `n_frames` is not positive.
    """
    if n_frames < 1:
        raise ValueError(f"at least one reference frame is needed, not {n_frames}")
    unwrapper = Unwrapper(molecule)
    frames = np.concatenate([unwrapper(chunk) for chunk in iter_frames(files, molecule)])
    rows = np.linspace(0, len(frames) - 1, min(n_frames, len(frames))).round().astype(int)
    return frames[rows] - frames[rows].mean(axis=1, keepdims=True)

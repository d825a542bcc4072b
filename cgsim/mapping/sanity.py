"""What must hold of frames of atoms before they are mapped and written."""

from pathlib import Path

import numpy as np

from cgsim.io import Molecule, trajectory_files
from cgsim.io.bond_lengths import BondLengths
from cgsim.io.reading import Files


class SaneFrames:
    """Passes the frames of one trajectory, chunk by chunk, or says what cannot be.

    Parameters
    ----------
    files, molecule
        The trajectory, and what is in it.
    allow_long_bonds
        Whether bonds may be longer than a chemical bond can be.
    """

    def __init__(self, files: Files, molecule: Molecule, *, allow_long_bonds: bool) -> None:
        self.files: list[Path] = trajectory_files(files)
        self.molecule = molecule
        self._lengths = None if allow_long_bonds else BondLengths(molecule)
        self._n_frames = 0

    def __call__(self, xyz: np.ndarray) -> None:
        """Look at the next frames ``[n_frames, n_atoms, 3]`` nm, molecules whole.

        Raises
        ------
        ValueError
            Naming file, frame, atoms, value and the likely cause.
        """
        try:
            if self._lengths is not None:
                self._lengths.check(xyz, first_frame=self._n_frames)
        except ValueError as error:
            paths = ", ".join(str(path) for path in self.files)
            raise ValueError(f"{paths}: {error}") from error
        self._n_frames += len(xyz)

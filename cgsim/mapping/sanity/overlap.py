"""Atoms that lie on periodic images of others: the cell is smaller than what it holds."""

import numpy as np
from scipy.spatial import cKDTree

from cgsim.config.checks import way_on
from cgsim.io import Molecule
from cgsim.io.bond_lengths import is_chemical
from cgsim.io.periodic import reduced_cell

_NEAREST = 0.06  # nm; the shortest bond there is, of hydrogen, is 0.074 long


class Overlap:
    """Looks at the first frame of a trajectory with a cell, at atoms of real elements.

    Parameters
    ----------
    molecule
        What is in the cell.
    """

    def __init__(self, molecule: Molecule) -> None:
        self.molecule = molecule
        self._atoms = np.flatnonzero(is_chemical(molecule))
        self._is_done = False

    def check(self, xyz: np.ndarray, cell: np.ndarray | None) -> None:
        """Check that no atoms come together only because of the cell.

        Parameters
        ----------
        xyz
            ``[n_frames, n_atoms, 3]`` nm, molecules whole; the first frame is looked at, once.
        cell
            ``[n_frames, 3, 3]`` nm, or None.

        Raises
        ------
        ValueError
            Naming how many atoms, the nearest, and the cell.
        """
        if self._is_done or cell is None or len(self._atoms) < 2:
            return
        self._is_done = True
        own = np.asarray(xyz[0, self._atoms], dtype=np.float64)
        first, second = _near_by_image(own, np.asarray(cell[0], dtype=np.float64))
        apart = np.linalg.norm(own[first] - own[second], axis=1)
        only_by_image = (apart > _NEAREST) | (first == second)
        if not only_by_image.any():
            return
        i, j = (int(self._atoms[part[only_by_image][0]]) for part in (first, second))
        atoms = list(self.molecule.topology.atoms)
        lengths = ", ".join(f"{length:.3f}" for length in np.linalg.norm(cell[0], axis=1))
        raise ValueError(
            f"frame 0: {int(only_by_image.sum())} pairs of atoms lie on periodic images of each "
            f"other, such as {atoms[i]} and {atoms[j]}: the cell ({lengths} nm) is too small for "
            "what is in it. Most likely it is in another unit than the positions, or of another "
            f"system. {way_on('spread')}"
        )


def _near_by_image(xyz: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of atoms ``[n_pairs]`` with images nearer than bonded atoms are."""
    cell = reduced_cell(cell[None])[0]
    fraction = xyz @ np.linalg.inv(cell)
    fraction -= np.floor(fraction)
    margin = _NEAREST * np.linalg.norm(np.linalg.inv(cell), axis=0)  # in parts of the cell
    atom = np.arange(len(xyz))
    for axis in range(3):  # images of those at a face, of these at the next
        low, high = fraction[:, axis] < margin[axis], fraction[:, axis] > 1 - margin[axis]
        step = np.eye(3)[axis]
        fraction = np.concatenate([fraction, fraction[low] + step, fraction[high] - step])
        atom = np.concatenate([atom, atom[low], atom[high]])
    pairs = cKDTree(fraction @ cell).query_pairs(_NEAREST, output_type="ndarray")
    first, second = np.unique(np.sort(atom[pairs], axis=1), axis=0).T
    return first, second

"""Periodic cells: minimum images, and molecules made whole and continuous in time.

Cells are ``[..., 3, 3]`` matrices whose rows are the cell vectors, orthorhombic or triclinic.
"""

from itertools import product

import mdtraj
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from cgsim.io.frames import standard_vectors
from cgsim.io.molecule import Molecule

MAX_CELLS = 1e8
"""Cell lengths beyond which double precision no longer tells images apart well."""

_NEIGHBOURS = np.array([n for n in product((-1, 0, 1), repeat=3) if any(n)], dtype=np.float64)


def minimum_image(displacement: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the shortest of all periodic images of displacements.

    Exact for every cell, however skewed: rounding of the fractional coordinates in the reduced
    cell, then steps to shorter neighbouring images until there is none. (In a Minkowski-reduced
    cell all faces of the Voronoi cell belong to neighbours -1, 0, 1, so that no image is missed:
    Nguyen and Stehle, ACM Trans. Algorithms 5, 46 (2009).)

    Parameters
    ----------
    displacement
        ``[n_frames, n, 3]`` nm.
    cell
        ``[n_frames, 3, 3]`` nm, rows are the cell vectors.

    Returns
    -------
    np.ndarray
        ``[n_frames, n, 3]`` nm, float64.

    Raises
    ------
    ValueError
        If a cell has no volume or is tiny compared with the displacements.
    """
    displacement = np.asarray(displacement, dtype=np.float64)
    cell = reduced_cell(cell)
    fraction = np.rint(np.einsum("fni,fij->fnj", displacement, np.linalg.inv(cell)))
    if not (np.abs(fraction) < MAX_CELLS).all():
        raise ValueError(
            f"displacements of more than {MAX_CELLS:g} cell lengths have no exact image"
        )
    shortest = displacement - np.einsum("fni,fij->fnj", fraction, cell)
    # Closer than half the shortest cell vector to the origin, nothing can be shorter.
    limit = np.square(cell).sum(axis=2).min(axis=1)[:, None] / 4
    frame, at = np.nonzero(np.square(shortest).sum(axis=2) > limit * (1 - 1e-9))
    image_vectors = np.einsum("ki,fij->fkj", _NEIGHBOURS, cell)
    while frame.size:
        current = shortest[frame, at]
        images = current[:, None] + image_vectors[frame]
        squared = np.square(images).sum(axis=2)
        best = squared.argmin(axis=1)
        rows = np.arange(len(best))
        better = squared[rows, best] < np.square(current).sum(axis=1) * (1 - 1e-12)
        frame, at = frame[better], at[better]
        shortest[frame, at] = images[rows, best][better]
    return shortest


def reduced_cell(cell: np.ndarray) -> np.ndarray:
    """Return the Minkowski-reduced vectors of the same lattices.

    Each vector is shortened by the others, and by their sums and differences, while possible.

    Parameters
    ----------
    cell
        ``[n_frames, 3, 3]`` nm.
    """
    cell = np.array(cell, dtype=np.float64)
    if not (np.isfinite(cell).all() and (np.abs(np.linalg.det(cell)) > 0).all()):
        raise ValueError("a periodic cell has no volume")
    shortened = np.ones(len(cell), dtype=bool)
    while shortened.any():
        order = np.argsort(np.square(cell).sum(axis=2), axis=1)
        cell = np.take_along_axis(cell, order[:, :, None], axis=1)
        before = np.square(cell).sum(axis=(1, 2))
        cell[:, 1] -= _nearest_multiple(cell[:, 1], cell[:, 0])
        for pair in ((0, 1), (1, 0)):
            for other in pair:
                cell[:, 2] -= _nearest_multiple(cell[:, 2], cell[:, other])
        for sign in (1, -1):
            cell[:, 2] -= _nearest_multiple(cell[:, 2], cell[:, 0] + sign * cell[:, 1])
        shortened = np.square(cell).sum(axis=(1, 2)) < before * (1 - 1e-12)
    return cell


def _nearest_multiple(vector: np.ndarray, of: np.ndarray) -> np.ndarray:
    ratio = np.rint((vector * of).sum(axis=1) / np.square(of).sum(axis=1))
    return ratio[:, None] * of


def cell_vectors(trajectory: mdtraj.Trajectory) -> np.ndarray:
    """Return the cell vectors ``[n_frames, 3, 3]`` nm of a periodic trajectory in float64.

    (Those of MDTraj are float32.)
    """
    return standard_vectors(trajectory.unitcell_lengths, trajectory.unitcell_angles)


def unwrap(trajectory: mdtraj.Trajectory, molecule: Molecule) -> np.ndarray:
    """Return whole and continuous positions ``[n_frames, n_atoms, 3]`` nm of one trajectory.

    See `Unwrapper`, which does the same chunk by chunk.
    """
    return Unwrapper(molecule)(trajectory)


class Unwrapper:
    """Makes the molecules of successive chunks of one trajectory whole and continuous in time.

    In each frame the atoms are joined along a spanning tree of the bonds, each bond at its minimum
    image. Then each molecule (bonded component) is moved by cell vectors to where its centre is
    nearest to that of the frame before. Each position stays an exact periodic image of the one in
    the file. Molecules must move less than half a cell between frames.

    Parameters
    ----------
    molecule
        Gives the bonds; may have several bonded components.
    """

    def __init__(self, molecule: Molecule) -> None:
        self.molecule = molecule
        n_atoms = molecule.n_atoms
        i, j = molecule.bond_index
        graph = coo_array((np.ones(len(i)), (i, j)), shape=(n_atoms, n_atoms)).tocsr()
        self.n_components, self.component = connected_components(graph, directed=False)
        self.n_atoms_of_component = np.bincount(self.component, minlength=self.n_components)
        self.parent = np.arange(n_atoms)  # in the spanning tree; a root is its own
        _, roots = np.unique(self.component, return_index=True)
        for root in roots[self.n_atoms_of_component > 1]:
            order, parent = breadth_first_order(graph, root, directed=False)
            self.parent[order[1:]] = parent[order[1:]]
        self._last_centre: np.ndarray | None = None

    def __call__(self, trajectory: mdtraj.Trajectory) -> np.ndarray:
        """Return the positions of the next chunk ``[n_frames, n_atoms, 3]`` nm, float64.

        Without a cell they are those of the file.

        Raises
        ------
        ValueError
            If the numbers of atoms differ, or a molecule is bonded to its own periodic image.
        """
        xyz = trajectory.xyz.astype(np.float64)
        if xyz.shape[1] != self.molecule.n_atoms:
            raise ValueError(
                f"the trajectory has {xyz.shape[1]} atoms, {self.molecule.name!r} has "
                f"{self.molecule.n_atoms}"
            )
        if trajectory.unitcell_lengths is None or len(xyz) == 0:
            return xyz
        cell = cell_vectors(trajectory)
        return self._continuous(self._whole(xyz, cell), cell)

    def _whole(self, xyz: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Join the atoms along the tree: each gets the sum of the image shifts on its path."""
        bond = xyz - xyz[:, self.parent]
        shift = minimum_image(bond, cell) - bond
        ancestor = self.parent
        while (ancestor != ancestor[ancestor]).any():
            shift = shift + shift[:, ancestor]
            ancestor = ancestor[ancestor]
        xyz = xyz + shift
        i, j = self.molecule.bond_index
        bond = xyz[:, j] - xyz[:, i]
        broken = np.abs(minimum_image(bond, cell) - bond).max(axis=2, initial=0) > 1e-4
        if broken.any():
            at = int(np.nonzero(broken)[1][0])
            raise ValueError(
                f"{self.molecule.name!r} cannot be made whole: with the bond of atoms {i[at]} and "
                f"{j[at]} it is bonded to its own periodic image, or the bond is longer than half "
                "the cell"
            )
        return xyz

    def _continuous(self, xyz: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Move each molecule to the image nearest to its place in the frame before."""
        centre = self._centres(xyz)
        place = centre.copy()
        last = centre[0] if self._last_centre is None else self._last_centre
        for frame in range(len(xyz)):
            step = (centre[frame] - last)[None]
            last = place[frame] = last + minimum_image(step, cell[frame : frame + 1])[0]
        self._last_centre = last
        return xyz + (place - centre)[:, self.component]

    def _centres(self, xyz: np.ndarray) -> np.ndarray:
        """Return the mean positions ``[n_frames, n_components, 3]`` of the molecules."""
        order = np.argsort(self.component, kind="stable")
        start = np.searchsorted(self.component[order], np.arange(self.n_components))
        total = np.add.reduceat(xyz[:, order], start, axis=1)
        return total / self.n_atoms_of_component[:, None]

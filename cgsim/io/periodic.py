"""Periodic cells: minimum images, and molecules made whole and continuous in time.

Cells are ``[..., 3, 3]`` matrices whose rows are the cell vectors, orthorhombic or triclinic.
"""

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from cgsim.io.frames import standard_vectors
from cgsim.io.molecule import Molecule

if TYPE_CHECKING:
    import mdtraj

MAX_CELLS = 1e8
"""Cell lengths beyond which double precision no longer tells images apart well."""

_ROUNDING = 1e-9  # nm
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


def cell_vectors(trajectory: "mdtraj.Trajectory") -> np.ndarray:
    """Return the cell vectors ``[n_frames, 3, 3]`` nm of a periodic trajectory in float64.

    (Those of MDTraj are float32.)
    """
    return standard_vectors(trajectory.unitcell_lengths, trajectory.unitcell_angles)


def unwrap(trajectory: "mdtraj.Trajectory", molecule: Molecule) -> np.ndarray:
    """Return whole and continuous positions ``[n_frames, n_atoms, 3]`` nm of one trajectory.

    See `Unwrapper`, which does the same chunk by chunk.
    """
    return Unwrapper(molecule)(trajectory)


@dataclass(frozen=True)
class Unwrapped:
    """Whole and continuous molecules of some frames.

    In a cell that fluctuates a molecule cannot have both: its images *n* cells away move by *n*
    times the fluctuation, which is no motion of the molecule; the path that it has taken, the sum
    of its displacements, is then none of its images any more (von Bülow, Bullerjahn, Hummer,
    J. Chem. Phys. 153, 021101 (2020)). In a constant cell the two are the same.

    Parameters
    ----------
    images
        ``[n_frames, n_atoms, 3]`` nm; exact periodic images of the positions in the file.
    drift
        ``[n_frames, n_components, 3]`` nm; from the images of a molecule to its path.
    component
        ``[n_atoms]`` molecule (bonded component) of each atom.
    """

    images: np.ndarray
    drift: np.ndarray
    component: np.ndarray

    @property
    def path(self) -> np.ndarray:
        """Positions ``[n_frames, n_atoms, 3]`` nm whose differences are displacements."""
        return self.images + self.drift[:, self.component] if self.drift.any() else self.images


class Unwrapper:
    """Makes the molecules of successive chunks of one trajectory whole and continuous in time.

    In each frame the atoms are joined along a spanning tree of the bonds, each bond at its minimum
    image. Then each molecule (bonded component) is followed: its displacement from frame to frame
    is the minimum image of the difference of its centres. Molecules must move less than half a
    cell between frames.

    Parameters
    ----------
    molecule
        Gives the bonds; may have several bonded components.
    """

    def __init__(self, molecule: Molecule) -> None:
        self.molecule = molecule
        n_atoms = molecule.n_atoms
        i, j = molecule.bond_index
        graph = coo_array((np.ones(len(i)), (i, j)), shape=(n_atoms, n_atoms))
        self.n_components, self.component = connected_components(graph, directed=False)
        self.parent = _parents(molecule.bond_index, self.component)
        self._last: _Followed | None = None

    def __call__(self, trajectory: "mdtraj.Trajectory") -> np.ndarray:
        """Return the images of the next chunk ``[n_frames, n_atoms, 3]`` nm, float64.

        Without a cell they are the positions of the file. Errors as in `follow`.
        """
        return self.follow(trajectory).images

    def follow(self, trajectory: "mdtraj.Trajectory") -> Unwrapped:
        """Return images and path of the next chunk.

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
            no_drift = np.zeros((len(xyz), self.n_components, 3))
            return Unwrapped(xyz, no_drift, self.component)
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

    def _continuous(self, xyz: np.ndarray, cell: np.ndarray) -> Unwrapped:
        """Follow each molecule from its place in the frame before."""
        centre = means_of_parts(xyz, self.component)
        last = self._last or _Followed.at(centre[0], cell[0])
        step = np.diff(centre, axis=0, prepend=last.centre[None])
        jump = minimum_image(step, cell) - step  # a cell vector of the present cell
        path = last.path + np.cumsum(jump, axis=0)
        n_cells = _counted(jump, cell, last)
        image = np.einsum("fci,fij->fcj", n_cells, cell)
        drift = path - image
        drift[np.abs(drift) < _ROUNDING] = 0
        self._last = _Followed(centre[-1], cell[-1], path[-1], n_cells[-1])
        return Unwrapped(xyz + image[:, self.component], drift, self.component)


def means_of_parts(xyz: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return the mean positions ``[n_frames, n_parts, 3]`` of the atoms of each part.

    Parameters
    ----------
    xyz
        ``[n_frames, n_atoms, 3]``.
    part
        ``[n_atoms]`` number of the part that each atom is in; none is empty.
    """
    n_atoms = np.bincount(part)
    order = np.argsort(part, kind="stable")
    total = np.add.reduceat(xyz[:, order], np.cumsum(n_atoms) - n_atoms, axis=1)
    return np.asarray(total / n_atoms[:, None])


@dataclass(frozen=True)
class _Followed:
    """Where the molecules were in the last frame."""

    centre: np.ndarray  # [n_components, 3] of the whole molecules, in the file's images
    cell: np.ndarray  # [3, 3]
    path: np.ndarray  # [n_components, 3] from these centres to the paths
    n_cells: np.ndarray  # [n_components, 3] cells from these centres to the images

    @classmethod
    def at(cls, centre: np.ndarray, cell: np.ndarray) -> "_Followed":
        """At the beginning."""
        return cls(centre, cell, np.zeros_like(centre), np.zeros_like(centre))


def _counted(jump: np.ndarray, cell: np.ndarray, last: _Followed) -> np.ndarray:
    """Add up jumps to numbers of cells ``[n_frames, n_components, 3]``.

    Programs flip the tilt of a triclinic cell when it becomes too skewed: the same lattice by
    other vectors, in which the cells are counted anew.
    """
    n_cells = np.rint(np.einsum("fci,fij->fcj", jump, np.linalg.inv(cell)))
    before = np.concatenate([last.cell[None], cell[:-1]])
    basis = np.rint(before @ np.linalg.inv(cell))
    n_cells[0] += last.n_cells @ basis[0]
    if (basis == np.eye(3)).all():
        return np.cumsum(n_cells, axis=0)
    for frame in range(1, len(n_cells)):
        n_cells[frame] += n_cells[frame - 1] @ basis[frame]
    return n_cells


def _parents(bond_index: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Return the parent of each atom in a spanning tree of its molecule; a root is its own.

    One search from a node above all roots, which is linear in atoms and bonds.
    """
    n_atoms = len(component)
    _, roots = np.unique(component, return_index=True)
    i = np.concatenate([bond_index[0], np.full(len(roots), n_atoms)])
    j = np.concatenate([bond_index[1], roots])
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(n_atoms + 1, n_atoms + 1)).tocsr()
    _, parent = breadth_first_order(graph, n_atoms, directed=False)
    parent = parent[:n_atoms].astype(np.int64)
    parent[roots] = roots
    return parent

"""Covalent geometry of a molecule: angles, stereocentres, pairs that are far along the bonds."""

import numpy as np
from scipy.sparse import coo_array, csr_array

from cgsim.io import Molecule

_HYDROGENS = ("H", "D", "T")
_NEIGHBOURS_OF_A_CENTRE = 4
_HEAVY_NEIGHBOURS_OF_A_CENTRE = 3


def heavy_atoms(molecule: Molecule) -> np.ndarray:
    """Indices [n_heavy] of all atoms that are no hydrogens."""
    return np.flatnonzero([kind not in _HYDROGENS for kind in molecule.atom_type])


def neighbours(molecule: Molecule) -> list[np.ndarray]:
    """Return for each atom the atoms bonded to it, in order."""
    graph = _bond_graph(molecule)
    return np.split(graph.indices, graph.indptr[1:-1])


def angle_index(molecule: Molecule) -> np.ndarray:
    """Every pair of bonds that share an atom, [3, n_angles], the shared atom in the middle."""
    angles = [
        (bonded[first], centre, bonded[second])
        for centre, bonded in enumerate(neighbours(molecule))
        for first in range(len(bonded))
        for second in range(first + 1, len(bonded))
    ]
    return np.array(angles, dtype=np.int64).reshape(-1, 3).T


def bond_angles(xyz: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return the angles [n_frames, n_angles] in radians, of `angle_index`."""
    first, centre, second = angles
    a, b = xyz[:, first] - xyz[:, centre], xyz[:, second] - xyz[:, centre]
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return np.arccos(np.clip(cosine, -1.0, 1.0))


def stereocentres(molecule: Molecule) -> np.ndarray:
    """Atoms with four neighbours, at least three of them no hydrogens: [4, n_centres].

    The rows are the centre and its first three heavy neighbours. So alpha carbons are among them
    and, with neighbours told apart by their names only, the beta carbon of valine.
    """
    heavy = set(heavy_atoms(molecule).tolist())
    centres = []
    for centre, bonded in enumerate(neighbours(molecule)):
        arms = [atom for atom in bonded.tolist() if atom in heavy]
        if len(bonded) == _NEIGHBOURS_OF_A_CENTRE and len(arms) >= _HEAVY_NEIGHBOURS_OF_A_CENTRE:
            centres.append((centre, *arms[:_HEAVY_NEIGHBOURS_OF_A_CENTRE]))
    return np.array(centres, dtype=np.int64).reshape(-1, 4).T


def handedness(xyz: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Sign [n_frames, n_centres] of the volume spanned by three neighbours of a stereocentre.

    It is the sign of a · (b × c) of the three bonds: the mirror image has the other one.
    """
    centre, *arms = centres
    a, b, c = (xyz[:, arm] - xyz[:, centre] for arm in arms)
    return np.sign((a * np.cross(b, c)).sum(-1))


def distant_pairs(molecule: Molecule, *, n_bonds: int = 3) -> np.ndarray:
    """Pairs i < j that are more than `n_bonds` bonds apart, or not connected: [2, n_pairs]."""
    graph = _bond_graph(molecule)
    near = reached = graph + csr_array(np.eye(molecule.n_atoms, dtype=np.int64))
    for _ in range(n_bonds - 1):
        near = near @ reached
    first, second = np.triu_indices(molecule.n_atoms, k=1)
    apart = near.toarray()[first, second] == 0
    return np.stack([first[apart], second[apart]])


def _bond_graph(molecule: Molecule) -> csr_array:
    i, j = np.concatenate([molecule.bond_index, molecule.bond_index[::-1]], axis=1)
    n_atoms = molecule.n_atoms
    graph = coo_array((np.ones(len(i), dtype=np.int64), (i, j)), shape=(n_atoms, n_atoms)).tocsr()
    graph.sort_indices()
    return graph

"""Handedness of beads: all that a molecule in beads and its mirror image may differ in.

Beads of an L-peptide lie as those of its mirror image do, turned over: their atoms know which of
the two it is, their positions and bonds do not. A number -1, 0 or +1 for each bead keeps it.
"""

from dataclasses import dataclass

import numpy as np
from mdtraj.core.element import carbon

from cgsim.io import Molecule
from cgsim.mapping.bead_mapping import Mapping

N_ROUNDS = 8  # bonds within which two substituents must differ
FLAT = 0.45  # triple product of unit vectors: 0.77 of a tetrahedral atom, near 0 of a planar one


@dataclass(frozen=True)
class _Centre:
    """A carbon with three or four different substituents, in the order of their rank."""

    atom: int
    substituents: tuple[int, ...]
    is_alpha: bool


def bead_chirality(molecule: Molecule, mapping: Mapping, xyz: np.ndarray) -> np.ndarray:
    """Return the handedness of every bead: -1, 0 (none) or +1; a mirror image has the opposite.

    The handedness of a carbon with four different substituents (or three, where hydrogens are left
    out) is the sign of ``(r_1 x r_2) . r_3``, of the vectors to the first three in order of rank.
    Substituents are ranked by atomic number, then by what is bonded to them, to eight bonds. At a
    C-alpha N and C come first, so that **L-amino acids are +1, D-amino acids -1**, glycine and caps
    0. A bead has the sign of the sum over its C-alphas or, where it holds none, over its other
    stereocentres: L-threonine is +1 whatever its side chain is.

    Parameters
    ----------
    molecule, mapping
        The atoms and their beads.
    xyz
        ``[n_atoms, 3]`` nm, molecules whole.

    Returns
    -------
    np.ndarray
        ``[n_beads]`` int64. Beads of virtual particles are 0.
    """
    centres = _stereocentres(molecule)
    total = np.zeros((2, mapping.n_beads), dtype=np.int64)
    has_alpha = np.zeros(mapping.n_beads, dtype=bool)
    for centre in centres:
        bead = mapping.bead_index[centre.atom]
        total[int(centre.is_alpha), bead] += _handedness(centre, xyz)
        has_alpha[bead] |= centre.is_alpha
    return np.sign(np.where(has_alpha, total[1], total[0]))


def _handedness(centre: _Centre, xyz: np.ndarray) -> int:
    vectors = xyz[list(centre.substituents)] - xyz[centre.atom]
    volume = np.linalg.det(vectors[:3] / np.linalg.norm(vectors[:3], axis=1, keepdims=True))
    is_flat = len(vectors) == 3 and abs(volume) < FLAT
    return 0 if is_flat else int(np.sign(volume))


def _stereocentres(molecule: Molecule) -> list[_Centre]:
    atoms = list(molecule.topology.atoms)
    bonded: list[list[int]] = [[] for _ in atoms]
    for i, j in molecule.bond_index.T.tolist():
        bonded[i].append(j)
        bonded[j].append(i)
    candidates = [a.index for a in atoms if a.element is carbon and len(bonded[a.index]) in (3, 4)]
    if not candidates:
        return []
    rank = _ranks(molecule, bonded)
    centres = []
    for atom in candidates:
        first = {
            other: ("C", "N").index(atoms[other].name)
            for other in bonded[atom]
            if atoms[other].name in ("N", "C") and atoms[other].residue is atoms[atom].residue
        }
        is_alpha = atoms[atom].name == "CA" and len(first) == 2
        keys = {
            other: (first.get(other, -1) if is_alpha else 0, rank[other]) for other in bonded[atom]
        }
        if len(set(keys.values())) == len(keys):
            ordered = tuple(sorted(keys, key=lambda other: keys[other], reverse=True))
            centres.append(_Centre(atom, ordered, is_alpha))
    return centres


def _ranks(molecule: Molecule, bonded: list[list[int]]) -> list[int]:
    """Rank of every atom by its element and surroundings, whatever the order of the atoms.

    Colour refinement (Morgan, J. Chem. Doc. 5, 107 (1965)): equal ranks are atoms that look alike
    within `N_ROUNDS` bonds.
    """
    rank = [0 if a.element is None else int(a.element.number) for a in molecule.topology.atoms]
    n_ranks = len(set(rank))
    for _ in range(N_ROUNDS):
        keys = [
            (rank[atom], sorted((rank[other] for other in others), reverse=True))
            for atom, others in enumerate(bonded)
        ]
        place = {key: number for number, key in enumerate(sorted({(a, *b) for a, b in keys}))}
        rank = [place[(a, *b)] for a, b in keys]
        if len(place) == n_ranks:
            break
        n_ranks = len(place)
    return rank

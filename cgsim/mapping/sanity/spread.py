"""Sites and beads that are spread too far: bonds between sites, beads in pieces, a single point."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from cgsim.config.checks import way_on
from cgsim.io import Molecule
from cgsim.io.bond_lengths import is_chemical
from cgsim.mapping import Mapping

# Times the median bond. Of Gaussian springs, whose lengths vary most, 3 in 10⁸ reach 4 and one in
# 10¹² reaches 5; elastic networks have 2.6 (0.9 nm where the backbone has 0.35). Between pieces of
# a bead: 0.75 nm of atoms, twice the distance at which molecules touch.
_FARTHEST = 5.0
_CALPHA = 0.38  # nm, of neighbouring C-alphas
_SLIPPED = 6.0  # times: ångström for nm, or nm for ångström


class Spread:
    """Checks frames for what is further apart than its bonds.

    Parameters
    ----------
    molecule, mapping
        The atoms and their beads; without a mapping only atoms are looked at.
    """

    def __init__(self, molecule: Molecule, mapping: Mapping | None) -> None:
        self.molecule = molecule
        massive = molecule.atom_mass[molecule.bond_index] > 0
        self._massive = molecule.bond_index[:, massive.all(axis=0)]
        self._pieces = [] if mapping is None else beads_in_pieces(molecule, mapping)

    def check(self, xyz: np.ndarray, *, first_frame: int) -> None:
        """Check frames ``[n_frames, n_atoms, 3]`` nm, molecules whole.

        Pieces of beads are looked at in the first of them only: a wrong mapping is wrong in all.

        Raises
        ------
        ValueError
            Naming frame, bead, atoms and distance, and the likely cause.
        """
        if xyz.shape[1] > 1:
            check_apart(xyz, first_frame=first_frame)
        self._check_bonded_apart(xyz, first_frame)
        if not self._pieces:
            return
        first, second = self.molecule.bond_index
        usual = float(np.median(np.linalg.norm(xyz[0, first] - xyz[0, second], axis=1)))
        for bead, pieces in self._pieces:
            self._check_bead(bead, pieces, xyz[0], frame=first_frame, limit=_FARTHEST * usual)

    def _check_bonded_apart(self, xyz: np.ndarray, first_frame: int) -> None:
        """Check that no bonded atoms are at one place to the last digit (virtual sites may be)."""
        first, second = self._massive
        coincide = (xyz[:, first] == xyz[:, second]).all(axis=2)
        if coincide.any():
            frame = int(np.argmax(coincide.any(axis=1)))
            bond = int(np.argmax(coincide[frame]))
            one, other = (self.molecule.topology.atom(int(own[bond])) for own in (first, second))
            raise ValueError(
                f"frame {first_frame + frame}: the bonded atoms {one} (atom {one.index}) and "
                f"{other} (atom {other.index}) are at one place, {_point(xyz[frame, one.index])}: "
                f"positions were not written. {way_on('spread')}"
            )

    def _check_bead(
        self,
        bead: int,
        pieces: Sequence[np.ndarray],
        xyz: np.ndarray,
        *,
        frame: int,
        limit: float,
    ) -> None:
        """Add the nearest piece to the first, time and again; none may be far from all others."""
        held, free = list(pieces[0]), [list(piece) for piece in pieces[1:]]
        while free:
            nearest = [_closest(xyz, held, piece) for piece in free]
            at = int(np.argmin([distance for distance, _, _ in nearest]))
            distance, one, other = nearest[at]
            if distance > limit:
                top = self.molecule.topology
                raise ValueError(
                    f"frame {frame}: bead {bead} is in pieces: its nearest atoms across the gap, "
                    f"{top.atom(one)} (atom {one}) and {top.atom(other)} (atom {other}), are "
                    f"{distance:.3f} nm apart. Most likely the mapping is that of another molecule "
                    "or of another order of atoms; a bead in between means nothing. "
                    f"{way_on('spread')}"
                )
            held += free.pop(at)


class SiteBonds:
    """Checks the bonds between sites that are no chemical elements, which may have any length.

    They are measured by each other; C-alphas by what is known of them.
    """

    def __init__(self, molecule: Molecule) -> None:
        self.molecule = molecule
        kept = ~is_chemical(molecule)[molecule.bond_index].all(axis=0)
        self.bond_index = molecule.bond_index[:, kept]
        atoms = list(molecule.topology.atoms)
        massive = molecule.atom_mass > 0
        self.bond_index = self.bond_index[:, massive[self.bond_index].all(axis=0)]
        ends = [(atoms[i], atoms[j]) for i, j in self.bond_index.T]
        self._is_calpha = np.array(
            [a.name == b.name == "CA" and a.residue.is_protein for a, b in ends], dtype=bool
        )
        self._usual: float | None = None

    def check(self, xyz: np.ndarray, *, first_frame: int) -> None:
        """Check frames ``[n_frames, n_atoms, 3]`` nm, molecules whole.

        Raises
        ------
        ValueError
            Naming frame, sites and length, and the likely cause.
        """
        first, second = self.bond_index
        if not len(first) or not len(xyz):
            return
        length = np.linalg.norm(xyz[:, first] - xyz[:, second], axis=2)
        if self._usual is None:
            self._usual = float(np.median(length))
            self._check_unit(length, first_frame)
        too_long = length > _FARTHEST * self._usual
        if not too_long.any():
            return
        frame = int(np.argmax(too_long.any(axis=1)))
        bond = int(np.argmax(length[frame]))
        ends = [self.molecule.topology.atom(int(i)) for i in self.bond_index[:, bond]]
        raise ValueError(
            f"frame {first_frame + frame}: {int(too_long[frame].sum())} of {len(first)} bonds are "
            f"more than {_FARTHEST:g} times as long as the median ({self._usual:.3f} nm), the "
            f"worst: {ends[0]} to {ends[1]} {length[frame, bond]:.3f} nm. Most likely the molecule "
            "is cut at the boundary of a periodic cell and the file tells no cell, or the sites "
            f"are in another order than in the topology. {way_on('bonds')}"
        )

    def _check_unit(self, length: np.ndarray, first_frame: int) -> None:
        if not self._is_calpha.any():
            return
        usual = float(np.median(length[:, self._is_calpha]))
        if _CALPHA / _SLIPPED < usual < _CALPHA * _SLIPPED:
            return
        cause = (
            "the file is in ångström where nm are meant"
            if usual > _CALPHA
            else "the file is in nm where ångström are meant"
        )
        raise ValueError(
            f"frame {first_frame}: neighbouring C-alphas are {usual:.3f} nm apart in the median, "
            f"where {_CALPHA} is usual: most likely {cause}. {way_on('bonds')}"
        )


def check_apart(xyz: np.ndarray, *, first_frame: int) -> None:
    """Check that the atoms of frames ``[n_frames, n_atoms, 3]`` nm are not all at one place.

    Raises
    ------
    ValueError
        Naming frame and place.
    """
    is_point = (xyz == xyz[:, :1]).all(axis=(1, 2))
    if is_point.any():
        frame = int(np.argmax(is_point))
        raise ValueError(
            f"frame {first_frame + frame}: all {xyz.shape[1]} atoms are at one place, "
            f"{_point(xyz[frame, 0])}: positions were not written, or only this frame was not. "
            f"{way_on('spread')}"
        )


def beads_in_pieces(molecule: Molecule, mapping: Mapping) -> list[tuple[int, list[np.ndarray]]]:
    """Number and pieces (atoms bonded within the bead) of each bead that has several."""
    i, j = molecule.bond_index
    inside = mapping.bead_index[i] == mapping.bead_index[j]
    n_atoms = molecule.n_atoms
    graph = coo_array((np.ones(inside.sum()), (i[inside], j[inside])), shape=(n_atoms, n_atoms))
    n_pieces, piece = connected_components(graph, directed=False)
    if n_pieces == mapping.n_beads:
        return []
    first = np.unique(piece, return_index=True)[1]
    several = np.flatnonzero(np.bincount(mapping.bead_index[first]) > 1)
    found = []
    for bead in several.tolist():
        atoms = np.flatnonzero(mapping.bead_index == bead)
        found.append((bead, [atoms[piece[atoms] == own] for own in np.unique(piece[atoms])]))
    return found


def _closest(
    xyz: np.ndarray, first: Sequence[int], second: Sequence[int]
) -> tuple[float, int, int]:
    """Smallest distance between two groups of atoms, and the atoms."""
    distance = cdist(xyz[list(first)], xyz[list(second)])
    i, j = np.unravel_index(int(distance.argmin()), distance.shape)
    return float(distance[i, j]), int(first[int(i)]), int(second[int(j)])


def _point(position: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}" for value in position) + ")"

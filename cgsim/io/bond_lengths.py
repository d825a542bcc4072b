"""Whether bonds are as long as chemical bonds can be: the first thing that wrong input breaks."""

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from cgsim.config.checks import way_on
from cgsim.io.molecule import Molecule
from cgsim.io.periodic import minimum_image

_RADIUS = {  # nm; Cordero et al., Dalton Trans. 2008, 2832
    **{"H": 0.031, "D": 0.031, "B": 0.084, "C": 0.076, "N": 0.071, "O": 0.066, "F": 0.057},
    **{"Si": 0.111, "P": 0.107, "S": 0.105, "Cl": 0.102, "Se": 0.12, "Br": 0.12, "I": 0.139},
}
_HEAVY = {symbol: radius for symbol, radius in _RADIUS.items() if symbol not in ("H", "D")}
_AS_BONDED = (0.7, 1.15)  # distances of bonded atoms, in sums of radii
_FARTHEST = 0.25  # nm; the longest of these, of two sulfurs, is 0.24
_OTHER_RADIUS = 0.15  # metals
_STRETCH = (
    1.5  # bonds of a simulation stretch by a tenth at most; the nearest neighbours are at 1.7
)
_ALWAYS_POSSIBLE = 0.2  # nm; rigid water has a bond between its hydrogens
_N_NAMED = 3
_MANY = 0.2  # share of bonds
_CUT = 0.8  # nm; across a boundary a bond is as long as the cell, which is twice that or more
_UNIT_SLIPPED = (6.0, 14.0)  # ratio of lengths where ångström is taken for nm


def covalent_radius(symbol: str) -> float:
    """Covalent radius in nm."""
    return _RADIUS.get(symbol, _OTHER_RADIUS)


def longest_bond(first: str, second: str) -> float:
    """Length in nm that no bond of two elements has: 1.5 times their radii, 0.2 at least."""
    return max(_ALWAYS_POSSIBLE, _STRETCH * (covalent_radius(first) + covalent_radius(second)))


def is_chemical(molecule: Molecule) -> np.ndarray:
    """``[n_atoms]`` whether each is of a chemical element, and no bead or virtual site."""
    elements = [atom.element for atom in molecule.topology.atoms]
    return np.array([e is not None and e.number > 0 for e in elements], dtype=bool)


class BondLengths:
    """Checks frames for bonds that are longer than a chemical bond can be.

    Only bonds between chemical elements are looked at: beads may be any distance apart.
    """

    def __init__(self, molecule: Molecule) -> None:
        kept = is_chemical(molecule)[molecule.bond_index].all(axis=0)
        self.molecule = molecule
        self.bond_index = molecule.bond_index[:, kept]
        elements = [atom.element for atom in molecule.topology.atoms]
        radius = np.array([0.0 if e is None else covalent_radius(e.symbol) for e in elements])
        self.usual = radius[self.bond_index].sum(axis=0)
        self.longest = np.maximum(_ALWAYS_POSSIBLE, _STRETCH * self.usual)

    def check(
        self, xyz: np.ndarray, *, cell: np.ndarray | None = None, first_frame: int = 0
    ) -> None:
        """Check frames.

        Parameters
        ----------
        xyz
            ``[n_frames, n_atoms, 3]`` nm.
        cell
            ``[n_frames, 3, 3]`` nm, where bonds may cross the boundary; None where molecules are
            whole, or there is no cell.
        first_frame
            Number of the first of these frames.

        Raises
        ------
        ValueError
            Naming the first frame with bonds of impossible length, the worst of them, and the
            likely cause.
        """
        first, second = self.bond_index
        if not len(first):
            return
        for frame, pos in enumerate(np.asarray(xyz, dtype=np.float64)):
            bond = pos[second] - pos[first]
            if cell is not None:
                bond = minimum_image(bond[None], cell[frame : frame + 1])[0]
            length = np.linalg.norm(bond, axis=1)
            too_long = length > self.longest
            ratio = float(np.median(length / self.usual))
            if too_long.any() or ratio < 1 / _UNIT_SLIPPED[0]:
                is_cut = cell is None and float(length.max()) > _CUT
                raise ValueError(
                    f"frame {first_frame + frame}: {self._worst(length)}. "
                    f"{_cause(ratio, float(too_long.mean()), is_cut=is_cut)}. {way_on('bonds')}"
                )

    def _worst(self, length: np.ndarray) -> str:
        """The bonds furthest from the usual length, in words."""
        atoms = list(self.molecule.topology.atoms)
        too_long = np.flatnonzero(length > self.longest)
        if not len(too_long):
            return f"bonds are {np.median(length):.3f} nm long in the median, which none can be"
        order = too_long[np.argsort(-length[too_long], kind="stable")][:_N_NAMED]
        named: Sequence[str] = [
            f"{atoms[i]} to {atoms[j]} {length[bond]:.3f} nm"
            for bond, (i, j) in zip(order, self.bond_index.T[order], strict=True)
        ]
        return (
            f"{len(too_long)} of {len(length)} bonds are longer than a chemical bond can be, the "
            f"worst: {', '.join(named)} (at most {self.longest[order[0]]:.2f})"
        )


def warn_of_unbonded(molecule: Molecule, xyz: np.ndarray) -> None:
    """Warn of heavy atoms ``[n_atoms, 3]`` nm that are as near as bonded ones, without a bond.

    So are a lactam, a glycan or a covalent ligand of which the file does not state the bond.
    """
    atoms = list(molecule.topology.atoms)
    radius = np.array(
        [0.0 if a.element is None else _HEAVY.get(a.element.symbol, 0) for a in atoms]
    )
    heavy = np.flatnonzero(radius)
    if len(heavy) < 2:
        return
    first, second = heavy[cKDTree(xyz[heavy]).query_pairs(_FARTHEST, output_type="ndarray")].T
    distance = np.linalg.norm(xyz[first] - xyz[second], axis=1)
    usual = radius[first] + radius[second]
    is_near = (distance < _AS_BONDED[1] * usual) & (distance > _AS_BONDED[0] * usual)
    bonded = set(map(tuple, np.sort(molecule.bond_index, axis=0).T.tolist()))
    named = [
        f"{atoms[i]} and {atoms[j]} {apart:.3f} nm"
        for i, j, apart in zip(
            first[is_near].tolist(), second[is_near].tolist(), distance[is_near], strict=True
        )
        if (min(i, j), max(i, j)) not in bonded
    ]
    if named:
        more = " ..." if len(named) > _N_NAMED else ""
        warnings.warn(
            f"atoms are as near as bonded ones, but no bond between them is known: "
            f"{', '.join(named[:_N_NAMED])}{more}. If they are bonded, say so in CONECT records of "
            "the PDB, or give the topology of your engine (PSF, PRMTOP, TPR)",
            stacklevel=3,
        )


def _cause(ratio: float, share: float, *, is_cut: bool) -> str:
    low, high = _UNIT_SLIPPED
    if low < ratio < high:
        return "All lengths are ten times too long: the file is in ångström where nm are meant"
    if ratio < 1 / low:
        return "All lengths are ten times too short: the file is in nm where ångström are meant"
    if share > _MANY:
        return (
            "Most likely the atoms are in another order than in the topology, or it is that of "
            "another molecule"
        )
    if not is_cut:
        return (
            "Most likely some atoms are in another order than in the topology, or not bonded "
            "(wrong CONECT records)"
        )
    return (
        "Most likely the molecule is cut at the boundary of a periodic cell and the file tells no "
        "cell: make it whole first (gmx trjconv -pbc whole, cpptraj autoimage), or keep the cell"
    )

"""Beads of proteins: residues at their C-alpha, or parted into backbone and side chain."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cgsim.mapping.bead_mapping import Mapping, mapping_from_index, placed_at_atoms

if TYPE_CHECKING:
    from mdtraj.core.topology import Atom, Residue

    from cgsim.io import Molecule

_CAP_SITES = {"ACE": ("CH3",), "NME": ("CH3", "C"), "NMA": ("CH3", "C"), "NH2": ("N",)}
_BACKBONE = frozenset(("N", "CA", "C", "O", "OXT", "OT1", "OT2"))


def map_calpha(molecule: "Molecule") -> Mapping:
    """Make each residue a bead that sits at its C-alpha.

    All atoms of the residue are in the bead: their types and bonds say what it is, and its mass is
    theirs. The caps ACE and NME are at their methyl carbons, which are where the C-alphas of one
    more residue would be (0.38 nm from the next), and the cap NH2 is at its nitrogen. Several
    chains are as many bonded components. Any residue with a carbon atom named CA is an amino acid,
    standard or not.

    Raises
    ------
    ValueError
        Naming the residue (a broken amino acid, water, an ion, a ligand) that has no C-alpha, or
        two of them.
    """
    bead_index, sites = np.empty(molecule.n_atoms, dtype=np.int64), []
    for bead, residue in enumerate(_residues(molecule)):
        bead_index[[atom.index for atom in residue.atoms]] = bead
        sites.append(_site(residue))
    mapping = mapping_from_index(molecule, bead_index, recipe={"method": "calpha"})
    return placed_at_atoms(mapping, sites)


def map_backbone_sidechain(molecule: "Molecule") -> Mapping:
    """Make each residue two beads at their centres of mass: backbone, then side chain.

    The backbone is N, CA, C, O (and OXT) with the hydrogens bonded to them. A residue without any
    other atom, such as glycine, and a cap (ACE, NME, NH2) are one bead. Several chains are as many
    bonded components.

    Raises
    ------
    ValueError
        Naming the residue without N, CA or C, and what it lacks.
    """
    heavy_neighbour = _bonded_heavy_atoms(molecule)
    bead_index, n_beads = np.empty(molecule.n_atoms, dtype=np.int64), 0
    for residue in _residues(molecule):
        _check_backbone(residue)
        atoms = np.array([atom.index for atom in residue.atoms])
        backbone = {atom.index for atom in residue.atoms if atom.name in _BACKBONE}
        is_side = np.array([heavy_neighbour[atom] not in backbone for atom in atoms])
        if residue.name in _CAP_SITES:
            is_side[:] = False
        bead_index[atoms] = n_beads + is_side
        n_beads += 1 + int(is_side.any())
    return mapping_from_index(molecule, bead_index, recipe={"method": "backbone-sidechain"})


def _residues(molecule: "Molecule") -> Iterator["Residue"]:
    """Residues that hold atoms."""
    return (residue for residue in molecule.topology.residues if residue.n_atoms)


_WAYS_ON = (
    "complete it (for example with PDBFixer), remove it, if it is no amino acid, by "
    "select='protein' (--select protein), or choose another mapping (residues, metis)"
)


def _site(residue: "Residue") -> int:
    """The atom where the bead of a residue is."""
    wanted = _CAP_SITES.get(residue.name, ("CA",))
    found = [
        atom.index
        for atom in residue.atoms
        if atom.name in wanted and (atom.name != "CA" or _is_calpha(atom))
    ]
    if len(found) == 1:
        return int(found[0])
    if found:
        raise ValueError(
            f"{_label(residue)} has {len(found)} atoms {' or '.join(wanted)}, so its bead has no "
            "one place: keep one (of alternate locations, for example)"
        )
    raise ValueError(
        f"{_label(residue)} has no atom {' or '.join(wanted)} where its bead could be: {_WAYS_ON}"
    )


def _is_calpha(atom: "Atom") -> bool:
    """Whether an atom called CA is a C-alpha (alone in its residue, a bead at it), no calcium."""
    return _symbol(atom) == "C" or (_symbol(atom) == "VS" and atom.residue.n_atoms == 1)


def _check_backbone(residue: "Residue") -> None:
    if residue.name in _CAP_SITES:
        return
    names = {atom.name for atom in residue.atoms if atom.name != "CA" or _symbol(atom) == "C"}
    missing = [name for name in ("N", "CA", "C") if name not in names]
    if missing:
        raise ValueError(
            f"{_label(residue)} has no atom {', '.join(missing)}, so no backbone: {_WAYS_ON}"
        )


def _bonded_heavy_atoms(molecule: "Molecule") -> np.ndarray:
    """The atom that each hydrogen is bonded to, and every other atom itself ``[n_atoms]``."""
    is_hydrogen = np.array([_symbol(atom) == "H" for atom in molecule.topology.atoms])
    heavy = np.arange(molecule.n_atoms)
    for first, second in (molecule.bond_index, molecule.bond_index[::-1]):
        rows = is_hydrogen[first] & ~is_hydrogen[second]
        heavy[first[rows]] = second[rows]
    return heavy


def _symbol(atom: "Atom") -> str | None:
    """Of the element; None of an atom of unknown element."""
    return None if atom.element is None else str(atom.element.symbol)


def _label(residue: "Residue") -> str:
    chain = residue.chain.chain_id or residue.chain.index
    return f"residue {residue.name} {residue.resSeq} of chain {chain}"

"""Molecules from topology files: atoms, masses and bonds, those that a file leaves out included."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import mdtraj
import numpy as np
from mdtraj.core.element import get_by_symbol, virtual

from cgsim.config.checks import Allowed, allowed
from cgsim.io.bond_lengths import BondLengths, warn_of_unbonded
from cgsim.io.bonds import StandardBonds, site_bonds, template_kind
from cgsim.io.chain_sites import chain_bonds, chain_sites, site_mass
from cgsim.io.elements import BEAD, VIRTUAL_SITE, assign_elements
from cgsim.io.files import file_stem, is_positive, read_sidecar
from cgsim.io.in_memory import stated_in_memory
from cgsim.io.molecule import Molecule
from cgsim.io.residues import template_of
from cgsim.io.selection import select_atoms
from cgsim.io.stated import Pairs, StatedTopology, read_stated_topology, stated_by
from cgsim.io.unbonded import check_bonded

Masses = Mapping[str, float] | Sequence[float] | np.ndarray
"""Masses in Da by atom type (element symbol or atom name), or one for each atom."""

Elements = Mapping[str, str]
"""Element symbols by ``"NAME"`` or ``"RESIDUE:NAME"``; ``"VS"`` for a virtual site."""

Bonds = Literal["standard", "chain"]
"""What is added where a file does not state all bonds."""


def load_molecule(
    topology_file: Any,
    *,
    masses: Masses | None = None,
    elements: Elements | None = None,
    bonds: Bonds | None = None,
    select: str | None = None,
    allow: Allowed = (),
    name: str | None = None,
) -> Molecule:
    """Read a molecule from a topology file (PDB, PSF, PRMTOP, GRO, TPR, LAMMPS data, ...).

    **Elements** come from residue and atom name in standard residues, else from the file; a name is
    no proof (``CD`` is a carbon, ``SC1`` a bead). **Bonds** come from the file (CONECT, PSF,
    mmCIF, ...) and, where it does not state all of them, from the standard residues: within chains,
    not over gaps, with disulfides. **Masses** come from `masses`, else from a PSF or PRMTOP, else
    from the JSON beside the file, else from the element.

    Parameters
    ----------
    topology_file
        The file; or an `mdtraj.Topology` or `Trajectory`, an `MDAnalysis.Universe` or `AtomGroup`
        in memory, to which the same rules apply. The ``"masses"``, ``"elements"``, ``"bonds"`` and
        ``"select"`` of a JSON file of the same stem stand for the arguments that are not given.
    masses
        Da; a dict by atom type (element symbol or atom name), or one for each atom (selected).
    elements
        Symbols by atom name, where the file leaves them open.
    bonds
        ``"standard"`` (the default), or ``"chain"``: residues of one site each, C-alphas for
        example, are bonded one after the other, and are called by the name of their residue.
    select
        Atoms to read, in MDTraj's selection language (``"protein"``, ``"resname LIG"``, ``"not
        water"``); all others are passed over, in trajectories too, and need no known elements.
    allow
        ``["bonds"]``: bonds may be longer than a chemical bond can be.
    name
        Name of the molecule; the stem of the file by default.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If it cannot be read or has no atoms; if elements, masses or bonds of atoms are unknown; if
        bonds are longer than can be. Names the atoms and the ways on.
    """
    left_out = allowed(allow)
    in_memory = stated_in_memory(topology_file)
    if in_memory is None:
        path = Path(topology_file)
        stated, about = read_stated_topology(path), read_sidecar(path)
    else:
        path, stated, about = Path("molecule"), in_memory, {}
    if masses is None and stated.masses is None:
        masses = about.get("masses")
    select = select or about.get("select")
    whole, atoms = stated.topology, None
    try:
        if select is not None:
            stated, atoms = select_atoms(stated, select)
        molecule = _molecule(
            stated,
            masses=masses,
            elements=about.get("elements", {}) if elements is None else elements,
            bonds=bonds or about.get("bonds", "standard"),
            name=file_stem(path) if name is None else name,
        )
        if stated.xyz is not None and not stated.has_all_bonds and "bonds" not in left_out:
            cell = None if stated.cell is None else stated.cell[None]
            BondLengths(molecule).check(stated.xyz[None], cell=cell)
            warn_of_unbonded(molecule, stated.xyz)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return replace(
        molecule,
        cell_angles=stated.cell_angles,
        lammps_units=stated.lammps_units,
        file_atoms=atoms,
        file_topology=None if atoms is None else whole,
    )


def molecule_from_topology(
    topology: mdtraj.Topology,
    *,
    masses: Masses | None = None,
    elements: Elements | None = None,
    bonds: Bonds = "standard",
    name: str = "molecule",
) -> Molecule:
    """Make a molecule from an MDTraj topology, which is copied.

    An atom whose name is a key of `masses` is of that type, whatever element a reader has guessed
    from the name (``"B1"`` is read as boron from files without elements).

    Parameters
    ----------
    topology
        Atoms and, unless the standard bonds of its residues suffice, bonds.
    masses
        Da; a dict by atom type (element symbol or atom name), or one for each atom.
    elements
        Symbols by atom name, against those of the topology.
    bonds
        ``"standard"`` or ``"chain"``, see `load_molecule`.
    name
        Name of the molecule.

    Raises
    ------
    ValueError
        If there are no atoms, atoms without bonds, or an atom of unknown mass or element.
    """
    if topology.n_atoms == 0:
        raise ValueError("the topology has no atoms")
    return _molecule(
        stated_by(topology), masses=masses, elements=elements or {}, bonds=bonds, name=name
    )


def _molecule(
    stated: StatedTopology, *, masses: Masses | None, elements: Elements, bonds: Bonds, name: str
) -> Molecule:
    if bonds not in ("standard", "chain"):
        raise ValueError(f"bonds must be 'standard' or 'chain', not {bonds!r}")
    topology = _parted(stated.topology)
    stated = replace(stated, topology=topology)
    sites = chain_sites(stated) if bonds == "chain" else set()
    symbols = assign_elements(
        _with_beads(stated, sites),
        named=elements,
        bead_names=masses if isinstance(masses, Mapping) else (),
    )
    for atom, symbol in zip(topology.atoms, symbols, strict=True):
        atom.element = virtual if symbol in (BEAD, VIRTUAL_SITE) else get_by_symbol(symbol)
    pairs = _pairs(stated, topology, symbols)
    if sites:
        pairs |= chain_bonds(topology, sites, xyz=stated.xyz, cell=stated.cell)
    atoms = list(topology.atoms)
    for i, j in sorted(pairs):
        topology.add_bond(atoms[i], atoms[j])
    bond_index = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T.copy()
    atom_type = tuple(_atom_type(atom, is_site=atom.index in sites) for atom in atoms)
    atom_mass = _atom_masses(stated, symbols, atom_type, masses=masses, sites=sites)
    check_bonded(topology, bond_index)
    return Molecule(name, atom_type, atom_mass, bond_index, topology)


def _with_beads(stated: StatedTopology, sites: Container[int]) -> StatedTopology:
    symbols = ["VS" if i in sites else symbol for i, symbol in enumerate(stated.symbols)]
    return replace(stated, symbols=symbols)


def _parted(topology: mdtraj.Topology) -> mdtraj.Topology:
    """Copy a topology without its bonds.

    A standard residue that begins again with its first atom is two of one number: it is parted.
    """
    copy = mdtraj.Topology()
    for chain in topology.chains:
        new_chain = copy.add_chain(chain.chain_id)
        for residue in chain.residues:
            is_standard = template_of(residue.name) is not None
            first = ""
            for number, atom in enumerate(residue.atoms):
                if number == 0 or (is_standard and atom.name == first):
                    first = atom.name
                    new_residue = copy.add_residue(
                        residue.name, new_chain, residue.resSeq, residue.segment_id
                    )
                copy.add_atom(atom.name, atom.element, new_residue, serial=atom.serial)
    return copy


def _pairs(stated: StatedTopology, topology: mdtraj.Topology, symbols: Sequence[str]) -> Pairs:
    """The bonds that are stated, those of standard residues where not all are, and of sites."""
    standard = StandardBonds(topology, symbols, xyz=stated.xyz, cell=stated.cell)
    if stated.has_all_bonds:  # engines hold water rigid without bonds; MMTF leaves out hydrogens
        bonded = {atom for pair in stated.bonds for atom in pair}
        loose = []
        for residue in topology.residues:
            has_bond = [atom.index in bonded for atom in residue.atoms]
            if not all(has_bond) and (any(has_bond) or template_kind(residue) == "water"):
                loose.append(residue)
        pairs = stated.bonds | {
            pair for pair in standard.within(loose) if not bonded.issuperset(pair)
        }
    else:
        pairs = stated.bonds | standard.find()
    return pairs | site_bonds(topology, symbols, pairs)


def _atom_type(atom: mdtraj.core.topology.Atom, *, is_site: bool) -> str:
    if is_site:
        return str(atom.residue.name)
    return str(atom.element.symbol if atom.element.number > 0 else atom.name)


def _atom_masses(
    stated: StatedTopology,
    symbols: Sequence[str],
    atom_type: tuple[str, ...],
    *,
    masses: Masses | None,
    sites: Container[int],
) -> np.ndarray:
    """Masses that are given, else stated, else those of residues and elements."""
    if masses is not None and not isinstance(masses, Mapping):
        if len(masses) != len(atom_type):
            raise ValueError(f"{len(masses)} masses were given for {len(atom_type)} atoms")
        values = list(masses)
    else:
        values = []
        for index, (kind, symbol) in enumerate(zip(atom_type, symbols, strict=True)):
            if masses is not None and kind in masses:
                values.append(masses[kind])
            elif stated.masses is not None:
                values.append(stated.masses[index])
            elif index in sites:
                values.append(site_mass(kind))
            else:
                values.append(0.0 if symbol in (BEAD, VIRTUAL_SITE) else get_by_symbol(symbol).mass)
    wrong = [
        index
        for index, mass in enumerate(values)
        if not (is_positive(mass) or (symbols[index] == VIRTUAL_SITE and mass == 0))
    ]
    if wrong:
        first = wrong[0]
        kinds = list(dict.fromkeys(atom_type[index] for index in wrong))
        given = ", ".join(f"{kind!r}: <Da>" for kind in kinds)
        stored = ", ".join(f'"{kind}": <Da>' for kind in kinds)
        raise ValueError(
            f"atom {first} of type {atom_type[first]!r} has no mass ({values[first]!r}): give "
            f'masses={{{given}}} or a JSON file of the same stem with "masses": {{{stored}}}'
        )
    return np.array(values, dtype=np.float64)

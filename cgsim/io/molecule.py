"""The fine graph: atoms (or fine beads), their masses and their bonds, from any topology file."""

import gzip
import warnings
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mdtraj
import numpy as np
from mdtraj.core.element import virtual

from cgsim.io.errors import missing_package
from cgsim.io.files import (
    existing_file,
    file_extension,
    file_stem,
    is_positive,
    read_sidecar,
)
from cgsim.io.psf import VIRTUAL_TYPE, read_psf_atoms

Masses = Mapping[str, float] | Sequence[float] | np.ndarray
"""Masses in Da by atom type (element symbol or atom name), or one for each atom."""


@dataclass(frozen=True)
class Molecule:
    """Atoms and bonds of the simulated molecule, or of several (bonded components) at once.

    Parameters
    ----------
    name
        What the molecule is called in tables and file names.
    atom_type
        ``[n_atoms]`` element symbol of a real element, else the atom's name, e.g. ``"B1"``.
    atom_mass
        ``[n_atoms]`` float64, Da.
    bond_index
        ``[2, n_bonds]`` int64, each bond once with ``i < j``, sorted.
    topology
        The MDTraj topology, for names, residues and chains.
    cell_angles
        Degrees; of the periodic cell that the topology file tells, for trajectories that store
        lengths of cells alone (AMBER mdcrd).
    """

    name: str
    atom_type: tuple[str, ...]
    atom_mass: np.ndarray
    bond_index: np.ndarray
    topology: mdtraj.Topology
    cell_angles: tuple[float, float, float] | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atom_type)


def load_molecule(
    topology_file: str | Path, *, masses: Masses | None = None, name: str | None = None
) -> Molecule:
    """Read a molecule from any topology file that MDTraj reads (PDB, PSF, PRMTOP, GRO, H5, ...).

    Bonds come from the file (CONECT, PSF, ...), else from the standard residues. Masses come from
    `masses`, else from the mass column of a PSF, else from the ``masses`` of the JSON beside the
    file (same stem), else from the element.

    Parameters
    ----------
    topology_file
        The file.
    masses
        Da; a dict by atom type (element symbol or atom name), or one for each atom.
    name
        Name of the molecule; the stem of the file by default.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If it cannot be read, has no atoms, atoms without bonds, or an atom of unknown mass.
    """
    path = existing_file(topology_file)
    topology = _read_topology(path)
    if file_extension(path) == ".psf":
        stored: Masses | None = _apply_psf(path, topology)
    else:
        stored = read_sidecar(path).get("masses")
    if file_extension(path) in (".pdb", ".pdb.gz"):
        _check_serials(path, topology)
    try:
        return molecule_from_topology(
            topology,
            masses=stored if masses is None else masses,
            name=file_stem(path) if name is None else name,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def molecule_from_topology(
    topology: mdtraj.Topology, *, masses: Masses | None = None, name: str = "molecule"
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
    name
        Name of the molecule.

    Raises
    ------
    ValueError
        If there are no atoms, atoms without bonds, or an atom of unknown mass.
    """
    if topology.n_atoms == 0:
        raise ValueError("the topology has no atoms")
    topology = _copy(topology, virtual_names=masses if isinstance(masses, Mapping) else ())
    atom_type = tuple(_atom_type(atom) for atom in topology.atoms)
    atom_mass = _atom_masses(topology, atom_type, masses)
    if topology.n_bonds == 0:
        topology.create_standard_bonds()
    bond_index = _bond_index(topology)
    _check_bonded(topology, bond_index)
    return Molecule(name, atom_type, atom_mass, bond_index, topology)


def _read_topology(path: Path) -> mdtraj.Topology:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            topology = mdtraj.load_topology(str(path))
    except ImportError as error:
        raise ValueError(missing_package(path, error)) from error
    except Exception as error:  # the readers raise a dozen kinds, IndexError to XML errors
        raise ValueError(f"{path}: cannot be read as a topology: {error!r}") from error
    if topology is None or topology.n_atoms == 0:
        raise ValueError(f"{path}: there are no atoms in this file")
    return topology


def _copy(topology: mdtraj.Topology, *, virtual_names: Container[str]) -> mdtraj.Topology:
    """Copy a topology, without the elements of atoms of some names.

    (The bonds of MDTraj's own copy still hold the atoms of the original.)
    """
    copy = mdtraj.Topology()
    for chain in topology.chains:
        new_chain = copy.add_chain(chain.chain_id)
        for residue in chain.residues:
            new_residue = copy.add_residue(
                residue.name, new_chain, residue.resSeq, residue.segment_id
            )
            for atom in residue.atoms:
                element = virtual if atom.name in virtual_names else atom.element
                copy.add_atom(atom.name, element, new_residue, serial=atom.serial)
    atoms = list(copy.atoms)
    for bond in topology.bonds:
        copy.add_bond(atoms[bond[0].index], atoms[bond[1].index], bond.type, bond.order)
    return copy


def _apply_psf(path: Path, topology: mdtraj.Topology) -> np.ndarray:
    """Return the masses of the file; undo elements that MDTraj guessed from masses of beads."""
    psf_masses, types = read_psf_atoms(path)
    for atom, mass, kind in zip(topology.atoms, psf_masses, types, strict=True):
        guess = 0.0 if atom.element is None else atom.element.mass
        if kind == VIRTUAL_TYPE or abs(guess - mass) > max(0.005, 1e-3 * mass):
            atom.element = virtual
    return psf_masses


def _check_serials(path: Path, topology: mdtraj.Topology) -> None:
    """PDB serial numbers wrap at 99,999; CONECT records then point at the wrong atoms."""
    serials = [atom.serial for atom in topology.atoms]
    if len(set(serials)) == len(serials):
        return
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as file:
        ambiguous = any(line.startswith(b"CONECT") for line in file)
    if ambiguous:
        raise ValueError(
            f"{path}: atom serial numbers repeat, so its CONECT records are ambiguous; "
            "give the bonds in a PSF (or another format without serial numbers) instead"
        )


def _atom_type(atom: mdtraj.core.topology.Atom) -> str:
    real = atom.element is not None and atom.element.number > 0
    return str(atom.element.symbol if real else atom.name)


def _atom_masses(
    topology: mdtraj.Topology, atom_type: tuple[str, ...], masses: Masses | None
) -> np.ndarray:
    by_type: Mapping[str, float] = masses if isinstance(masses, Mapping) else {}
    if masses is not None and not isinstance(masses, Mapping):
        if len(masses) != len(atom_type):
            raise ValueError(f"{len(masses)} masses were given for {len(atom_type)} atoms")
        values = list(masses)
    else:
        values = [
            by_type.get(kind, 0.0 if atom.element is None else atom.element.mass)
            for kind, atom in zip(atom_type, topology.atoms, strict=True)
        ]
    for index, (kind, mass) in enumerate(zip(atom_type, values, strict=True)):
        if not is_positive(mass):
            raise ValueError(
                f"atom {index} of type {kind!r} has no mass ({mass!r}): give masses={{{kind!r}: "
                f'<Da>, ...}} or a JSON file of the same stem with "masses": {{"{kind}": <Da>}}'
            )
    return np.array(values, dtype=np.float64)


def _bond_index(topology: mdtraj.Topology) -> np.ndarray:
    pairs = [sorted((bond[0].index, bond[1].index)) for bond in topology.bonds]
    bonds = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return np.unique(bonds[bonds[:, 0] != bonds[:, 1]], axis=0).T.copy()


def _check_bonded(topology: mdtraj.Topology, bond_index: np.ndarray) -> None:
    if topology.n_atoms > 1 and bond_index.size == 0:
        raise ValueError(
            "no bonds: none are in the topology and none are known for its residues; "
            "add CONECT records to the PDB or use a topology with bonds (PSF, PRMTOP, ...)"
        )
    bonded = np.zeros(topology.n_atoms, dtype=bool)
    bonded[bond_index] = True
    for atom in topology.atoms:
        if not bonded[atom.index] and atom.residue.n_atoms > 1:
            raise ValueError(
                f"atom {atom.index} ({atom}) has no bond to the rest of its residue; add it to the "
                "topology's bonds (a free particle, e.g. an ion, needs a residue of its own)"
            )

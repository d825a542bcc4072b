"""Peptides: from a sequence, or from a PDB file, to atoms that the force field knows.

A sequence becomes a chain of the same backbone angles everywhere (PeptideBuilder), by default
extended (phi -120, psi 140 degrees) and between an acetyl (ACE) and an N-methyl (NME) cap;
hydrogens are placed by OpenMM at pH 7.
"""

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openmm
from Bio.Data.IUPACData import protein_letters, protein_letters_3to1
from openmm import app, unit

from cgsim.md.peptide_chain import Peptide
from cgsim.md.peptide_system import PeptideForceField

EXTENDED = (-120.0, 140.0)
ALPHA_HELIX = (-57.0, -47.0)
PH = 7.0
_AMINO_ACIDS = frozenset(name.upper() for name in protein_letters_3to1)
CAPS = frozenset(("ACE", "NME", "NH2"))
_SOLVENT = frozenset(
    ("HOH", "WAT", "H2O", "DOD", "SO4", "NA", "CL", "K", "MG", "CA", "ZN", "MN", "LI", "BR", "IOD")
)
_LONGEST_PEPTIDE_BOND = 0.2


def build_peptide(
    sequence: str,
    *,
    capped: bool = True,
    name: str | None = None,
    dihedrals: tuple[float, float] = EXTENDED,
) -> Peptide:
    """Build a peptide of L-amino acids from its one-letter sequence.

    Parameters
    ----------
    sequence : str
        Capital letters of the twenty amino acids, N- to C-terminus.
    capped : bool
        Between ACE and NME; otherwise with charged ends, NH3+ and COO-.
    name : str, optional
        The sequence by default, with ``-uncapped`` where it is.
    dihedrals : tuple of float
        phi and psi of every residue, degrees: `EXTENDED` or `ALPHA_HELIX`.

    Raises
    ------
    ValueError
        An empty sequence, a letter that is no amino acid, a lower-case letter (D-amino acids are
        not supported), or a single residue without caps.
    """
    _check_sequence(sequence, capped=capped)
    topology, xyz = _heavy_atoms(sequence, capped=capped, dihedrals=dihedrals)
    name = name or (sequence if capped else f"{sequence}-uncapped")
    return _add_hydrogens(topology, xyz, name=name, source="sequence")


def read_peptide(file: str | Path, *, name: str | None = None) -> Peptide:
    """Read a peptide from a PDB file: the first model, hydrogens placed anew at pH 7.

    Water and common ions are left out with a warning. Everything else that the force field could
    misunderstand is an error: nothing is guessed. Chains start and end with a cap or a charged end
    (OXT); cysteines are bridged where the file's SSBOND or distances say so.

    Raises
    ------
    FileNotFoundError, ValueError
        No such file, no PDB, several chains, a residue that is none of the twenty amino acids and
        caps, a D-amino acid, a break in the chain, or missing heavy atoms.
    """
    path = Path(file)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        pdb = app.PDBFile(str(path))
    except Exception as error:  # the parser raises ValueError, IndexError, KeyError and others
        raise ValueError(f"{path}: cannot be read as a PDB file: {error!r}") from error
    modeller = app.Modeller(pdb.topology, pdb.positions)
    solvent = [residue for residue in modeller.topology.residues() if residue.name in _SOLVENT]
    if solvent:
        names = sorted({residue.name for residue in solvent})
        warnings.warn(f"{path}: left out {len(solvent)} residues {names}", stacklevel=2)
    hydrogens = [a for a in modeller.topology.atoms() if a.element is app.element.hydrogen]
    modeller.delete([*solvent, *hydrogens])
    xyz = np.array(modeller.positions.value_in_unit(unit.nanometer), dtype=float).reshape(-1, 3)
    try:
        _check_chain(modeller.topology, xyz)
        return _add_hydrogens(modeller.topology, xyz, name=name or path.stem, source=path.name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_sequence(sequence: str, *, capped: bool) -> None:
    if not sequence:
        raise ValueError("the sequence is empty; give one-letter codes, e.g. 'AAA'")
    lower = [f"{letter}{i + 1}" for i, letter in enumerate(sequence) if letter.islower()]
    if lower:
        raise ValueError(
            f"sequence {sequence!r}: lower-case letters ({', '.join(lower)}) stand for D-amino "
            "acids, which are not supported; write L-amino acids in capitals"
        )
    unknown = [
        f"{letter}{i + 1}" for i, letter in enumerate(sequence) if letter not in protein_letters
    ]
    if unknown:
        raise ValueError(
            f"sequence {sequence!r}: {', '.join(unknown)} is no amino acid; use {protein_letters}"
        )
    if len(sequence) < 2 and not capped:
        raise ValueError(f"sequence {sequence!r}: a single residue needs caps")


def _heavy_atoms(
    sequence: str, *, capped: bool, dihedrals: tuple[float, float]
) -> tuple[app.Topology, np.ndarray]:
    """Build a chain without hydrogens; the caps are cut out of glycines at its ends."""
    import PeptideBuilder

    codes = f"G{sequence}G" if capped else sequence
    structure = PeptideBuilder.initialize_res(codes[0])
    for code in codes[1:]:
        PeptideBuilder.add_residue(structure, code, *dihedrals)
    if not capped:
        PeptideBuilder.add_terminal_OXT(structure)
    topology, xyz = app.Topology(), []
    chain = topology.addChain("A")
    for i, built in enumerate(structure.get_residues()):
        atoms = {atom.name: atom for atom in built}
        name = built.resname
        if capped and i == 0:
            name, atoms = "ACE", {"CH3": atoms["CA"], "C": atoms["C"], "O": atoms["O"]}
        elif capped and i == len(codes) - 1:
            name, atoms = "NME", {"N": atoms["N"], "C": atoms["CA"]}
        residue = topology.addResidue(name, chain, str(i if capped else i + 1))
        for atom_name, atom in atoms.items():
            topology.addAtom(atom_name, app.Element.getBySymbol(atom.element), residue)
            xyz.append(atom.coord)
    topology.createStandardBonds()
    return topology, np.array(xyz, dtype=float) / 10.0


def _check_chain(topology: app.Topology, xyz: np.ndarray) -> None:
    residues = list(topology.residues())
    if not residues:
        raise ValueError("there is no peptide in this file")
    foreign = [_label(r) for r in residues if r.name not in _AMINO_ACIDS | CAPS]
    if foreign:
        raise ValueError(
            f"non-standard residues {', '.join(foreign)}; the force field knows the twenty amino "
            "acids and the caps ACE, NME and NH2: replace or remove them"
        )
    chains = [chain.id for chain in topology.chains()]
    if len(chains) > 1:
        raise ValueError(f"several chains ({', '.join(chains)}); keep one of them")
    position = [{atom.name: xyz[atom.index] for atom in r.atoms()} for r in residues]
    for i, (residue, atom) in enumerate(zip(residues, position, strict=True)):
        if i > 0 and {"C"} <= position[i - 1].keys() and "N" in atom:
            gap = float(np.linalg.norm(atom["N"] - position[i - 1]["C"]))
            if gap > _LONGEST_PEPTIDE_BOND:
                raise ValueError(
                    f"the chain is broken between {_label(residues[i - 1])} and {_label(residue)} "
                    f"({gap:.2f} nm from C to N); add the missing residues (e.g. with PDBFixer)"
                )
        if {"N", "CA", "C", "CB"} <= atom.keys():
            n, c, side = (atom[key] - atom["CA"] for key in ("N", "C", "CB"))
            if np.dot(np.cross(n, c), side) < 0.0:
                raise ValueError(f"{_label(residue)} is a D-amino acid, which is not supported")


def _label(residue: app.topology.Residue) -> str:
    return f"{residue.name} {residue.id}"


def _add_hydrogens(topology: app.Topology, xyz: np.ndarray, *, name: str, source: str) -> Peptide:
    modeller = app.Modeller(topology, xyz * unit.nanometer)
    force_field = PeptideForceField().load()
    platform = openmm.Platform.getPlatformByName("Reference")
    try:
        with _fixed_random_numbers():
            modeller.addHydrogens(force_field, pH=PH, platform=platform)
        force_field.createSystem(modeller.topology)
    except ValueError as error:
        reason = str(error).partition("  For more information")[0]
        raise ValueError(
            f"heavy atoms are missing or too many: {reason} Complete the file (e.g. with PDBFixer)"
        ) from error
    start = np.array(modeller.positions.value_in_unit(unit.nanometer), dtype=float)
    return Peptide(name, modeller.topology, start - start.mean(axis=0), source)


@contextmanager
def _fixed_random_numbers() -> Iterator[None]:
    """OpenMM draws first positions of hydrogens from Python's global generator: make them fixed."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)

"""Columns of PDB files that MDTraj does not tell apart from its guesses: elements and CONECT."""

from pathlib import Path

import mdtraj
from mdtraj.core.element import get_by_symbol
from mdtraj.formats.pdb.pdbstructure import PdbStructure

from cgsim.io.compressed import open_text

Pairs = set[tuple[int, int]]

_ELEMENT = slice(76, 78)
_SERIAL = slice(6, 11)
_CONECT = [slice(start, start + 5) for start in range(6, 31, 5)]


def read_pdb_columns(path: Path, topology: mdtraj.Topology) -> tuple[list[str | None], Pairs]:
    """Read element symbols (None where the column is empty) and bonds of the atoms of a PDB file.

    Parameters
    ----------
    path
        The file.
    topology
        Its atoms, as MDTraj reads them (of alternate locations the first).

    Raises
    ------
    ValueError
        If there are CONECT records, and serial numbers that repeat.
    """
    index = {atom.serial: atom.index for atom in topology.atoms}
    try:
        columns, records = _by_serial(path)
        symbols = [columns[atom.serial] for atom in topology.atoms]
        if len(index) < topology.n_atoms:
            raise KeyError("serial numbers repeat")
    except (ValueError, KeyError):  # no plain numbers: hexadecimal, hybrid-36, wrapped or starred
        symbols, records = _in_order(path)
    if records and len(index) < topology.n_atoms:
        raise ValueError(
            f"{path}: atom serial numbers repeat, so its CONECT records are ambiguous; "
            "give the bonds in a PSF (or another format without serial numbers) instead"
        )
    pairs = {
        (index[record[0]], index[other])
        for record in records
        for other in record[1:]
        if record[0] in index and other in index and record[0] != other
    }
    return [_symbol(symbol) for symbol in symbols], {(min(p), max(p)) for p in pairs}


def _by_serial(path: Path) -> tuple[dict[int, str], list[list[int]]]:
    """The column of elements by serial number, and CONECT records, of the first model."""
    columns: dict[int, str] = {}
    records = []
    in_first = True
    with open_text(path) as file:
        for line in file:
            if in_first and line.startswith(("ATOM  ", "HETATM")):
                columns.setdefault(int(line[_SERIAL]), line[_ELEMENT].strip())
            elif line.startswith("ENDMDL"):
                in_first = False
            elif line.startswith("CONECT"):
                fields = [line[field].strip() for field in _CONECT]
                records.append([int(field) for field in fields if field])
    return columns, [record for record in records if record]


def _in_order(path: Path) -> tuple[list[str], list[list[int]]]:
    """The same, of atoms as MDTraj orders and numbers them."""
    with open_text(path) as file:
        structure = PdbStructure(file, load_all_models=True)
    atoms = [atom for residue in structure.iter_residues() for atom in residue.atoms]
    records = [record for record in structure.models[-1].connects if record]
    return [atom.element_symbol for atom in atoms], records


def _symbol(column: str) -> str | None:
    try:
        return str(get_by_symbol(column).symbol)
    except KeyError:
        return "VS" if column == "EP" else None

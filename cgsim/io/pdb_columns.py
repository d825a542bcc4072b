"""Columns of PDB files that MDTraj does not tell apart from its guesses: elements, CONECT, LINK."""

from pathlib import Path

import mdtraj
from mdtraj.core.element import get_by_symbol
from mdtraj.formats.pdb.pdbstructure import PdbStructure

from cgsim.io.compressed import open_text

Pairs = set[tuple[int, int]]

_ELEMENT = slice(76, 78)
_SERIAL = slice(6, 11)
_PARTNERS = [((s, s + 4), (s + 5, s + 8), (s + 9, s + 10), (s + 10, s + 14)) for s in (12, 42)]
_COPIES = (slice(59, 65), slice(66, 72))  # symmetry operators
_NONMETALS = frozenset(
    ("H", "D", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I", None)
)
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
    found = [_symbol(symbol) for symbol in symbols]
    pairs |= _links(path, topology, found)
    return found, {(min(p), max(p)) for p in pairs}


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


def _links(path: Path, topology: mdtraj.Topology, symbols: list[str | None]) -> Pairs:
    """Bonds of LINK records, which join what is no chain (glycans); those of metals are none."""
    with open_text(path) as file:
        records = [line for line in file if line.startswith("LINK  ")]
    if not records:
        return set()
    place: dict[tuple[str, str, str, str], int | None] = {}
    for atom in topology.atoms:
        residue = atom.residue
        key = (atom.name, residue.name, residue.chain.chain_id.strip(), str(residue.resSeq))
        place[key] = None if key in place else atom.index  # of an insertion it is not told which
    pairs = set()
    for line in records:
        ends = [
            place.get(tuple(line[a:b].strip() for a, b in partner))  # type: ignore[arg-type]
            for partner in _PARTNERS
        ]
        one, other = ends
        if one is None or other is None or line[_COPIES[0]].strip() != line[_COPIES[1]].strip():
            continue
        if not {symbols[one], symbols[other]} <= _NONMETALS:
            continue
        pairs.add((one, other))
    return pairs


def _symbol(column: str) -> str | None:
    try:
        return str(get_by_symbol(column).symbol)
    except KeyError:
        return "VS" if column == "EP" else None

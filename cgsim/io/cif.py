"""mmCIF files: one location of each atom, model by model.

MDTraj tells residues of one number and several insertion codes apart in the topology only: it
drops alternate locations of one as copies of another, and does not read several models of them.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
from mdtraj.formats.pdbx.PdbxReader import PdbxReader

from cgsim.io.compressed import open_text
from cgsim.io.errors import reader_errors
from cgsim.io.frames import Cells, Frames
from cgsim.units import NM_PER_ANGSTROM

_RESIDUE = ("label_asym_id", "auth_asym_id", "label_seq_id", "auth_seq_id", "pdbx_PDB_ins_code")
_NO_LOCATION = (".", "?", "")
_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
_MEANING = "a, b, c in Å and alpha, beta, gamma in degrees"


@dataclass(frozen=True)
class CifAtoms:
    """The atoms of an mmCIF file.

    Parameters
    ----------
    block
        The first data block, as MDTraj parses it.
    columns
        Of its category ``atom_site``.
    models
        Rows of each model, with one location of each atom.
    """

    block: Any
    columns: list[str]
    models: list[list[list[str]]]

    def positions(self, model: int) -> np.ndarray:
        """Positions ``[n_atoms, 3]`` nm."""
        place = [self.columns.index(f"Cartn_{axis}") for axis in "xyz"]
        rows = [[float(row[column]) for column in place] for row in self.models[model]]
        return np.array(rows) * NM_PER_ANGSTROM

    def cell(self) -> np.ndarray | None:
        """The six numbers of the cell, in Å and degrees; None where there is none."""
        table = self.block.getObj("cell")
        if table is None or table.getRowCount() == 0:
            return None
        row = dict(zip(table.getAttributeList(), table.getRow(0), strict=True))
        words = [row.get(name, "?") for name in _CELL]
        return None if set(words) & set(_NO_LOCATION) else np.array([float(word) for word in words])

    def first_frame(self) -> mdtraj.Trajectory:
        """The first model, of which MDTraj makes chains and residues."""
        names = [f"_atom_site.{column}" for column in self.columns]
        rows = [" ".join(_quoted(word) for word in row) for row in self.models[0]]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "first.cif"
            path.write_text("\n".join(["data_first", "loop_", *names, *rows, "#", ""]))
            frame = mdtraj.load_frame(str(path), 0)
        cell = self.cell()
        if cell is not None:
            frame.unitcell_lengths = cell[None, :3] * NM_PER_ANGSTROM
            frame.unitcell_angles = cell[None, 3:]
        return frame


def read_cif_atoms(path: Path) -> CifAtoms:
    """Read the atoms of an mmCIF file.

    Raises
    ------
    ValueError
        If there are none, or a model has other atoms than the first or another order.
    """
    blocks: list[Any] = []
    with open_text(path) as file:
        PdbxReader(file).read(blocks)
    table = blocks[0].getObj("atom_site") if blocks else None
    if table is None or table.getRowCount() == 0:
        raise ValueError("there are no atoms in this file")
    columns = [str(name) for name in table.getAttributeList()]
    models, keys = _models(columns, table.getRowList())
    for number, own in keys.items():
        if own != next(iter(keys.values())):
            raise ValueError(
                f"model {number} has other atoms than the first, or has them in another order"
            )
    return CifAtoms(blocks[0], columns, list(models.values()))


def read_cif(path: Path, chunk: int) -> Iterator[Frames]:
    """Yield the models of an mmCIF file, at most `chunk` at a time."""
    with reader_errors(path):
        atoms = read_cif_atoms(path)
        topology = atoms.first_frame().topology
        raw = atoms.cell()
    for start in range(0, len(atoms.models), chunk):
        part = range(start, min(start + chunk, len(atoms.models)))
        with reader_errors(path):
            xyz = np.stack([atoms.positions(model) for model in part]).astype(np.float32)
        cells = None
        if raw is not None:
            own = np.tile(raw, (len(part), 1))
            cells = Cells(own[:, :3] * NM_PER_ANGSTROM, own[:, 3:], own, _MEANING)
        yield Frames(xyz, None, cells, topology)


def _models(
    columns: Sequence[str], rows: Sequence[list[str]]
) -> tuple[dict[str, list[list[str]]], dict[str, list[tuple[str, ...]]]]:
    """Rows of each model without further locations, called ``.``, and what they are of."""
    place = {name: column for column, name in enumerate(columns)}
    of_residue = [place[name] for name in _RESIDUE if name in place]
    component = place.get("auth_comp_id", place.get("label_comp_id"))
    name = place.get("auth_atom_id", place.get("label_atom_id"))
    location, model_of = place.get("label_alt_id"), place.get("pdbx_PDB_model_num")
    if component is None or name is None:
        raise ValueError(
            "atom_site has no names of residues or atoms (label_comp_id, label_atom_id)"
        )
    models: dict[str, list[list[str]]] = {}
    keys: dict[str, list[tuple[str, ...]]] = {}
    seen: set[tuple[str, ...]] = set()
    component_of: dict[tuple[str, ...], str] = {}
    for row in rows:
        model = "1" if model_of is None else row[model_of]
        residue = (model, *(row[column] for column in of_residue))
        key = (*residue, row[name])
        is_first = component_of.setdefault(residue, row[component]) == row[component]
        if location is not None and row[location] not in _NO_LOCATION:
            if key in seen or not is_first:
                continue
            row = [*row[:location], ".", *row[location + 1 :]]
        seen.add(key)
        models.setdefault(model, []).append(row)
        keys.setdefault(model, []).append(key[1:])
    return models, keys


def _quoted(word: str) -> str:
    """A word of a CIF file."""
    if word and not any(letter in word for letter in " \t\"'#_$[];"):
        return word
    quote = "'" if '"' in word else '"'
    return f"{quote}{word}{quote}"

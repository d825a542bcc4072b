"""PDB files of several models: MDTraj reads the atoms, this module the cell of each model.

MDTraj takes one CRYST1 record for all models, but those of NPT runs have one each. It refuses a
file that ends inside a model, of which the models before are wanted.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import mdtraj
import numpy as np

from cgsim.io.compressed import open_text, plain
from cgsim.io.errors import reader_errors
from cgsim.io.frames import Cells, Frames, TruncatedError
from cgsim.units import NM_PER_ANGSTROM

_COLUMNS = [(6, 15), (15, 24), (24, 33), (33, 40), (40, 47), (47, 54)]
_NAME, _ALTERNATE = slice(12, 16), slice(16, 17)
_MEANING = "CRYST1: a, b, c in Å and alpha, beta, gamma in degrees"


@dataclass
class _Models:
    """What the lines of a file tell of its models."""

    n_atoms: list[int] = field(default_factory=list)  # lines of atoms of each
    cells: list[np.ndarray | None] = field(default_factory=list)
    start: list[int] = field(default_factory=list)  # first line of each
    names: list[str] = field(default_factory=list)  # of the atoms of the first
    n_compared: int = 0  # of the model that is read
    is_closed: bool = True
    is_readable: bool = True  # to its end; a compressed file may not be

    def compare(self, line: str, number: int) -> None:
        """Check that an atom has the name that it has in the first model."""
        if not self.n_atoms:
            self.names.append(line[_NAME])
        elif self.n_compared < len(self.names) and self.names[self.n_compared] != line[_NAME]:
            raise ValueError(
                f"line {number + 1}, model {len(self.n_atoms)}: the atom is called "
                f"{line[_NAME].strip()}, but in model 0 {self.names[self.n_compared].strip()}: all "
                "models must have the same atoms in the same order"
            )
        else:
            self.n_compared += 1

    def add(self, n_atoms: int, cell: np.ndarray | None, start: int) -> None:
        """Note one more model."""
        self.n_atoms.append(n_atoms)
        self.cells.append(cell)
        self.start.append(start)
        self.n_compared = 0

    @property
    def n_whole(self) -> int:
        """Models that are complete: a last one without an end, and with fewer atoms, is not."""
        n = len(self.n_atoms)
        has_fewer = n > 1 and self.n_atoms[-1] < self.n_atoms[0]
        return n - int(not self.is_closed and (has_fewer or not self.is_readable))


def read_pdb(path: Path, topology: mdtraj.Topology, chunk: int) -> Iterator[Frames]:
    """Yield the models of a PDB file, at most `chunk` at a time.

    Raises
    ------
    TruncatedError
        After the last whole model, if the file ends inside one.
    """
    with reader_errors(path):
        models = _scan(path)
    n_models = models.n_whole
    is_cut = n_models < len(models.n_atoms)
    if n_models == 0:
        raise TruncatedError(path, 0) if is_cut else ValueError(f"{path}: there are no atoms")
    trajectory = _load_first(path, models.start[n_models]) if is_cut else _load(path)
    cells = [*models.cells, *models.cells[-1:] * trajectory.n_frames][: trajectory.n_frames]
    for start in range(0, trajectory.n_frames, chunk):
        rows = slice(start, start + chunk)
        yield Frames(trajectory.xyz[rows], cells=_cells(cells[rows]), topology=trajectory.topology)
    if is_cut:
        raise TruncatedError(path, n_models)


def _load(path: Path, *, named: Path | None = None) -> mdtraj.Trajectory:
    with reader_errors(path if named is None else named), plain(path) as path:
        return mdtraj.load_pdb(str(path), no_boxchk=True)


def _load_first(path: Path, n_lines: int) -> mdtraj.Trajectory:
    """Load what stands in the first lines of a file."""
    with tempfile.TemporaryDirectory() as folder, open_text(path) as file:
        part = Path(folder) / "part.pdb"
        with open(part, "w", encoding="latin-1") as copy:
            copy.writelines(line for line, _ in zip(file, range(n_lines), strict=False))
        return _load(part, named=path)


def _scan(path: Path) -> _Models:
    models = _Models()
    cell: np.ndarray | None = None
    n_atoms = start = 0
    for number, line in enumerate(_lines(path, models)):
        if line.startswith(("ATOM  ", "HETATM")):
            n_atoms += 1
            if line[_ALTERNATE].isspace():  # of others one location is read
                models.compare(line, number)
        elif line.startswith("CRYST1"):
            cell = _cell(line)
        elif line.startswith("MODEL ") and n_atoms == 0:
            start = number
        elif line.startswith("END") and n_atoms:  # ENDMDL, or END of one frame of VMD
            models.add(n_atoms, cell, start)
            n_atoms, start = 0, number + 1
    if n_atoms:
        models.is_closed = False
        models.add(n_atoms, cell, start)
    return models


def _lines(path: Path, models: _Models) -> Iterator[str]:
    with open_text(path) as file:
        try:
            yield from file
        except EOFError:  # a compressed file that is cut off
            models.is_readable = False


def _cell(line: str) -> np.ndarray:
    """Read a CRYST1 record by its columns or, where a program has not kept to them, by words."""
    try:
        return np.array([float(line[start:stop]) for start, stop in _COLUMNS])
    except ValueError:
        return np.array([float(word) for word in line.split()[1:7]]).reshape(6)


def _cells(cells: list[np.ndarray | None]) -> Cells | None:
    present = [cell for cell in cells if cell is not None]
    if not present:
        return None
    raw = np.stack([np.zeros(6) if cell is None else cell for cell in cells])
    return Cells(raw[:, :3] * NM_PER_ANGSTROM, raw[:, 3:], raw, _MEANING)

"""The coordinate trajectories of AMBER (mdcrd): ten numbers a line, after each frame the cell.

The cell's angles are rarely in the file: they come from the topology or the JSON beside it.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from cgsim.io.text import TextFile, TextFrame, read_fixed
from cgsim.units import NM_PER_ANGSTROM

_WIDTH, _PER_LINE = 8, 10
_SAME_LENGTH = 2e-3  # Å; lengths have three decimals
_UNITS = np.array([NM_PER_ANGSTROM] * 3 + [1.0] * 3)
_EXCHANGE = ("REMD", "HREMD", "RXSGLD")  # lines before the frames of replica exchange


class MdcrdReader:
    """Reads the frames of one file.

    Parameters
    ----------
    angles
        Degrees, of cells of which only the lengths are stored; 90 by default.
    """

    def __init__(self, angles: Sequence[float] | None = None) -> None:
        self.angles = angles
        self._has_cell: bool | None = None  # not known before the first frame

    def __call__(self, file: TextFile, n_atoms: int) -> TextFrame | None:
        """Read the next frame."""
        if self._has_cell is None:
            file.line()  # title
        if not file.skip_blank():
            return None
        if (file.peek() or "").startswith(_EXCHANGE):
            file.line()
        n = 3 * n_atoms
        lines = [line.rstrip("\r\n") for line in file.lines(-(-n // _PER_LINE))]
        xyz = _numbers(lines, n).reshape(n_atoms, 3) * NM_PER_ANGSTROM
        if self._has_cell is None:
            self._has_cell = _is_cell(file.peek(), n)
        if not self._has_cell:
            return TextFrame(xyz)
        numbers = _cell(file.line())
        if len(numbers) == 3:
            numbers = np.concatenate([numbers, self._angles_of(numbers, file)])
        return TextFrame(xyz, lengths_and_angles=numbers * _UNITS)

    def _angles_of(self, lengths: np.ndarray, file: TextFile) -> Sequence[float]:
        """The angles that are known, else 90; of equal sides they may be those of an octahedron."""
        if self.angles is None:
            self.angles = (90.0, 90.0, 90.0)
            if np.ptp(lengths) < _SAME_LENGTH:
                warnings.warn(
                    f"{file.path}: the angles of the cell are not stored and taken for 90°; for a "
                    'truncated octahedron put "cell_angles": [109.471, 109.471, 109.471] into a '
                    "JSON file of the same stem, or give the PRMTOP as topology",
                    stacklevel=2,
                )
        return self.angles


def _numbers(lines: Sequence[str], n: int) -> np.ndarray:
    """Read `n` numbers, ten a line."""
    n_in_line = [_PER_LINE] * (len(lines) - 1) + [n - _PER_LINE * (len(lines) - 1)]
    if any(len(line.rstrip()) != _WIDTH * k for line, k in zip(lines, n_in_line, strict=True)):
        raise ValueError(f"the lines have not the lengths that {n // 3} atoms have")
    if any("*" in line for line in lines):
        raise ValueError("a position has too many digits for its columns (***): write NetCDF")
    return read_fixed([line.rstrip() for line in lines], _WIDTH)


def _is_cell(line: str | None, n: int) -> bool:
    """Whether the line after the first frame is its cell, not the beginning of the next one."""
    if line is None or not line.strip() or line.startswith(_EXCHANGE):
        return False
    return len(line.split()) in (3, 6) and len(line.rstrip()) != _WIDTH * min(n, _PER_LINE)


def _cell(line: str) -> np.ndarray:
    """Read three lengths, or six numbers with the angles."""
    numbers = np.array([float(word) for word in line.split()])
    if len(numbers) not in (3, 6):
        raise ValueError(f"the cell must have three or six numbers, not {line.strip()!r}")
    return numbers

"""Text trajectories of a fixed number of lines per frame: checks that the last one is complete.

MDTraj takes such a file that was cut off for a shorter one.
"""

import gzip
from pathlib import Path
from typing import IO, cast

from cgsim.io.files import file_extension

_NUMBERS_PER_LINE = 10  # of an AMBER coordinate file


def check_line_count(path: Path, n_atoms: int) -> None:
    """Check that a text trajectory (XYZ, LAMMPS, AMBER) ends with a whole frame.

    Raises
    ------
    ValueError
        If it ends inside a frame, or has frames of another number of atoms.
    """
    n_header, sizes = _frame_lines(file_extension(path), n_atoms)
    if not sizes:
        return
    n_lines = _n_lines(path) - n_header
    if n_lines <= 0:
        raise ValueError(f"{path}: there are no frames in this file")
    if all(n_lines % size for size in sizes):
        raise ValueError(
            f"{path}: frame {n_lines // sizes[0]} is cut off, or frames have not {n_atoms} atoms: "
            f"there are {n_lines} lines, but each frame has {sizes[0]}"
        )


def _frame_lines(extension: str, n_atoms: int) -> tuple[int, tuple[int, ...]]:
    """Lines before the first frame, and possible lines of a frame."""
    if extension.startswith(".xyz"):
        return 0, (n_atoms + 2,)
    if extension == ".lammpstrj":
        return 0, (n_atoms + 9,)
    if extension in (".mdcrd", ".crd"):
        n_lines = -(-3 * n_atoms // _NUMBERS_PER_LINE)
        return 1, (n_lines, n_lines + 1)  # without and with a cell
    return 0, ()


def _open(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return open(path, "rb")


def _n_lines(path: Path) -> int:
    """Count the lines up to the last one that is not blank."""
    n_lines = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    n_lines = number
    except (OSError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    return n_lines

"""The AMBER PRMTOP format: the masses that MDTraj leaves unread."""

import re
from pathlib import Path

import numpy as np

_OCTAHEDRON = 109.4712206  # degrees
_SAME_ANGLE = 0.05
_FORMAT = re.compile(r"\((\d+)[A-Za-z](\d+)")


def read_prmtop_atoms(path: Path) -> tuple[np.ndarray, bool]:
    """Read the masses ``[n_atoms]`` in Da, and whether the file tells atomic numbers.

    Raises
    ------
    ValueError
        If the file has no complete MASS section.
    """
    words: list[str] = []
    has_numbers, section, width, n_atoms = False, "", 0, None
    with open(path, encoding="latin-1") as file:
        for line in file:
            if line.startswith("%FLAG"):
                section = line.split()[1]
                has_numbers |= section == "ATOMIC_NUMBER"
            elif line.startswith("%FORMAT"):
                match = _FORMAT.search(line)
                width = 0 if match is None else int(match.group(2))
            elif section == "POINTERS" and n_atoms is None and not line.startswith("%"):
                n_atoms = int(line[:width])
            elif section == "MASS" and not line.startswith("%") and width:
                line = line.rstrip("\n")
                words += [line[at : at + width] for at in range(0, len(line.rstrip()), width)]
    try:
        masses = np.array([float(word) for word in words])
    except ValueError as error:
        raise ValueError(f"{path}: a mass in the MASS section is no number: {error}") from error
    if len(masses) != n_atoms:
        raise ValueError(f"{path}: POINTERS says {n_atoms} atoms, but {len(masses)} masses follow")
    return masses, has_numbers


def read_prmtop_angles(path: Path) -> tuple[float, float, float] | None:
    """Return the angles of the cell in degrees; None without a cell, or where they are not there.

    The file has one angle: 90° of rectangular cells, 109.47° (all three) of truncated octahedra.
    """
    with open(path, encoding="latin-1") as file:
        for line in file:
            if line.startswith("%FLAG BOX_DIMENSIONS"):
                next(file, "")  # its format
                words = next(file, "").split()
                try:
                    angle = float(words[0]) if words else 0.0
                except ValueError:
                    return None
                known = [a for a in (90.0, _OCTAHEDRON) if abs(a - angle) < _SAME_ANGLE]
                return (known[0],) * 3 if known else None
    return None

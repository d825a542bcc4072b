"""The XYZ format, plain and extended (``Lattice``, ``Properties``, ``pbc`` in the comment line)."""

import re
from collections.abc import Sequence

import numpy as np

from cgsim.io.text import TextFile, TextFrame, free_axes_far, read_columns
from cgsim.units import NM_PER_ANGSTROM

_ENTRY = r"""\b{}\s*=\s*(?:"([^"]*)"|'([^']*)'|\{{([^}}]*)\}}|(\S+))"""


def read_xyz_frame(file: TextFile, n_atoms: int) -> TextFrame | None:
    """Read one frame: Å, cell vectors in any orientation."""
    if not file.skip_blank():
        return None
    n = int(file.line())
    if n != n_atoms:
        raise ValueError(f"there are {n} atoms, but the topology has {n_atoms}")
    comment = file.line()
    first, species = _columns(comment)
    lines = file.lines(n)
    xyz = read_columns(lines, range(first, first + 3)) * NM_PER_ANGSTROM
    return TextFrame(xyz, vectors=_lattice(comment, xyz), order=_order(lines, species))


def _columns(comment: str) -> tuple[int, int | None]:
    """Return the columns of x and of the species; without ``Properties`` the second and first."""
    properties = _entry("Properties", comment)
    if properties is None:
        return 1, 0
    fields, column = properties.split(":"), 0
    found: dict[str, int] = {}
    for name, _, width in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        found.setdefault(name.lower(), column)
        column += int(width)
    first = found.get("pos", found.get("positions"))
    if first is None:
        raise ValueError(f"no positions (pos) in Properties={properties}")
    return first, found.get("species")


def _order(lines: Sequence[str], species: int | None) -> int | None:
    """A hash of the species."""
    if species is None:
        return None
    return hash(" ".join(line.split(None, species + 1)[species] for line in lines))


def _lattice(comment: str, xyz: np.ndarray) -> np.ndarray | None:
    lattice = _entry("Lattice", comment)
    if lattice is None:
        return None
    numbers = np.array([float(word) for word in lattice.split()])
    if numbers.shape != (9,):
        raise ValueError(f"Lattice must have nine numbers, not {lattice!r}")
    periodic = (_entry("pbc", comment) or "T T T").split()
    is_periodic = np.array([word.upper().startswith("T") or word == "1" for word in periodic])
    if is_periodic.shape != (3,):
        raise ValueError(f"pbc must have three values, not {periodic}")
    return free_axes_far(numbers.reshape(3, 3) * NM_PER_ANGSTROM, is_periodic, xyz)


def _entry(key: str, comment: str) -> str | None:
    found = re.search(_ENTRY.format(key), comment, flags=re.IGNORECASE)
    return None if found is None else next(part for part in found.groups() if part is not None)

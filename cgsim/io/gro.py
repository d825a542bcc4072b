"""The GRO format (GROMACS), of one frame or many."""

import re
from pathlib import Path

import numpy as np

from cgsim.io.compressed import open_text
from cgsim.io.errors import reader_errors
from cgsim.io.text import TextFile, TextFrame, first_times, read_fixed

_NAMES = 20  # columns before the positions
_NAME = slice(10, 15)
_TIME = re.compile(r"\bt=\s*([-+.\deE]+)")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d{5}(?=[-+\d])|\.\d*)?")  # large boxes have no blanks between
_BOX_ORDER = [0, 3, 4, 5, 1, 6, 7, 8, 2]  # xx yy zz xy xz yx yz zx zy, as a matrix


def read_gro_frame(file: TextFile, n_atoms: int) -> TextFrame | None:
    """Read one frame: nm, in columns as wide as the distance of the decimal points."""
    title = _title(file)
    if title is None:
        return None
    n = int(file.line())
    if n != n_atoms:
        raise ValueError(f"there are {n} atoms, but the topology has {n_atoms}")
    lines = file.lines(n)
    points = [at for at, letter in enumerate(lines[0]) if letter == "." and at >= _NAMES]
    if len(points) < 3:
        raise ValueError(f"no three positions in the line {lines[0].rstrip()!r}")
    width = points[1] - points[0]
    stop = _NAMES + 3 * width
    xyz = read_fixed([line[_NAMES:stop] for line in lines], width).reshape(n, 3)
    order = hash("".join(line[_NAME] for line in lines))
    return TextFrame(xyz, vectors=_box(file.line()), time=_time(title), order=order)


def gro_times(path: Path) -> np.ndarray | None:
    """Return the times in ps of the first two frames; None if titles have none."""
    with reader_errors(path), open_text(path) as file:
        next(file, "")
        words = next(file, "").split()
    if not words or not words[0].isdigit():
        return None  # said when the frames are read
    return first_times(path, read_gro_frame, int(words[0]))


def _box(line: str) -> np.ndarray:
    numbers = [float(word) for word in _NUMBER.findall(line)]
    if len(numbers) not in (3, 9):
        raise ValueError(f"the box must have three or nine numbers, not {line.strip()!r}")
    return np.array(numbers + [0.0] * (9 - len(numbers)))[_BOX_ORDER].reshape(3, 3)


def _title(file: TextFile) -> str | None:
    """The next line that is not blank, or a blank one that the number of atoms follows."""
    while file.peek() is not None:
        title = file.line()
        if title.strip() or (file.peek() or "").strip().isdigit():
            return title
    return None


def _time(title: str) -> float | None:
    found = _TIME.search(title)
    try:
        return None if found is None else float(found.group(1))
    except ValueError:
        return None

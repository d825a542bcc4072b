"""The dump format of LAMMPS: text, atoms in any order, any columns, orthogonal or triclinic boxes.

Layout: LAMMPS manual, "dump command" and "Howto triclinic".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.io.text import TextFile, TextFrame, free_axes_far, read_columns
from cgsim.units import NM_PER_ANGSTROM, PS_PER_FS


@dataclass(frozen=True)
class Units:
    """A style of units of LAMMPS, in nm, ps and Da."""

    length: float
    time: float
    mass: float


_NM, _BOHR = 1.0, 0.052917721090
_DA_PER_ATTOGRAM = 602_214.076
UNITS = {
    "real": Units(NM_PER_ANGSTROM, PS_PER_FS, 1.0),
    "metal": Units(NM_PER_ANGSTROM, 1.0, 1.0),
    "nano": Units(_NM, 1e3, _DA_PER_ATTOGRAM),
    "lj": Units(_NM, 1.0, 1.0),
    "electron": Units(_BOHR, PS_PER_FS, 1.0),
}
"""Lennard-Jones units are taken as ``cgsim.units`` says: sigma = 1 nm, m = 1 Da, tau = 1 ps."""

_KINDS = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))
_ITEM = "ITEM:"


def units_of(style: str) -> Units:
    """Return the units of a style.

    Raises
    ------
    ValueError
        If there is no such style, or its lengths have no place in a simulation of molecules.
    """
    if style not in UNITS:
        raise ValueError(f"LAMMPS units {style!r} are not among {', '.join(UNITS)}")
    return UNITS[style]


class DumpReader:
    """Reads the frames of one dump file, atoms in the order of their ids.

    ``time`` of its frames is the timestep, a number of steps, or what ``ITEM: TIME`` says.

    Parameters
    ----------
    style
        Units for files without ``ITEM: UNITS``; without it lengths are Å, as in ``real``.
    """

    def __init__(self, style: str | None = None) -> None:
        self.style = style
        self._ids: np.ndarray | None = None

    def __call__(self, file: TextFile, n_atoms: int) -> TextFrame | None:
        """Read the next frame."""
        if not file.skip_blank():
            return None
        header = _read_header(file)
        if header.n_atoms != n_atoms:
            raise ValueError(f"there are {header.n_atoms} atoms, but the topology has {n_atoms}")
        lines = file.lines(n_atoms)
        self.style = header.style or self.style
        units = units_of(self.style or "real")
        xyz = self._positions(header, lines) * units.length
        vectors = free_axes_far(header.vectors * units.length, header.is_periodic, xyz)
        time = header.step if header.time is None else header.time
        return TextFrame(xyz, vectors=vectors, time=time, raw=header.bounds)

    def _positions(self, header: "_Header", lines: Sequence[str]) -> np.ndarray:
        """Return the positions ``[n_atoms, 3]`` in the file's unit of length, sorted by id."""
        kind, names = _position_columns(header.columns)
        if "id" not in header.columns:
            raise ValueError(
                "no column id, without which the order of the atoms is not known: "
                "write it (dump ... id type x y z)"
            )
        columns = [header.columns.index(name) for name in ("id", *names)]
        table = read_columns(lines, columns)
        ids = table[:, 0]
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        if (np.diff(ids) == 0).any():
            raise ValueError(f"the id {int(ids[:-1][np.diff(ids) == 0][0])} is there twice")
        if self._ids is not None and not np.array_equal(ids, self._ids):
            raise ValueError("it has other atoms (ids) than the frames before")
        self._ids = ids
        xyz = table[order, 1:]
        return header.origin + xyz @ header.vectors if "s" in kind else xyz


def dump_times(path: Path, *, style: str | None, timestep: float | None) -> np.ndarray | None:
    """Return the times in ps of the first two frames, or None if they are not known.

    Parameters
    ----------
    path
        A dump file.
    style
        Units, for files that do not say them.
    timestep
        In units of time of the style, for files without ``ITEM: TIME``.
    """
    times: list[float] = []
    with TextFile(path) as file:
        try:
            while len(times) < 2 and file.skip_blank():
                header = _read_header(file)
                style = header.style or style
                time = header.time
                if time is None and timestep is not None:
                    time = header.step * timestep
                if time is None or style is None:
                    return None
                times.append(time * units_of(style).time)
                file.lines(header.n_atoms)
        except (EOFError, IndexError, OverflowError):
            pass  # said when the frames are read
        except ValueError as error:
            raise ValueError(f"{path}: cannot be read: {error}") from error
    return np.array(times)


def has_units(path: Path) -> bool:
    """Whether a dump file says its units (``dump_modify units yes``)."""
    with TextFile(path) as file:
        try:
            return _read_header(file).style is not None
        except (EOFError, ValueError, IndexError, OverflowError):
            return True  # said when the frames are read


@dataclass(frozen=True)
class _Header:
    """What stands before the atoms of a frame."""

    step: float
    time: float | None
    style: str | None  # of units
    n_atoms: int
    origin: np.ndarray  # [3]
    vectors: np.ndarray  # [3, 3]
    is_periodic: np.ndarray  # [3]
    bounds: tuple[float, ...]  # as stored
    columns: list[str]


def _read_header(file: TextFile) -> _Header:
    step = n_atoms = time = style = box = None
    while True:
        item = file.line()
        if not item.startswith(_ITEM):
            raise ValueError(f"expected a line 'ITEM: ...', found {item.strip()[:60]!r}")
        what = item[len(_ITEM) :].strip()
        if what == "TIMESTEP":
            step = float(int(file.line()))
        elif what == "TIME":
            time = float(file.line())
        elif what == "UNITS":
            style = file.line().strip()
        elif what == "NUMBER OF ATOMS":
            n_atoms = int(file.line())
        elif what.startswith("BOX BOUNDS"):
            box = _read_box(what.split()[2:], file.lines(3))
        elif what.startswith("ATOMS"):
            columns = what.split()[1:]
            break
        else:
            raise ValueError(f"unknown item {what!r}")
    if step is None or n_atoms is None or box is None:
        raise ValueError("TIMESTEP, NUMBER OF ATOMS or BOX BOUNDS is missing before ATOMS")
    return _Header(step, time, style, n_atoms, *box, columns)


def _read_box(
    words: list[str], lines: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, ...]]:
    """Return origin, cell vectors, which axes are periodic, and all numbers."""
    numbers = read_columns(lines, range(len(lines[0].split())))
    edges = [word for word in words if len(word) == 2 and set(word) <= set("pfsm")]
    flags = [word for word in edges if word not in ("xy", "xz", "yz")]
    is_periodic = np.array([flag == "pp" for flag in flags] or [True] * 3)
    if is_periodic.shape != (3,):
        raise ValueError(f"BOX BOUNDS has not three boundary styles: {' '.join(words)}")
    bounds = tuple(numbers.reshape(-1).tolist())
    if words[:2] == ["abc", "origin"]:
        return numbers[:, 3], numbers[:, :3], is_periodic, bounds
    low, high = numbers[:, 0].copy(), numbers[:, 1].copy()
    xy, xz, yz = numbers[:, 2] if words[:1] == ["xy"] else (0.0, 0.0, 0.0)
    low -= [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]  # the bounds are those of a box around
    high -= [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    vectors = np.diag(high - low)
    vectors[1, 0], vectors[2, 0], vectors[2, 1] = xy, xz, yz
    return low, vectors, is_periodic, bounds


def _position_columns(columns: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    for names in _KINDS:
        if all(name in columns for name in names):
            return names[0], names
    raise ValueError(
        f"no columns of positions (x y z, xu yu zu, xs ys zs or xsu ysu zsu) among "
        f"{' '.join(columns)}"
    )

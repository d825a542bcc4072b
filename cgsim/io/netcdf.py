"""The trajectories and restarts of AMBER: classic NetCDF files of its conventions, or cut off ones.

The C library fills in what a cut file lacks, and SciPy refuses it. Here the header is read, and the
frames are mapped into memory. Layout: NetCDF user's guide, "The NetCDF classic format
specification"; AMBER NetCDF trajectory convention 1.0.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cgsim.io.errors import reader_errors
from cgsim.io.frames import Cells, Frames, TruncatedError
from cgsim.io.scan import Scan
from cgsim.units import NM_PER_ANGSTROM

_TYPES = {1: ">i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8"}
_MEANING = "a, b, c in Å and alpha, beta, gamma in degrees"
_LENGTHS = {"angstrom": 1.0, "a": 1.0, "nanometer": 10.0, "nm": 10.0}
_UNITS = {
    "coordinates": _LENGTHS,
    "cell_lengths": _LENGTHS,
    "cell_angles": {"degree": 1.0, "radian": 180 / math.pi},
    "time": {
        "picosecond": 1.0,
        "p": 1.0,
        "femtosecond": 1e-3,
        "f": 1e-3,
        "nanosecond": 1e3,
        "n": 1e3,
    },
}
_MAX_COUNT = 1 << 20  # of names, dimensions and variables


@dataclass(frozen=True)
class _Variable:
    shape: tuple[int, ...]  # of a frame
    kind: np.dtype
    begin: int
    is_record: bool
    scale: float


@dataclass
class _Header:
    n_frames: int = 0  # as it says
    lengths: list[int] = field(default_factory=list)  # of dimensions; 0 of the frames
    variables: dict[str, _Variable] = field(default_factory=dict)

    def record_layout(self) -> np.dtype:
        """One frame as a structure."""
        records = {name: v for name, v in self.variables.items() if v.is_record}
        start = min((v.begin for v in records.values()), default=0)
        sizes = [math.prod(v.shape) * v.kind.itemsize for v in records.values()]
        stops = [v.begin - start + size for v, size in zip(records.values(), sizes, strict=True)]
        padded = max(stops, default=0)
        return np.dtype(
            {
                "names": list(records),
                "formats": [(v.kind, v.shape) for v in records.values()],
                "offsets": [v.begin - start for v in records.values()],
                "itemsize": padded if len(records) == 1 else -(-padded // 4) * 4,
            }
        )

    def start(self) -> int:
        """First byte of the frames."""
        return min(v.begin for v in self.variables.values() if v.is_record)


def is_classic(path: Path) -> bool:
    """Whether a file is of the classic formats; NetCDF 4 is HDF5."""
    with open(path, "rb") as file:
        return file.read(3) == b"CDF"


def scan_netcdf(path: Path) -> Scan:
    """Count atoms and whole frames, and read the times of a classic file.

    Raises
    ------
    ValueError
        If it is corrupt or holds no trajectory.
    """
    with reader_errors(path):
        header, frames = _map(path)
        names = frames.dtype.names or ()
        if "coordinates" not in names or frames.dtype["coordinates"].shape[1:] != (3,):
            raise ValueError("there are no coordinates of frames in this file")
        time = None
        if "time" in names:
            time = frames["time"].astype(np.float64) * header.variables["time"].scale
        n_atoms = frames.dtype["coordinates"].shape[0]
        return Scan(n_atoms, len(frames), time, is_cut=len(frames) < header.n_frames)


def read_netcdf(path: Path, scan: Scan, chunk: int) -> Iterator[Frames]:
    """Yield the whole frames, at most `chunk` at a time.

    Raises
    ------
    TruncatedError
        After the last whole frame, if the file ends before all that its header promises.
    """
    with reader_errors(path):
        header, frames = _map(path)
        for name in {"cell_lengths", "cell_angles"} & set(frames.dtype.names or ()):
            if frames.dtype[name].shape != (3,):
                raise ValueError(f"{name} has shape {list(frames.dtype[name].shape)}, not [3]")
    unit = header.variables["coordinates"].scale * NM_PER_ANGSTROM
    has_cell = {"cell_lengths", "cell_angles"} <= set(frames.dtype.names or ())
    for start in range(0, len(frames), chunk):
        part = frames[start : start + chunk]
        xyz = (part["coordinates"] * np.float32(unit)).astype(np.float32)
        cells = None
        if has_cell:
            raw = np.concatenate([part["cell_lengths"], part["cell_angles"]], axis=1)
            raw = raw.astype(np.float64)
            raw *= np.repeat(
                [header.variables[name].scale for name in ("cell_lengths", "cell_angles")], 3
            )
            cells = Cells(raw[:, :3] * NM_PER_ANGSTROM, raw[:, 3:], raw, _MEANING)
        yield Frames(xyz, None if scan.time is None else scan.time[start : start + chunk], cells)
    if scan.is_cut:
        raise TruncatedError(path, scan.n_frames)


def _map(path: Path) -> tuple[_Header, np.ndarray]:
    """Return the header and the whole frames, as structures in memory."""
    with open(path, "rb") as file:
        header = _HeaderFile(file).read()
    coordinates = header.variables.get("coordinates")
    if coordinates is not None and not coordinates.is_record:
        return header, _restart(path, header)
    layout = header.record_layout()
    if layout.itemsize == 0:
        raise ValueError("there are no frames in this file")
    size = path.stat().st_size - header.start()
    n_whole = max(0, size // layout.itemsize)
    if size >= 0 and n_whole == header.n_frames - 1 and size % layout.itemsize:
        n_whole += size % layout.itemsize >= _used(layout)  # without the padding of the last
    data = np.memmap(path, dtype=np.uint8, mode="r")[header.start() :]
    n_frames = min(n_whole, header.n_frames)
    if n_frames * layout.itemsize > len(data):
        return header, np.frombuffer(data.tobytes() + bytes(3), layout, count=n_frames)
    return header, np.frombuffer(data, layout, count=n_frames)


def _restart(path: Path, header: _Header) -> np.ndarray:
    """Return the one frame of a restart, which has no dimension of frames."""
    header.n_frames = 1
    known = {name: v for name, v in header.variables.items() if name in _UNITS}
    frame = np.zeros(1, [(name, v.kind, v.shape) for name, v in known.items()])
    data = np.memmap(path, dtype=np.uint8, mode="r")
    for name, variable in known.items():
        n = math.prod(variable.shape)
        content = data[variable.begin :][: n * variable.kind.itemsize].tobytes()
        frame[name][0] = np.frombuffer(content, variable.kind, count=n).reshape(variable.shape)
    return frame


def _used(layout: np.dtype) -> int:
    return max(field[1] + field[0].itemsize for field in (layout.fields or {}).values())


def _scale(name: str, attributes: dict[str, float | str]) -> float:
    """What the numbers of a variable are to be multiplied by: Å, degrees and ps by convention."""
    scale = attributes.get("scale_factor", 1.0)
    if name not in _UNITS:
        return float(scale)
    unit = str(attributes.get("units", "")).strip(" \0").lower().removesuffix("s")
    if unit and unit not in _UNITS[name]:
        known = ", ".join(_UNITS[name])
        raise ValueError(f"{name} is in {unit!r}, which is none of {known}")
    return float(scale) * (_UNITS[name][unit] if unit else 1.0)


class _HeaderFile:
    """Reads the header of a classic file, number by number."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        if file.read(3) != b"CDF":
            raise ValueError("this is no classic NetCDF file")
        version = self._integer(1)
        if version not in (1, 2, 5):
            raise ValueError(f"unknown version {version} of the NetCDF format")
        self.n_count = 8 if version == 5 else 4
        self.n_offset = 4 if version == 1 else 8

    def read(self) -> _Header:
        header = _Header()
        n_frames = self._integer(self.n_count)
        is_streaming = n_frames == 256**self.n_count - 1
        header.n_frames = 2**31 if is_streaming else n_frames
        for _ in self._list():
            self._name()
            header.lengths.append(self._integer(self.n_count))
        self._attributes()
        for _ in self._list():
            name = self._name()
            header.variables[name] = self._variable(name, header.lengths)
        if is_streaming:
            header.n_frames = self._by_size(header)
        return header

    def _by_size(self, header: _Header) -> int:
        size = self.file.seek(0, 2)
        return (size - header.start()) // max(1, header.record_layout().itemsize)

    def _variable(self, name: str, lengths: list[int]) -> _Variable:
        n_dimensions = self._counted()
        dimensions = [lengths[self._integer(self.n_count)] for _ in range(n_dimensions)]
        attributes = self._attributes()
        kind = np.dtype(_TYPES[self._integer(4)])
        self._integer(self.n_count)  # its size, which overflows in large files
        begin = self._integer(self.n_offset)
        is_record = bool(dimensions) and dimensions[0] == 0
        shape = tuple(dimensions[1:] if is_record else dimensions)
        return _Variable(shape, kind, begin, is_record, _scale(name, attributes))

    def _attributes(self) -> dict[str, float | str]:
        """Those that are words or one number."""
        found: dict[str, float | str] = {}
        for _ in self._list():
            name, kind = self._name(), np.dtype(_TYPES[self._integer(4)])
            n = self._counted()
            content = self._bytes(-(-n * kind.itemsize // 4) * 4)
            if kind.kind == "S":
                found[name] = content[:n].decode("latin-1")
            elif n == 1:
                found[name] = float(np.frombuffer(content, kind, count=1)[0])
        return found

    def _list(self) -> range:
        self._integer(4)  # what kind of list; zero if it is absent
        return range(self._counted())

    def _name(self) -> str:
        n = self._counted()
        return self._bytes(-(-n // 4) * 4)[:n].decode("latin-1")

    def _counted(self) -> int:
        n = self._integer(self.n_count)
        if n > _MAX_COUNT:
            raise ValueError("the header is corrupt")
        return n

    def _integer(self, n_bytes: int) -> int:
        return int.from_bytes(self._bytes(n_bytes), "big")

    def _bytes(self, n: int) -> bytes:
        content = self.file.read(n)
        if len(content) != n:
            raise ValueError("the header is cut off")
        return content

"""The TRR format (GROMACS): frames of positions, of velocities and of forces, in any mixture.

Each frame tells the sizes of its parts. Frames without positions (``nstvout`` below ``nstxout``)
are passed over.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.io.frames import Frames, TruncatedError, frames_of_vectors
from cgsim.io.scan import Scan, is_blank

_START = struct.pack(">iii", 1993, 13, 12) + b"GMX_trn_file"
_HEADER = struct.Struct(f">{len(_START)}s10iiii")  # start, sizes, n_atoms, step, n_energies
_SIZES = ("ir", "e", "cell", "virial", "pressure", "topology", "symbols", "x", "v", "f")


@dataclass(frozen=True)
class _Header:
    """What stands before the numbers of one frame."""

    real: int  # bytes of a number
    n_atoms: int
    size: dict[str, int]  # bytes of each part

    @property
    def n_bytes(self) -> int:
        """Of the whole frame."""
        return _HEADER.size + 2 * self.real + sum(self.size.values())


def scan_trr(path: Path) -> Scan:
    """Find the frames of a TRR file that have positions, and their times.

    Raises
    ------
    ValueError
        If no frame has positions, or naming the first one that is corrupt.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    start, n_atoms, number = 0, 0, 0
    time: list[float] = []
    offsets: list[int] = []
    while start + _HEADER.size <= len(data):
        if is_blank(data[start : start + _HEADER.size]) and is_blank(data[start:]):
            break
        header = _read_header(data, start, f"{path}: frame {number}")
        if number and header.n_atoms != n_atoms:
            raise ValueError(
                f"{path}: frame {number} has {header.n_atoms} atoms, the frames before {n_atoms}"
            )
        n_atoms = header.n_atoms
        if start + header.n_bytes > len(data):
            break
        if header.size["x"]:
            at = start + _HEADER.size
            time.append(float(_numbers(data, at, 1, header.real)[0]))
            offsets.append(start)
        start += header.n_bytes
        number += 1
    if number and not offsets:
        raise ValueError(
            f"{path}: no frame has positions (there are velocities or forces only); "
            "write positions (nstxout), or use the XTC file of the same run"
        )
    is_cut = start < len(data)
    return Scan(n_atoms, len(time), np.array(time), is_cut=is_cut, offsets=np.array(offsets))


def read_trr(path: Path, scan: Scan, chunk: int) -> Iterator[Frames]:
    """Yield the frames with positions that a scan has found, at most `chunk` at a time.

    Raises
    ------
    TruncatedError
        After the last whole frame, if the file ends inside one.
    """
    if scan.offsets is None or scan.time is None:
        raise ValueError(f"{path}: not scanned as a TRR file")
    data = np.memmap(path, dtype=np.uint8, mode="r")
    for first in range(0, scan.n_frames, chunk):
        part = [_read_frame(data, at, path) for at in scan.offsets[first : first + chunk]]
        xyz = np.stack([positions for positions, _ in part])
        vectors = np.stack([cell for _, cell in part])
        yield frames_of_vectors(xyz, vectors, time=scan.time[first : first + chunk])
    if scan.is_cut:
        raise TruncatedError(path, scan.n_frames)


def _read_frame(data: np.ndarray, start: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
    header = _read_header(data, start, str(path))
    at = start + _HEADER.size + 2 * header.real
    cell = np.zeros((3, 3))
    for part in _SIZES:
        if part == "cell" and header.size[part]:
            cell = _numbers(data, at, 9, header.real).astype(np.float64).reshape(3, 3)
        if part == "x":
            xyz = _numbers(data, at, 3 * header.n_atoms, header.real)
            return xyz.astype(np.float32).reshape(-1, 3), cell
        at += header.size[part]
    raise ValueError(f"{path}: a frame without positions")


def _read_header(data: np.ndarray, start: int, where: str) -> _Header:
    header = _HEADER.unpack(data[start : start + _HEADER.size].tobytes())
    size = dict(zip(_SIZES, header[1:11], strict=True))
    real = _real_size(header[0], size, header[11])
    if real == 0:
        raise ValueError(f"{where} is corrupt or this is no TRR file (bad header)")
    return _Header(real, header[11], size)


def _numbers(data: np.ndarray, start: int, n: int, real: int) -> np.ndarray:
    return np.frombuffer(data[start : start + n * real].tobytes(), f">f{real}")


def _real_size(start: bytes, size: dict[str, int], n_atoms: int) -> int:
    """Bytes of a real number, 4 or 8, such that all sizes fit; 0 if there is none."""
    if start != _START or n_atoms < 1:
        return 0
    for real in (4, 8):
        allowed = {"cell": 9 * real, "virial": 9 * real, "pressure": 9 * real}
        allowed |= dict.fromkeys("xvf", 3 * real * n_atoms)
        if all(size[part] in (0, allowed.get(part, 0)) for part in _SIZES):
            return real
    return 0

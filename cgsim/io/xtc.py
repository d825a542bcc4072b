"""The XTC format (GROMACS): checks that each frame of a file is complete and sound.

MDTraj's reader trusts a file's counts and bit runs, writes past its buffers when they lie, and
takes a file cut inside a frame for a shorter one. So each file is walked through here first.
Layout: GROMACS manual, "xtc file format"; the compression is that of ``xdr3dfcoord``.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.io.errors import reader_errors
from cgsim.io.frames import Frames, TruncatedError, frames_of_vectors
from cgsim.io.scan import Scan, is_blank

_MAGIC = 1995
_HEADER = struct.Struct(">iiif9fi")  # magic, n_atoms, step, time, cell, n_atoms
_PACKING = struct.Struct(">f3i3iii")  # precision, minima, maxima, small index, n_bytes
_MAX_PLAIN_ATOMS = 9
_FIRST_SMALL, _LAST_SMALL = 9, 72  # valid indices in the table of small sizes
_MAX_BYTES_PER_ATOM = 14.4  # what MDTraj allocates


@dataclass(frozen=True)
class _Packed:
    """How the coordinates of one frame are packed."""

    start: int  # first byte
    n_bytes: int
    n_large_bits: int  # size of a full coordinate triple
    small: int  # size index, and number of bits, of a small difference triple


def index_xtc(path: Path, n_bytes: int | None = None) -> Scan:
    """Check that each frame in the first `n_bytes` (or all) of an XTC file is complete.

    Raises
    ------
    ValueError
        Naming the first frame that is cut off or has a corrupt header.
    """
    scan, _ = _walk(path, np.memmap(path, dtype=np.uint8, mode="r")[:n_bytes])
    if scan.is_cut:
        raise TruncatedError(path, scan.n_frames)
    return scan


def scan_xtc(path: Path) -> Scan:
    """Check that each whole frame of an XTC file can be unpacked; give the times.

    Raises
    ------
    ValueError
        Naming the first frame that is corrupt.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    scan, packed = _walk(path, data)
    _check_packed(data, packed, scan.n_atoms, path)
    return scan


def read_xtc(path: Path, scan: Scan, chunk: int) -> Iterator[Frames]:
    """Yield the whole frames that a scan has found, at most `chunk` at a time.

    Raises
    ------
    TruncatedError
        After the last whole frame, if the file ends inside one.
    """
    if scan.n_frames:
        yield from _read_whole(path, scan.n_frames, chunk)
    if scan.is_cut:
        raise TruncatedError(path, scan.n_frames)


def _read_whole(path: Path, n_frames: int, chunk: int) -> Iterator[Frames]:
    from mdtraj.formats import XTCTrajectoryFile  # here: see `cgsim.io` on imports

    with reader_errors(path):
        file = XTCTrajectoryFile(str(path))
    with file:
        for first in range(0, n_frames, chunk):
            with reader_errors(path):
                xyz, time, _, box = file.read(n_frames=min(chunk, n_frames - first))
            if len(xyz) != min(chunk, n_frames - first):
                raise ValueError(f"{path}: frame {first + len(xyz)} cannot be read")
            if box is None:  # MDTraj's word for cells of zeros
                yield Frames(xyz, time)
            else:
                yield frames_of_vectors(xyz, box, time=time)


def _walk(path: Path, data: np.ndarray) -> tuple[Scan, list[_Packed]]:
    time: list[float] = []
    packed: list[_Packed] = []
    n_atoms = start = 0
    while start + _HEADER.size <= len(data):
        where = f"{path}: frame {len(time)}"
        header = _HEADER.unpack(data[start : start + _HEADER.size].tobytes())
        if header[0] != _MAGIC or header[1] < 1 or header[1] != header[-1]:
            if is_blank(data[start:]):
                break
            raise ValueError(f"{where} is corrupt or this is no XTC file (bad header)")
        if time and header[1] != n_atoms:
            raise ValueError(f"{where} has {header[1]} atoms, the frames before {n_atoms}")
        n_atoms = header[1]
        end = start + _HEADER.size
        packing = None
        if n_atoms <= _MAX_PLAIN_ATOMS:
            end += 12 * n_atoms
        elif end + _PACKING.size <= len(data):
            packing = _read_packing(data, end, n_atoms, where)
            end = packing.start + -(-packing.n_bytes // 4) * 4
        else:
            break
        if end > len(data):
            break
        if packing is not None:
            packed.append(packing)
        start = end
        time.append(header[3])
    return Scan(n_atoms, len(time), np.array(time), is_cut=start < len(data)), packed


def _read_packing(data: np.ndarray, start: int, n_atoms: int, where: str) -> _Packed:
    packing = data[start : start + _PACKING.size].tobytes()
    precision, *bounds, small, n_bytes = _PACKING.unpack(packing)
    size = [high - low + 1 for low, high in zip(bounds[:3], bounds[3:], strict=True)]
    sound = (
        np.isfinite(precision)
        and precision > 0
        and all(0 < extent < 2**32 for extent in size)
        and _FIRST_SMALL <= small <= _LAST_SMALL
        and 0 <= n_bytes <= _MAX_BYTES_PER_ATOM * n_atoms - 12
    )
    if not sound:
        raise ValueError(f"{where} is corrupt (impossible packing of its coordinates)")
    if any(extent > 0xFFFFFF for extent in size):
        n_bits = sum(extent.bit_length() for extent in size)
    else:
        n_bits = (size[0] * size[1] * size[2]).bit_length()
    return _Packed(start + _PACKING.size, n_bytes, n_bits, small)


def _check_packed(data: np.ndarray, packed: list[_Packed], n_atoms: int, path: Path) -> None:
    """Follow the bit runs of all frames in lockstep: each must yield `n_atoms`, and end in place.

    A run is one full triple, a flag bit and, where the flag is set, five bits with the number of
    small triples that follow and the change of their size.
    """
    if not packed:
        return
    start, n_bytes, n_large_bits, small = (
        np.array([getattr(frame, field) for frame in packed], dtype=np.int64)
        for field in ("start", "n_bytes", "n_large_bits", "small")
    )
    bit = np.zeros_like(start)
    n_small = np.zeros_like(start)
    n_done = np.zeros_like(start)
    last = len(data) - 1
    active = np.arange(len(packed))
    while active.size:
        at = bit[active] + n_large_bits[active]
        byte = start[active] + (at >> 3)
        window = data[np.minimum(byte, last)].astype(np.int64) << 8
        window |= data[np.minimum(byte + 1, last)]
        bits = window >> (10 - (at & 7)) & 0b111111
        flagged = bits >> 5 == 1
        run = bits & 0b11111
        n_small[active] = np.where(flagged, run // 3, n_small[active])
        bit[active] = at + np.where(flagged, 6, 1) + n_small[active] * small[active]
        n_done[active] += 1 + n_small[active]
        small[active] += np.where(flagged, run % 3 - 1, 0)
        sane = (small[active] >= _FIRST_SMALL) & (small[active] <= _LAST_SMALL)
        active = active[sane & (n_done[active] < n_atoms)]
    n_spare = n_bytes - (bit + 7) // 8
    bad = (n_done != n_atoms) | (n_spare < 0) | (n_spare > 3)
    if bad.any():
        frame = int(np.argmax(bad))
        raise ValueError(f"{path}: frame {frame} is corrupt (its coordinates do not unpack)")

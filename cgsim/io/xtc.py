"""The XTC format (GROMACS): checks that each frame of a file is complete and sound.

MDTraj's reader trusts a file's counts and bit runs, writes past its buffers when they lie, and
takes a file cut inside a frame for a shorter one. So each file is walked through here first.
Layout: GROMACS manual, "xtc file format"; the compression is that of ``xdr3dfcoord``.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.io.scan import Scan

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
    return _walk(path, np.memmap(path, dtype=np.uint8, mode="r")[:n_bytes])[0]


def scan_xtc(path: Path) -> Scan:
    """Check that each frame of an XTC file is complete and can be unpacked; give the times.

    Raises
    ------
    ValueError
        Naming the first frame that is cut off or corrupt.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    scan, packed = _walk(path, data)
    _check_packed(data, packed, scan.n_atoms, path)
    return scan


def _walk(path: Path, data: np.ndarray) -> tuple[Scan, list[_Packed]]:
    time: list[float] = []
    packed: list[_Packed] = []
    n_atoms = start = 0
    while start < len(data):
        where = f"{path}: frame {len(time)}"
        header = _unpack(_HEADER, data, start, where)
        if header[0] != _MAGIC or header[1] < 1 or header[1] != header[-1]:
            raise ValueError(f"{where} is corrupt or this is no XTC file (bad header)")
        if time and header[1] != n_atoms:
            raise ValueError(f"{where} has {header[1]} atoms, the frames before {n_atoms}")
        n_atoms = header[1]
        start += _HEADER.size
        if n_atoms <= _MAX_PLAIN_ATOMS:
            start += 12 * n_atoms
        else:
            packed.append(_read_packing(data, start, n_atoms, where))
            start = packed[-1].start + -(-packed[-1].n_bytes // 4) * 4
        if start > len(data):
            raise ValueError(f"{where} is cut off: the file is truncated")
        time.append(header[3])
    return Scan(n_atoms, len(time), np.array(time)), packed


def _unpack(layout: struct.Struct, data: np.ndarray, start: int, where: str) -> tuple:
    if start + layout.size > len(data):
        raise ValueError(f"{where} is cut off: the file is truncated")
    return layout.unpack(data[start : start + layout.size].tobytes())


def _read_packing(data: np.ndarray, start: int, n_atoms: int, where: str) -> _Packed:
    precision, *bounds, small, n_bytes = _unpack(_PACKING, data, start, where)
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

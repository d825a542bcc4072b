"""The DCD format (CHARMM, NAMD, OpenMM): the layout of a file, and whether it is complete.

A DCD file is a row of Fortran records, each between two copies of its length in bytes.
The number of frames stands in the header; it is written again after each frame.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cgsim.io.dcd_cells import find_layout, frames_with_cells
from cgsim.io.frames import Frames, TruncatedError
from cgsim.io.scan import Scan, is_blank
from cgsim.units import NM_PER_ANGSTROM

_CONTROL = 84  # bytes of the first record: "CORD" and 20 integers
_TITLE = 80
_CELL = 48
_TITLES_AT = _CONTROL + 12  # after the first record and the length of the second
_N_FRAMES_AT, _FIRST_STEP_AT, _STEPS_PER_FRAME_AT, _LAST_STEP_AT = 8, 12, 16, 20


@dataclass(frozen=True)
class DCDLayout:
    """Where the frames of a DCD file stand."""

    byte_order: str  # "<" or ">"
    n_atoms: int
    has_cell: bool  # each frame begins with one
    n_frames_in_header: int
    version: int  # of CHARMM, or what others write for it
    free_atoms: np.ndarray | None  # [n_free] if some atoms are fixed, and stored once only
    first_record: tuple[int, ...]  # lengths of the records of the first frame
    record: tuple[int, ...]  # and of the others (without the fixed atoms)
    header_size: int
    file_size: int

    @property
    def first_frame_size(self) -> int:
        """Bytes of the first frame."""
        return sum(self.first_record) + 8 * len(self.first_record)

    @property
    def frame_size(self) -> int:
        """Bytes of each further frame."""
        return sum(self.record) + 8 * len(self.record)

    @property
    def n_frames(self) -> float:
        """Frames that the file has by its size; not a whole number if it is cut off in one."""
        rest = self.file_size - self.header_size - self.first_frame_size
        return max(0.0, 1 + rest / self.frame_size)


def read_dcd_layout(path: Path) -> DCDLayout:
    """Read the header of a DCD file.

    Raises
    ------
    ValueError
        If it is no DCD file, or its header is cut off or corrupt.
    """
    with open(path, "rb") as file:
        start = file.read(8)
        order = next((o for o in "<>" if start == struct.pack(f"{o}i4s", _CONTROL, b"CORD")), None)
        if order is None:
            raise ValueError(f"{path}: this is no DCD file, or one with 64-bit record lengths")
        file.seek(0)
        control = np.frombuffer(_record(file, path, order)[4:], dtype=f"{order}i4")
        _skip_titles(file, path, order)
        n_atoms_record = _record(file, path, order)
        n_fixed = int(control[8])
        if len(n_atoms_record) != 4:
            raise ValueError(f"{path}: the header is corrupt")
        n_atoms = int(np.frombuffer(n_atoms_record, f"{order}i4")[0])
        if n_atoms < 1 or not 0 <= n_fixed < n_atoms:
            raise ValueError(f"{path}: the header is corrupt ({n_atoms} atoms, {n_fixed} fixed)")
        free_atoms = None
        if n_fixed:
            free_atoms = np.frombuffer(_record(file, path, order), dtype=f"{order}i4") - 1
            if len(free_atoms) != n_atoms - n_fixed or not _are_indices(free_atoms, n_atoms):
                raise ValueError(f"{path}: the header's list of free atoms is corrupt")
        size = file.tell()
    charmm = control[19] != 0
    cell = (_CELL,) if charmm and control[10] != 0 else ()
    n_axes = 4 if charmm and control[11] == 1 else 3
    return DCDLayout(
        byte_order=order,
        n_atoms=n_atoms,
        has_cell=bool(cell),
        n_frames_in_header=int(control[0]),
        version=int(control[19]),
        free_atoms=free_atoms,
        first_record=cell + (4 * n_atoms,) * n_axes,
        record=cell + (4 * (n_atoms - n_fixed),) * n_axes,
        header_size=size,
        file_size=path.stat().st_size,
    )


def _are_indices(values: np.ndarray, n: int) -> bool:
    return bool(values.min() >= 0 and values.max() < n)


def _skip_titles(file: BinaryIO, path: Path, order: str) -> None:
    """Go past the titles: their number counts, the length of their record may be of another one.

    (MDAnalysis writes three titles in a record that it says is of two.)
    """
    start = file.read(8)
    length, n_titles = struct.unpack(f"{order}ii", start) if len(start) == 8 else (-1, -1)
    n_left = path.stat().st_size - file.tell() - 4
    if not 0 <= n_titles * _TITLE <= n_left:
        raise ValueError(f"{path}: the header is cut off or corrupt")
    file.seek(n_titles * _TITLE, 1)
    if struct.unpack(f"{order}i", file.read(4))[0] != length:
        raise ValueError(f"{path}: the header is corrupt (unequal record lengths)")


def _record(file: BinaryIO, path: Path, order: str) -> bytes:
    """Read one Fortran record."""
    length = int.from_bytes(file.read(4), "little" if order == "<" else "big")
    n_left = path.stat().st_size - file.tell() - 4
    if length > n_left:
        raise ValueError(f"{path}: the header is cut off or corrupt")
    content = file.read(length)
    if struct.unpack(f"{order}i", file.read(4))[0] != length:
        raise ValueError(f"{path}: the header is corrupt (unequal record lengths)")
    return content


def scan_dcd(path: Path) -> Scan:
    """Count the whole frames of a DCD file, and check all record lengths.

    Raises
    ------
    ValueError
        If the file is corrupt, naming the frame.
    """
    layout = read_dcd_layout(path)
    n_frames = int(layout.n_frames)
    is_cut = n_frames != layout.n_frames or n_frames < layout.n_frames_in_header
    if n_frames == 0:
        return Scan(layout.n_atoms, 0, None, is_cut=is_cut)
    first, others = _frame_bytes(path, layout)
    bad = [_bad_frames(first, layout.first_record, layout.byte_order)]
    bad.append(_bad_frames(others, layout.record, layout.byte_order))
    where = np.flatnonzero(np.concatenate(bad))
    if where.size:
        n_frames, is_cut = int(where[0]), True
        if n_frames == 0 or not is_blank(others[n_frames - 1 :]):
            raise ValueError(f"{path}: frame {n_frames} is corrupt (unexpected record lengths)")
    return Scan(layout.n_atoms, n_frames, None, is_cut=is_cut)


def read_dcd(path: Path, scan: Scan, chunk: int) -> Iterator[Frames]:
    """Yield the whole frames that a scan has found, at most `chunk` at a time.

    Raises
    ------
    TruncatedError
        After the last whole frame, if the file ends inside one or its header promises more.
    """
    if scan.n_frames:
        yield from _read_whole(path, scan.n_frames, chunk)
    if scan.is_cut:
        raise TruncatedError(path, scan.n_frames)


def _read_whole(path: Path, n_frames: int, chunk: int) -> Iterator[Frames]:
    layout = read_dcd_layout(path)
    first, others = _frame_bytes(path, layout)
    others = others[: n_frames - 1]
    record = _cell_records(layout, first, others)
    cells = None if record is None else find_layout(record, version=layout.version)
    first_xyz = _positions(layout, first, layout.first_record)
    for start in range(0, 1 + len(others), chunk):
        part = others[max(0, start - 1) : start + chunk - 1]
        xyz = _positions(layout, part, layout.record)
        if layout.free_atoms is not None:
            moving, xyz = xyz, np.repeat(first_xyz, len(xyz), axis=0)
            xyz[:, layout.free_atoms] = moving
        if start == 0:
            xyz = np.concatenate([first_xyz, xyz])
        if record is None or cells is None:
            yield Frames(xyz)
        else:
            yield frames_with_cells(xyz, record[start : start + len(xyz)], cells)


def _frame_bytes(path: Path, layout: DCDLayout) -> tuple[np.ndarray, np.ndarray]:
    """Map the first frame ``[1, size]`` and the other whole ones into memory."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    start = layout.header_size + layout.first_frame_size
    end = start + (int(layout.n_frames) - 1) * layout.frame_size
    return data[None, layout.header_size : start], data[start:end].reshape(-1, layout.frame_size)


def _cell_records(layout: DCDLayout, first: np.ndarray, others: np.ndarray) -> np.ndarray | None:
    """Return the numbers ``[n_frames, 6]`` that stand at the beginning of each frame."""
    if not layout.has_cell:
        return None
    records = np.concatenate([frames[:, 4 : 4 + _CELL] for frames in (first, others)])
    return records.view(f"{layout.byte_order}f8").astype(np.float64)


def _positions(layout: DCDLayout, frames: np.ndarray, records: tuple[int, ...]) -> np.ndarray:
    """Read positions out of the bytes ``[n_frames, size]`` of frames."""
    axes, start = [], 0
    for length in records:
        axes.append(np.ascontiguousarray(frames[:, start + 4 : start + 4 + length]))
        start += length + 8
    axes = axes[1:4] if layout.has_cell else axes[:3]
    xyz = np.stack([axis.view(f"{layout.byte_order}f4") for axis in axes], axis=2)
    return (xyz * np.float32(NM_PER_ANGSTROM)).astype(np.float32)


def _bad_frames(frames: np.ndarray, records: tuple[int, ...], order: str) -> np.ndarray:
    """``[n_frames]`` whether the length before or after some record is not what it should be."""
    bad = np.zeros(len(frames), dtype=bool)
    start = 0
    for length in records:
        expected = np.frombuffer(struct.pack(f"{order}i", length), dtype=np.uint8)
        for at in (start, start + 4 + length):
            bad |= (frames[:, at : at + 4] != expected).any(axis=1)
        start += length + 8
    return bad


def update_dcd_header(path: Path) -> None:
    """Write the number of frames that the file holds, by its size, into its header.

    Raises
    ------
    ValueError
        If the file does not end with a whole frame.
    """
    layout = read_dcd_layout(path)
    n_frames = int(layout.n_frames)
    if n_frames != layout.n_frames:
        raise ValueError(f"{path}: frame {n_frames} is cut off: the file is truncated")
    with open(path, "r+b") as file:
        file.seek(_FIRST_STEP_AT)
        first, steps_per_frame = struct.unpack(f"{layout.byte_order}ii", file.read(8))
        file.seek(_N_FRAMES_AT)
        file.write(struct.pack(f"{layout.byte_order}i", n_frames))
        file.seek(_LAST_STEP_AT)
        last_step = (first + n_frames * steps_per_frame) & 0x7FFFFFFF
        file.write(struct.pack(f"{layout.byte_order}i", last_step))


def write_dcd_title(path: Path, title: str) -> None:
    """Write a title over all that stand in the header.

    Those of MDTraj hold the time of day and whatever was in its memory, so that no two files are
    alike.
    """
    order = read_dcd_layout(path).byte_order
    with open(path, "r+b") as file:
        file.seek(_TITLES_AT)
        n_titles = struct.unpack(f"{order}i", file.read(4))[0]
        file.write(title.encode("ascii").ljust(n_titles * _TITLE))

"""Appending frames to XTC and DCD files such that a killed run can be continued exactly.

Note `trajectory_size` with each checkpoint; on restart call `truncate_trajectory` with it and
append on. After each append the file is complete and any program can read it.
"""

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cgsim.io.dcd import read_dcd_layout, update_dcd_header, write_dcd_title
from cgsim.io.files import file_extension, flush_to_disk, plainly_named
from cgsim.io.xtc import index_xtc
from cgsim.units import NM_PER_ANGSTROM

_XTC_LIMIT = 1e6  # nm; coordinates are stored as 32-bit multiples of 0.001 nm
_DCD_TITLE = "REMARKS cgsim"
_XTC_START = struct.Struct(">iiif9f")


def append_frames(
    path: str | Path,
    xyz: np.ndarray,
    *,
    time: np.ndarray | None = None,
    cell: np.ndarray | None = None,
) -> None:
    """Append frames to an XTC or DCD file, which is made if missing.

    All frames are added or, if the disk is full, none. If the process is killed half-way,
    `truncate_trajectory` to the size before brings the file back.

    Parameters
    ----------
    path
        ``*.xtc`` (stored to 0.001 nm) or ``*.dcd`` (single precision, without times).
    xyz
        ``[n_frames, n_atoms, 3]`` nm.
    time
        ``[n_frames]`` ps; required for XTC.
    cell
        ``[n_frames, 3, 3]`` rows are the cell vectors in nm (or ``[3, 3]`` for all frames).

    Raises
    ------
    ValueError
        If shapes are wrong or differ from the file's, or numbers are not finite or too large.
    OSError
        If the disk is full. The frames before are kept.
    """
    path = Path(path)
    extension = file_extension(path)
    if extension not in (".xtc", ".dcd"):
        raise ValueError(f"{path}: frames can be appended to .xtc and .dcd files only")
    xyz, time, cell = _checked(path, xyz, time, cell)
    if len(xyz) == 0:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    try:
        if extension == ".xtc":
            _write_xtc(new, xyz, time, cell)
            start = _start_of_xtc_frames(path, xyz.shape[1], has_cell=cell is not None)
        else:
            _write_dcd(new, xyz, cell)
            start = _start_of_dcd_frames(path, new)
        flush_to_disk(new)
        if start is None:
            os.replace(new, path)
        else:
            _append_bytes(path, new.read_bytes()[start:])
            if extension == ".dcd":
                update_dcd_header(path)
    finally:
        new.unlink(missing_ok=True)


def trajectory_size(path: str | Path) -> int:
    """Return the size of a trajectory in bytes, 0 if there is none: what a checkpoint notes."""
    path = Path(path)
    return path.stat().st_size if path.exists() else 0


def truncate_trajectory(path: str | Path, n_bytes: int) -> None:
    """Cut an XTC or DCD file back to the `trajectory_size` that was noted with a checkpoint.

    With ``n_bytes=0`` the file is removed.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, shorter than that, or no frame ends there; it is left as it is.
    """
    path = Path(path)
    if n_bytes == 0:
        path.unlink(missing_ok=True)
        return
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file, but {n_bytes} bytes of it are needed")
    size = trajectory_size(path)
    if n_bytes < 0 or size < n_bytes:
        raise ValueError(f"{path} has {size} bytes, but should have at least {n_bytes}")
    if not _is_frame_end(path, n_bytes):
        raise ValueError(f"{path}: no frame ends at byte {n_bytes}; this is another file")
    os.truncate(path, n_bytes)
    if file_extension(path) == ".dcd":
        update_dcd_header(path)
    flush_to_disk(path)


def _checked(
    path: Path, xyz: np.ndarray, time: np.ndarray | None, cell: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    xyz = np.asarray(xyz, dtype=np.float32)
    if xyz.ndim != 3 or xyz.shape[1] == 0 or xyz.shape[2] != 3:
        raise ValueError(f"{path}: xyz must be [n_frames, n_atoms, 3], not {list(xyz.shape)}")
    limit = _XTC_LIMIT if file_extension(path) == ".xtc" else np.inf
    finite = (np.isfinite(xyz) & (np.abs(xyz) < limit)).all(axis=(1, 2))
    if not finite.all():
        raise ValueError(f"{path}: frame {np.argmin(finite)} of xyz is not finite or too large")
    if time is None and file_extension(path) == ".xtc":
        raise ValueError(f"{path}: an XTC file needs the time of each frame")
    if time is not None:
        time = np.asarray(time, dtype=np.float64)
        if time.shape != (len(xyz),) or not np.isfinite(time).all():
            raise ValueError(f"{path}: time must be [{len(xyz)}] finite ps, not {time!r}")
    if cell is not None:
        cell = np.asarray(cell, dtype=np.float64)
        if cell.shape not in ((3, 3), (len(xyz), 3, 3)) or not (np.linalg.det(cell) > 0).all():
            raise ValueError(f"{path}: cell must be [{len(xyz)}, 3, 3] with positive volume")
        cell = np.broadcast_to(cell, (len(xyz), 3, 3))
    return xyz, time, cell


def _write_xtc(
    path: Path, xyz: np.ndarray, time: np.ndarray | None, cell: np.ndarray | None
) -> None:
    from mdtraj.formats import XTCTrajectoryFile  # here: see `cgsim.io` on imports

    step = None if time is None else np.clip(np.rint(time), -(2**31), 2**31 - 1)
    with (
        _complete(path, len(xyz)),
        plainly_named(path) as named,
        XTCTrajectoryFile(str(named), "w") as file,
    ):
        file.write(xyz, time=time, step=step, box=cell)


def _write_dcd(path: Path, xyz: np.ndarray, cell: np.ndarray | None) -> None:
    from mdtraj.formats import DCDTrajectoryFile  # here: see `cgsim.io` on imports
    from mdtraj.utils import box_vectors_to_lengths_and_angles

    lengths = angles = None
    if cell is not None:
        a, b, c, *degrees = box_vectors_to_lengths_and_angles(*np.moveaxis(cell, 1, 0))
        lengths, angles = np.stack([a, b, c], axis=1) / NM_PER_ANGSTROM, np.stack(degrees, axis=1)
    with (
        _complete(path, len(xyz)),
        plainly_named(path) as named,
        DCDTrajectoryFile(str(named), "w") as file,
    ):
        file.write(xyz / NM_PER_ANGSTROM, cell_lengths=lengths, cell_angles=angles)
    write_dcd_title(path, _DCD_TITLE)


@contextmanager
def _complete(path: Path, n_frames: int) -> Iterator[None]:
    """Raise OSError unless all frames are written: MDTraj's writers may not notice a full disk."""
    full = OSError(errno.ENOSPC, "the frames could not be written", str(path))
    try:
        yield
    except (RuntimeError, TypeError) as error:  # what they raise when they do (DCD by mistake)
        raise full from error
    try:
        is_xtc = file_extension(path.stem) == ".xtc"
        n_written = index_xtc(path).n_frames if is_xtc else read_dcd_layout(path).n_frames
    except ValueError as error:
        raise full from error
    if n_written != n_frames:
        raise full


def _start_of_xtc_frames(path: Path, n_atoms: int, *, has_cell: bool) -> int | None:
    """Return 0, or None if the file is yet to be made; check that the frames fit to its first."""
    if trajectory_size(path) == 0:
        return None
    with open(path, "rb") as file:
        start = file.read(_XTC_START.size)
    if len(start) < _XTC_START.size:
        raise ValueError(f"{path}: frame 0 is cut off: the file is truncated")
    _, n_atoms_before, _, _, *cell_before = _XTC_START.unpack(start)
    _check_alike(path, (n_atoms_before, any(cell_before)), (n_atoms, has_cell))
    return 0


def _start_of_dcd_frames(path: Path, new: Path) -> int | None:
    """Return the size of the header of `new`, or None if the file is yet to be made."""
    if trajectory_size(path) == 0:
        return None
    before, after = read_dcd_layout(path), read_dcd_layout(new)
    _check_alike(path, (before.n_atoms, before.has_cell), (after.n_atoms, after.has_cell))
    if (
        before.record != after.record
        or before.byte_order != after.byte_order
        or before.free_atoms is not None
    ):
        raise ValueError(f"{path}: this kind of DCD file cannot be appended to")
    if before.n_frames != int(before.n_frames):
        raise ValueError(
            f"{path}: frame {int(before.n_frames)} is cut off; truncate_trajectory first"
        )
    return after.header_size


def _check_alike(path: Path, before: tuple[int, bool], after: tuple[int, bool]) -> None:
    if before[0] != after[0]:
        raise ValueError(f"{path} has {before[0]} atoms, the frames to append have {after[0]}")
    if before[1] != after[1]:
        with_or_without = "a periodic cell" if before[1] else "no periodic cell"
        raise ValueError(f"{path} has {with_or_without}, unlike the frames to append")


def _append_bytes(path: Path, content: bytes) -> None:
    size = trajectory_size(path)
    try:
        with open(path, "r+b") as file:
            file.seek(size)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        os.truncate(path, size)
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_frame_end(path: Path, n_bytes: int) -> bool:
    if file_extension(path) == ".dcd":
        layout = read_dcd_layout(path)
        rest = n_bytes - layout.header_size - layout.first_frame_size
        return rest >= 0 and rest % layout.frame_size == 0
    try:
        index_xtc(path, n_bytes)
    except ValueError:
        return False
    return True

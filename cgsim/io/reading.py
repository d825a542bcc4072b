"""Trajectories in any format that MDTraj reads, streamed in validated chunks."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import mdtraj
import numpy as np
from mdtraj.formats.registry import FormatRegistry
from scipy.io import netcdf_file

from cgsim.io.dcd import read_dcd, scan_dcd
from cgsim.io.files import (
    existing_file,
    file_extension,
    is_positive,
    missing_package,
    read_sidecar,
)
from cgsim.io.molecule import Molecule
from cgsim.io.scan import Scan
from cgsim.io.stream import SAME_INTERVAL, FrameStream, check_even
from cgsim.io.text import check_line_count
from cgsim.io.trr import scan_trr
from cgsim.io.xtc import scan_xtc

Files = str | Path | Sequence[str | Path]

_SCANNERS = {".xtc": scan_xtc, ".trr": scan_trr, ".dcd": scan_dcd}
_NETCDF = {".nc", ".ncdf", ".netcdf"}
_TIMED = _NETCDF | {".h5", ".hdf5", ".dtr", ".stk"}  # beside XTC and TRR
_WHOLE = {
    ".rst7",
    ".restrt",
    ".inpcrd",
    ".ncrst",
    ".mol2",
    ".xml",
    ".hoomdxml",
    ".gsd",
    ".gro",
} | {kind + zipped for kind in (".cif", ".mmcif", ".pdbx") for zipped in ("", ".gz")}


def iter_frames(
    files: Files, molecule: Molecule, *, chunk: int = 500, frame_interval: float | None = None
) -> Iterator[mdtraj.Trajectory]:
    """Stream the frames of one trajectory, which may be split over several consecutive files.

    Parameters
    ----------
    files
        One file or several, in order, of any format that MDTraj reads.
    molecule
        What is in them.
    chunk
        Most frames in memory at a time.
    frame_interval
        ps; replaces the times stored in the files. Needed for evenly spaced times only: without
        it, and without stored times or a JSON beside the file, ``time`` counts the frames.

    Yields
    ------
    mdtraj.Trajectory
        At most `chunk` frames: ``xyz [n_frames, n_atoms, 3]`` nm, finite; a cell for all frames
        or for none; ``time [n_frames]`` ps, evenly spaced over all files. The first frame of a
        file that repeats the last one of the file before is left out.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        Naming file and frame: unknown format, empty, truncated or corrupt file, other atoms than
        the molecule's, NaN, a cell in some frames only, uneven times.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least one frame, not {chunk}")
    paths = trajectory_files(files)
    for path in paths:
        _check_atoms(path, molecule)
    stream = FrameStream(molecule, _stamp(paths[0], frame_interval))
    for path in paths:
        for trajectory in _read_chunks(path, molecule.topology, chunk):
            trajectory = stream.checked(path, trajectory)
            if trajectory.n_frames:
                yield trajectory
        stream.end_file(path)


def trajectory_files(files: Files) -> list[Path]:
    """Return `files` as a list of paths of existing files in formats that MDTraj reads.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are none, or one is missing, empty, or of an unknown format.
    """
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    if not paths:
        raise ValueError("no trajectory files were given")
    for path in paths:
        existing_file(path)
        if file_extension(path) not in FormatRegistry.loaders:
            known = " ".join(sorted(FormatRegistry.loaders))
            raise ValueError(f"{path}: unknown trajectory format; MDTraj reads {known}")
    return paths


def read_frame_interval(trajectory_file: str | Path) -> float | None:
    """Return the time between frames in ps: of the JSON beside the file, else of stored times.

    None for formats without times (DCD, PDB, ...) and for a single frame.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, truncated or corrupt, or its frames are unevenly spaced in time.
    """
    (path,) = trajectory_files(trajectory_file)
    interval = read_sidecar(path).get("frame_interval")
    if interval is not None:
        return float(interval)
    time = _stored_times(path)
    if time is None or len(time) < 2:
        return None
    check_even(path, time, 0)
    return float(f"{(time[-1] - time[0]) / (len(time) - 1):.6g}")


def common_frame_interval(files: Files, *, frame_interval: float | None = None) -> float:
    """Return the time between frames in ps that all `files` share.

    Parameters
    ----------
    files
        Trajectories.
    frame_interval
        ps; what the user says, which holds against what the files say.

    Raises
    ------
    FileNotFoundError, ValueError
        If two files differ, or one does not tell its frame interval.
    """
    paths = trajectory_files(files)
    if frame_interval is not None:
        if not is_positive(frame_interval):
            raise ValueError(f"frame_interval must be a positive number of ps: {frame_interval!r}")
        return float(frame_interval)
    intervals: list[float] = []
    for path in paths:
        interval = read_frame_interval(path)
        if interval is None:
            raise ValueError(
                f"{path}: the time between frames is unknown (the format stores none, or there is "
                "one frame only): give frame_interval=<ps> or, in a JSON file of the same stem, "
                '"frame_interval": <ps>'
            )
        if intervals and abs(interval - intervals[0]) > SAME_INTERVAL * intervals[0]:
            raise ValueError(
                f"{path} has a frame every {interval:g} ps, but {paths[0]} every "
                f"{intervals[0]:g} ps: make them alike or use them apart"
            )
        intervals.append(interval)
    return float(intervals[0])


def _stamp(path: Path, frame_interval: float | None) -> float | None:
    """Frame interval to make times with; None to keep the stored ones."""
    if frame_interval is not None:
        return common_frame_interval(path, frame_interval=frame_interval)
    if file_extension(path) in _TIMED | {".xtc", ".trr"}:
        return None
    return read_frame_interval(path) or 1.0


def _scan(path: Path) -> Scan | None:
    """Walk through a file whose reader cannot be trusted with a bad one; None for other formats."""
    if file_extension(path) not in _SCANNERS:
        return None
    status = path.stat()
    return _scan_once(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _scan_once(path: Path, _size: int, _modified: int) -> Scan:
    return _SCANNERS[file_extension(path)](path)


def _stored_times(path: Path) -> np.ndarray | None:
    """Times in ps of all frames, or of the first two where those are cheap to read."""
    scan = _scan(path)
    if scan is not None:
        return scan.time
    if file_extension(path) not in _TIMED:
        return None
    with _reader_errors(path), mdtraj.open(str(path)) as file:
        content = file.read(n_frames=2)
        time = content.time if hasattr(content, "time") else content[1]
    if time is None or np.shape(time) == () or np.ptp(time) == 0:
        return None
    return np.asarray(time, dtype=np.float64)


def _check_atoms(path: Path, molecule: Molecule) -> None:
    scan = _scan(path)
    if scan is not None and scan.n_frames and scan.n_atoms != molecule.n_atoms:
        raise ValueError(
            f"{path} has {scan.n_atoms} atoms, but the topology of {molecule.name!r} has "
            f"{molecule.n_atoms}"
        )
    if scan is None:
        check_line_count(path, molecule.n_atoms)
    if file_extension(path) in _NETCDF:
        _check_netcdf(path)


def _check_netcdf(path: Path) -> None:
    """Map a classic NetCDF file: SciPy checks its size, the C library fills in what is missing."""
    with open(path, "rb") as file:
        classic = file.read(3) == b"CDF"
    if classic:
        with _reader_errors(path), netcdf_file(path, mmap=True) as content:
            content.variables.clear()  # lets go of the map


@contextmanager
def _reader_errors(path: Path) -> Iterator[None]:
    """Turn whatever MDTraj's readers raise into a ValueError that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImportError as error:
        raise ValueError(missing_package(path, error)) from error
    except Exception as error:  # the readers raise a dozen kinds, IndexError to RuntimeError
        raise ValueError(f"{path}: cannot be read: {error!r}") from error


def _read_chunks(path: Path, topology: mdtraj.Topology, chunk: int) -> Iterator[mdtraj.Trajectory]:
    """Yield chunks as MDTraj reads them."""
    if file_extension(path) == ".dcd":
        for xyz, cell in read_dcd(path, chunk):
            lengths, angles = (None, None) if cell is None else (cell[:, :3], cell[:, 3:])
            yield mdtraj.Trajectory(xyz, topology, unitcell_lengths=lengths, unitcell_angles=angles)
        return
    if file_extension(path) in _WHOLE:
        with _reader_errors(path):
            trajectory = mdtraj.load(str(path), top=topology)
        for start in range(0, trajectory.n_frames, chunk):
            yield trajectory[start : start + chunk]
        return
    with _reader_errors(path):
        chunks = mdtraj.iterload(str(path), chunk=chunk, top=topology)
    while True:
        with _reader_errors(path):
            trajectory = next(chunks, None)
        if trajectory is None:
            return
        yield trajectory

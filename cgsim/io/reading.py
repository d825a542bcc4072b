"""Trajectories in any format, streamed in validated chunks."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import mdtraj

from cgsim.io.files import existing_file, is_positive, read_sidecar
from cgsim.io.formats import format_of, n_atoms_of, read_frames, stored_times
from cgsim.io.frames import TruncatedError
from cgsim.io.molecule import Molecule
from cgsim.io.stream import SAME_INTERVAL, FrameStream, check_even

Files = str | Path | Sequence[str | Path]
_MAX_POSITIONS = 5_000_000  # atoms times frames of one chunk, 120 MB in double precision


def iter_frames(
    files: Files, molecule: Molecule, *, chunk: int = 500, frame_interval: float | None = None
) -> Iterator[mdtraj.Trajectory]:
    """Stream the frames of one trajectory, which may be split over several consecutive files.

    Parameters
    ----------
    files
        One file or several, in order, of any format in `cgsim.io.formats`.
    molecule
        What is in them.
    chunk
        Most frames in memory at a time; of large systems there are fewer.
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
        Naming file and frame: unknown format, empty or corrupt file, other atoms than the
        molecule's, NaN, an impossible cell or one in some frames only, uneven times, a file that
        is cut off and not the last. (The whole frames of a last file that is cut off are yielded,
        with a warning that says how many.)
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least one frame, not {chunk}")
    paths = trajectory_files(files)
    molecule = _as_in(paths, molecule)
    chunk = min(chunk, max(1, _MAX_POSITIONS // molecule.n_file_atoms))
    stream = FrameStream(molecule, _stamp(paths[0], frame_interval))
    for path in paths:
        counts_steps = format_of(path).counts_steps
        try:
            for frames in read_frames(path, molecule, chunk):
                trajectory = stream.checked(path, frames, counts_steps=counts_steps)
                if trajectory.n_frames:
                    yield trajectory
        except TruncatedError as error:
            _check_cut(error, path, paths)
        stream.end_file(path)


def trajectory_files(files: Files) -> list[Path]:
    """Return `files` as a list of paths of existing files of known formats.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are none, or one is missing, empty, or of an unknown format.
    """
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    if not paths:
        raise ValueError("no trajectory files were given")
    for path in paths:
        format_of(existing_file(path))
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
    time = stored_times(path)
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
                "one frame only): give frame_interval=<ps> (--frame_interval <ps>) or, in a JSON "
                'file of the same stem, "frame_interval": <ps>'
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
    if not format_of(path).counts_steps and stored_times(path) is not None:
        return None
    return read_frame_interval(path) or 1.0


def _as_in(paths: list[Path], molecule: Molecule) -> Molecule:
    """The molecule as the files have it: among all atoms of its topology, or alone.

    Raises
    ------
    ValueError
        If a file has another number of atoms, or one has all and another those of the molecule.
    """
    counts = {path: n_atoms_of(path) for path in paths}
    known = [n for n in counts.values() if n is not None]
    if known and set(known) == {molecule.n_atoms}:
        return replace(molecule, file_atoms=None, file_topology=None)
    for path, n_atoms in counts.items():
        if n_atoms not in (None, molecule.n_file_atoms):
            part = "" if molecule.file_atoms is None else f", {molecule.n_atoms} of them selected"
            way_on = (
                ": take the topology of the whole system, and select='protein' (--select protein) "
                "for the atoms you want"
                if n_atoms > molecule.n_file_atoms
                else ""
            )
            raise ValueError(
                f"{path} has {n_atoms} atoms, but the topology of {molecule.name!r} has "
                f"{molecule.n_file_atoms}{part}{way_on}"
            )
    return molecule


def _check_cut(error: TruncatedError, path: Path, paths: list[Path]) -> None:
    """Accept a file that is cut off where nothing follows, with a warning."""
    if error.n_whole == 0:
        raise error
    if path != paths[-1]:
        raise ValueError(
            f"{error}, but {paths[paths.index(path) + 1]} follows: cut it to its {error.n_whole} "
            "whole frames, if the next file goes on there"
        ) from error
    warnings.warn(f"{error}; its {error.n_whole} whole frames are read", stacklevel=3)

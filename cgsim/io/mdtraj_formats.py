"""Trajectories that MDTraj reads rightly as it is."""

from collections.abc import Iterator
from pathlib import Path

import mdtraj
import numpy as np

from cgsim.io.errors import reader_errors
from cgsim.io.frames import Cells, Frames

_MEANING = "a, b, c in nm and alpha, beta, gamma in degrees"


def read_at_once(path: Path, topology: mdtraj.Topology, chunk: int) -> Iterator[Frames]:
    """Read a file of few frames whole, and yield them, at most `chunk` at a time."""
    with reader_errors(path):
        trajectory = mdtraj.load(str(path), top=topology)
    for start in range(0, trajectory.n_frames, chunk):
        yield frames_of(trajectory[start : start + chunk])


def read_streamed(path: Path, topology: mdtraj.Topology, chunk: int) -> Iterator[Frames]:
    """Yield frames as they are read, at most `chunk` at a time."""
    with reader_errors(path):
        chunks = mdtraj.iterload(str(path), chunk=chunk, top=topology)
    while True:
        with reader_errors(path):
            trajectory = next(chunks, None)
        if trajectory is None:
            return
        with reader_errors(path):
            frames = frames_of(trajectory)
        yield frames


def frames_of(trajectory: mdtraj.Trajectory) -> Frames:
    """Return the frames of a trajectory of MDTraj."""
    cells = None
    if trajectory.unitcell_lengths is not None:
        lengths, angles = (
            np.asarray(part, dtype=np.float64)
            for part in (trajectory.unitcell_lengths, trajectory.unitcell_angles)
        )
        cells = Cells(lengths, angles, np.concatenate([lengths, angles], axis=1), _MEANING)
    return Frames(trajectory.xyz, trajectory.time, cells, trajectory.topology)


def first_times(path: Path) -> np.ndarray | None:
    """Return the times in ps of the first two frames, or None where none are stored."""
    with reader_errors(path), mdtraj.open(str(path)) as file:
        content = file.read(n_frames=2)
        time = content.time if hasattr(content, "time") else content[1]
    if time is None or np.shape(time) == ():
        return None
    return np.asarray(time, dtype=np.float64)

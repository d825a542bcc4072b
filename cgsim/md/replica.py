"""One replica of one molecule on disk: a trajectory and the state from which it can go on.

Beside every trajectory ``<name>-r<replica>.xtc`` lies ``<name>-r<replica>.state.npz``: the
phase-space point, the number of frames and the number of bytes written so far. It is replaced after
each chunk of frames has been appended, so a killed run loses at most one chunk: whatever a
half-finished append left behind the bytes of the state is cut off, and the run goes on from there.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from cgsim.io import append_frames, atomic_path, trajectory_size, truncate_trajectory
from cgsim.md.merged import Phase


class Subject(Protocol):
    """What can be simulated: something with a name, the stem of its files, and atoms."""

    @property
    def name(self) -> str:
        """Unique among the molecules of one directory."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms (or fine beads)."""


S = TypeVar("S", bound=Subject)


class Replica(Generic[S]):
    """An independent run of one molecule that can be stopped and resumed after every chunk.

    Parameters
    ----------
    subject : Subject
        What is simulated.
    index : int
        Number of the replica.
    trajectory : Path
        File that the frames are appended to.
    n_equilibration_frames : int
        Frames that are simulated but not written before the first one of the trajectory.

    Attributes
    ----------
    frame : int
        Next frame to simulate; negative during equilibration. The trajectory holds
        ``max(frame, 0)`` frames.
    phase : Phase or None
        Where to go on from; None before the first chunk.

    Raises
    ------
    FileNotFoundError, ValueError
        The trajectory on disk and its state do not belong together.
    """

    def __init__(
        self, subject: S, index: int, *, trajectory: Path, n_equilibration_frames: int
    ) -> None:
        self.subject = subject
        self.index = index
        self.trajectory = trajectory
        self.frame = -n_equilibration_frames
        self.phase: Phase | None = None
        self._n_bytes = 0
        self._state_file = trajectory.with_name(f"{trajectory.stem}.state.npz")
        if self._state_file.exists():
            self._restore()
        elif trajectory.exists():
            raise ValueError(
                f"{trajectory} exists without {self._state_file.name}, so it cannot be continued; "
                "move it away or choose another directory"
            )

    @property
    def identity(self) -> int:
        """A number that stands for this replica in seeds."""
        return zlib.crc32(f"{self.subject.name}-r{self.index}".encode())

    def append(self, frames: np.ndarray, phase: Phase, *, frame_interval: float) -> None:
        """Write the frames that follow ``frame``, then the state that they end in.

        Parameters
        ----------
        frames : ndarray, shape [n_frames, n_atoms, 3], nm
            Not written while ``frame`` is negative.
        phase : Phase
            Phase-space point at the last of them.
        frame_interval : float
            ps.

        Raises
        ------
        ValueError
            If another process has written to the trajectory meanwhile; nothing is added to it.
        """
        if trajectory_size(self.trajectory) != self._n_bytes:
            raise ValueError(
                f"{self.trajectory}: another process has written to it meanwhile; let that one "
                "finish, then call this again"
            )
        if self.frame >= 0:
            time = (self.frame + 1 + np.arange(len(frames))) * frame_interval
            append_frames(self.trajectory, frames, time=time)
        self.frame += len(frames)
        self.save(phase)

    def save(self, phase: Phase) -> None:
        """Write the state, to go on from ``phase`` at ``frame``."""
        self.phase = phase
        self._n_bytes = trajectory_size(self.trajectory)
        with atomic_path(self._state_file) as path:
            np.savez(
                path,
                xyz=phase.xyz,
                velocity=phase.velocity,
                frame=self.frame,
                n_bytes=self._n_bytes,
            )

    def _restore(self) -> None:
        try:
            with np.load(self._state_file) as state:
                self.phase = Phase(state["xyz"], state["velocity"])
                self.frame, self._n_bytes = int(state["frame"]), int(state["n_bytes"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{self._state_file} is not a readable state of {self.trajectory.name}; move both "
                "away to start this replica anew"
            ) from error
        if trajectory_size(self.trajectory) != self._n_bytes:
            truncate_trajectory(self.trajectory, self._n_bytes)

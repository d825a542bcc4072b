"""What must hold from frame to frame of one trajectory, from chunk to chunk and file to file."""

from pathlib import Path

import mdtraj
import numpy as np

from cgsim.io.molecule import Molecule
from cgsim.io.periodic import MAX_CELLS, cell_vectors

SAME_INTERVAL = 1e-3
"""Relative difference of two frame intervals that still passes for rounding."""


class FrameStream:
    """What must hold from chunk to chunk and from file to file."""

    def __init__(self, molecule: Molecule, frame_interval: float | None) -> None:
        self.molecule = molecule
        self.frame_interval = frame_interval
        self.has_cell: bool | None = None
        self.last_times = np.empty(0)
        self.n_frames = 0
        self.n_frames_of_file = 0

    def checked(self, path: Path, trajectory: mdtraj.Trajectory) -> mdtraj.Trajectory:
        """Return `trajectory` if it may follow what came before, with its times set."""
        first = self.n_frames_of_file
        self.n_frames_of_file += trajectory.n_frames
        _check_same_atoms(path, trajectory.topology, self.molecule)
        finite = np.isfinite(trajectory.xyz).all(axis=(1, 2))
        if not finite.all():
            bad = first + int(np.argmin(finite))
            raise ValueError(f"{path}: frame {bad} has positions that are not finite (NaN or inf)")
        self._check_cell(path, trajectory, first)
        trajectory.topology = self.molecule.topology
        if self.frame_interval is not None:
            n = self.n_frames + np.arange(trajectory.n_frames)
            trajectory.time = n * self.frame_interval
        else:
            trajectory = self._without_overlap(path, trajectory, first)
        self.n_frames += trajectory.n_frames
        return trajectory

    def end_file(self, path: Path) -> None:
        """Note that the next chunk is of another file."""
        if self.n_frames_of_file == 0:
            raise ValueError(f"{path}: there are no frames in this file")
        self.n_frames_of_file = 0

    def _check_cell(self, path: Path, trajectory: mdtraj.Trajectory, first: int) -> None:
        if trajectory.unitcell_lengths is None:
            has_cell = np.zeros(trajectory.n_frames, dtype=bool)
        else:
            has_cell = (np.nan_to_num(trajectory.unitcell_lengths) > 0).all(axis=1)
            if not has_cell.any():
                trajectory.unitcell_vectors = None
        if self.has_cell is None:
            self.has_cell = bool(has_cell[0])
        if (has_cell != self.has_cell).any():
            bad = first + int(np.argmax(has_cell != self.has_cell))
            state = (
                "has no periodic cell, but those before have"
                if self.has_cell
                else ("has a periodic cell, but those before have none")
            )
            raise ValueError(f"{path}: frame {bad} {state}; all frames must have one, or none")
        if self.has_cell:
            _check_cell_size(path, trajectory, first)

    def _without_overlap(
        self, path: Path, trajectory: mdtraj.Trajectory, first: int
    ) -> mdtraj.Trajectory:
        """Leave out a repeated first frame of a continued file; check the times."""
        time = np.asarray(trajectory.time, dtype=np.float64)
        if first == 0 and self.last_times.size and time[0] == self.last_times[-1]:
            trajectory, time, first = trajectory[1:], time[1:], 1
        joined = np.concatenate([self.last_times, time])
        if len(joined) > 1:
            check_even(path, joined, first - len(self.last_times))
        self.last_times = joined[-2:]
        return trajectory


def _check_cell_size(path: Path, trajectory: mdtraj.Trajectory, first: int) -> None:
    with np.errstate(invalid="ignore"):
        cell = cell_vectors(trajectory)
        volume = np.linalg.det(cell)
    sound = np.isfinite(cell).all(axis=(1, 2)) & (volume > 0)
    cell[~sound] = np.eye(3)
    cells_per_nm = np.abs(np.linalg.inv(cell)).max(axis=(1, 2))
    sound &= np.abs(trajectory.xyz).max(axis=(1, 2)) * cells_per_nm < MAX_CELLS
    if not sound.all():
        bad = first + int(np.argmin(sound))
        raise ValueError(
            f"{path}: frame {bad} has an impossible periodic cell: {cell[bad - first]}"
        )


def check_even(path: Path, time: np.ndarray, first: int) -> None:
    """Check that `time`, of the frames from `first` on, has equal and positive steps."""
    step = np.diff(time)
    rounding = 2 * np.finfo(np.float32).eps * np.abs(time).max()
    uneven = (step <= 0) | (np.abs(step - np.median(step)) > SAME_INTERVAL * step[0] + rounding)
    if uneven.any():
        at = int(np.argmax(uneven))
        raise ValueError(
            f"{path}: from frame {first + at} to {first + at + 1} the time goes from {time[at]:g} "
            f"to {time[at + 1]:g} ps, but frames must be evenly spaced; if the stored times are "
            "wrong, give frame_interval=<ps>"
        )


def _check_same_atoms(path: Path, topology: mdtraj.Topology, molecule: Molecule) -> None:
    """Compare numbers and, of formats that carry a topology, real elements."""
    if topology is molecule.topology:
        return
    if topology.n_atoms != molecule.n_atoms:
        raise ValueError(
            f"{path} has {topology.n_atoms} atoms, but the topology of {molecule.name!r} has "
            f"{molecule.n_atoms}"
        )
    for ours, theirs in zip(molecule.topology.atoms, topology.atoms, strict=True):
        elements = [atom.element for atom in (ours, theirs)]
        if all(e is not None and e.number > 0 for e in elements) and elements[0] != elements[1]:
            raise ValueError(
                f"{path}: atom {ours.index} is {theirs}, but in the topology of "
                f"{molecule.name!r} it is {ours}"
            )

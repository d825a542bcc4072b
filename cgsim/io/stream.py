"""What must hold from frame to frame of one trajectory, from chunk to chunk and file to file."""

import warnings
from pathlib import Path

import mdtraj
import numpy as np

from cgsim.io.frames import Cells, Frames, NotFiniteError, standard_vectors
from cgsim.io.molecule import Molecule
from cgsim.io.periodic import MAX_CELLS

SAME_INTERVAL = 1e-3
"""Relative difference of two frame intervals that still passes for rounding."""

_SAME_STEPS = 1e-6  # relative; they are counted, not measured

_DUMMY_LENGTH = 0.1  # nm; programs write 1 Å x 1 Å x 1 Å where there is no cell
_DUMMY_OF_NM = 1.0  # nm; and 1 nm x 1 nm x 1 nm, of which no engine makes a simulation
_MOST_OF_DUMMY = 1.25  # nm; but a cell that all atoms are in may be one
_LONGEST_CELL = 1e5  # nm; a tenth of a millimetre
_FLATTEST = 0.01  # volume of a cell, of that of a right-angled one; all that is simulated has 0.3
_LARGEST_CHANGE = 2.0  # of a volume between frames; a barostat that equilibrates makes 1.3
_MAX_DENSITY = 1000.0  # atoms per nm³; condensed matter has up to 200


class FrameStream:
    """What must hold from chunk to chunk and from file to file."""

    def __init__(self, molecule: Molecule, frame_interval: float | None) -> None:
        self.molecule = molecule
        self.frame_interval = frame_interval
        self.has_cell: bool | None = None
        self.last_times = np.empty(0)
        self.n_frames = 0
        self.n_frames_of_file = 0
        self._dummy = _DUMMY_LENGTH
        self._last_xyz: np.ndarray | None = None
        self._last_volume = np.empty(0)
        self._is_warned = self._is_warned_of_cells = False

    def checked(
        self, path: Path, frames: Frames, *, counts_steps: bool = False
    ) -> mdtraj.Trajectory:
        """Return `frames` if they may follow what came before, with their times set.

        Parameters
        ----------
        path
            Their file.
        frames
            At least one.
        counts_steps
            Whether their ``time`` counts steps, which are even whatever their length in ps is.
        """
        first = self.n_frames_of_file
        self.n_frames_of_file += len(frames)
        check_same_atoms(path, frames, self.molecule)
        if self.molecule.file_atoms is not None:
            frames = frames.of_atoms(self.molecule.file_atoms)
        finite = np.isfinite(frames.xyz).all(axis=(1, 2))
        if not finite.all():
            bad = first + int(np.argmin(finite))
            raise NotFiniteError(
                f"{path}: frame {bad} has positions that are not finite (NaN or inf)"
            )
        self._check_cells(path, frames, first)
        if self.frame_interval is None or counts_steps:
            frames = self._without_overlap(path, frames, first, counts_steps=counts_steps)
        else:
            frames = self._without_repeat(frames, first)
            self._compare_times(path, frames)
        cells = frames.cells if self.has_cell else None
        time = frames.time
        if self.frame_interval is not None:
            time = (self.n_frames + np.arange(len(frames))) * self.frame_interval
        self.n_frames += len(frames)
        return mdtraj.Trajectory(
            frames.xyz,
            self.molecule.topology,
            time=time,
            unitcell_lengths=None if cells is None else cells.lengths,
            unitcell_angles=None if cells is None else cells.angles,
        )

    def end_file(self, path: Path) -> None:
        """Note that the next frames are of another file."""
        if self.n_frames_of_file == 0:
            raise ValueError(f"{path}: there are no frames in this file")
        self.n_frames_of_file = 0

    def _check_cells(self, path: Path, frames: Frames, first: int) -> None:
        """Check that all frames have a sound cell, or none has one."""
        if self.has_cell is None:
            self._dummy = self._dummy_length(path, frames)
            self.has_cell = bool(_has_cell(frames, self._dummy)[0])
        has_cell = _has_cell(frames, self._dummy)
        if (has_cell != self.has_cell).any():
            bad = first + int(np.argmax(has_cell != self.has_cell))
            state = (
                "has no periodic cell, but those before have"
                if self.has_cell
                else ("has a periodic cell, but those before have none")
            )
            raise ValueError(f"{path}: frame {bad} {state}; all frames must have one, or none")
        if self.has_cell and frames.cells is not None:
            self._compare_volumes(path, _checked_volumes(path, frames, frames.cells, first), first)

    def _compare_volumes(self, path: Path, volume: np.ndarray, first: int) -> None:
        """Warn, once, of a cell that is far larger or smaller than the one before."""
        joined = np.concatenate([self._last_volume, volume])
        self._last_volume = volume[-1:].copy()
        ratio = joined[1:] / joined[:-1]
        far = (ratio > _LARGEST_CHANGE) | (ratio < 1 / _LARGEST_CHANGE)
        if not far.any() or self._is_warned_of_cells:
            return
        self._is_warned_of_cells = True
        at = int(np.argmax(far))
        warnings.warn(
            f"{path}: the periodic cell of frame {first + at + len(volume) - len(ratio)} has a "
            f"volume of {joined[at + 1]:.6g} nm³, that before it of {joined[at]:.6g}: the file is "
            "damaged, or runs were put together",
            stacklevel=5,
        )

    def _dummy_length(self, path: Path, frames: Frames) -> float:
        """Length of the cells that are none; those of 1 nm where the first frame is larger."""
        extent = float(np.ptp(frames.xyz[0], axis=0).max())
        is_dummy = _has_cell(frames, _DUMMY_LENGTH)[0] and not _has_cell(frames, _DUMMY_OF_NM)[0]
        if not is_dummy or extent <= _MOST_OF_DUMMY:
            return _DUMMY_LENGTH
        warnings.warn(
            f"{path}: a periodic cell of 1 nm on each side, over which the atoms reach "
            f"({extent:.2f} nm), is taken for none",
            stacklevel=5,
        )
        return _DUMMY_OF_NM

    def _without_repeat(self, frames: Frames, first: int) -> Frames:
        """Leave out a first frame that is the last of the file before, of formats without times."""
        if (
            first == 0
            and self._last_xyz is not None
            and np.array_equal(self._last_xyz, frames.xyz[0])
        ):
            frames = frames[slice(1, None)]
        if len(frames):
            self._last_xyz = np.array(frames.xyz[-1])
        return frames

    def _compare_times(self, path: Path, frames: Frames) -> None:
        """Warn, once, where the times of a file are at odds with the interval that is given."""
        interval = self.frame_interval
        if interval is None or frames.time is None or self._is_warned:
            return
        time = np.asarray(frames.time, dtype=np.float64)
        rounding = 2 * np.finfo(np.float32).eps * np.abs(time).max()
        apart = ~(np.abs(np.diff(time) - interval) <= SAME_INTERVAL * interval + rounding)
        if apart.any() and np.ptp(time) != 0:  # times all the same are times that were not written
            at = int(np.argmax(apart))
            self._is_warned = True
            warnings.warn(
                f"{path}: the times in the file go from {time[at]:g} to {time[at + 1]:g} ps, but "
                f"frames are taken every {interval:g} ps, as was given",
                stacklevel=4,
            )

    def _without_overlap(
        self, path: Path, frames: Frames, first: int, *, counts_steps: bool
    ) -> Frames:
        """Leave out a repeated first frame of a continued file; check the times."""
        if frames.time is None:
            raise ValueError(f"{path}: no times are stored; give frame_interval=<ps>")
        time = np.asarray(frames.time, dtype=np.float64)
        if first == 0 and self.last_times.size and time[0] == self.last_times[-1]:
            frames, time, first = frames[slice(1, None)], time[1:], 1
        joined = np.concatenate([self.last_times, time])
        if len(joined):
            check_even(path, joined, first - len(self.last_times), counts_steps=counts_steps)
        self.last_times = joined[-2:]
        return frames


def _has_cell(frames: Frames, dummy: float) -> np.ndarray:
    """``[n_frames]``: a cell of zeros is none, nor is one as long as a dummy on each side."""
    if frames.cells is None:
        return np.zeros(len(frames), dtype=bool)
    lengths, angles = frames.cells.lengths, frames.cells.angles
    is_dummy = np.isclose(lengths, dummy, rtol=1e-3).all(axis=1)
    is_dummy &= np.isclose(angles, 90, rtol=1e-3).all(axis=1)
    return ~(is_dummy | (lengths == 0).all(axis=1))


def _checked_volumes(path: Path, frames: Frames, cells: Cells, first: int) -> np.ndarray:
    """Return the volumes ``[n_frames]`` nm³ of cells that can be; refuse others."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        vectors = standard_vectors(cells.lengths, cells.angles)
        volume = np.linalg.det(vectors)
        sound = np.isfinite(vectors).all(axis=(1, 2))
        sound &= volume > _FLATTEST * np.prod(cells.lengths, axis=1)
        sound &= (cells.lengths < _LONGEST_CELL).all(axis=1)
    sound &= ((cells.lengths > 0) & (cells.angles > 0) & (cells.angles < 180)).all(axis=1)
    vectors[~sound] = np.eye(3)
    cells_per_nm = np.abs(np.linalg.inv(vectors)).max(axis=(1, 2))
    sound &= np.abs(frames.xyz).max(axis=(1, 2)) * cells_per_nm < MAX_CELLS
    sound &= frames.xyz.shape[1] < _MAX_DENSITY * volume
    if not sound.all():
        bad = int(np.argmin(sound))
        raise ValueError(
            f"{path}: frame {first + bad} has an impossible periodic cell: {cells.as_read(bad)}. "
            "If the molecules are whole already, take the cells out of the file, for example in "
            "MDTraj by trajectory.unitcell_vectors = None; else write it again with right ones"
        )
    return np.asarray(volume)


def check_even(path: Path, time: np.ndarray, first: int, *, counts_steps: bool = False) -> None:
    """Check that `time`, of the frames from `first` on, has equal and positive steps."""
    finite = np.isfinite(time)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise ValueError(
            f"{path}: the time of frame {first + bad} is {time[bad]}: the file is damaged; if only "
            "its times are, give frame_interval=<ps>"
        )
    step = np.diff(time)
    if not len(step):
        return
    if counts_steps:
        allowed = _SAME_STEPS * step[0]
    else:
        allowed = SAME_INTERVAL * step[0] + 2 * np.finfo(np.float32).eps * np.abs(time).max()
    uneven = (step <= 0) | (np.abs(step - np.median(step)) > allowed)
    if uneven.any():
        at = int(np.argmax(uneven))
        what, unit, way_on = (
            ("timestep", "", "take evenly spaced frames out of it (whatever their interval is)")
            if counts_steps
            else ("time", " ps", "if the stored times are wrong, give frame_interval=<ps>")
        )
        raise ValueError(
            f"{path}: from frame {first + at} to {first + at + 1} the {what} goes from "
            f"{time[at]:g} to {time[at + 1]:g}{unit}, but frames must be evenly spaced; {way_on}"
        )


def check_same_atoms(path: Path, frames: Frames, molecule: Molecule) -> None:
    """Compare numbers and, of formats that carry a topology, real elements."""
    n_atoms = frames.xyz.shape[1]
    if n_atoms != molecule.n_file_atoms:
        raise ValueError(
            f"{path} has {n_atoms} atoms, but the topology of {molecule.name!r} has "
            f"{molecule.n_file_atoms}"
        )
    if frames.topology is None or frames.topology is molecule.whole_topology:
        return
    known = list(frames.topology.atoms)
    if molecule.file_atoms is not None:
        known = [known[atom] for atom in molecule.file_atoms]
    for ours, theirs in zip(molecule.topology.atoms, known, strict=True):
        elements = [atom.element for atom in (ours, theirs)]
        is_same_name = (ours.name, ours.residue.name) == (theirs.name, theirs.residue.name)
        symbol = "" if elements[1] is None else elements[1].symbol.upper()
        if is_same_name and theirs.name.upper().startswith(symbol):
            continue  # an element that MDTraj may have from the name (CA for calcium) is no proof
        if all(e is not None and e.number > 0 for e in elements) and elements[0] != elements[1]:
            raise ValueError(
                f"{path}: atom {ours.index} is {theirs} ({elements[1].symbol}), but in the "
                f"topology of {molecule.name!r} it is {ours} ({elements[0].symbol})"
            )

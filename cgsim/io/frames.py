"""What every reader yields: some frames of a trajectory, with their cells as the file has them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mdtraj

_STANDARD = 1e-6  # relative; a cell turned by less counts as not turned


class NotFiniteError(ValueError):
    """A frame holds NaN or infinity: what a simulation that exploded leaves behind."""


class TruncatedError(ValueError):
    """A file ends inside a frame; raised after all frames before it were yielded."""

    def __init__(self, path: Path, n_whole: int) -> None:
        super().__init__(f"{path}: frame {n_whole} is cut off: the file is truncated")
        self.n_whole = n_whole


@dataclass(frozen=True)
class Cells:
    """Periodic cells of some frames.

    Parameters
    ----------
    lengths
        ``[n_frames, 3]`` nm.
    angles
        ``[n_frames, 3]`` degrees.
    raw
        ``[n_frames, k]`` the numbers in the file, for messages.
    meaning
        What these numbers are.
    """

    lengths: np.ndarray
    angles: np.ndarray
    raw: np.ndarray
    meaning: str

    def as_read(self, frame: int) -> str:
        """Return the numbers in the file, for messages."""
        numbers = ", ".join(f"{value:.6g}" for value in self.raw[frame].reshape(-1))
        return f"{numbers} ({self.meaning})"

    def __getitem__(self, rows: slice) -> "Cells":
        """Some of the frames."""
        return Cells(self.lengths[rows], self.angles[rows], self.raw[rows], self.meaning)


@dataclass(frozen=True)
class Frames:
    """Consecutive frames of one file.

    Parameters
    ----------
    xyz
        ``[n_frames, n_atoms, 3]`` nm, the first cell vector along x, the second in the xy plane.
    time
        ``[n_frames]``: ps or, of formats that count steps only, steps; None where there are none.
    cells
        None where the file has none.
    topology
        Of formats that carry one.
    """

    xyz: np.ndarray
    time: np.ndarray | None = None
    cells: Cells | None = None
    topology: "mdtraj.Topology | None" = None

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.xyz)

    def __getitem__(self, rows: slice) -> "Frames":
        """Some of the frames."""
        return Frames(
            self.xyz[rows],
            None if self.time is None else self.time[rows],
            None if self.cells is None else self.cells[rows],
            self.topology,
        )

    def of_atoms(self, atoms: np.ndarray) -> "Frames":
        """Some of the atoms."""
        topology = None if self.topology is None else self.topology.subset(atoms)
        return replace(self, xyz=self.xyz[:, atoms], topology=topology)


def frames_of_vectors(
    xyz: np.ndarray,
    vectors: np.ndarray,
    *,
    time: np.ndarray | None = None,
    raw: np.ndarray | None = None,
    meaning: str = "the cell vectors in nm",
) -> Frames:
    """Return frames of which the file tells the cell vectors, turned to the standard orientation.

    MDTraj keeps lengths and angles of a cell and lays the first vector along x, the second in the
    xy plane. Where a file has its cell in another orientation (the symmetric matrix of CHARMM, the
    primitive cells of crystallographers) the positions are turned with it; a left-handed cell is
    replaced by the right-handed one of the same lattice.

    Parameters
    ----------
    xyz
        ``[n_frames, n_atoms, 3]`` nm.
    vectors
        ``[n_frames, 3, 3]`` nm, rows are the cell vectors; zeros where there is none.
    time
        See `Frames`.
    raw, meaning
        See `Cells`; the vectors themselves by default.
    """
    vectors = np.array(vectors, dtype=np.float64)
    raw = vectors.reshape(len(vectors), 9).copy() if raw is None else raw
    with np.errstate(all="ignore"):
        is_turned = _is_turned(vectors)
        vectors[is_turned & (np.linalg.det(vectors) < 0), 2] *= -1
        backwards = np.diagonal(vectors, axis1=1, axis2=2).min(axis=1) < 0
        vectors[~is_turned & backwards] = np.nan  # a box with its high end below its low end
        lengths = np.sqrt(np.square(vectors).sum(axis=2))
        a, b, c = np.moveaxis(vectors / lengths[:, :, None], 1, 0)
        cosines = np.stack([(b * c).sum(axis=1), (a * c).sum(axis=1), (a * b).sum(axis=1)], axis=1)
        angles = 90 - np.degrees(np.arcsin(np.clip(cosines, -1, 1)))  # exact at right angles
    angles[(lengths == 0).all(axis=1)] = 90
    xyz = _turned(xyz, vectors, lengths, angles)
    return Frames(xyz, time, Cells(lengths, angles, raw, meaning))


def standard_vectors(lengths: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return cell vectors ``[n_frames, 3, 3]``, the first along x, the second in the xy plane.

    Parameters
    ----------
    lengths
        ``[n_frames, 3]`` nm.
    angles
        ``[n_frames, 3]`` degrees.
    """
    lengths = np.asarray(lengths, dtype=np.float64)
    cosine = np.cos(np.radians(np.asarray(angles, dtype=np.float64)))
    cosine[np.abs(cosine) < 1e-8] = 0  # right angles
    bc, ac, ab = cosine.T
    unit = np.zeros((len(lengths), 3, 3))
    unit[:, 0, 0] = 1
    unit[:, 1, 0], unit[:, 1, 1] = ab, np.sqrt(1 - ab**2)
    unit[:, 2, 0], unit[:, 2, 1] = ac, (bc - ab * ac) / unit[:, 1, 1]
    unit[:, 2, 2] = np.sqrt(1 - (unit[:, 2, :2] ** 2).sum(axis=1))
    return unit * lengths[:, :, None]


def _turned(
    xyz: np.ndarray, vectors: np.ndarray, lengths: np.ndarray, angles: np.ndarray
) -> np.ndarray:
    """Turn positions with their cells to the standard orientation, where these are not in it."""
    with np.errstate(all="ignore"):
        rows = _is_turned(vectors) & (np.linalg.det(vectors) > 0)
    if not rows.any():
        return xyz
    standard = standard_vectors(lengths[rows], angles[rows])
    rotation = np.linalg.inv(vectors[rows]) @ standard
    xyz = np.array(xyz)
    xyz[rows] = np.einsum("fni,fij->fnj", xyz[rows].astype(np.float64), rotation)
    return xyz


def _is_turned(vectors: np.ndarray) -> np.ndarray:
    """``[n_frames]`` whether finite cells are not in the standard orientation."""
    outside = np.abs(vectors[:, [0, 0, 1], [1, 2, 2]]).max(axis=1)
    size = np.abs(vectors).max(axis=(1, 2))
    return (outside > _STANDARD * size) & np.isfinite(vectors).all(axis=(1, 2))

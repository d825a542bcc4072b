"""What the six numbers of a periodic cell in a DCD file mean.

They stand in the order of a lower triangle, and programs have filled it in three ways:

- ``a, gamma, b, beta, alpha, c`` with angles in degrees (CHARMM up to 21, NAMD up to 2.5),
- the same with cosines of the angles (NAMD, VMD, OpenMM, LAMMPS),
- the symmetric matrix of cell vectors ``xx, xy, yy, xz, yz, zz`` (CHARMM since 22).

No flag tells which; CHARMM writes its version into the header, the others write 24.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cgsim.io.frames import Cells, Frames, frames_of_vectors, standard_vectors
from cgsim.units import NM_PER_ANGSTROM

_LENGTHS, _ANGLES = [0, 2, 5], [4, 3, 1]  # a, b, c and alpha, beta, gamma
_MATRIX = [[0, 1, 3], [1, 2, 4], [3, 4, 5]]
_SHARPEST = 30.0  # degrees; no MD program has cells with sharper angles
_FIRST_WITH_MATRIX, _NOT_CHARMM = 22, 24  # versions in the header


@dataclass(frozen=True)
class CellLayout:
    """One meaning of the six numbers.

    Parameters
    ----------
    meaning
        In words, for messages.
    vectors
        Gives the cell vectors ``[n_frames, 3, 3]`` of records ``[n_frames, 6]``, NaN where they
        have no such meaning.
    """

    meaning: str
    vectors: Callable[[np.ndarray], np.ndarray]


def _of_degrees(record: np.ndarray) -> np.ndarray:
    angles = record[:, _ANGLES]
    vectors = _of_lengths_and_angles(record, angles)
    vectors[(angles < _SHARPEST).any(axis=1) | (angles > 180 - _SHARPEST).any(axis=1)] = np.nan
    return vectors


def _of_cosines(record: np.ndarray) -> np.ndarray:
    cosines = np.where(np.abs(record[:, _ANGLES]) <= 1, record[:, _ANGLES], np.nan)
    return _of_lengths_and_angles(record, 90 - np.degrees(np.arcsin(cosines)))


def _of_lengths_and_angles(record: np.ndarray, angles: np.ndarray) -> np.ndarray:
    vectors = standard_vectors(record[:, _LENGTHS], angles)
    vectors[(record[:, _LENGTHS] <= 0).any(axis=1)] = np.nan
    return vectors


def _of_matrix(record: np.ndarray) -> np.ndarray:
    vectors = record[:, _MATRIX]
    length = np.sqrt(np.square(vectors).sum(axis=2))
    cosine = np.einsum("fia,fja->fij", vectors, vectors) / length[:, :, None] / length[:, None]
    skewed = (np.abs(cosine - np.eye(3)) > np.cos(np.radians(_SHARPEST))).any(axis=(1, 2))
    minors = [np.linalg.det(vectors[:, :n, :n]) for n in (1, 2, 3)]
    vectors[skewed | ~(np.min(minors, axis=0) > 0)] = np.nan
    return vectors


DEGREES = CellLayout("a, gamma, b, beta, alpha, c in Å and degrees", _of_degrees)
COSINES = CellLayout("a, gamma, b, beta, alpha, c in Å and cosines", _of_cosines)
MATRIX = CellLayout("xx, xy, yy, xz, yz, zz of a symmetric matrix in Å", _of_matrix)


def find_layout(record: np.ndarray, *, version: int) -> CellLayout:
    """Find what the numbers of a file mean: what is possible in most of its frames.

    Where several meanings are possible, the version in the header decides.

    Parameters
    ----------
    record
        ``[n_frames, 6]`` as stored, of all frames.
    version
        The last integer of the header's first record.
    """
    record = record[(record != 0).any(axis=1)]
    if len(record) and (record[:, _ANGLES] == 90).any(axis=1).all():
        return DEGREES  # no matrix has an element of exactly 90 Å throughout
    is_charmm = version >= _FIRST_WITH_MATRIX and version != _NOT_CHARMM
    layouts = (MATRIX, COSINES, DEGREES) if is_charmm else (COSINES, DEGREES, MATRIX)
    with np.errstate(all="ignore"):
        n_possible = [int((_volume(layout, record) > 0).sum()) for layout in layouts]
    return layouts[int(np.argmax(n_possible))]


def frames_with_cells(xyz: np.ndarray, record: np.ndarray, layout: CellLayout) -> Frames:
    """Return frames with the cells of their records ``[n_frames, 6]``, impossible ones as NaN."""
    if layout is MATRIX:
        return frames_of_vectors(
            xyz, _vectors(layout, record) * NM_PER_ANGSTROM, raw=record, meaning=layout.meaning
        )
    angles = record[:, _ANGLES]
    with np.errstate(all="ignore"):
        if layout is COSINES:
            angles = 90 - np.degrees(np.arcsin(angles))  # exact at right angles
    lengths = record[:, _LENGTHS] * NM_PER_ANGSTROM
    return Frames(xyz, None, Cells(lengths, angles, record, layout.meaning))


def _vectors(layout: CellLayout, record: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        vectors = layout.vectors(record)
    vectors[(record == 0).all(axis=1)] = 0  # no cell
    return vectors


def _volume(layout: CellLayout, record: np.ndarray) -> np.ndarray:
    return np.linalg.det(layout.vectors(record))

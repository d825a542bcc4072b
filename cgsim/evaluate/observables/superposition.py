"""What is read off frames that were superposed on a structure: RMSD, RMSF, modes, correlations.

All beads weigh the same. MDTraj superposes (Theobald, Acta Cryst. A 61, 478, 2005), in single
precision.
"""

from dataclasses import dataclass

import mdtraj
import numpy as np

_ROUNDS = 3  # of superposing on the mean: it stands still after two


def superpose(xyz: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Frames [n_frames, n_beads, 3], moved and turned to be nearest to a structure [n_beads, 3]."""
    frames, target = _both(xyz, reference)
    moved: np.ndarray = frames.superpose(target).xyz
    return moved.astype(np.float64)


def mean_structure(xyz: np.ndarray) -> np.ndarray:
    """Mean [n_beads, 3] of frames superposed on it; nm, its centre at the origin."""
    mean = np.asarray(xyz[0], dtype=np.float64)
    for _ in range(_ROUNDS):
        mean = superpose(xyz, mean - mean.mean(axis=0)).mean(axis=0)
    centred: np.ndarray = mean - mean.mean(axis=0)
    return centred


def rmsd(xyz: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Root mean square distance to a structure [n_beads, 3] after superposition, [n_frames] nm."""
    frames, target = _both(xyz, reference)
    found: np.ndarray = mdtraj.rmsd(frames, target)
    return found.astype(np.float64)


def rmsf(xyz: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Root mean square fluctuation of each bead about its mean, [n_beads] nm.

    Parameters
    ----------
    xyz
        [n_frames, n_beads, 3], nm.
    reference
        What frames are superposed on, [n_beads, 3]; by default their own mean.
    """
    apart = _deviations(xyz, reference)
    fluctuation: np.ndarray = np.sqrt((apart**2).sum(axis=-1).mean(axis=0))
    return fluctuation


def cross_correlations(xyz: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Dynamic cross-correlation map ⟨Δᵢ·Δⱼ⟩ / √(⟨Δᵢ²⟩⟨Δⱼ²⟩), [n_beads, n_beads].

    Ichiye and Karplus, Proteins 11, 205 (1991). Beads that do not move have 0, also with
    themselves.
    """
    apart = _deviations(xyz, reference)
    covariance = np.einsum("fic,fjc->ij", apart, apart, optimize=True)
    size = np.sqrt(np.diag(covariance))
    size = np.where(size > 0, size, np.inf)
    correlations: np.ndarray = covariance / np.outer(size, size)
    return correlations


@dataclass(frozen=True, eq=False)
class Modes:
    """Principal components of superposed frames.

    Attributes
    ----------
    mean
        [n_beads, 3], nm.
    vectors
        [n_modes, n_beads, 3], orthonormal, the widest first.
    variances
        [n_modes], nm².
    """

    mean: np.ndarray
    vectors: np.ndarray
    variances: np.ndarray

    def project(self, xyz: np.ndarray) -> np.ndarray:
        """Where frames are along each mode, [n_frames, n_modes] nm; they are superposed first."""
        along: np.ndarray = np.einsum(
            "fic,mic->fm", superpose(xyz, self.mean) - self.mean, self.vectors, optimize=True
        )
        return along


def principal_modes(
    xyz: np.ndarray, *, n_modes: int = 3, reference: np.ndarray | None = None
) -> Modes:
    """The widest motions of frames [n_frames, n_beads, 3].

    Raises
    ------
    ValueError
        If there are fewer than two frames.
    """
    if len(xyz) < 2:
        raise ValueError(f"principal components need two frames or more, got {len(xyz)}")
    moved = superpose(xyz, mean_structure(xyz) if reference is None else reference)
    mean = moved.mean(axis=0)
    flat = (moved - mean).reshape(len(moved), -1)
    _, widths, vectors = np.linalg.svd(flat, full_matrices=False)
    n_modes = min(n_modes, len(widths))
    return Modes(mean, vectors[:n_modes].reshape(n_modes, -1, 3), widths[:n_modes] ** 2 / len(xyz))


def _deviations(xyz: np.ndarray, reference: np.ndarray | None) -> np.ndarray:
    moved = superpose(xyz, mean_structure(xyz) if reference is None else reference)
    deviations: np.ndarray = moved - moved.mean(axis=0)
    return deviations


def _both(xyz: np.ndarray, reference: np.ndarray) -> tuple[mdtraj.Trajectory, mdtraj.Trajectory]:
    """As MDTraj has them; the topology plays no part. Centred first, which float32 needs."""
    if xyz.ndim != 3 or reference.shape != xyz.shape[1:]:
        raise ValueError(
            f"the reference structure must be [n_beads, 3] of the beads of the frames, got "
            f"{reference.shape} for frames {xyz.shape}"
        )
    centre = reference.mean(axis=0)
    frames = xyz - xyz.mean(axis=1, keepdims=True, dtype=np.float64)
    return (
        mdtraj.Trajectory(frames.astype(np.float32), None),
        mdtraj.Trajectory((reference - centre)[None].astype(np.float32), None),
    )

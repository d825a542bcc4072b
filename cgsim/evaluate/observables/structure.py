"""Structural observables of bead trajectories; positions in nm, unwrapped."""

from collections.abc import Iterator

import numpy as np

#: Two beads nearer than this (nm, 1 angstrom) count as a collision.
COLLISION_CUTOFF = 0.1

_CHUNK_DISTANCES = 2_000_000


def radius_of_gyration(xyz: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Mass-weighted radius of gyration, Rg² = Σ mᵢ |rᵢ − r_com|² / Σ mᵢ.

    Parameters
    ----------
    xyz
        [n_frames, n_beads, 3], nm.
    mass
        [n_beads], Da.

    Returns
    -------
    np.ndarray
        [n_frames], nm.

    Raises
    ------
    ValueError
        If `mass` does not have one value per bead.
    """
    mass = np.asarray(mass, dtype=np.float64)
    if mass.shape != (xyz.shape[1],):
        raise ValueError(f"mass must be [{xyz.shape[1]}], one per bead, got {mass.shape}")
    weight = mass / mass.sum()
    centred = xyz - np.einsum("i,fic->fc", weight, xyz, optimize=True)[:, None]
    return np.sqrt(np.einsum("i,fic,fic->f", weight, centred, centred, optimize=True))


def end_to_end(xyz: np.ndarray) -> np.ndarray:
    """Distance between the first and the last bead, [n_frames] nm."""
    return np.linalg.norm(xyz[:, -1] - xyz[:, 0], axis=-1)


def pair_distances(xyz: np.ndarray, pairs: np.ndarray | None = None) -> np.ndarray:
    """Distances of bead pairs.

    Parameters
    ----------
    xyz
        [n_frames, n_beads, 3], nm.
    pairs
        [2, n_pairs]; by default every pair i < j.

    Returns
    -------
    np.ndarray
        [n_frames, n_pairs], nm.
    """
    first, second = all_pairs(xyz.shape[1]) if pairs is None else pairs
    separation = xyz[:, first] - xyz[:, second]
    return np.sqrt(np.einsum("fpc,fpc->fp", separation, separation))


def bond_lengths(xyz: np.ndarray, edge_index: np.ndarray) -> np.ndarray:
    """Lengths of the bonds `edge_index` [2, n_bonds]: [n_frames, n_bonds] nm."""
    return pair_distances(xyz, edge_index)


def all_pairs(n_beads: int) -> np.ndarray:
    """Every pair i < j, [2, n_beads (n_beads − 1) / 2]."""
    return np.stack(np.triu_indices(n_beads, k=1))


def nonbonded_pairs(n_beads: int, edge_index: np.ndarray) -> np.ndarray:
    """Every pair i < j that is not a bond, [2, n_pairs]."""
    bonded = np.zeros((n_beads, n_beads), dtype=bool)
    bonded[edge_index[0], edge_index[1]] = True
    pairs = all_pairs(n_beads)
    return pairs[:, ~(bonded | bonded.T)[pairs[0], pairs[1]]]


def contact_map(xyz: np.ndarray, cutoff: float) -> np.ndarray:
    """Fraction of frames in which two beads are within `cutoff` (nm).

    Returns
    -------
    np.ndarray
        [n_beads, n_beads], symmetric, 1 on the diagonal.
    """
    n_beads = xyz.shape[1]
    first, second = all_pairs(n_beads)
    n_contacts = sum((pair_distances(chunk) <= cutoff).sum(axis=0) for chunk in chunks_of(xyz))
    contacts = np.eye(n_beads)
    contacts[first, second] = contacts[second, first] = n_contacts / len(xyz)
    return contacts


def count_collisions(xyz: np.ndarray, cutoff: float = COLLISION_CUTOFF) -> int:
    """Number of bead pairs nearer than `cutoff` (nm), summed over the frames."""
    return sum(int((pair_distances(chunk) < cutoff).sum()) for chunk in chunks_of(xyz))


def chunks_of(xyz: np.ndarray, *, n_values: int | None = None) -> Iterator[np.ndarray]:
    """Runs of frames short enough that `n_values` numbers per frame fit in little memory.

    By default as many numbers as there are pairs of beads.
    """
    n_values = n_values or xyz.shape[1] * (xyz.shape[1] - 1) // 2
    n_frames = max(1, _CHUNK_DISTANCES // max(1, n_values))
    for start in range(0, len(xyz), n_frames):
        yield xyz[start : start + n_frames]

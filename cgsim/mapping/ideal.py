"""How far apart two beads would be if all bonds were ideal springs: no coordinates needed."""

import numpy as np
from scipy.sparse import coo_array, csc_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

LARGEST_SOLVE = 20_000_000  # right-hand sides that are solved for at once: 160 MB


def ideal_distances(
    atom_bonds: np.ndarray, bead_index: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
    r"""Root-mean-square distance of bead centres in the phantom network of the bonds.

    ``<R_ij^2> = (p_i - p_j)^T L^+ (p_i - p_j)`` in squared bond lengths, with the Laplacian ``L``
    of the bonds (the Kirchhoff matrix) and ``p_i`` equal parts of the atoms of a bead. Along a
    chain of n bonds it is ``sqrt(n)``; rings and branches bring atoms nearer (James & Guth, J.
    Chem. Phys. 11, 455 (1943); Eichinger, Macromolecules 13, 1 (1980)).

    Parameters
    ----------
    atom_bonds
        ``[2, n_bonds]``, each bond once.
    bead_index
        ``[n_atoms]`` bead of each atom.
    pairs
        ``[2, n_pairs]`` beads.

    Returns
    -------
    np.ndarray
        ``[n_pairs]`` float64, in bond lengths; 0 where atoms of the two beads are not all joined by
        bonds, so that no distance is known.
    """
    n_atoms, n_beads = len(bead_index), int(bead_index.max()) + 1
    ends = np.concatenate([atom_bonds, atom_bonds[::-1]], axis=1)
    bonds = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(n_atoms, n_atoms)).tocsr()
    _, part = connected_components(bonds, directed=False)
    owner = _common(part, bead_index, n_beads)
    squared = np.zeros(pairs.shape[1])
    known = (owner[pairs[0]] >= 0) & (owner[pairs[0]] == owner[pairs[1]])
    order = np.flatnonzero(known)[np.argsort(owner[pairs[0, known]], kind="stable")]
    by_part = np.argsort(part, kind="stable")  # so that a component is one range of atoms
    bounds = np.searchsorted(part[by_part], np.arange(part.max() + 2))
    bonds = bonds[by_part][:, by_part]
    for rows in np.split(order, np.flatnonzero(np.diff(owner[pairs[0, order]])) + 1):
        if len(rows):
            own = slice(*bounds[owner[pairs[0, rows[0]]] :][:2])
            beads, local = np.unique(bead_index[by_part[own]], return_inverse=True)
            squared[rows] = _squared(
                csc_array(bonds[own, own]), local, np.searchsorted(beads, pairs[:, rows])
            )
    return np.sqrt(squared)


def _common(part: np.ndarray, bead_index: np.ndarray, n_beads: int) -> np.ndarray:
    """The component that all atoms of each bead are in [n_beads], -1 if they are in several."""
    lowest = np.full(n_beads, part.max() + 1)
    highest = np.full(n_beads, -1)
    np.minimum.at(lowest, bead_index, part)
    np.maximum.at(highest, bead_index, part)
    return np.where(lowest == highest, highest, -1)


def _squared(bonds: csc_array, bead: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Mean squared distances [n_pairs] within one connected component, its first atom held."""
    n_atoms, n_beads = len(bead), int(bead.max()) + 1
    if n_atoms == 1:
        return np.zeros(pairs.shape[1])
    degree = np.asarray(bonds.sum(axis=0)).ravel()
    laplacian = csc_array(coo_array((degree, (np.arange(n_atoms),) * 2))) - bonds
    share = coo_array(
        (1 / np.bincount(bead)[bead], (np.arange(n_atoms), bead)), shape=(n_atoms, n_beads)
    )
    factors = splu(csc_array(laplacian[1:, 1:]))
    if n_atoms * n_beads <= LARGEST_SOLVE:
        dense = share.toarray()[1:]
        covariance = dense.T @ factors.solve(dense)
        variance, shared = covariance.diagonal(), covariance[tuple(pairs)]
    else:
        variance, shared = _covariances(factors, csc_array(share)[1:], pairs)
    first, second = pairs
    squared = variance[first] + variance[second] - 2 * shared
    return np.asarray(np.maximum(squared, 0.0))


def _covariances(
    factors: SuperLU, share: csc_array, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Variances [n_beads] and covariances [n_pairs], some beads at a time: memory is linear."""
    n_atoms, n_beads = share.shape
    variance, shared = np.empty(n_beads), np.empty(pairs.shape[1])
    width = max(1, LARGEST_SOLVE // n_atoms)
    for start in range(0, n_beads, width):
        beads = np.arange(start, min(start + width, n_beads))
        columns = share.T @ factors.solve(share[:, beads].toarray())
        variance[beads] = columns[beads, beads - start]
        own = (pairs[1] >= start) & (pairs[1] <= beads[-1])
        shared[own] = columns[pairs[0, own], pairs[1, own] - start]
    return variance, shared

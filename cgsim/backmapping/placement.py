"""Atoms on beads by rigid pieces of reference frames, joined so that bonds are closed.

1. Around each bead, the reference frame is taken whose nearby beads superpose best on those of the
   frame to be filled (`superposition`), and the atoms of the bead are moved along.
2. Pieces of neighbouring beads come from different frames, so bonds between them are open. Shape
   matching (Müller et al., ACM Trans. Graph. 24, 471 (2005)) closes them: every atom with its
   bonded neighbours is superposed, as it is in the reference, on where they are now; each atom
   moves to the mean of the places it is given. All is rigid motion: handedness is kept.
3. After every round the atoms of each bead are shifted together to where the bead has to be.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from cgsim.evaluate.observables.covalent import neighbours
from cgsim.io import Molecule
from cgsim.mapping import Mapping
from cgsim.mapping.superposition import best_rotation, centred, squared_deviation

N_ROUNDS = 30
_MIN_BEADS = 4  # fewer leave turns about an axis, or the hand of the surroundings, open
_WEIGHT_PER_BOND = 0.3  # of a bead, with each bond between it and the centre, beyond the first
_MAX_PAIRS = 100_000  # superpositions at a time


class Placement:
    """Places the atoms of one molecule on beads.

    Parameters
    ----------
    molecule, mapping
        The atoms, and their beads.
    reference
        ``[n_reference, n_atoms, 3]`` nm: frames to take the pieces from.
    """

    def __init__(self, molecule: Molecule, mapping: Mapping, reference: np.ndarray) -> None:
        self.mapping = mapping
        self.reference = reference
        self.reference_beads = mapping(reference)
        self.members = [np.flatnonzero(mapping.bead_index == b) for b in range(mapping.n_beads)]
        self.surroundings = [_surroundings(mapping, bead) for bead in range(mapping.n_beads)]
        self.stars = [
            np.concatenate([[atom], bonded]) for atom, bonded in enumerate(neighbours(molecule))
        ]

    def __call__(self, beads: np.ndarray) -> np.ndarray:
        """Place atoms such that ``mapping(atoms) == beads``.

        Parameters
        ----------
        beads
            ``[n_frames, n_beads, 3]`` nm.

        Returns
        -------
        np.ndarray
            ``[n_frames, n_atoms, 3]`` nm, float64.
        """
        xyz = np.empty((len(beads), self.mapping.n_atoms, 3))
        chosen = np.empty((len(beads), self.mapping.n_beads), dtype=np.int64)
        for bead, atoms in enumerate(self.members):
            chosen[:, bead], xyz[:, atoms] = self._piece(bead, beads)
        shapes = self._shapes(chosen)
        xyz = self._on_beads(xyz, beads)
        for _ in range(N_ROUNDS):
            xyz = self._on_beads(self._matched(xyz, shapes), beads)
        return xyz

    def _piece(self, bead: int, beads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the reference frame ``[n_frames]`` of a bead, and its atoms moved into place."""
        near, weight = self.surroundings[bead]
        source, source_mean = centred(self.reference_beads[:, near], weight)
        target, target_mean = centred(beads[:, near], weight)
        step = max(1, _MAX_PAIRS // len(source))
        chosen = np.concatenate(
            [
                squared_deviation(source, target[start : start + step, None], weight).argmin(axis=1)
                for start in range(0, len(target), step)
            ]
        )
        rotation = best_rotation(source[chosen], target, weight)
        atoms = self.reference[chosen][:, self.members[bead]] - source_mean[chosen]
        return chosen, atoms @ rotation + target_mean

    def _shapes(self, chosen: np.ndarray) -> list[np.ndarray]:
        """Return each atom with its neighbours as in its bead's reference frame, centred."""
        frames = chosen[:, self.mapping.bead_index]
        return [
            centred(self.reference[frames[:, [atom]], star], np.ones(len(star)))[0]
            for atom, star in enumerate(self.stars)
        ]

    def _matched(self, xyz: np.ndarray, shapes: list[np.ndarray]) -> np.ndarray:
        """Return the mean of the places that each atom is given by the stars it is in."""
        total = np.zeros_like(xyz)
        for star, shape in zip(self.stars, shapes, strict=True):
            weight = np.ones(len(star))
            target, mean = centred(xyz[:, star], weight)
            total[:, star] += shape @ best_rotation(shape, target, weight) + mean
        n_stars = np.bincount(np.concatenate(self.stars), minlength=xyz.shape[1])
        return total / n_stars[:, None]

    def _on_beads(self, xyz: np.ndarray, beads: np.ndarray) -> np.ndarray:
        """Shift the atoms of each bead together to where the bead is."""
        return xyz + (beads - self.mapping(xyz))[:, self.mapping.bead_index]


def _surroundings(mapping: Mapping, bead: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the beads up to two bonds away, or more until there are four, and their weights."""
    i, j = mapping.edge_index
    n = mapping.n_beads
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(n, n)).tocsr()
    n_bonds = dijkstra(graph, directed=False, unweighted=True, indices=bead)
    within = np.sort(n_bonds)[:_MIN_BEADS]
    reach = max(2.0, within[np.isfinite(within)].max())
    near = np.flatnonzero(n_bonds <= reach)
    return near, _WEIGHT_PER_BOND ** np.maximum(n_bonds[near] - 1.0, 0.0)

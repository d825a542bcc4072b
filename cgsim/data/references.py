"""Pairs of beads that are near in a reference structure: edges that are never cut off."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cgsim.mapping.trajectory import MappedTrajectory


@dataclass(frozen=True)
class ReferenceEdges:
    """How the reference structures of a molecule become edges and features.

    Attributes
    ----------
    n_references
        Structures that an edge knows of. A molecule of fewer repeats its last one.
    cutoff
        nm.
    length_scale
        Unit of the distances, nm.
    hop
        What edges of this kind have for their separation along the bonds.
    """

    n_references: int
    cutoff: float
    length_scale: float
    hop: int

    def of(self, system: MappedTrajectory) -> np.ndarray:
        """The references of a system [n_references, n_beads, 3], nm.

        Raises
        ------
        ValueError
            If it has none, or more than the simulator knows of.
        """
        if system.reference is None:
            raise ValueError(
                f"{system.name}: no reference structure, which this simulator needs of every "
                "molecule: map it with `cgsim map --reference mean` (or FILE.pdb)"
            )
        n_own = len(system.reference)
        if n_own > self.n_references:
            raise ValueError(
                f"{system.name}: {n_own} reference structures, this simulator knows of "
                f"{self.n_references}: map it with as many"
            )
        return system.reference[np.minimum(np.arange(self.n_references), n_own - 1)]

    def joined(
        self, system: MappedTrajectory, pairs: np.ndarray, hop: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Topological pairs [2, n_pairs] and those near in any reference, with their hops.

        Returns
        -------
        Sorted by the second bead, then the first; pairs that the bonds separate keep their hops.
        """
        trees = map(cKDTree, self.of(system))
        near = [tree.query_pairs(self.cutoff, output_type="ndarray") for tree in trees]
        found = np.concatenate(near).astype(np.int64)
        source, destination = np.concatenate([found, found[:, ::-1]]).T
        n_beads = system.n_beads
        keys = np.concatenate([pairs[1] * n_beads + pairs[0], destination * n_beads + source])
        hops = np.concatenate([hop, np.zeros(len(source), dtype=np.int64)])
        key, first = np.unique(keys, return_index=True)  # the first is that of the bonds
        is_near = np.isin(key, keys[len(hop) :])
        own = np.where((hops[first] == 0) & is_near, self.hop, hops[first])
        return np.stack([key % n_beads, key // n_beads]), own

    def count(self, system: MappedTrajectory) -> int:
        """Ordered pairs that are near in a reference, some of them counted for each."""
        trees = [cKDTree(own) for own in self.of(system)]
        return sum(int(own.count_neighbors(own, self.cutoff)) - system.n_beads for own in trees)

    def distances(self, system: MappedTrajectory, pairs: np.ndarray) -> np.ndarray:
        """Of pairs in every reference [n_pairs, n_references], in mean bond lengths."""
        first, second = pairs
        pos = self.of(system)
        return np.linalg.norm(pos[:, first] - pos[:, second], axis=2).T / self.length_scale

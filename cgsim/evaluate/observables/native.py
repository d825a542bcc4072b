"""Native contacts: how much of a given structure is there."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from cgsim.evaluate.observables.structure import chunks_of, nonbonded_pairs, pair_distances

#: nm: two C-alphas are in contact.
NATIVE_CUTOFF = 0.8
#: Bonds between two beads whose contact says something of the fold, at least.
FEWEST_BONDS = 4
#: Of the soft count: 1/nm, and in reference distances, for coarse-grained models.
SOFTNESS, STRETCH = 50.0, 1.2


@dataclass(frozen=True, eq=False)
class NativeContacts:
    """Pairs of beads that touch in a reference structure.

    Attributes
    ----------
    pairs
        [2, n_contacts].
    distances
        [n_contacts], in the reference, nm.
    cutoff
        nm.
    """

    pairs: np.ndarray
    distances: np.ndarray
    cutoff: float = NATIVE_CUTOFF

    @classmethod
    def of(
        cls, reference: np.ndarray, edge_index: np.ndarray, *, cutoff: float = NATIVE_CUTOFF
    ) -> "NativeContacts":
        """Pairs within `cutoff` (nm) that are four bonds or more apart, or not connected.

        Parameters
        ----------
        reference
            [n_beads, 3], nm, unwrapped.
        edge_index
            [2, n_bonds].

        Raises
        ------
        ValueError
            If the reference has another shape, is not finite, or has no such pair.
        """
        if reference.ndim != 2 or reference.shape[1] != 3 or not np.isfinite(reference).all():
            raise ValueError(
                f"the reference structure must be [n_beads, 3] finite nm, got {reference.shape}"
            )
        pairs = nonbonded_pairs(len(reference), edge_index)
        pairs = pairs[:, bonds_between(len(reference), edge_index, pairs) >= FEWEST_BONDS]
        distances = pair_distances(reference[None], pairs)[0]
        near = distances <= cutoff
        if not near.any():
            raise ValueError(
                f"the reference structure has no contacts within {cutoff:g} nm between beads "
                f"{FEWEST_BONDS} bonds apart: are its lengths nm, or is the cutoff too small?"
            )
        return cls(pairs[:, near], distances[near], cutoff)

    def hard(self, xyz: np.ndarray) -> np.ndarray:
        """Share of the contacts within the cutoff, [n_frames], of [n_frames, n_beads, 3] nm."""
        return self._share(xyz, lambda distances: distances <= self.cutoff)

    def soft(self, xyz: np.ndarray) -> np.ndarray:
        """Mean of 1 / (1 + exp(50/nm (r − 1.2 r₀))), [n_frames].

        r₀ is the distance in the reference. Best, Hummer and Eaton, PNAS 110, 17874 (2013),
        eq. 1, with the stretch that suits C-alphas.
        """

        def near(distances: np.ndarray) -> np.ndarray:
            beyond = SOFTNESS * (distances - STRETCH * self.distances)
            return (1 - np.tanh(beyond / 2)) / 2  # the same, without overflow

        return self._share(xyz, near)

    def _share(self, xyz: np.ndarray, near: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        chunks = chunks_of(xyz, n_values=self.pairs.shape[1])
        return np.concatenate(
            [near(pair_distances(chunk, self.pairs)).mean(axis=1) for chunk in chunks]
        )


def bonds_between(n_beads: int, edge_index: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Bonds on the shortest way from one bead of each pair to the other; infinite if none."""
    graph = coo_array((np.ones(edge_index.shape[1]), tuple(edge_index)), shape=(n_beads, n_beads))
    hops = shortest_path(graph.tocsr(), directed=False, unweighted=True)
    between: np.ndarray = hops[pairs[0], pairs[1]]
    return between

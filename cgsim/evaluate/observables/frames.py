"""Some frames of one molecule, as observables see them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cgsim.evaluate.observables.structure import pair_distances


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of one replica; distances that several observables ask for are computed once.

    Parameters
    ----------
    xyz
        [n_frames, n_beads, 3], nm, unwrapped.
    rg
        [n_frames], mass-weighted radius of gyration, nm.
    bead_mass
        [n_beads], Da.
    edge_index
        [2, n_bonds].
    pairs
        [2, n_pairs], every pair of beads i < j that share no bond.
    """

    xyz: np.ndarray
    rg: np.ndarray
    bead_mass: np.ndarray
    edge_index: np.ndarray
    pairs: np.ndarray

    @cached_property
    def bond_lengths(self) -> np.ndarray:
        """[n_frames, n_bonds], nm."""
        return pair_distances(self.xyz, self.edge_index)

    @cached_property
    def pair_distances(self) -> np.ndarray:
        """[n_frames, n_pairs], nm, of the beads that share no bond."""
        return pair_distances(self.xyz, self.pairs)


#: What is measured on frames: [n_frames], or [n_frames, n_values] of a distribution.
Measure = Callable[[Frames], np.ndarray]


def rg(frames: Frames) -> np.ndarray:
    """Radius of gyration, [n_frames] nm."""
    return frames.rg


def rg_squared(frames: Frames) -> np.ndarray:
    """Squared radius of gyration, [n_frames] nm²: what the relaxation of a chain is read from."""
    return frames.rg**2


def bond_lengths(frames: Frames) -> np.ndarray:
    """[n_frames, n_bonds], nm."""
    return frames.bond_lengths


def nonbonded_distances(frames: Frames) -> np.ndarray:
    """[n_frames, n_pairs], nm, of the beads that share no bond."""
    return frames.pair_distances

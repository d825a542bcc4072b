"""What TICA sees of a structure: distances or contacts of bead pairs, free of rigid motion.

Distances do not tell a structure from its mirror image.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cgsim.evaluate.observables.structure import all_pairs, pair_distances

#: At most this many bead pairs: all pairs of up to 32 beads.
MAX_PAIRS = 500


class Features(Protocol):
    """Any function of the positions that rotation and translation leave alone."""

    def __call__(self, xyz: np.ndarray) -> np.ndarray:
        """[n_frames, n_features] from positions [n_frames, n_beads, 3] in nm."""


@dataclass(frozen=True)
class DistanceFeatures:
    """Distances of bead pairs, nm.

    Parameters
    ----------
    pairs
        [2, n_pairs], as `feature_pairs` chooses them.
    """

    pairs: np.ndarray

    def __call__(self, xyz: np.ndarray) -> np.ndarray:
        """[n_frames, n_pairs], nm."""
        return pair_distances(xyz, self.pairs)


@dataclass(frozen=True)
class ContactFeatures:
    """Smooth contacts of bead pairs, 1 / (1 + (d / cutoff)⁶): 1 together, ½ at the cutoff, 0 apart.

    Parameters
    ----------
    pairs
        [2, n_pairs].
    cutoff
        nm.

    Raises
    ------
    ValueError
        If the cutoff is not positive.
    """

    pairs: np.ndarray
    cutoff: float

    def __post_init__(self) -> None:
        if not self.cutoff > 0:
            raise ValueError(f"cutoff must be positive (nm), got {self.cutoff}")

    def __call__(self, xyz: np.ndarray) -> np.ndarray:
        """[n_frames, n_pairs], 0 to 1."""
        return 1 / (1 + (pair_distances(xyz, self.pairs) / self.cutoff) ** 6)


def feature_pairs(n_beads: int, *, max_pairs: int = MAX_PAIRS) -> np.ndarray:
    """Bead pairs for features: all of them, or all among beads evenly spaced along the molecule.

    Parameters
    ----------
    max_pairs
        If there are more pairs, the largest number of beads that has no more pairs among them is
        taken, evenly spaced in bead order, first and last bead included.

    Returns
    -------
    np.ndarray
        [2, n_pairs], i < j.

    Raises
    ------
    ValueError
        If there are fewer than two beads, or `max_pairs` is not positive.
    """
    if n_beads < 2 or max_pairs < 1:
        raise ValueError(
            f"pairs need n_beads of at least 2 and max_pairs of at least 1, got {n_beads} and "
            f"{max_pairs}"
        )
    n_chosen = min(n_beads, int((1 + np.sqrt(1 + 8 * max_pairs)) / 2))
    chosen = np.linspace(0, n_beads - 1, n_chosen).round().astype(np.int64)
    return chosen[all_pairs(n_chosen)]

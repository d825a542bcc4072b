"""Whether a molecule is structured, and how much of its fold is there."""

from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.observables.frames import Frames
from cgsim.evaluate.observables.native import FEWEST_BONDS, bonds_between
from cgsim.evaluate.observables.profile import Profile

#: Two beads are in contact within this many mean bond lengths: 0.8 nm of C-alphas.
CONTACT_BOND_LENGTHS = 2.1
#: Share of the frames of MD in which a contact of the fold is there.
PERSISTENCE = 0.7
#: Contacts that make a fold: so many, and so many for each bead.
FEWEST_CONTACTS, FEWEST_PER_BEAD = 5, 0.5
#: A fold is lost when less than this share of its contacts is left.
LOST = 0.5
FEWEST_FRAMES = 20  # of MD, for a persistence to mean anything


@dataclass(frozen=True, eq=False)
class Fold:
    """The contacts that make up the fold of a reference.

    Attributes
    ----------
    contacts : [n_contacts]
        Which of the pairs of beads without a common bond.
    cutoff
        nm.
    least
        Share of the contacts below which the fold is lost.
    """

    contacts: np.ndarray
    cutoff: float
    least: float = LOST

    def kept(self, frames: Frames) -> np.ndarray:
        """Share of the contacts that are there, [n_frames]."""
        share: np.ndarray = (frames.pair_distances[:, self.contacts] <= self.cutoff).mean(axis=1)
        return share


def native_fold(reference: Profile) -> Fold | None:
    """The fold of a reference by the persistence of its own contacts; None if it keeps none.

    Contacts count between beads of one molecule that are far from each other along the bonds, if
    they are there in most frames of each half of the reference. A reference that loses half of
    them itself at any time has no fold that a simulator must keep.
    """
    ensemble = reference.ensemble
    if ensemble.n_frames < FEWEST_FRAMES or not np.isfinite(reference.mean_bond_length):
        return None
    cutoff = CONTACT_BOND_LENGTHS * reference.mean_bond_length
    between = bonds_between(ensemble.n_beads, ensemble.edge_index, reference.pairs)
    far = np.flatnonzero((between >= FEWEST_BONDS) & np.isfinite(between))
    if far.size < FEWEST_CONTACTS:
        return None
    there = np.concatenate(
        [
            frames.pair_distances[:, far] <= cutoff
            for replica in range(ensemble.n_replicas)
            for frames in reference.chunks(replica)
        ]
    )
    halves = np.array_split(there, 2)
    persistent = np.all([half.mean(axis=0) >= PERSISTENCE for half in halves], axis=0)
    if persistent.sum() < max(FEWEST_CONTACTS, FEWEST_PER_BEAD * ensemble.n_beads):
        return None
    if there[:, persistent].mean(axis=1).min() < LOST:
        return None
    return Fold(far[persistent], cutoff)

"""How ensembles are scored: bins, cutoffs, bootstrap replicates."""

from dataclasses import dataclass

from cgsim.evaluate.observables.structure import COLLISION_CUTOFF
from cgsim.evaluate.statistics.distributions import N_BINS


@dataclass(frozen=True)
class Scoring:
    """How ensembles are scored.

    Parameters
    ----------
    n_bins
        Equal bins of every histogram, over the union range of the two samples.
    n_bootstrap
        Bootstrap replicates behind the error bars.
    collision_cutoff
        Two beads nearer than this collide, nm.
    contact_cutoff
        Two beads within this are in contact, nm; None: 1.5 times the mean bond length of the
        reference.
    """

    n_bins: int = N_BINS
    n_bootstrap: int = 300
    collision_cutoff: float = COLLISION_CUTOFF
    contact_cutoff: float | None = None

    def __post_init__(self) -> None:
        if self.n_bins < 2 or self.n_bootstrap < 2:
            raise ValueError(
                f"n_bins and n_bootstrap must be at least 2, got {self.n_bins}, {self.n_bootstrap}"
            )

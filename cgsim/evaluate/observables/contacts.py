"""Which beads come near each other: contact probabilities, and collisions."""

from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.observables.counted import Counted, Total
from cgsim.evaluate.observables.frames import Frames
from cgsim.evaluate.observables.observable import WIDEST_FRACTION, Metric, mean_metric
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.scoring import Scoring

#: Default contact cutoff, in mean bond lengths of the reference.
CONTACT_BOND_LENGTHS = 1.5


@dataclass(frozen=True)
class ContactMap(Counted[float]):
    """Probabilities that beads without a common bond are in contact; the score is ``rmse_NAME``."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Root mean square difference of the probabilities."""
        return (
            mean_metric(
                f"rmse_{self.name}",
                f"error of the {self.label}",
                "",
                "Root mean square difference of contact probabilities over the pairs of beads that "
                "share no bond. Contact: within {contact_cutoff}",
                widest=WIDEST_FRACTION,
            ),
        )

    @property
    def columns(self) -> dict[str, str]:
        """The error."""
        return {f"rmse_{self.name}": f"{self.name} error"}

    def thresholds(self, reference: Profile, other: Profile, scoring: Scoring) -> float:
        """Contact cutoff, nm: that of `Scoring`, else 1.5 mean bond lengths of the reference."""
        if scoring.contact_cutoff is not None:
            return scoring.contact_cutoff
        return CONTACT_BOND_LENGTHS * reference.mean_bond_length

    def count(self, frames: Frames, thresholds: float) -> np.ndarray:
        """Contacts of each pair, [n_pairs]."""
        return (frames.pair_distances <= thresholds).sum(axis=0).astype(np.float64)

    def compare(self, reference: Total, other: Total, thresholds: float) -> dict[str, np.ndarray]:
        """NaN without pairs or cutoff."""
        errors = other.mean - reference.mean
        if errors.shape[-1] == 0 or not np.isfinite(thresholds):
            return {f"rmse_{self.name}": np.full(len(errors), np.nan)}
        return {f"rmse_{self.name}": np.sqrt((errors**2).mean(axis=-1))}


@dataclass(frozen=True)
class Collisions(Counted[float]):
    """Pairs of beads that are nearer than any should be; the score is ``NAME_per_million`` frames.

    Of the ensemble alone: ideal are none.
    """

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The number itself."""
        return (
            mean_metric(
                f"{self.name}_per_million",
                f"{self.label} per million frames",
                self.unit,
                "Pairs of beads within {collision_cutoff} nm, counted in every frame, per million "
                "frames",
            ),
        )

    @property
    def columns(self) -> dict[str, str]:
        """The number itself."""
        return {f"{self.name}_per_million": f"{self.label}/10⁶"}

    def thresholds(self, reference: Profile, other: Profile, scoring: Scoring) -> float:
        """Cutoff, nm."""
        return scoring.collision_cutoff

    def count(self, frames: Frames, thresholds: float) -> np.ndarray:
        """Pairs, bonded or not, in all frames together."""
        return np.array(
            float(
                (frames.bond_lengths < thresholds).sum()
                + (frames.pair_distances < thresholds).sum()
            )
        )

    def compare(self, reference: Total, other: Total, thresholds: float) -> dict[str, np.ndarray]:
        """Per million frames."""
        return {f"{self.name}_per_million": 1e6 * other.counts / other.n_frames}

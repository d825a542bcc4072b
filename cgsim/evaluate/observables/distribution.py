"""Many values per frame that make one distribution: bond lengths, distances, angles."""

from dataclasses import dataclass, field

import numpy as np

from cgsim.evaluate.observables.counted import Counted, Total
from cgsim.evaluate.observables.frames import Frames, Measure
from cgsim.evaluate.observables.observable import WIDEST_FRACTION, Metric, mean_metric
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.statistics.distributions import histogram, js_distance, union_edges


@dataclass(frozen=True)
class Distribution(Counted[np.ndarray]):
    """All values of all frames pooled; the score of a molecule is ``js_NAME``.

    Parameters
    ----------
    measure
        From `Frames` to [n_frames, n_values]; no values, no score.
    bins
        Equal bins of the histogram; None: as many as `Scoring` says.
    """

    measure: Measure = field(kw_only=True)
    bins: int | None = field(default=None, kw_only=True)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Jensen–Shannon distance."""
        definition = (
            f"Jensen–Shannon distance of {self.definition or self.label}, in "
            f"{self.bins or '{n_bins}'} bins as above"
        )
        label = f"JS distance of {self.label}"
        widest = WIDEST_FRACTION
        return (mean_metric(f"js_{self.name}", label, "", definition, widest=widest),)

    @property
    def columns(self) -> dict[str, str]:
        """The distance."""
        return {f"js_{self.name}": f"JS {self.label}"}

    def thresholds(self, reference: Profile, other: Profile, scoring: Scoring) -> np.ndarray:
        """Edges of equal bins over the union range; any will do if there are no values."""
        n_bins = self.bins or scoring.n_bins
        ranges = reference.range_of(self.measure), other.range_of(self.measure)
        if not all(own.size for own in ranges):
            return np.linspace(0.0, 1.0, n_bins + 1)
        return union_edges(*ranges, n_bins=n_bins)

    def count(self, frames: Frames, thresholds: np.ndarray) -> np.ndarray:
        """Histogram, [n_bins]."""
        return histogram(self.measure(frames), thresholds)

    def compare(
        self, reference: Total, other: Total, thresholds: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The distance."""
        return {f"js_{self.name}": js_distance(reference.counts, other.counts)}

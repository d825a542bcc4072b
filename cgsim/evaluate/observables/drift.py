"""Whether a number per frame is still where it was."""

from dataclasses import dataclass, field

from cgsim.evaluate.observables.frames import Measure
from cgsim.evaluate.observables.observable import Metric, Observable, Sample, Scores, mean_metric
from cgsim.evaluate.scoring import Scoring


@dataclass(frozen=True)
class Drift(Observable):
    """Mean of the last tenth of the trajectory minus that of the first.

    Parameters
    ----------
    measure
        From `Frames` to [n_frames].
    relaxes_as
        Number per frame whose relaxation its error bars rest on; None: its own.
    """

    measure: Measure = field(kw_only=True)
    relaxes_as: Measure | None = field(default=None, kw_only=True)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Its mean size over molecules."""
        definition = (
            f"|Mean {self.label} of the last tenth − mean {self.label} of the first tenth| of the "
            "trajectory, not zero even without drift: compare with the second MD run"
        )
        return (mean_metric(self.name, f"drift of {self.label}", self.unit, definition),)

    @property
    def columns(self) -> dict[str, str]:
        """None."""
        return {}

    def score(self, reference: Sample, other: Sample, scoring: Scoring) -> Scores:
        """Of the ensemble alone."""
        profile = other.profile
        n_effective = profile.series(self.relaxes_as or self.measure).n_effective
        return {self.name: profile.series(self.measure).drift(n_effective)}

"""How fast a number per frame forgets itself: relaxation and integrated autocorrelation times."""

from dataclasses import dataclass, field

import numpy as np

from cgsim.evaluate.observables.frames import Measure
from cgsim.evaluate.observables.observable import Metric, Observable, Sample, Scores
from cgsim.evaluate.observables.scalar import Scalar
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.statistics.distributions import finite_median, log_r_squared, r_squared
from cgsim.evaluate.statistics.resolution import ratio_of


@dataclass(frozen=True)
class Relaxation(Observable):
    """Relaxation time (autocorrelation at 1/e) and integrated time of a number per frame.

    Scores of a molecule are ``relaxation`` and ``integrated``, each with the suffix, and the same
    with ``_reference`` and ``_ratio`` behind.

    Parameters
    ----------
    measure
        From `Frames` to [n_frames].
    suffix
        Behind the names of times and metrics. Empty for that of Rg², the one that is meant by "the"
        relaxation time.
    """

    measure: Measure = field(kw_only=True)
    suffix: str = field(default="", kw_only=True)

    @classmethod
    def of(cls, scalar: Scalar) -> "Relaxation":
        """The relaxation of a scalar observable, named after it."""
        return cls(
            f"relaxation_{scalar.name}",
            scalar.label,
            scalar.unit,
            definition=scalar.definition,
            measure=scalar.measure,
            suffix=f"_{scalar.name}",
        )

    def named(self, name: str) -> str:
        """Name of a score or metric of this quantity."""
        return f"{name}{self.suffix}"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Correlations over molecules, medians of ratios, and how many are not resolved."""
        tail = f" of {self.label}" if self.suffix else ""
        time, integrated = self.named("relaxation"), self.named("integrated")
        both, ratio = (time, f"{time}_reference"), (f"{time}_ratio",)
        return (
            Metric(
                self.named("r2_relaxation"),
                f"r² of relaxation times{tail}",
                "",
                "correlation",
                "Squared Pearson correlation, over molecules, of the relaxation time: the time at "
                f"which the normalised autocorrelation of {self.label} falls to 1/e (linear "
                "interpolation, replicas pooled with a common mean). A time that is not reached "
                "within half of the trajectory is unresolved and left out.",
                both,
                r_squared,
            ),
            Metric(
                self.named("r2_log_relaxation"),
                f"r² of log relaxation times{tail}",
                "",
                "correlation",
                "The same of the logarithms of the relaxation times.",
                both,
                log_r_squared,
            ),
            Metric(
                self.named("median_relaxation_ratio"),
                f"relaxation time{tail} / reference",
                "",
                "ratio",
                "Median over molecules of the relaxation time divided by that of the reference.",
                ratio,
                finite_median,
            ),
            Metric(
                self.named("median_integrated_ratio"),
                f"integrated time{tail} / reference",
                "",
                "ratio",
                f"The same of the integrated autocorrelation time of {self.label} (Sokal's "
                "self-consistent window, five times the time itself).",
                (f"{integrated}_ratio",),
                finite_median,
            ),
            Metric(
                self.named("n_unresolved"),
                f"unresolved relaxation times{tail}",
                "",
                "count",
                "Molecules for which the relaxation time of this row or of the reference is "
                "unresolved.",
                ratio,
                _n_unknown,
            ),
        )

    @property
    def columns(self) -> dict[str, str]:
        """Both times and their ratio."""
        tail = f" of {self.label}" if self.suffix else ""
        time = self.named("relaxation")
        return {
            time: f"relaxation{tail} (ps)",
            f"{time}_reference": "reference",
            f"{time}_ratio": "ratio",
        }

    def score(self, reference: Sample, other: Sample, scoring: Scoring) -> Scores:
        """Both times of both ensembles, and their ratios; bounds where they are not resolved."""
        expected, found = (own.profile.series(self.measure) for own in (reference, other))
        unit = found.frame_interval / expected.frame_interval
        first, second = expected.resolution, found.resolution
        time, integrated = self.named("relaxation"), self.named("integrated")
        return {
            time: found.relaxation,
            f"{time}_reference": expected.relaxation,
            f"{time}_ratio": ratio_of(second.relaxation, first.relaxation, unit=unit),
            integrated: found.integrated,
            f"{integrated}_reference": expected.integrated,
            f"{integrated}_ratio": ratio_of(second.integrated, first.integrated, unit=unit),
        }


def _n_unknown(ratios: np.ndarray) -> float:
    return float((~np.isfinite(ratios)).sum())

"""A number per frame: its mean and its distribution."""

from dataclasses import dataclass, field, replace

import numpy as np

from cgsim.evaluate.observables.frames import Measure
from cgsim.evaluate.observables.observable import (
    WIDEST_FRACTION,
    Blocks,
    Metric,
    Observable,
    Sample,
    Scores,
    mean_metric,
    with_errors,
)
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.statistics.distributions import (
    earth_movers_distance,
    histogram,
    histogram_movers_distance,
    js_distance,
    r_squared,
    standard_error,
    union_edges,
)

# Bins finer than those of the JS distance, for the earth mover's distance of bootstrap replicates.
_N_FINE = 20
_WIDEST_PERCENT = 10.0  # a mean that is not known to a fifth (two standard errors)


@dataclass(frozen=True)
class _Sums:
    """Over the frames of each block: numbers [n_blocks], totals, histograms [n_blocks, n_fine]."""

    n_frames: np.ndarray
    total: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Scalar(Observable):
    """A number per frame, compared in its mean and its distribution.

    Scores of a molecule are ``NAME``, ``NAME_reference`` (means), ``mae_NAME``, ``mape_NAME``,
    ``emd_NAME`` and ``js_NAME``. How fast it relaxes is a row of its own: see `Relaxation`.

    Parameters
    ----------
    measure
        From `Frames` to [n_frames] finite numbers. Frames come in runs, so that it must not depend
        on other frames.
    bins
        Equal bins of its histogram; None: as many as `Scoring` says.
    relaxes_as
        Number per frame whose relaxation its error bars rest on; None: its own.
    """

    measure: Measure = field(kw_only=True)
    bins: int | None = field(default=None, kw_only=True)
    relaxes_as: Measure | None = field(default=None, kw_only=True)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Correlation and errors of the mean, distances of the distributions."""
        name, label = self.name, self.label
        means = f"mean {label} and mean {label} of the reference"
        return (
            Metric(
                f"r2_{name}",
                f"r² of mean {label}",
                "",
                "correlation",
                f"Squared Pearson correlation, over molecules, of {means}. "
                f"{self.definition}".rstrip(),
                (name, f"{name}_reference"),
                r_squared,
            ),
            mean_metric(
                f"mape_{name}",
                f"relative error of mean {label}",
                "%",
                f"|Difference| of {means}, over that of the reference",
                widest=_WIDEST_PERCENT,
            ),
            mean_metric(
                f"mae_{name}",
                f"absolute error of mean {label}",
                self.unit,
                f"|Difference| of {means}",
            ),
            mean_metric(
                f"emd_{name}",
                f"earth mover's distance of {label}",
                self.unit,
                f"Wasserstein-1 distance of the two distributions of {label}",
            ),
            mean_metric(
                f"js_{name}",
                f"JS distance of {label}",
                "",
                "Jensen–Shannon distance (square root of the base-2 divergence; 0 equal, 1 "
                f"disjoint) of the distributions of {label} in {self.bins or '{n_bins}'} equal "
                "bins over their union range",
                widest=WIDEST_FRACTION,
            ),
        )

    @property
    def columns(self) -> dict[str, str]:
        """Both means, and the distance of the distributions."""
        return {
            self.name: self.axis,
            f"{self.name}_reference": "reference",
            f"js_{self.name}": f"JS {self.label}",
        }

    def score(self, reference: Sample, other: Sample, scoring: Scoring) -> Scores:
        """Means, their errors and the distances of the distributions."""
        both = reference, other
        values = [np.concatenate(own.profile.series(self.measure).values) for own in both]
        edges = union_edges(*values, n_bins=(self.bins or scoring.n_bins) * _N_FINE)
        blocks = [own.blocks(self.relaxes_as or self.measure) for own in both]
        sums = [self._sums(own, cut, edges) for own, cut in zip(both, blocks, strict=True)]
        width = edges[1] - edges[0]
        exact = self._compare(sums, [cut.once for cut in blocks], width)
        exact[f"emd_{self.name}"][:] = earth_movers_distance(*values)
        drawn = self._compare(sums, [cut.weights for cut in blocks], width)
        scores = with_errors(exact, drawn, inflation=max(cut.inflation for cut in blocks))
        for name, cut in zip((f"{self.name}_reference", self.name), blocks, strict=True):
            error = cut.inflation * standard_error(drawn[name])  # of one ensemble alone
            scores[name] = replace(scores[name], error=error)
        for name in (f"mae_{self.name}", f"mape_{self.name}"):
            # Signed in the replicates: the spread of an absolute value near zero is no error bar.
            scores[name] = replace(scores[name], value=abs(scores[name].value))
        return scores

    def _sums(self, sample: Sample, blocks: Blocks, edges: np.ndarray) -> _Sums:
        series = sample.profile.series(self.measure).values
        pieces = [series[replica][start:stop] for replica, start, stop in blocks.pieces]
        return _Sums(
            n_frames=blocks.n_frames,
            total=np.array([values.sum() for values in pieces]),
            counts=np.stack([histogram(values, edges) for values in pieces]),
        )

    def _compare(
        self, sums: list[_Sums], weights: list[np.ndarray], width: np.floating
    ) -> dict[str, np.ndarray]:
        """Scores [n] for n weightings [n, n_blocks] of the blocks of both ensembles."""
        expected, mean = (
            weight @ own.total / (weight @ own.n_frames)
            for own, weight in zip(sums, weights, strict=True)
        )
        first, second = (weight @ own.counts for own, weight in zip(sums, weights, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            percent = 100 * (mean - expected) / expected
        return {
            self.name: mean,
            f"{self.name}_reference": expected,
            f"mae_{self.name}": mean - expected,
            f"mape_{self.name}": percent,
            f"emd_{self.name}": histogram_movers_distance(first, second, float(width)),
            f"js_{self.name}": js_distance(_coarse(first), _coarse(second)),
        }


def _coarse(fine: np.ndarray) -> np.ndarray:
    """Histograms [..., n_bins] from those of finer bins."""
    return fine.reshape(*fine.shape[:-1], -1, _N_FINE).sum(axis=-1)

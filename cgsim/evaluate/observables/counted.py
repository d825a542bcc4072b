"""Observables that are sums over frames: all of a table are counted while frames are read once."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from cgsim.evaluate.observables.frames import Frames
from cgsim.evaluate.observables.observable import Observable, Sample, Scores, with_errors
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.scoring import Scoring

Thresholds = TypeVar("Thresholds")


@dataclass(frozen=True)
class Total:
    """Sums over the frames of an ensemble, for n weightings of its blocks.

    Parameters
    ----------
    counts
        [n, ...], of what `Counted.count` gives.
    n_frames
        [n].
    """

    counts: np.ndarray
    n_frames: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Per frame, [n, ...]."""
        return self.counts / self.n_frames.reshape(-1, *[1] * (self.counts.ndim - 1))


@dataclass(frozen=True)
class Counted(Observable, Generic[Thresholds]):
    """What is counted frame by frame, and compared by its sums."""

    @abstractmethod
    def thresholds(self, reference: Profile, other: Profile, scoring: Scoring) -> Thresholds:
        """What both ensembles are counted with: bin edges, or a cutoff."""

    @abstractmethod
    def count(self, frames: Frames, thresholds: Thresholds) -> np.ndarray:
        """Sum over the frames, of the same shape for all frames."""

    @abstractmethod
    def compare(
        self, reference: Total, other: Total, thresholds: Thresholds
    ) -> dict[str, np.ndarray]:
        """Scores [n] for n weightings of the blocks."""

    def score(self, reference: Sample, other: Sample, scoring: Scoring) -> Scores:
        """From the sums of `count_frames`."""
        thresholds = self.thresholds(reference.profile, other.profile, scoring)
        (expected, expected_drawn), (found, found_drawn) = map(self._totals, (reference, other))
        return with_errors(
            self.compare(expected, found, thresholds),
            self.compare(expected_drawn, found_drawn, thresholds),
            inflation=max(own.blocks().inflation for own in (reference, other)),
        )

    def _totals(self, sample: Sample) -> tuple[Total, Total]:
        """Of the data, and of each bootstrap replicate."""
        blocks, counts = sample.blocks(), sample.counts[self.name]
        once, drawn = (
            Total(weights @ counts, weights @ blocks.n_frames)
            for weights in (blocks.once, blocks.weights)
        )
        return once, drawn


def count_frames(
    reference: Sample, other: Sample, observables: Iterable[Counted[Any]], scoring: Scoring
) -> None:
    """Fill in the sums of both samples, block by block."""
    counted = [
        (own, own.thresholds(reference.profile, other.profile, scoring)) for own in observables
    ]
    for sample in (reference, other):
        blocks = [
            _count(sample.profile.chunks(*piece), counted) for piece in sample.blocks().pieces
        ]
        for index, (own, _) in enumerate(counted):
            sample.counts[own.name] = np.stack([sums[index] for sums in blocks])


def _count(
    chunks: Iterable[Frames], counted: Sequence[tuple[Counted[Any], Any]]
) -> list[np.ndarray]:
    """Sums over some frames, one per observable; distances are computed once for all of them."""
    parts = [[own.count(frames, thresholds) for own, thresholds in counted] for frames in chunks]
    return [np.sum(own, axis=0) for own in zip(*parts, strict=True)]

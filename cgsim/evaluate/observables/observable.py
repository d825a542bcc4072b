"""What an observable is: a measure of frames, how two ensembles are compared in it, its metrics."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from zlib import crc32

import numpy as np

from cgsim.evaluate.observables.frames import Measure, rg_squared
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.statistics.distributions import (
    block_weights,
    error_of,
    mean_of_absolute,
)
from cgsim.evaluate.statistics.estimate import Estimate

Scores = dict[str, Estimate]


@dataclass(frozen=True)
class Metric:
    """One number over all molecules.

    Parameters
    ----------
    name
        Key in `Score.summary` and in the JSON.
    label
        Human name.
    unit
        Empty if the score is a pure number.
    kind
        What is ideal: "error" 0, "correlation" 1, "ratio" 1, "count" (of molecules) 0.
    definition
        One sentence for the report. ``{n_bins}``, ``{contact_cutoff}`` and ``{collision_cutoff}``
        are filled in.
    of
        Scores of a molecule from which it is made.
    over
        From these scores, one array [n_molecules] each, to the number.
    widest
        Standard error beyond which "no difference seen" means nothing.
    """

    name: str
    label: str
    unit: str
    kind: Literal["error", "correlation", "ratio", "count"]
    definition: str
    of: tuple[str, ...]
    over: Callable[..., float]
    widest: float = math.inf


WIDEST_FRACTION = 0.25
"""`Metric.widest` of a score between 0 and 1: two standard errors are half of all that can be."""


def mean_metric(
    name: str, label: str, unit: str, definition: str, *, widest: float = math.inf
) -> Metric:
    """The mean over molecules of an error that each of them has under the same name."""
    over = f"{definition}; mean over molecules."
    return Metric(name, label, unit, "error", over, (name,), mean_of_absolute, widest)


@dataclass(frozen=True)
class Blocks:
    """An ensemble cut into blocks, and how often each counts in each bootstrap replicate.

    Parameters
    ----------
    pieces
        (replica, start, stop) of each block, frames.
    weights
        [n_bootstrap, n_blocks].
    inflation
        By how much the spread of the replicates is too small for an error bar: see
        `cgsim.evaluate.statistics.resolution.error_inflation`.
    """

    pieces: list[tuple[int, int, int]]
    weights: np.ndarray
    inflation: float = 1.0

    @property
    def n_frames(self) -> np.ndarray:
        """[n_blocks]."""
        return np.array([stop - start for _, start, stop in self.pieces], dtype=np.float64)

    @property
    def once(self) -> np.ndarray:
        """The weights of the data themselves, [1, n_blocks]: every block once."""
        return np.ones((1, len(self.pieces)))


class Sample:
    """One of the two ensembles that are compared: its profile, its blocks, sums over them.

    Parameters
    ----------
    profile
        The ensemble.
    n_bootstrap
        Bootstrap replicates.
    rng
        Draws the blocks.
    """

    def __init__(self, profile: Profile, *, n_bootstrap: int, rng: np.random.Generator) -> None:
        self.profile = profile
        #: Sums over the frames of each block, by observable: see `counted.count_frames`.
        self.counts: dict[str, np.ndarray] = {}
        self._n_bootstrap = n_bootstrap
        # A spawned generator leaves the numbers of `rng` to those who drew them before.
        self._seed = int(rng.spawn(1)[0].integers(2**32))
        self._blocks: dict[Measure, Blocks] = {rg_squared: self._cut(rg_squared, rng)}

    def blocks(self, relaxes_as: Measure = rg_squared) -> Blocks:
        """Blocks that are long against the relaxation of a number per frame.

        Those of each number have random draws of their own: an observable more or less changes no
        error bar of the others.
        """
        if relaxes_as not in self._blocks:
            name = getattr(relaxes_as, "__qualname__", "").encode()
            rng = np.random.default_rng([self._seed, crc32(name)])
            self._blocks[relaxes_as] = self._cut(relaxes_as, rng)
        return self._blocks[relaxes_as]

    def _cut(self, relaxes_as: Measure, rng: np.random.Generator) -> Blocks:
        series = self.profile.series(relaxes_as)
        weights = block_weights(len(series.blocks), self._n_bootstrap, rng)
        return Blocks(series.blocks, weights, series.error_inflation)


@dataclass(frozen=True)
class Observable(ABC):
    """Something that is measured on frames and compared between two ensembles.

    Add your own to the table by `add_observable`: scores, summaries, tables, figures, report and
    JSON follow.

    Parameters
    ----------
    name
        Key in the table and in the names of scores.
    label
        Human name, as in "JS distance of {label}".
    unit
        Of the values; empty for a pure number.
    definition
        One sentence for the report.
    """

    name: str
    label: str
    unit: str = ""
    definition: str = field(default="", kw_only=True)

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """What is said of it over all molecules."""

    @property
    @abstractmethod
    def columns(self) -> dict[str, str]:
        """Heads of the table of molecules, by name of the score below."""

    @abstractmethod
    def score(self, reference: Sample, other: Sample, scoring: Scoring) -> Scores:
        """One molecule: names and estimates; without those that do not exist for it."""

    @property
    def axis(self) -> str:
        """Label with unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def with_errors(
    values: dict[str, np.ndarray], replicates: dict[str, np.ndarray], *, inflation: float
) -> Scores:
    """Estimates from the values [1] of the data and of bootstrap replicates [n_bootstrap].

    Of two ensembles the larger inflation is right: the shorter run has the larger part in an error.
    """
    return {
        name: Estimate(float(own[0]), inflation * error_of(float(own[0]), replicates[name]))
        for name, own in values.items()
    }

"""What is between the molecules of a box: how far apart their beads are, by minimum image."""

import math
from dataclasses import dataclass

import numpy as np
from vesin import NeighborList

from cgsim.evaluate.observables.observable import (
    WIDEST_FRACTION,
    Metric,
    Observable,
    Sample,
    Scores,
    mean_metric,
    with_errors,
)
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.species import Box
from cgsim.evaluate.statistics.distributions import (
    bootstrap_weights,
    js_distance,
)
from cgsim.evaluate.statistics.estimate import Estimate

_MOST_FRAMES = 400  # that are looked at, evenly spaced
_N_BLOCKS = 20
_RANGE = 4.0  # mean distances of neighbours, n^(-1/3), that are looked at


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances of beads of different molecules in some frames of a box.

    Attributes
    ----------
    counts : [n_frames, n_bins]
        Pairs in shells of equal width.
    closest : [n_frames]
        nm; infinite where there is none within the range.
    frame : [n_frames]
        Replica and number of each frame, [n_frames, 2].
    """

    counts: np.ndarray
    closest: np.ndarray
    frame: np.ndarray


@dataclass(frozen=True)
class Between(Observable):
    """Distances between molecules: ``js_NAME``, and ``closest_NAME`` with that of the reference."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Distance of the distributions. A closest distance is one event: it has no error."""
        return (
            mean_metric(
                f"js_{self.name}",
                f"JS distance of {self.label}",
                "",
                "Jensen–Shannon distance of the distributions of distances of beads of different "
                "molecules, by minimum image, each shell by its volume as in a radial distribution "
                "function",
                widest=WIDEST_FRACTION,
            ),
        )

    @property
    def columns(self) -> dict[str, str]:
        """The distance of the distributions, and both closest distances."""
        return {
            f"js_{self.name}": f"JS {self.label}",
            f"closest_{self.name}": "closest (nm)",
            f"closest_{self.name}_reference": "reference",
        }

    def score(self, reference: Sample, other: Sample, scoring: Scoring) -> Scores:
        """Nothing of a single molecule: boxes are compared by `compare_boxes`."""
        return {}

    def compare_boxes(
        self, reference: Box, other: Box, scoring: Scoring, rng: np.random.Generator
    ) -> Scores:
        """Scores of a box, with errors by a bootstrap over blocks of frames."""
        longest = looked_at(reference)
        both = [distances(own, longest, scoring.n_bins) for own in (reference, other)]
        edges = np.linspace(0.0, longest, scoring.n_bins + 1)
        shell = np.diff(edges**3)
        drawn = []
        for own in both:
            blocks = np.array_split(np.arange(len(own.closest)), min(_N_BLOCKS, len(own.closest)))
            sums = np.stack([own.counts[rows].sum(axis=0) for rows in blocks])
            weights = bootstrap_weights(len(blocks), scoring.n_bootstrap, rng)
            drawn.append((weights @ sums) / shell)
        rows = js_distance(*drawn)
        name = f"js_{self.name}"
        scores = with_errors({name: rows[:1]}, {name: rows[1:]}, inflation=1.0)
        nearest = [float(own.closest.min()) for own in both]
        known = {
            f"closest_{self.name}": nearest[1],
            f"closest_{self.name}_reference": nearest[0],
        }
        return scores | {
            key: Estimate(value if math.isfinite(value) else math.nan, math.nan)
            for key, value in known.items()
        }


def looked_at(box: Box) -> float:
    """Longest distance that is looked at, nm: some neighbours far, and half a cell at most."""
    if box.cells is None:
        extent = np.ptp(box.xyz[0].astype(np.float64), axis=(0, 1))
        return _RANGE * float(np.cbrt(max(extent) ** 3 / box.n_beads))
    cells = np.concatenate([own.astype(np.float64) for own in box.cells])
    volume = np.abs(np.linalg.det(cells))
    faces = np.linalg.norm(np.cross(cells[:, [1, 2, 0]], cells[:, [2, 0, 1]]), axis=2)
    height = (volume[:, None] / faces).min()
    return float(min(height / 2, _RANGE * np.cbrt(volume.mean() / box.n_beads)))


def distances(box: Box, longest: float, n_bins: int) -> Distances:
    """Look at evenly spaced frames of all replicas."""
    search, component = NeighborList(cutoff=longest, full_list=False), box.component
    images = box.images
    step = max(1, box.n_frames // _MOST_FRAMES)
    counts, closest, which = [], [], []
    for replica, xyz in enumerate(images):
        for frame in range(0, len(xyz), step):
            cell = np.zeros((3, 3)) if box.cells is None else box.cells[replica][frame]
            first, second, found = search.compute(
                xyz[frame].astype(np.float64),
                np.asarray(cell, dtype=np.float64),
                periodic=box.cells is not None,
                quantities="ijd",
            )
            apart = found[component[first] != component[second]]
            counts.append(np.histogram(apart, bins=n_bins, range=(0.0, longest))[0])
            closest.append(apart.min() if len(apart) else np.inf)
            which.append((replica, frame))
    return Distances(np.array(counts, dtype=np.float64), np.array(closest), np.array(which))

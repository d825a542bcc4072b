"""What is known of one ensemble without comparing it with another; everything is computed once."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.frames import Frames, Measure, rg_squared
from cgsim.evaluate.observables.structure import (
    bond_lengths,
    chunks_of,
    nonbonded_pairs,
    radius_of_gyration,
)
from cgsim.evaluate.statistics.series import Series

_MAX_SAMPLED = 5000


class MeasureError(ValueError):
    """A measure that does not give one finite number per frame.

    Parameters
    ----------
    message
        What it gives instead.
    ensemble
        Where it does.
    """

    def __init__(self, message: str, ensemble: Ensemble) -> None:
        super().__init__(message)
        self.ensemble = ensemble


class Profile:
    """One ensemble, what was measured on it, and how that relaxes."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self.pairs = nonbonded_pairs(ensemble.n_beads, ensemble.edge_index)
        self.rg = tuple(radius_of_gyration(xyz, ensemble.bead_mass) for xyz in ensemble.xyz)
        self._series: dict[Measure, Series] = {}
        self._ranges: dict[Measure, np.ndarray] = {}

    def series(self, measure: Measure) -> Series:
        """A number per frame, in all replicas.

        Raises
        ------
        MeasureError
            If it is not one finite number per frame.
        """
        if measure not in self._series:
            replicas = [
                np.concatenate([self._numbers(measure, frames) for frames in self.chunks(replica)])
                for replica in range(self.ensemble.n_replicas)
            ]
            self._series[measure] = Series(replicas, self.ensemble.frame_interval)
        return self._series[measure]

    @property
    def rg_squared(self) -> Series:
        """Rg², on whose relaxation all error bars rest that do not say otherwise, nm²."""
        return self.series(rg_squared)

    def range_of(self, measure: Measure) -> np.ndarray:
        """Smallest and largest of many values per frame, [2]; empty if there are none."""
        if measure not in self._ranges:
            values = (
                measure(frames)
                for replica in range(self.ensemble.n_replicas)
                for frames in self.chunks(replica)
            )
            ranges = [(part.min(), part.max()) for part in values if part.size]
            self._ranges[measure] = (
                np.array([min(low for low, _ in ranges), max(high for _, high in ranges)])
                if ranges
                else np.empty(0)
            )
        return self._ranges[measure]

    @cached_property
    def mean_bond_length(self) -> float:
        """Mean over bonds and frames, nm; NaN without bonds."""
        edges = self.ensemble.edge_index
        if not edges.size:
            return float("nan")
        total = sum(bond_lengths(xyz, edges).mean(axis=1).sum() for xyz in self.ensemble.xyz)
        return float(total / self.ensemble.n_frames)

    def chunks(self, replica: int, start: int = 0, stop: int | None = None) -> Iterator[Frames]:
        """Frames start to stop of a replica, in runs whose distances fit in little memory."""
        xyz, rg = self.ensemble.xyz[replica][start:stop], self.rg[replica][start:stop]
        done = 0
        for chunk in chunks_of(xyz):
            yield self._frames(chunk, rg[done : done + len(chunk)])
            done += len(chunk)

    def sampled(self) -> Frames:
        """At most about 5000 frames, evenly spaced over all replicas."""
        step = max(1, self.ensemble.n_frames // _MAX_SAMPLED)
        xyz, rg = (np.concatenate([x[::step] for x in own]) for own in (self.ensemble.xyz, self.rg))
        return self._frames(xyz, rg)

    def _frames(self, xyz: np.ndarray, rg: np.ndarray) -> Frames:
        ensemble = self.ensemble
        return Frames(xyz, rg, ensemble.bead_mass, ensemble.edge_index, self.pairs)

    def _numbers(self, measure: Measure, frames: Frames) -> np.ndarray:
        values = np.asarray(measure(frames), dtype=np.float64)
        if values.shape != (len(frames.xyz),) or not np.isfinite(values).all():
            name = getattr(measure, "__name__", repr(measure))
            raise MeasureError(
                f"{self.ensemble.name}: {name} must give one finite number per frame, "
                f"[{len(frames.xyz)}], got shape {list(values.shape)}"
                + ("" if np.isfinite(values).all() else " with NaN or infinity"),
                self.ensemble,
            )
        return values

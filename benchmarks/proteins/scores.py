"""What is compared of a folded protein: native contacts, shape, fluctuation, slow motions.

Runs are lists of replicas [n_frames, n_beads, 3], nm.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist

from cgsim.evaluate.observables.native import NativeContacts
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.evaluate.observables.superposition import rmsf, superpose
from cgsim.evaluate.statistics.autocorrelation import autocorrelation, relaxation_time
from cgsim.evaluate.statistics.distributions import js_distance_of_samples

LOST = 0.3  # Q below which a fold is lost, where MD never is
N_SLOW = 3
MOST_PAIRS = 400  # distances that are compared

Run = list[np.ndarray]


@dataclass(frozen=True)
class Judge:
    """Compares runs with MD of the same protein.

    Attributes
    ----------
    native : [n_beads, 3]
        nm.
    reference
        MD that nothing was trained on.
    interval
        Between frames of the reference, ps.
    """

    native: np.ndarray
    reference: Run
    interval: float

    @cached_property
    def contacts(self) -> NativeContacts:
        """Of the native structure, a chain."""
        bead = np.arange(len(self.native))
        return NativeContacts.of(self.native, np.stack([bead[:-1], bead[1:]]))

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean structure of the reference, superposed on the native one [n_beads, 3], nm."""
        return np.concatenate([superpose(part, self.native) for part in self.reference]).mean(
            axis=0
        )

    @cached_property
    def components(self) -> np.ndarray:
        """The three widest principal components of the reference [3, 3 n_beads]."""
        shapes = np.concatenate([self.shapes(part) for part in self.reference])
        return np.linalg.svd(shapes - shapes.mean(axis=0), full_matrices=False)[2][:N_SLOW]

    def shapes(self, frames: np.ndarray) -> np.ndarray:
        """Deviations from the mean structure of the reference [n_frames, 3 n_beads]."""
        centred = self.mean - self.mean.mean(axis=0)
        return (superpose(frames, centred) - centred).reshape(len(frames), -1)

    def times(self, run: Run, interval: float) -> list[float]:
        """Times of the three widest components of the reference, ps."""
        along = [self.shapes(part) @ self.components.T for part in run]
        return [
            float(relaxation_time(autocorrelation([part[:, k] for part in along]), interval))
            for k in range(N_SLOW)
        ]

    def score(self, run: Run, *, interval: float, floor: Run) -> dict[str, Any]:
        """All figures of a run; ``floor`` is the MD that simulators were trained on."""
        both = {name: np.concatenate(own) for name, own in (("run", run), ("md", self.reference))}
        q = {name: self.contacts.hard(frames) for name, frames in both.items()}
        fluctuation, in_md = (rmsf(frames, self.mean) for frames in both.values())
        md_times = self.times(self.reference, self.interval)
        times = zip(self.times(run, interval), md_times, strict=True)
        trained = np.concatenate(floor)
        ends = [self.contacts.hard(part[-len(part) // 5 :]) for part in run]
        return {
            "q_mean": float(q["run"].mean()),
            "q_mean_md": float(q["md"].mean()),
            "q_js": js_distance_of_samples(q["run"], q["md"]),
            "q_js_floor": js_distance_of_samples(self.contacts.hard(trained), q["md"]),
            "rmsf_r": float(np.corrcoef(fluctuation, in_md)[0, 1]),
            "rmsf_ratio": float(fluctuation.mean() / in_md.mean()),
            "pairs_js": _pairs_js(both["run"], both["md"]),
            "pairs_js_floor": _pairs_js(trained, both["md"]),
            "bond_width_ratio": _bond_width(both["run"]) / _bond_width(both["md"]),
            "slow_time_ratio": [own / md for own, md in times],
            "rg_ratio": float(_rg(both["run"]).mean() / _rg(both["md"]).mean()),
            "n_lost": sum(bool(own.mean() < LOST) for own in ends),
            "n_replicas": len(run),
            "n_steps": len(run[0]),
        }


def _pairs_js(first: np.ndarray, second: np.ndarray) -> float:
    """Mean JS distance of the distributions of pair distances, of evenly chosen pairs."""
    one, other = (_distances(part) for part in (first, second))
    chosen = np.unique(np.linspace(0, one.shape[1] - 1, MOST_PAIRS).astype(int))
    return float(np.mean([js_distance_of_samples(one[:, k], other[:, k]) for k in chosen]))


def _distances(frames: np.ndarray) -> np.ndarray:
    """Of all pairs, in at most some thousand frames [n_frames, n_pairs], nm."""
    return np.stack([pdist(frame) for frame in frames[:: 1 + len(frames) // 4000]])


def _bond_width(frames: np.ndarray) -> float:
    bonds = np.linalg.norm(np.diff(frames, axis=1), axis=2)
    return float(np.sqrt(bonds.var(axis=0).mean()))


def _rg(frames: np.ndarray) -> np.ndarray:
    return radius_of_gyration(frames, np.ones(frames.shape[1]))

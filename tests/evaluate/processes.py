"""Molecules whose Rg is a process with a known answer, made without linear algebra."""

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter

from cgsim.evaluate import Ensemble


def ornstein_uhlenbeck(
    tau: float, n_frames: int, rng: np.random.Generator, *, n_series: int = 1
) -> np.ndarray:
    """Exactly sampled, mean 0 and variance 1, correlation time `tau` frames; [n_series, n_frames].

    A `tau` of 0 is white noise.
    """
    decay = np.exp(-1 / tau) if tau else 0.0
    kicks = rng.normal(size=(n_series, n_frames)) * np.sqrt(1 - decay**2)
    kicks[:, 0] /= np.sqrt(1 - decay**2)
    return np.asarray(lfilter([1.0], [1.0, -decay], kicks, axis=1))


def integrated_time(tau: float) -> float:
    """Exact integrated time of such a process in frames: ½ + Σ exp(−k / tau)."""
    return 0.5 / np.tanh(0.5 / tau) if tau else 0.5


def of_rg_squared(
    name: str,
    series: np.ndarray | Sequence[np.ndarray],
    *,
    frame_interval: float = 1.0,
    spread: float = 0.05,
) -> Ensemble:
    """Two equal beads on a line whose Rg² is ``1 + spread * series``, one replica per series."""
    xyz = []
    for values in series:
        half = np.sqrt(1 + spread * values)
        ends = np.stack([half, -half], axis=1)
        xyz.append(np.stack([ends, 0 * ends, 0 * ends], axis=2))
    return Ensemble(name, tuple(xyz), frame_interval, np.ones(2), np.array([[0], [1]]))


def noisy_chain(
    name: str, n_beads: int, *, seed: int, n_frames: int = 150, scale: float = 1.0
) -> Ensemble:
    """Two replicas of a chain whose bonds are Ornstein–Uhlenbeck processes of 5 frames."""
    rng = np.random.default_rng(seed)
    replicas = []
    for _ in range(2):
        bonds = ornstein_uhlenbeck(5.0, n_frames, rng, n_series=3 * (n_beads - 1))
        steps = bonds.T.reshape(n_frames, n_beads - 1, 3)
        start = np.zeros((n_frames, 1, 3))
        replicas.append(0.3 * scale * np.concatenate([start, steps.cumsum(axis=1)], axis=1))
    edges = np.stack([np.arange(n_beads - 1), np.arange(1, n_beads)])
    return Ensemble(name, tuple(replicas), 0.5, 1.0 + np.arange(n_beads), edges)

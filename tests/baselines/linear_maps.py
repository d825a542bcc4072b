"""A linear propagator and histories that are known, for the tests."""

import numpy as np

from cgsim.baselines.linear import LinearPropagator

N_BEADS = 4


def known(seed: int = 0, *, n_frames: int = 2) -> LinearPropagator:
    """Random coefficients whose rows sum to 1 over all frames, and a random covariance."""
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=(n_frames, N_BEADS, N_BEADS)) / (2 * N_BEADS)
    excess = coefficients.sum(axis=(0, 2)) - 1
    coefficients[0] -= excess[:, None] / N_BEADS
    root = rng.normal(size=(N_BEADS, N_BEADS))
    return LinearPropagator(coefficients, root @ root.T, timestep=1.0)


def histories(n_windows: int, *, n_frames: int = 2, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_windows, N_BEADS, n_frames, 3))

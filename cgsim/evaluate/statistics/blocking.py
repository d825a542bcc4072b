"""Trajectories cut into blocks that are long against their relaxation."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

_N_BLOCKS = 20


_MIN_BLOCKS = 4


_BLOCK_RELAXATIONS = 3.0


def cut_series(series: Sequence[np.ndarray], time: float) -> list[tuple[int, int, int]]:
    """Blocks of replicas [n_frames, ...] as (replica, start, stop) in frames.

    About 20 blocks in all, each at least three integrated times long where the trajectory allows
    it, but no fewer than four as long as there are four frames.

    Parameters
    ----------
    time
        Integrated time in frames; NaN if unresolved.
    """
    shortest = max(_BLOCK_RELAXATIONS * time, 1.0) if np.isfinite(time) else float("inf")
    n_replicas = len(series)
    at_least, at_most = -(-_MIN_BLOCKS // n_replicas), -(-_N_BLOCKS // n_replicas)
    blocks = []
    for replica, values in enumerate(series):
        n_blocks = int(np.clip(len(values) / shortest, at_least, at_most))
        edges = np.linspace(0, len(values), min(n_blocks, len(values)) + 1).astype(int).tolist()
        blocks += [(replica, a, b) for a, b in pairwise(edges)]
    return blocks

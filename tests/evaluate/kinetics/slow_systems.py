"""Ensembles whose slow motions are known exactly."""

import numpy as np

from cgsim.evaluate import Ensemble

#: Reversible, with slow exchange of state 2 with the rest.
TRANSITIONS = np.array([[0.90, 0.08, 0.02], [0.16, 0.82, 0.02], [0.02, 0.01, 0.97]])
_SHAPES = np.array(
    [
        [[0, 0, 0], [1, 0, 0], [2, 0, 0]],
        [[0, 0, 0], [1, 0, 0], [1, 1, 0]],
        [[0, 0, 0], [1.5, 0, 0], [1.5, 1.5, 0]],
    ],
    dtype=float,
)
BONDS = np.array([[0, 1], [1, 2]])


def stationary(matrix: np.ndarray) -> np.ndarray:
    """Left eigenvector of eigenvalue 1."""
    values, vectors = np.linalg.eig(matrix.T)
    vector = np.real(vectors[:, np.argmax(np.real(values))])
    return vector / vector.sum()


def sample_states(n_frames: int, seed: int, matrix: np.ndarray = TRANSITIONS) -> np.ndarray:
    """Trajectory [n_frames] of a Markov chain, started in equilibrium."""
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(matrix, axis=1)
    state = int(rng.choice(len(matrix), p=stationary(matrix)))
    states = np.empty(n_frames, dtype=np.int64)
    for frame, uniform in enumerate(rng.random(n_frames)):
        states[frame] = state
        state = min(int(np.searchsorted(cumulative[state], uniform)), len(matrix) - 1)
    return states


def three_shapes(states: list[np.ndarray], *, frame_interval: float = 2.0) -> Ensemble:
    """Three beads in one of three shapes: TICA of its distances tells the states exactly."""
    return Ensemble("jumper", tuple(_SHAPES[s] for s in states), frame_interval, np.ones(3), BONDS)


def sliding_beads(times: tuple[float, float], *, n_frames: int, seeds: tuple[int, ...]) -> Ensemble:
    """Three beads on a line, their bond lengths two Ornstein–Uhlenbeck processes, sampled exactly.

    `times` in frames; the frame interval is 1 ps.
    """
    replicas = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        decay = np.exp(-1 / np.array(times))
        lengths = np.empty((n_frames, 2))
        lengths[0] = rng.normal(size=2)
        for frame, noise in enumerate(rng.normal(size=(n_frames - 1, 2))):
            lengths[frame + 1] = decay * lengths[frame] + np.sqrt(1 - decay**2) * noise
        xyz = np.zeros((n_frames, 3, 3))
        xyz[:, 1:, 0] = np.cumsum(10 + lengths, axis=1)
        replicas.append(xyz)
    return Ensemble("slider", tuple(replicas), 1.0, np.ones(3), BONDS)

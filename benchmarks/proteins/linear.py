"""The linear bars: an autoregression with projected bonds, and independent Gaussian frames."""

import numpy as np

N_ROUNDS = 100  # of projection, bond after bond; fewer leave widths of 1e-4 nm


def gaussian_frames(shapes: np.ndarray, n_frames: int, random: np.random.Generator) -> np.ndarray:
    """Independent frames of the Gaussian of shapes [n, d] -> [n_frames, d]."""
    root = _root(np.cov(shapes.T))
    return shapes.mean(axis=0) + random.normal(size=(n_frames, len(root))) @ root


def autoregression(
    shapes: np.ndarray, *, stride: int, n_frames: int, n_replicas: int, random: np.random.Generator
) -> list[np.ndarray]:
    """Roll-outs [n_frames, d] of ``x' = A x + noise`` fitted to shapes [n, d], a stride each."""
    mean = shapes.mean(axis=0)
    now, then = shapes[:-stride] - mean, shapes[stride:] - mean
    matrix = np.linalg.lstsq(now, then, rcond=1e-6)[0]
    matrix /= max(1.0, np.abs(np.linalg.eigvals(matrix)).max() / 0.9999)
    root = _root(np.cov((then - now @ matrix).T))
    state = now[random.integers(len(now), size=n_replicas)]
    frames = []
    for _ in range(n_frames):
        state = state @ matrix + random.normal(size=state.shape) @ root
        frames.append(state + mean)
    return list(np.stack(frames, axis=1))


def with_bonds(frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Frames [n_frames, n_beads, 3] of a chain with bonds of these lengths [n_beads - 1], nm."""
    frames = frames.copy()
    for _ in range(N_ROUNDS):
        for parity in (0, 1):  # bonds that share no bead, at once
            first = np.arange(parity, len(lengths), 2)
            vector = frames[:, first + 1] - frames[:, first]
            length = np.linalg.norm(vector, axis=2, keepdims=True)
            change = vector * (1 - lengths[first, None] / length) / 2
            frames[:, first] += change
            frames[:, first + 1] -= change
    return frames


def _root(covariance: np.ndarray) -> np.ndarray:
    """``R`` of ``R^T R``, of a covariance that may have zero eigenvalues."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))).T

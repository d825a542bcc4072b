"""Roll out a propagator: one that knows the last frames only and samples the next."""

from typing import Protocol

import numpy as np
from tqdm import tqdm

from cgsim.mapping.trajectory import MappedTrajectory


class Propagator(Protocol):
    """`cgsim.baselines.propagators.LinearPropagator`, `RecurrentPropagator`, or any other."""

    def sample(self, history: np.ndarray, n_samples: int, *, seed: int) -> np.ndarray:
        """Next frames [n_samples, n_windows, n_beads, 3] of [n_windows, n_beads, k, 3], nm."""


def first_history(trajectory: MappedTrajectory, n_history: int, *, stride: int) -> np.ndarray:
    """The first frames of a trajectory, a step apart, to start from: [n_beads, n_history, 3], nm.

    Raises
    ------
    ValueError
        If the trajectory is too short.
    """
    n_needed = (n_history - 1) * stride + 1
    if trajectory.n_frames < n_needed:
        raise ValueError(
            f"{trajectory.name}: {trajectory.n_frames} frames; {n_history} at a stride of {stride} "
            f"need {n_needed}"
        )
    frames = np.asarray(trajectory.pos[:n_needed:stride], dtype=np.float64)
    return frames.swapaxes(0, 1)


def propagate(propagator: Propagator, start: np.ndarray, n_steps: int, *, seed: int) -> np.ndarray:
    """Sample frame after frame for several molecules of one number of beads at once.

    Parameters
    ----------
    start
        [n_molecules, n_beads, n_history, 3], nm, the present frame last.
    seed
        Of the noise.

    Returns
    -------
    np.ndarray
        [n_molecules, n_steps, n_beads, 3], nm; what explodes goes on to infinity or NaN (see
        `n_sound_frames`).
    """
    history = np.array(start, dtype=np.float64)
    frames = np.empty((n_steps, *history[:, :, -1].shape))
    seeds = np.random.SeedSequence(seed).generate_state(n_steps)
    with np.errstate(over="ignore", invalid="ignore"):
        for step in tqdm(range(n_steps), unit="step", desc="propagator", leave=False):
            frames[step] = propagator.sample(history, 1, seed=int(seeds[step]))[0]
            history = np.concatenate([history[:, :, 1:], frames[step][:, :, None]], axis=2)
    return frames.swapaxes(0, 1)


def n_sound_frames(
    frames: np.ndarray, edge_index: np.ndarray, *, longest_bond: float, farthest: float
) -> int:
    """Frames before one in which a bond is too long or a bead too far from the origin.

    Parameters
    ----------
    frames
        [n_frames, n_beads, 3], nm.
    edge_index
        [2, n_bonds].
    longest_bond, farthest
        nm.
    """
    first, second = edge_index
    with np.errstate(over="ignore", invalid="ignore"):
        bonds = np.linalg.norm(frames[:, first] - frames[:, second], axis=2)
        sound = (bonds < longest_bond).all(axis=1) & (np.abs(frames) < farthest).all(axis=(1, 2))
    return len(frames) if sound.all() else int(sound.argmin())

"""Simple propagators that a simulator has to beat: nothing moves, random walk, linear regression.

They have no model of the molecule, only numbers fitted to frames of it. All are linear with
Gaussian noise, and treat x, y and z alike, so that a rotated or shifted history gives a rotated or
shifted sample (in distribution).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearPropagator:
    """A linear map of the last frames plus Gaussian noise, the same for x, y and z.

    ``x_{t+1} = Σ_l A_l x_{t-l} + e``, ``e ~ N(0, C)``; positions count from the centre of the
    present frame.

    Parameters
    ----------
    coefficients
        A: [k, n_beads, n_beads]; ``coefficients[l]`` acts on the frame l steps before the present.
    covariance
        C: [n_beads, n_beads], nm².

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """

    coefficients: np.ndarray
    covariance: np.ndarray

    def __post_init__(self) -> None:
        n_beads = len(self.covariance)
        if self.coefficients.ndim != 3 or not (
            self.coefficients.shape[1:] == self.covariance.shape == (n_beads, n_beads)
        ):
            raise ValueError(
                "coefficients must be [k, n_beads, n_beads] and covariance [n_beads, n_beads], got "
                f"{self.coefficients.shape} and {self.covariance.shape}"
            )

    def mean(self, history: np.ndarray) -> np.ndarray:
        """Expected next frame [w, n_beads, 3], nm, of histories [w, n_beads, k or more, 3].

        Raises
        ------
        ValueError
            If the histories have too few frames or other beads.
        """
        n_frames, n_beads, _ = self.coefficients.shape
        if history.ndim != 4 or history.shape[1] != n_beads or history.shape[2] < n_frames:
            raise ValueError(
                f"history must be [n_windows, {n_beads}, {n_frames} or more frames, 3], got "
                f"{history.shape}"
            )
        centre = history[:, :, -1].mean(axis=1)[:, None]
        latest_first = (history - centre[:, :, None])[:, :, ::-1][:, :, :n_frames]
        return centre + np.einsum("lij,wjlc->wic", self.coefficients, latest_first, optimize=True)

    def sample(self, history: np.ndarray, n_samples: int, *, seed: int) -> np.ndarray:
        """Samples of the next frame.

        Parameters
        ----------
        history
            [n_windows, n_beads, n_frames, 3], nm, the present frame last.
        n_samples
            Independent samples of every window.
        seed
            Of the noise.

        Returns
        -------
        np.ndarray
            [n_samples, n_windows, n_beads, 3], nm.
        """
        mean = self.mean(history)
        variance, axes = np.linalg.eigh(self.covariance)
        spread = axes * np.sqrt(np.clip(variance, 0.0, None))
        drawn = np.random.default_rng(seed).normal(size=(n_samples, *mean.shape))
        return mean + np.einsum("ij,swjc->swic", spread, drawn, optimize=True)


def cut_windows(
    pos: np.ndarray, *, n_history: int, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """All windows of a trajectory, to fit a propagator on.

    Parameters
    ----------
    pos
        [n_frames, n_beads, 3], nm, unwrapped.
    n_history
        Past frames of a window, the present one included.
    stride
        Frames per step.

    Returns
    -------
    tuple
        Histories [n_windows, n_beads, n_history, 3] and next frames [n_windows, n_beads, 3].

    Raises
    ------
    ValueError
        If the trajectory is too short for one window.
    """
    n_windows = len(pos) - n_history * stride
    if n_windows < 1:
        raise ValueError(
            f"{len(pos)} frames; {n_history} past frames and the next one at a stride of {stride} "
            f"need at least {n_history * stride + 1}"
        )
    rows = np.arange(n_windows)[:, None] + stride * np.arange(n_history + 1)
    frames = np.asarray(pos, dtype=np.float64)[rows].swapaxes(1, 2)
    return frames[:, :, :-1], frames[:, :, -1]


def no_op(n_beads: int) -> LinearPropagator:
    """Nothing moves: ``x_{t+1} = x_t``, without noise."""
    return LinearPropagator(np.eye(n_beads)[None], np.zeros((n_beads, n_beads)))


def random_walk(history: np.ndarray, next_pos: np.ndarray) -> LinearPropagator:
    """``x_{t+1} = x_t`` plus a Gaussian with the covariance of the displacements.

    Parameters
    ----------
    history
        [n_windows, n_beads, n_frames, 3], nm.
    next_pos
        [n_windows, n_beads, 3], nm.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    _check_windows(history, next_pos)
    steps = _rows(next_pos - history[:, :, -1])
    return LinearPropagator(np.eye(steps.shape[1])[None], steps.T @ steps / len(steps))


def vector_autoregression(history: np.ndarray, next_pos: np.ndarray) -> LinearPropagator:
    """Least-squares VAR(k) over the beads, with the covariance of its residuals (unbiased).

    Regresses displacements on the centred present frame and the k − 1 steps before it, without
    intercept: the general linear map that commutes with rotations and shifts (Lütkepohl, New
    Introduction to Multiple Time Series Analysis, 2005, section 3.2).

    Parameters
    ----------
    history
        [n_windows, n_beads, k, 3], nm, the present frame last.
    next_pos
        [n_windows, n_beads, 3], nm.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the windows are too few to determine the coefficients.
    """
    _check_windows(history, next_pos)
    n_windows, n_beads, n_frames, _ = history.shape
    if 3 * n_windows <= n_frames * n_beads:
        raise ValueError(
            f"{n_windows} windows cannot determine {n_frames} × {n_beads} coefficients per bead; "
            f"give more than {n_frames * n_beads // 3}"
        )
    present = history[:, :, -1]
    steps = np.diff(history, axis=2)[:, :, ::-1]
    centred = present - present.mean(axis=1, keepdims=True)
    features = np.concatenate(
        [_rows(centred), *(_rows(steps[:, :, lag]) for lag in range(n_frames - 1))], axis=1
    )
    target = _rows(next_pos - present)
    solution, _, rank, _ = np.linalg.lstsq(features, target)
    residual = target - features @ solution
    drift, *of_steps = solution.T.reshape(n_beads, n_frames, n_beads).swapaxes(0, 1)
    coefficients = np.zeros((n_frames, n_beads, n_beads))
    coefficients[0] = np.eye(n_beads) + drift
    for lag, matrix in enumerate(of_steps):
        coefficients[lag] += matrix
        coefficients[lag + 1] -= matrix
    return LinearPropagator(coefficients, residual.T @ residual / (len(target) - rank))


def _rows(vectors: np.ndarray) -> np.ndarray:
    """One row per window and component: [w, n_beads, 3] -> [3 w, n_beads]."""
    return vectors.swapaxes(1, 2).reshape(-1, vectors.shape[1])


def _check_windows(history: np.ndarray, next_pos: np.ndarray) -> None:
    if history.ndim != 4 or next_pos.shape != (*history.shape[:2], 3) or history.shape[3] != 3:
        raise ValueError(
            "history must be [n_windows, n_beads, n_frames, 3] and next_pos [n_windows, n_beads, "
            f"3], got {history.shape} and {next_pos.shape}"
        )

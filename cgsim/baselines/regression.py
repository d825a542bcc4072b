"""Linear propagators fitted to windows: nothing moves, random walk, no memory, autoregression."""

import numpy as np

from cgsim.baselines.linear import LinearPropagator


def cut_windows(
    pos: np.ndarray, *, n_history: int, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """All windows of a trajectory, to fit a propagator on.

    Parameters
    ----------
    pos
        [n_frames, n_beads, 3], nm, unwrapped.
    n_history
        Past frames of a window, the current one included.
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
    rows = window_rows(len(pos), n_history=n_history, stride=stride)
    return parted(np.asarray(pos, dtype=np.float64)[rows])


def window_rows(n_frames: int, *, n_history: int, stride: int) -> np.ndarray:
    """Frames of all windows of a trajectory [n_windows, n_history + 1], the next frame last.

    Raises
    ------
    ValueError
        If the trajectory is too short for one window.
    """
    n_windows = n_frames - n_history * stride
    if n_windows < 1:
        raise ValueError(
            f"{n_frames} frames; {n_history} past frames and the next one at a stride of {stride} "
            f"need at least {n_history * stride + 1}"
        )
    return np.arange(n_windows)[:, None] + stride * np.arange(n_history + 1)


def parted(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Histories and next frames of windows [n_windows, n_history + 1, n_beads, 3]."""
    windows = frames.swapaxes(1, 2)
    return windows[:, :, :-1], windows[:, :, -1]


def persistence(history: np.ndarray, next_pos: np.ndarray, *, timestep: float) -> LinearPropagator:
    """Nothing moves: ``x_{t+1} = x_t``, without noise.

    The naive method of Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 2021,
    section 5.2. Of the windows only the number of beads counts.

    Parameters, errors: as of `vector_autoregression`, for any number of windows.
    """
    _check_windows(history, next_pos)
    n_beads = history.shape[1]
    return LinearPropagator(np.eye(n_beads)[None], np.zeros((n_beads, n_beads)), timestep=timestep)


def random_walk(history: np.ndarray, next_pos: np.ndarray, *, timestep: float) -> LinearPropagator:
    """Brownian motion: ``x_{t+1} = x_t`` plus a Gaussian with the covariance of the displacements.

    Einstein, Ann. Phys. 17, 549, 1905, with displacements of beads that may depend on each other.

    Parameters, errors: as of `vector_autoregression`, for any number of windows.
    """
    _check_windows(history, next_pos)
    steps = _rows(next_pos - history[:, :, -1])
    return LinearPropagator(
        np.eye(steps.shape[1])[None], steps.T @ steps / len(steps), timestep=timestep
    )


def independent_frames(
    history: np.ndarray, next_pos: np.ndarray, *, timestep: float
) -> LinearPropagator:
    """No memory: every frame is a Gaussian about the centre of the one before.

    ``x_{t+1} = c_t + e`` with the covariance of the positions about ``c_t``: the Gaussian chain of
    the sizes of the molecule (Doi & Edwards, The Theory of Polymer Dynamics, 1986, ch. 2), with the
    right structure to second order and no times at all.

    Parameters, errors: as of `vector_autoregression`, for any number of windows.
    """
    _check_windows(history, next_pos)
    centre = history[:, :, -1].mean(axis=1, keepdims=True)
    about = _rows(next_pos - centre)
    n_beads = about.shape[1]
    return LinearPropagator(
        np.zeros((1, n_beads, n_beads)), about.T @ about / len(about), timestep=timestep
    )


def vector_autoregression(
    history: np.ndarray, next_pos: np.ndarray, *, timestep: float
) -> LinearPropagator:
    """Least-squares VAR(k) over the beads, with the covariance of its residuals (unbiased).

    Regresses displacements on the centred current frame and the k − 1 steps before it, without
    intercept: the general linear map that commutes with rotations and shifts (Lütkepohl, New
    Introduction to Multiple Time Series Analysis, 2005, section 3.2).

    Parameters
    ----------
    history
        [n_windows, n_beads, k, 3], nm, the current frame last.
    next_pos
        [n_windows, n_beads, 3], nm.
    timestep
        From the current frame to the next, ps.

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
    current = history[:, :, -1]
    steps = np.diff(history, axis=2)[:, :, ::-1]
    centred = current - current.mean(axis=1, keepdims=True)
    features = np.concatenate(
        [_rows(centred), *(_rows(steps[:, :, lag]) for lag in range(n_frames - 1))], axis=1
    )
    target = _rows(next_pos - current)
    solution, _, rank, _ = np.linalg.lstsq(features, target)
    residual = target - features @ solution
    drift, *of_steps = solution.T.reshape(n_beads, n_frames, n_beads).swapaxes(0, 1)
    coefficients = np.zeros((n_frames, n_beads, n_beads))
    coefficients[0] = np.eye(n_beads) + drift
    for lag, matrix in enumerate(of_steps):
        coefficients[lag] += matrix
        coefficients[lag + 1] -= matrix
    covariance = residual.T @ residual / (len(target) - rank)
    return LinearPropagator(coefficients, covariance, timestep=timestep)


def _rows(vectors: np.ndarray) -> np.ndarray:
    """One row per window and component: [w, n_beads, 3] -> [3 w, n_beads]."""
    return vectors.swapaxes(1, 2).reshape(-1, vectors.shape[1])


def _check_windows(history: np.ndarray, next_pos: np.ndarray) -> None:
    if history.ndim != 4 or next_pos.shape != (*history.shape[:2], 3) or history.shape[3] != 3:
        raise ValueError(
            "history must be [n_windows, n_beads, n_frames, 3] and next_pos [n_windows, n_beads, "
            f"3], got {history.shape} and {next_pos.shape}"
        )

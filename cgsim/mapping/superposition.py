"""Rigid superposition of many small sets of points at once.

Kabsch, Acta Cryst. A 32, 922 (1976): the proper rotation that brings one set of points nearest to
another, from a singular value decomposition. Never a reflection, so handedness is kept.
"""

import numpy as np


def best_rotation(mobile: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the rotations that bring centred `mobile` nearest to centred `target`.

    Parameters
    ----------
    mobile, target
        ``[..., n_points, 3]``, of weighted mean zero; leading dimensions broadcast.
    weight
        ``[n_points]``.

    Returns
    -------
    np.ndarray
        ``[..., 3, 3]``, for ``mobile @ rotation``.
    """
    u, _, vh, sign = _decompose(mobile, target, weight)
    u = u.copy()
    u[..., :, 2] *= sign[..., None]
    return u @ vh


def squared_deviation(mobile: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted mean square distance after superposition, ``[...]`` (see above)."""
    _, singular, _, sign = _decompose(mobile, target, weight)
    overlap = singular[..., 0] + singular[..., 1] + sign * singular[..., 2]
    size = [np.einsum("p,...pc,...pc->...", weight, points, points) for points in (mobile, target)]
    return np.maximum(size[0] + size[1] - 2.0 * overlap, 0.0) / weight.sum()


def centred(points: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points ``[..., n_points, 3]`` less their weighted mean, and that ``[..., 1, 3]``."""
    mean = np.einsum("p,...pc->...c", weight / weight.sum(), points)[..., None, :]
    return points - mean, mean


def _decompose(
    mobile: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    covariance = np.swapaxes(mobile * weight[:, None], -1, -2) @ target
    u, singular, vh = np.linalg.svd(covariance)
    return u, singular, vh, np.sign(np.linalg.det(u) * np.linalg.det(vh))


def superposed(points: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return points ``[..., n_points, 3]`` centred and turned to be nearest to centred `target`."""
    points, target = (centred(own, weight)[0] for own in (points, target))
    return points @ best_rotation(points, target, weight)


class Superposition:
    """Every frame of a molecule superposed on the one before it: the shapes without rigid motion.

    A small molecule in implicit solvent tumbles by tens of degrees in a ps. What it looks like does
    not depend on that, but a step that is Gaussian in Cartesian coordinates cannot turn a bond far
    without stretching it. The first frame is centred and else stays as it is; chunks of a
    trajectory, one after the other, give the same as the whole.

    Parameters
    ----------
    mass
        ``[n_points]``, the weights.
    """

    def __init__(self, mass: np.ndarray) -> None:
        self.mass = mass
        self._last: tuple[np.ndarray, np.ndarray] | None = None  # shape and rotation of a frame

    def __call__(self, pos: np.ndarray) -> np.ndarray:
        """Return the next frames ``[n_frames, n_points, 3]``, superposed."""
        shape, _ = centred(np.asarray(pos, dtype=np.float64), self.mass)
        before, rotation = self._last or (shape[0], np.eye(3))
        previous = np.concatenate([before[None], shape[:-1]])
        found = np.empty_like(shape)
        for frame, step in enumerate(best_rotation(shape, previous, self.mass)):
            rotation = step @ rotation
            found[frame] = shape[frame] @ rotation
        self._last = shape[-1], rotation
        return found

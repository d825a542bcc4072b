"""Coordinates for the 3-D player of a report: reference and learned trajectory side by side."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.profile import Profile

#: Most frames of a trajectory that are shown.
MAX_FRAMES = 200

_RELAXATIONS_SHOWN = 8.0
_INT16_MAX = 32767
_SPAN = 20.0
_MOST_RADII = 5.0  # of the largest frame of the reference: the learned one is not shown smaller
_FARTHEST = 100.0  # radii of the view that a position may be away


@dataclass(frozen=True)
class Player:
    """One molecule for the player: the same times of both trajectories.

    Parameters
    ----------
    name
        Of the molecule.
    times
        [n_frames], ps.
    reference, learned
        [n_frames, n_beads, 3], nm; centred, and rotated onto the frame before.
    edge_index
        [2, n_bonds].
    """

    name: str
    times: np.ndarray
    reference: np.ndarray
    learned: np.ndarray
    edge_index: np.ndarray


def make_player(reference: Ensemble, learned: Ensemble, *, n_frames: int = MAX_FRAMES) -> Player:
    """Choose the frames to show: the first replicas, at the same times.

    Shows up to eight relaxation times of the reference, or what both trajectories cover. Overall
    motion and rotation are removed.
    """
    span = min(
        (len(ensemble.xyz[0]) - 1) * ensemble.frame_interval for ensemble in (reference, learned)
    )
    relaxation = Profile(reference).rg_squared.relaxation_time
    interval = max(reference.frame_interval, learned.frame_interval)
    if math.isfinite(relaxation):
        span = min(span, max(_RELAXATIONS_SHOWN * relaxation, 20 * interval))
    n_shown = max(1, min(n_frames, int(span / interval + 1e-6) + 1))
    times = np.linspace(0.0, span, n_shown)
    shown = []
    for ensemble in (reference, learned):
        frames = np.rint(times / ensemble.frame_interval).astype(int)
        xyz = ensemble.xyz[0][np.minimum(frames, len(ensemble.xyz[0]) - 1)]
        shown.append(superpose(centre(xyz, ensemble.bead_mass)))
    return Player(reference.name, times, shown[0], shown[1], reference.edge_index)


def centre(xyz: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Positions [n_frames, n_beads, 3] with the centre of mass at the origin, float64."""
    weight = mass / mass.sum()
    return xyz - np.einsum("i,fic->fc", weight, xyz.astype(np.float64))[:, None]


def superpose(xyz: np.ndarray) -> np.ndarray:
    """Rotate each centred frame onto the one before it (Kabsch, 1976)."""
    rotated = xyz.copy()
    for frame in range(1, len(xyz)):
        u, _, vt = np.linalg.svd(xyz[frame].T @ rotated[frame - 1])
        handedness = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotated[frame] = xyz[frame] @ u @ handedness @ vt
    return rotated


def player_data(players: Sequence[Player]) -> list[dict[str, Any]]:
    """JSON-able data of the player: positions as base64 of little-endian int16.

    A position is `int16 × scale`, in units in which nine tenths of the frames lie within a radius
    of 20; `bond` is the mean bond length of the reference in that unit.
    """
    return [_encode(player) for player in players]


def _encode(player: Player) -> dict[str, Any]:
    both = (player.reference, player.learned)
    # One stretched frame must not shrink all others to a dot.
    own, other = (np.linalg.norm(xyz, axis=-1).max(axis=1) for xyz in both)
    radii = np.concatenate([own, other])
    # Nor an explosion: what leaves the view by far piles up at a distance.
    radius = min(float(np.quantile(radii, 0.9)), _MOST_RADII * float(own.max()))
    unit = _SPAN / max(radius, 1e-6)
    largest = float(np.clip(radii.max() * unit, _SPAN, _FARTHEST * _SPAN))
    scale = largest / _INT16_MAX
    first, second = player.edge_index
    bonds = np.linalg.norm(player.reference[:, first] - player.reference[:, second], axis=-1)
    return {
        "name": player.name,
        "nBeads": player.reference.shape[1],
        "times": [float(f"{time:.6g}") for time in player.times],
        "scale": scale,
        "bond": float(bonds.mean()) * unit if bonds.size else _SPAN / 5,
        "bonds": player.edge_index.T.tolist(),
        "reference": _base64_int16(player.reference * (unit / scale)),
        "learned": _base64_int16(player.learned * (unit / scale)),
    }


def _base64_int16(values: np.ndarray) -> str:
    quantised = np.clip(np.rint(values), -_INT16_MAX, _INT16_MAX).astype("<i2")
    return base64.b64encode(quantised.tobytes()).decode("ascii")

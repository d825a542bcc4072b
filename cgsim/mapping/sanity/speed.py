"""Whether atoms can move as far in a frame interval as they do."""

import numpy as np

from cgsim.config.checks import way_on
from cgsim.io import Molecule
from cgsim.io.bond_lengths import is_chemical
from cgsim.units import BOLTZMANN

# ps. No step of MD is shorter than a tenth of a femtosecond, nothing is recorded every 0.1 ms.
_SHORTEST, _LONGEST = 1e-4, 1e8
# K. In a time Δ an atom moves by √(3kT/m) Δ at most, which it does before it meets its neighbours.
# Frames every 1 ps look like 1 to 10 K, NMR models called 1 ps apart like 23, and every 2 fs like
# 300. A thousand times too short an interval looks a million times as hot.
_HOTTEST = 10_000.0
# nm, and ps after which it holds. Bonds and angles that vibrate at 3 K move atoms by as much;
# at 300 K it is 0.02 to 0.05.
_LEAST_MOTION, _SETTLED = 0.002, 0.1


class Speed:
    """Compares how far the atoms of real elements move with the frame interval.

    Parameters
    ----------
    molecule
        What moves.
    frame_interval
        ps.
    """

    def __init__(self, molecule: Molecule, frame_interval: float) -> None:
        self.frame_interval = frame_interval
        real = is_chemical(molecule)
        self._atoms = slice(None) if real.all() else np.flatnonzero(real)
        self._mass = molecule.atom_mass[self._atoms]
        self._last: np.ndarray | None = None
        self._motion: list[np.ndarray] = []
        self._energy: list[np.ndarray] = []

    def add(self, path: np.ndarray) -> None:
        """Look at the next frames ``[n_frames, n_atoms, 3]`` nm, continuous in time."""
        own = path[:, self._atoms]
        if not own.shape[1]:
            return
        if self._last is not None:
            own = np.concatenate([self._last, own])
        self._last = own[-1:].copy()  # a view would keep all frames
        squared = np.square(np.diff(own, axis=0)).sum(axis=2)
        self._motion.append(np.sqrt(squared.mean(axis=1)))
        self._energy.append((squared * self._mass).mean(axis=1) / 3)

    def check(self) -> None:
        """Judge all frames.

        Raises
        ------
        ValueError
            Naming the interval, how far atoms move in it, and the likely cause.
        """
        interval = self.frame_interval
        if not _SHORTEST <= interval <= _LONGEST:
            raise ValueError(
                f"frames every {interval:g} ps cannot be: the frame interval is in ps. "
                f"{way_on('interval')}"
            )
        motion = np.concatenate([*self._motion, np.empty(0)])
        if not len(motion):
            return
        typical = float(np.median(motion))
        heat = float(np.median(np.concatenate(self._energy))) / interval**2 / BOLTZMANN
        if heat > _HOTTEST:
            raise ValueError(
                f"atoms move by {typical:.3f} nm from frame to frame, which in {interval:g} ps "
                f"they would do at {heat:.2g} K: the frame interval is too short. Most likely it "
                f"is not in ps, or that of the steps and not of the frames. {way_on('interval')}"
            )
        if interval >= _SETTLED and 0 < typical < _LEAST_MOTION:
            raise ValueError(
                f"atoms move by {typical:.2g} nm only from frame to frame, in {interval:g} ps: "
                "thermal motion is more. Most likely the frame interval is too long (fs taken for "
                f"ps), or this is a minimisation. {way_on('interval')}"
            )

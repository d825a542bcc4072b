"""What a roll-out asks of a model that is no `Simulator`: the next frame, given the last ones."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import numpy as np


class Propagator(ABC):
    """Takes molecules one step further from their last frames; knows nothing else of them.

    `cgsim.simulate` rolls it out like a `Simulator`: to the same files, with the same guard and the
    same exact restart. Those that come with the package are in `cgsim.baselines`.

    Attributes
    ----------
    timestep
        Of a step, ps.
    history
        Frames that a step sees, the current one included.
    length_scale
        Mean length of the bead bonds, nm: a bond ten times as long is an explosion. Infinite where
        it is not known; then only beads that are not finite or far out stop a roll-out.
    n_beads
        Beads of the molecules that it is for; None for any number.
    """

    timestep: float
    history: int
    length_scale: float = math.inf
    n_beads: int | None = None

    @abstractmethod
    def step(self, history: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """One time step of several systems of one size: replicas, molecules or windows.

        Parameters
        ----------
        history
            [n_systems, n_beads, n_frames, 3], nm, unwrapped, the current frame last.
        random
            Source of all randomness: what a step draws may depend on nothing else, so that a
            roll-out can be repeated and continued.

        Returns
        -------
        np.ndarray
            Next frames [n_systems, n_beads, 3], nm.
        """

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers that were fitted, by name: what its file holds and a restart compares."""

    @classmethod
    @abstractmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], *, timestep: float, length_scale: float
    ) -> Self:
        """The propagator of these `arrays`."""

    def sample(self, history: np.ndarray, n_samples: int, *, seed: int) -> np.ndarray:
        """Independent samples of the frame after every history.

        Parameters
        ----------
        history
            [n_windows, n_beads, n_frames, 3], nm, the current frame last.

        Returns
        -------
        np.ndarray
            [n_samples, n_windows, n_beads, 3], nm.
        """
        repeated = np.broadcast_to(history, (n_samples, *history.shape))
        drawn = self.step(repeated.reshape(-1, *history.shape[1:]), np.random.default_rng(seed))
        return drawn.reshape(n_samples, -1, *drawn.shape[1:])

    def last_frames(self, history: np.ndarray) -> np.ndarray:
        """The frames that count, [n_systems, n_beads, history, 3].

        Raises
        ------
        ValueError
            If there are too few of them, or other beads.
        """
        n_beads = self.n_beads or "n_beads"
        is_right = history.ndim == 4 and history.shape[2] >= self.history
        if not is_right or self.n_beads not in (None, history.shape[1]):
            raise ValueError(
                f"history must be [n_windows, {n_beads}, {self.history} or more frames, 3], got "
                f"{history.shape}"
            )
        return history[:, :, -self.history :]

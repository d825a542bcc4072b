"""Linear maps of the last frames with Gaussian noise.

They have no model of the molecule, only numbers fitted to frames of it
(`cgsim.baselines.regression`). They treat x, y and z alike, so that a rotated or shifted history
gives a rotated or shifted sample (in distribution).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Self

import numpy as np

from cgsim.model.propagator import Propagator


@dataclass(frozen=True, eq=False)
class LinearPropagator(Propagator):
    """A linear map of the last frames plus Gaussian noise, the same for x, y and z.

    ``x_{t+1} = Σ_l A_l x_{t-l} + e``, ``e ~ N(0, C)``; positions count from the centre of the
    current frame.

    Parameters
    ----------
    coefficients
        A: [k, n_beads, n_beads]; ``coefficients[l]`` acts on the frame l steps before the present.
    covariance
        C: [n_beads, n_beads], nm².
    timestep, length_scale
        ps, nm: see `Propagator`.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    _: KW_ONLY
    timestep: float
    length_scale: float = Propagator.length_scale
    history: int = field(init=False)
    n_beads: int = field(init=False)

    def __post_init__(self) -> None:
        n_beads = len(self.covariance)
        if self.coefficients.ndim != 3 or not (
            self.coefficients.shape[1:] == self.covariance.shape == (n_beads, n_beads)
        ):
            raise ValueError(
                "coefficients must be [k, n_beads, n_beads] and covariance [n_beads, n_beads], got "
                f"{self.coefficients.shape} and {self.covariance.shape}"
            )
        object.__setattr__(self, "history", len(self.coefficients))
        object.__setattr__(self, "n_beads", n_beads)

    def mean(self, history: np.ndarray) -> np.ndarray:
        """Expected next frame [w, n_beads, 3], nm, of histories [w, n_beads, k or more, 3].

        Raises
        ------
        ValueError
            If the histories have too few frames or other beads.
        """
        frames = self.last_frames(history)
        centre = frames[:, :, -1].mean(axis=1)[:, None]
        latest_first = (frames - centre[:, :, None])[:, :, ::-1]
        return centre + np.einsum("lij,wjlc->wic", self.coefficients, latest_first, optimize=True)

    def step(self, history: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The expected frame and Gaussian noise; see `Propagator.step`."""
        mean = self.mean(history)
        return mean + np.einsum(
            "ij,wjc->wic", self._root, random.normal(size=mean.shape), optimize=True
        )

    @cached_property
    def _root(self) -> np.ndarray:
        """``R`` with ``R R^T = C``; a covariance of residuals may be singular."""
        variance, axes = np.linalg.eigh(self.covariance)
        return axes * np.sqrt(np.clip(variance, 0.0, None))

    def arrays(self) -> dict[str, np.ndarray]:
        """Coefficients and covariance."""
        return {"coefficients": self.coefficients, "covariance": self.covariance}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], *, timestep: float, length_scale: float
    ) -> Self:
        """The propagator of these coefficients and this covariance."""
        return cls(
            arrays["coefficients"],
            arrays["covariance"],
            timestep=timestep,
            length_scale=length_scale,
        )

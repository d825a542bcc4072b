r"""REFINE: from a sample of the predicted Gaussian to one of the learned distribution.

The flow ``dy/dtheta = G(y, theta)`` of `cgsim.model.score.network` is integrated from a noise angle
down to zero by Adams-Bashforth steps, of which those of first order are Euler's. With churn, noise
is put back before every step: ``cos(delta) y_theta + sin(delta) eps`` is a sample at the larger
angle ``theta'``, where ``cos(theta') = cos(delta) cos(theta)``, so what was decided wrongly at high
noise is decided again where the network knows better. Steps are longer then, and of second order
(Heun). That is the stochastic sampler of Karras et al. (arXiv 2206.00364, algorithm 2) in these
coordinates.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from cgsim.config import ScoreConfig
from cgsim.model.noise.gaussian import GaussianField, is_plausible

Draw = Callable[[GaussianField], Tensor]  # a sample [n, 3] of a Gaussian, around its mean
Velocity = Callable[[Tensor, float], Tensor]  # of a residual [n, 3] at an angle


@dataclass(frozen=True)
class Refinement:
    """How a sample is refined.

    Attributes
    ----------
    angles
        Noise angles, falling to 0, between which it steps.
    churn, farthest, order
        See `cgsim.config.ScoreConfig`.
    """

    angles: tuple[float, ...]
    churn: float = 0.0
    farthest: float = 6.0
    order: int = 1

    @classmethod
    def of(cls, config: ScoreConfig) -> Self:
        """The one that is configured."""
        n_steps = (config.n_evaluations + 1) // 2 if config.churn else config.n_evaluations
        found = angles(n_steps, config.start_level, config.spacing)
        return cls(found, config.churn, config.farthest, config.order)

    @property
    def n_draws(self) -> int:
        """Gaussian samples that it takes: where it starts, and what is put back."""
        return len(self.angles) if self.churn else 1

    def __call__(
        self,
        velocity: Velocity,
        draw: Draw,
        *,
        field: GaussianField,
    ) -> Tensor:
        """A refined sample [n, 3]; systems where it ends too far out keep the one it started from.

        There the network was asked about what it has never seen.

        Parameters
        ----------
        field
            The predicted Gaussian.
        """
        sample = draw(field)
        if self.churn:
            residual = self._churned(velocity, sample, lambda: draw(field))
        else:
            residual = self._multistep(velocity, sample)
        trusted = is_plausible(field, residual, self.farthest)[field.batch]
        return torch.where(trusted[:, None], residual, sample)

    def _multistep(self, velocity: Velocity, residual: Tensor) -> Tensor:
        """``y + h (G + h (G - G_before) / (2 h_before))``; the first step is Euler's."""
        before: tuple[Tensor, float] | None = None
        for now, then in pairwise(self.angles):
            step = then - now
            slope = halfway = velocity(residual, now)
            if self.order == 2 and before is not None:
                halfway = slope + step / 2 * ((slope - before[0]) / before[1])
            residual = residual + step * halfway
            before = slope, step
        return residual

    def _churned(self, velocity: Velocity, residual: Tensor, noise: Callable[[], Tensor]) -> Tensor:
        """Heun steps from where noise was put back; the last one is Euler's."""
        for angle, then in pairwise(self.angles):
            residual, now = self._noisier(residual, angle, noise())
            slope = velocity(residual, now)
            if then:
                slope = (slope + velocity(residual + (then - now) * slope, then)) / 2
            residual = residual + (then - now) * slope
        return residual

    def _noisier(self, residual: Tensor, angle: float, noise: Tensor) -> tuple[Tensor, float]:
        """A residual with noise put back, and the angle that it is at now."""
        higher = min(angle * (1 + self.churn), self.angles[0])
        kept = math.cos(higher) / math.cos(angle)
        return kept * residual + math.sqrt(1 - kept**2) * noise, higher


def angles(n_steps: int, start_level: float, spacing: float = 1.0) -> tuple[float, ...]:
    """Noise angles of a refinement, n_steps + 1 from ``atan(start_level)`` to 0.

    Even in their ``1 / spacing``-th power.
    """
    start = math.atan(start_level)
    shares = (1 - step / n_steps for step in range(n_steps + 1))
    return tuple(start * share**spacing for share in shares)


@dataclass(frozen=True)
class Guidance:
    """How strongly refinements are bound to the present, and at which noise angles.

    Attributes
    ----------
    strength, lowest, highest
        ``guidance``, ``guided_from`` and ``guided_to`` of `cgsim.config.ScoreConfig`.
    """

    strength: float
    lowest: float
    highest: float

    def at(self, angle: float) -> float:
        """The strength there; 1 outside, as learnt."""
        return self.strength if self.lowest <= angle <= self.highest else 1.0

r"""SAMPLER: from a sample of the predicted Gaussian to one of the learned distribution.

The flow ``dy/dtheta = G(y, theta)`` of `cgsim.model.score.network` is integrated from a noise angle
down to zero by Euler steps. With churn, noise is put back before every step: ``cos(delta) y_theta +
sin(delta) eps`` is a sample at the larger angle ``theta'``, where ``cos(theta') = cos(delta)
cos(theta)``, so what was decided wrongly at high noise is decided again where the network knows
better. Steps are longer then, and of second order (Heun). That is the stochastic sampler of Karras
et al. (arXiv 2206.00364, algorithm 2) in these coordinates.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from cgsim.config import SamplerConfig
from cgsim.model.noise.gaussian import GaussianField, is_plausible

Draw = Callable[[GaussianField], Tensor]  # a sample [n, 3] of a Gaussian, around its mean
Velocity = Callable[[Tensor, float], Tensor]  # of a residual [n, 3] at an angle


@dataclass(frozen=True)
class Sampler:
    """How a sample of the predicted Gaussian is refined; it has no weights."""

    config: SamplerConfig

    @property
    def angles(self) -> tuple[float, ...]:
        """Noise angles, falling to 0, between which it steps; of one, it does nothing."""
        n = self.config.n_evaluations
        n_steps = (n + 1) // 2 if self.config.churn else n
        return noise_angles(n_steps, self.config.sigma_max, rho=self.config.rho)

    @property
    def n_draws(self) -> int:
        """Gaussian samples that it takes: where it starts, and what is put back."""
        return len(self.angles) if self.config.churn else 1

    def guidance_at(self, angle: float) -> float:
        """The strength of guidance there; 1, as learnt, outside of where there is guidance."""
        is_guided = self.config.guided_from <= angle <= self.config.guided_to
        return self.config.guidance if is_guided else 1.0

    def __call__(self, velocity: Velocity, draw: Draw, *, field: GaussianField) -> Tensor:
        """A refined sample [n, 3]; systems where it ends too far out keep the one it started from.

        There the network was asked about what it has never seen.

        Parameters
        ----------
        field
            The predicted Gaussian.
        """
        sample = draw(field)
        if self.config.churn:
            residual = self._churned(velocity, sample, lambda: draw(field))
        else:
            residual = self._straight(velocity, sample)
        trusted = is_plausible(field, residual, self.config.reject_beyond)[field.batch]
        return torch.where(trusted[:, None], residual, sample)

    def _straight(self, velocity: Velocity, residual: Tensor) -> Tensor:
        """Euler steps."""
        for now, then in pairwise(self.angles):
            residual = residual + (then - now) * velocity(residual, now)
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
        higher = min(angle * (1 + self.config.churn), self.angles[0])
        kept = math.cos(higher) / math.cos(angle)
        return kept * residual + math.sqrt(1 - kept**2) * noise, higher


def noise_angles(n_steps: int, sigma_max: float, *, rho: float = 1.0) -> tuple[float, ...]:
    """Noise angles of a refinement, n_steps + 1 from ``atan(sigma_max)`` to 0.

    Even in their ``1 / rho``-th power. ``tan(theta)`` is the noise level sigma of Karras et al.
    """
    start = math.atan(sigma_max)
    shares = (1 - step / n_steps for step in range(n_steps + 1)) if n_steps else (0.0,)
    return tuple(start * share**rho for share in shares)

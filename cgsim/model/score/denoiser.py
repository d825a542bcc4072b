"""The score network at the current frame of a roll-out, or of windows that are learnt from."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from cgsim.data.augmentation import Windows
from cgsim.data.scales import Scales
from cgsim.model.dynamics import Prediction
from cgsim.model.integrators.steps import Steps
from cgsim.model.noise.gaussian import GaussianField
from cgsim.model.score.network import ScoreNetwork
from cgsim.model.score.sampler import Draw, Sampler, Velocity
from cgsim.model.score.whitening import Whitening
from cgsim.nn.graph.neighbours import BeadGraph


class _Noisy(NamedTuple):
    """A noisy step as the network sees it: where it ends, its edges, the residual encoded."""

    end: Tensor
    vector: Tensor
    residual: Tensor


@dataclass(frozen=True)
class Denoiser:
    r"""A score network that knows the current frame and the Gaussian that is predicted of it.

    With guidance w, refinements follow ``G_w = G_0 + w (G - G_0)``, where ``G_0`` is the velocity
    that the network gives unconditionally, without the current frame (classifier-free guidance, Ho
    & Salimans, arXiv 2207.12598). So steps are drawn from about ``p(x'|x)^w p_0(x')^(1 - w)``.
    Where p obeys detailed balance and ``p_0`` is its stationary distribution, so does that, and its
    stationary distribution is nearly the same; but it remembers more. A network that has not learnt
    all that the current frame says of the next forgets too fast. It may be guided at some noise
    angles alone (Kynkäänniemi et al., arXiv 2404.07724).

    Attributes
    ----------
    score
        The network.
    sampler
        How it is sampled.
    pos : [n, 3]
        The current frame, nm.
    prediction, graph, steps, whitening
        Of the current frame.
    scales
        Of the simulator.
    """

    score: ScoreNetwork
    sampler: Sampler
    pos: Tensor
    prediction: Prediction
    graph: BeadGraph
    steps: Steps
    whitening: Whitening
    scales: Scales

    @property
    def field(self) -> GaussianField:
        """The Gaussian that is refined."""
        return self.prediction.acceleration

    def velocity(
        self, residual: Tensor, angle: Tensor, conditional: Tensor | None = None
    ) -> Tensor:
        """``G(y, theta)`` [n, 3] at the noisy next positions, ``(u + y) step_scale`` ahead.

        Parameters
        ----------
        residual : [n, 3]
            ``y``.
        angle, conditional : [n]
            ``theta``, and 1 where the network sees the current frame, else 0; None is everywhere.
        """
        noisy = self._noisy(residual)
        answer = self.score(
            noisy.residual,
            angle,
            vector=noisy.vector,
            current=self.prediction,
            graph=self.graph,
            conditional=conditional,
        )
        return self._decoded(answer, noisy)

    @property
    def guided(self) -> Velocity:
        """``G_w(y, theta)`` [n, 3] of a residual [n, 3] at one angle."""
        if self.sampler.config.guidance == 1:
            return self._learnt
        current, graph = self._prediction_twice(), self.graph.twice()

        def velocity(residual: Tensor, angle: float) -> Tensor:
            if (strength := self.sampler.guidance_at(angle)) == 1:
                return self._learnt(residual, angle)
            noisy, angles = self._noisy(residual), _everywhere(angle, residual)
            # One call for both answers: few systems cost hardly more than half as many.
            both = self.score(
                noisy.residual.repeat(2, 1, 1),
                angles.repeat(2),
                vector=noisy.vector.repeat(2, 1),
                current=current,
                graph=graph,
                conditional=torch.cat([torch.ones_like(angles), torch.zeros_like(angles)]),
            )
            conditional, unconditional = both.chunk(2)
            guided = unconditional + strength * (conditional - unconditional)
            return self._decoded(guided, noisy)

        return velocity

    def _learnt(self, residual: Tensor, angle: float) -> Tensor:
        return self.velocity(residual, _everywhere(angle, residual))

    def _prediction_twice(self) -> Prediction:
        """What the network sees of the current frame, for `BeadGraph.twice`."""
        known = self.prediction
        return replace(
            known,
            latent=known.latent.repeat(2, 1),
            vector=known.vector.repeat(2, 1),
            embedding=known.embedding.repeat(2, 1),
        )

    def _noisy(self, residual: Tensor) -> _Noisy:
        displacement = self.prediction.displacement.detach() + residual
        end = self.steps.exp_map(self.pos + displacement * self.scales.step_scale)
        vector = self.graph.displacement(end) / self.scales.length_scale
        return _Noisy(end, vector, self.steps.transport(self.whitening.encode(residual), end))

    def _decoded(self, answer: Tensor, noisy: _Noisy) -> Tensor:
        return self.whitening.decode(self.steps.transport_back(answer, noisy.end))

    def refined(self, draw: Draw) -> Tensor:
        """A refined deviation [n, 3] from the predicted mean."""
        return self.sampler(self.guided, draw, field=self.field)

    def loss(self, windows: Windows) -> Tensor:
        """``|G(y_theta, theta) - dy/dtheta|^2_P / 3n`` at the angle of each window."""
        moved = windows.target_pos - self.pos
        residual = moved / self.scales.step_scale - self.prediction.displacement.detach()
        with torch.no_grad():
            noise = self.field.deviation_of(windows.noise)
        cos, sin = windows.angle.cos()[:, None], windows.angle.sin()[:, None]
        noisy, expected = cos * residual + sin * noise, cos * noise - sin * residual
        error = self.velocity(noisy, windows.angle, windows.conditional) - expected
        if windows.core is not None:
            error = error * windows.core[:, None]
        return self.field.detach().squared_norm(error).sum() / windows.n_degrees


def _everywhere(angle: float, residual: Tensor) -> Tensor:
    """One angle for every bead [n]."""
    return residual.new_full((len(residual),), angle)

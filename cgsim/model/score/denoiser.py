"""DENOISING: the score network at the present of a roll-out or of windows that are learnt from."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from cgsim.data.augmentation import Windows
from cgsim.data.scales import Statistics
from cgsim.model.dynamics import Prediction
from cgsim.model.integrators.bonds import Straight
from cgsim.model.noise.gaussian import GaussianField
from cgsim.model.score.network import Score
from cgsim.model.score.sampler import Draw, Velocity
from cgsim.model.score.whitening import Plain
from cgsim.nn.graph.neighbours import BeadGraph


class _Seen(NamedTuple):
    """A noisy step as the network sees it: where it ends, its edges, the residual in all forms."""

    ahead: Tensor
    vector: Tensor
    residual: Tensor


@dataclass(frozen=True)
class Denoiser:
    r"""A score network that knows the present and the Gaussian that is predicted of it.

    With guidance w, refinements follow ``G_w = G_0 + w (G - G_0)``, where ``G_0`` is the velocity
    that the network gives when it is not told of the present (classifier-free guidance, Ho &
    Salimans, arXiv 2207.12598). So steps are drawn from about ``p(x'|x)^w p_0(x')^(1 - w)``. Where
    p obeys detailed balance and ``p_0`` is its stationary distribution, so does that, and its
    stationary distribution is nearly the same; but it remembers more. A network that has not
    learnt all that the present says of the future forgets too fast. It may be guided at some noise
    angles alone (Kynkäänniemi et al., arXiv 2404.07724).

    Attributes
    ----------
    score
        The network.
    pos : [n, 3]
        The present, nm.
    prediction, graph, steps, forms
        Of the present.
    statistics
        Of the simulator.
    """

    score: Score
    pos: Tensor
    prediction: Prediction
    graph: BeadGraph
    steps: Straight
    forms: Plain
    statistics: Statistics

    @property
    def field(self) -> GaussianField:
        """The Gaussian that is refined."""
        return self.prediction.acceleration

    def velocity(self, residual: Tensor, angle: Tensor, told: Tensor | None = None) -> Tensor:
        """``G(y, theta)`` [n, 3] at the noisy next positions, ``(u + y) step_scale`` ahead.

        Parameters
        ----------
        residual : [n, 3]
            ``y``.
        angle, told : [n]
            ``theta``, and 1 where the network is told of the present, else 0; None is everywhere.
        """
        seen = self._seen(residual)
        said = self.score(
            seen.residual,
            angle,
            vector=seen.vector,
            present=self.prediction,
            graph=self.graph,
            told=told,
        )
        return self._meant(said, seen)

    @property
    def guided(self) -> Velocity:
        """``G_w(y, theta)`` [n, 3] of a residual [n, 3] at one angle."""
        guidance = self.score.guidance
        if guidance.strength == 1:
            return self._learnt
        present, graph = self._present_twice(), self.graph.twice()

        def velocity(residual: Tensor, angle: float) -> Tensor:
            if (strength := guidance.at(angle)) == 1:
                return self._learnt(residual, angle)
            seen, angles = self._seen(residual), _everywhere(angle, residual)
            both = self.score(  # asked once, the second half not told
                seen.residual.repeat(2, 1, 1),
                angles.repeat(2),
                vector=seen.vector.repeat(2, 1),
                present=present,
                graph=graph,
                told=torch.cat([torch.ones_like(angles), torch.zeros_like(angles)]),
            )
            told, untold = both.chunk(2)
            return self._meant(untold + strength * (told - untold), seen)

        return velocity

    def _learnt(self, residual: Tensor, angle: float) -> Tensor:
        return self.velocity(residual, _everywhere(angle, residual))

    def _present_twice(self) -> Prediction:
        """What the network is told of the present, for `BeadGraph.twice`."""
        said = self.prediction
        return replace(
            said,
            latent=said.latent.repeat(2, 1),
            vector=said.vector.repeat(2, 1),
            embedding=said.embedding.repeat(2, 1),
        )

    def _seen(self, residual: Tensor) -> _Seen:
        displacement = self.prediction.displacement.detach() + residual
        ahead = self.steps.bent(self.pos + displacement * self.statistics.step_scale)
        vector = self.graph.displacement(ahead) / self.statistics.length_scale
        return _Seen(ahead, vector, self.steps.carried(self.forms.shown(residual), ahead))

    def _meant(self, said: Tensor, seen: _Seen) -> Tensor:
        return self.forms.answered(self.steps.carried_back(said, seen.ahead))

    def refined(self, draw: Draw) -> Tensor:
        """A refined deviation [n, 3] from the predicted mean."""
        return self.score.refinement(self.guided, draw, field=self.field)

    def loss(self, windows: Windows) -> Tensor:
        """``|G(y_theta, theta) - dy/dtheta|^2_P / 3n`` at the angle of each window."""
        moved = windows.ahead - self.pos
        residual = moved / self.statistics.step_scale - self.prediction.displacement.detach()
        with torch.no_grad():
            noise = self.field.deviation_of(windows.noise)
        cos, sin = windows.angle.cos()[:, None], windows.angle.sin()[:, None]
        noisy, expected = cos * residual + sin * noise, cos * noise - sin * residual
        error = self.velocity(noisy, windows.angle, windows.told) - expected
        if windows.core is not None:
            error = error * windows.core[:, None]
        return self.field.detach().squared_norm(error).sum() / windows.n_degrees


def _everywhere(angle: float, residual: Tensor) -> Tensor:
    """One angle for every bead [n]."""
    return residual.new_full((len(residual),), angle)

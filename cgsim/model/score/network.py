r"""SCORE: the denoiser that turns a Gaussian sample into one with the right joint distribution.

The residual ``y_0 = x_{t+1} - x_t - u`` (in root-mean-square displacements) is mixed with noise
``eps ~ N(0, P^-1)`` from the Gaussian that the dynamics network predicts:

    ``y_theta = cos(theta) y_0 + sin(theta) eps``,
    ``dy/dtheta = cos(theta) eps - sin(theta) y_0``

The network learns ``G(y, theta) = E[dy/dtheta | y_theta]`` by denoising score matching; the score
is ``grad log p_theta(y) = -P (sin(theta) y + cos(theta) G) / sin(theta)``. Integrating ``dy/dtheta
= G`` from a Gaussian sample down to ``theta = 0`` refines it, see `cgsim.model.score.sampler`.
``tan(theta)`` is the usual noise level sigma in units of the predicted standard deviation, and this
parametrisation is the EDM preconditioning (Karras et al., arXiv 2206.00364) with the trigonometric
schedule of Lu & Song (arXiv 2410.11081). Where the Gaussian is already right, ``G = 0``: the
untrained network changes nothing.
"""

from dataclasses import replace

import torch
from e3nn import o3
from torch import Tensor, nn

from cgsim.config import GraphConfig, ScoreConfig
from cgsim.model.dynamics import Prediction
from cgsim.model.score.sampler import Guidance, Refinement
from cgsim.model.score.whitening import Plain
from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.edges import EdgeGeometry
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.linear import EquivariantLinear, by_order, channels_of
from cgsim.nn.mlp import mlp, zero_init
from cgsim.nn.product import hidden_irreps

STRETCH = 20.0  # per mean bond length: of a change of distance that a network tells from none


class Score(nn.Module):
    """The velocity ``G(y, theta)`` of the residual, given what is predicted of the present.

    Where it is not told of the present it knows the kinds of beads, not the latents of the dynamics
    network nor present distances.

    Shapes
    ------
    residual [n, 3, n_shown] (see `cgsim.model.score.whitening`), angle [n], vector
    [n_edges, 3] (of the noisy positions, in mean bond lengths), present, graph, told [n] or None
    (everywhere) -> [n, 3, n_answered]
    """

    def __init__(
        self,
        config: ScoreConfig,
        graph: GraphConfig,
        *,
        latent_irreps: o3.Irreps,
        n_embedding: int,
        forms: type[Plain] = Plain,
        chiral: bool = False,
    ) -> None:
        super().__init__()
        width, lmax = config.n_channels, latent_irreps.lmax
        self.refinement = Refinement.of(config)
        self.guidance = Guidance(config.guidance, config.guided_from, config.guided_to)
        self.irreps = hidden_irreps(width, lmax)
        self.n_latent = channels_of(latent_irreps)
        self.edges = EdgeGeometry(graph, lmax=lmax, n_scalars=self.n_latent[0])
        self.present = config.present
        self.along_edges = forms.along_edges
        n_edge = self.edges.n_edge
        n_edge += graph.n_radial + 3 if config.present else 0
        n_edge += forms.n_shown if forms.along_edges else 0
        shown = o3.Irreps([(forms.n_shown, "1o")])
        self.inputs = EquivariantLinear(latent_irreps + shown, self.irreps)
        self.kind = nn.Linear(n_embedding, width) if config.unconditional else None
        self.level = mlp(2, width, width)
        zero_init(self.level[-1])
        self.convolutions = nn.ModuleList(
            EquivariantConvolution(
                width, lmax=lmax, n_edge=n_edge, n_hidden=config.n_hidden, chiral=chiral
            )
            for _ in range(config.n_layers)
        )
        self.output = EquivariantLinear(self.irreps, o3.Irreps([(forms.n_answered, "1o")]))
        nn.init.zeros_(self.output.weight)

    def forward(
        self,
        residual: Tensor,
        angle: Tensor,
        *,
        vector: Tensor,
        present: Prediction,
        graph: BeadGraph,
        told: Tensor | None = None,
    ) -> Tensor:
        """Return the velocity of every bead's residual, in several forms."""
        latent = present.latent if told is None else present.latent * told[:, None]
        edges = self.edges(vector, graph, latent[:, : self.n_latent[0]])
        more = []
        if self.present:
            change = self._change(vector, present.vector)
            more.append(change if told is None else change * _both_ends(told, graph))
        if self.along_edges:
            direction = nn.functional.normalize(vector)[:, :, None]
            more.append((graph.difference(residual) * direction).sum(dim=1))
        if more:
            edges = replace(edges, attr=torch.cat([edges.attr, *more], dim=1))
        parts = self._inputs(latent, residual, angle)
        if self.kind is not None:
            parts[0] = parts[0] + self.kind(present.embedding)[:, None]
        for convolution in self.convolutions:
            parts = convolution(parts, edges)
        return self.output.order(1, parts[1])

    def _inputs(self, latent: Tensor, residual: Tensor, angle: Tensor) -> list[Tensor]:
        known = by_order(latent, self.n_latent)
        known[1] = torch.cat([known[1], residual], dim=2)
        parts = self.inputs(known)
        level = self.level(torch.stack([angle.cos(), angle.sin()], dim=1))
        parts[0] = parts[0] + level[:, None]
        return parts

    def _change(self, vector: Tensor, present: Tensor) -> Tensor:
        """The distance at present, and how it and the direction changed since."""
        distance, before = vector.norm(dim=1), present.norm(dim=1)
        turned = (nn.functional.normalize(vector) * nn.functional.normalize(present)).sum(dim=1)
        change = torch.stack([before, torch.asinh(STRETCH * (distance - before)), turned], dim=1)
        return torch.cat([change, self.edges.basis(before)], dim=1)


def _both_ends(value: Tensor, graph: BeadGraph) -> Tensor:
    """The product of a number per bead [n] over both ends of every edge [n_edges, 1]."""
    column = value[:, None]
    return (graph.source(column) * graph.destination(column)).reshape(-1, 1)

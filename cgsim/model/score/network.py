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

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch
from e3nn import o3
from torch import Tensor, nn

from cgsim.config import GraphConfig, ScoreConfig
from cgsim.model.dynamics import Prediction
from cgsim.model.score.whitening import NoWhitening, Whitening
from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.edges import EdgeGeometry
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.linear import EquivariantLinear, by_order, channels_of
from cgsim.nn.mlp import mlp, zero_init
from cgsim.nn.product import hidden_irreps


class ScoreNetwork(nn.Module, ABC):
    """What stands for SCORE in a simulator: the velocity ``G(y, theta)`` of the residual.

    One of your own inherits from this class and is named to `cgsim.model.networks.add_network`.

    Attributes
    ----------
    Config
        Of its settings: `cgsim.config.ScoreConfig`, or a dataclass that inherits from it.

    Parameters
    ----------
    latent_irreps
        Of the latents of the dynamics network.
    n_embedding
        Numbers of a bead's embedding.
    whitening
        How residuals are encoded, and answers decoded.
    chiral
        Whether beads have a handedness.
    """

    Config: ClassVar[type[ScoreConfig]] = ScoreConfig

    def __init__(
        self,
        config: ScoreConfig,
        graph: GraphConfig,
        *,
        latent_irreps: o3.Irreps,
        n_embedding: int,
        whitening: type[Whitening] = NoWhitening,
        chiral: bool = False,
    ) -> None:
        super().__init__()

    @abstractmethod
    def forward(
        self,
        residual: Tensor,
        angle: Tensor,
        *,
        vector: Tensor,
        current: Prediction,
        graph: BeadGraph,
        conditional: Tensor | None = None,
    ) -> Tensor:
        """Return the velocity of every bead's residual, encoded [n, 3, n_answers].

        Parameters
        ----------
        residual : [n, 3, n_encoded]
            See `cgsim.model.score.whitening`.
        angle : [n]
            ``theta``.
        vector : [n_edges, 3]
            Of the noisy positions, in mean bond lengths.
        current
            What is predicted of the current frame.
        conditional : [n] or None
            1 where the network may look at the current frame, else 0; None is everywhere.
        """


class Score(ScoreNetwork):
    """The velocity ``G(y, theta)`` of the residual, given what is predicted of the current frame.

    Unconditionally it knows the kinds of beads, not the latents of the dynamics network nor the
    distances in the current frame. Shapes and parameters as of `ScoreNetwork`.
    """

    def __init__(
        self,
        config: ScoreConfig,
        graph: GraphConfig,
        *,
        latent_irreps: o3.Irreps,
        n_embedding: int,
        whitening: type[Whitening] = NoWhitening,
        chiral: bool = False,
    ) -> None:
        super().__init__(
            config, graph, latent_irreps=latent_irreps, n_embedding=n_embedding, chiral=chiral
        )
        width, lmax = config.n_channels, latent_irreps.lmax
        self.irreps = hidden_irreps(width, lmax)
        self.n_latent = channels_of(latent_irreps)
        self.current_distances = config.current_distances
        self.edges = EdgeGeometry(
            graph, lmax=lmax, n_scalars=self.n_latent[0], knows_before=config.current_distances
        )
        self.along_edges = whitening.along_edges
        n_edge = self.edges.n_edge
        n_edge += whitening.n_encoded if whitening.along_edges else 0
        encoded = o3.Irreps([(whitening.n_encoded, "1o")])
        self.inputs = EquivariantLinear(latent_irreps + encoded, self.irreps)
        self.kind = nn.Linear(n_embedding, width) if config.unconditional else None
        self.level = mlp(2, width, width)
        zero_init(self.level[-1])
        self.convolutions = nn.ModuleList(
            EquivariantConvolution(width, lmax=lmax, n_edge=n_edge, chiral=chiral)
            for _ in range(config.n_layers)
        )
        self.output = EquivariantLinear(self.irreps, o3.Irreps([(whitening.n_answers, "1o")]))
        nn.init.zeros_(self.output.weight)

    def forward(
        self,
        residual: Tensor,
        angle: Tensor,
        *,
        vector: Tensor,
        current: Prediction,
        graph: BeadGraph,
        conditional: Tensor | None = None,
    ) -> Tensor:
        """See `ScoreNetwork`."""
        latent = current.latent if conditional is None else current.latent * conditional[:, None]
        edges = self.edges(
            vector,
            graph,
            latent[:, : self.n_latent[0]],
            before=current.vector if self.current_distances else None,
            seen=conditional,
        )
        if self.along_edges:
            direction = nn.functional.normalize(vector)[:, :, None]
            along = (graph.difference(residual) * direction).sum(dim=1)
            edges = replace(edges, attr=torch.cat([edges.attr, along], dim=1))
        parts = self._inputs(latent, residual, angle)
        if self.kind is not None:
            parts[0] = parts[0] + self.kind(current.embedding)[:, None]
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

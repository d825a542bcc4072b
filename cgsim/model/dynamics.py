"""DYNAMICS: from k frames to a distribution over the accelerations of all beads."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from e3nn import o3
from torch import Tensor, nn

from cgsim.config import DynamicsConfig, GraphConfig
from cgsim.model.noise import GaussianField, noise_class
from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.edges import EdgeGeometry
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.linear import EquivariantLinear, channels_of, joined
from cgsim.nn.mlp import mlp
from cgsim.nn.product import hidden_irreps

LARGEST_STEP = 6.0  # root-mean-square displacements that the network tells apart in the history
LARGEST_DISPLACEMENT = 6.0  # and that its mean can reach: no single step can tear a molecule apart


def bounded(vector: Tensor, bound: float) -> Tensor:
    """``v / sqrt(1 + |v|^2 / b^2)``: the same direction, never longer than ``b`` [..., 3]."""
    return vector / (1 + vector.square().sum(dim=-1, keepdim=True) / bound**2).sqrt()


@dataclass(frozen=True)
class Beads:
    """What the dynamics network knows of every bead, in reduced units.

    Attributes
    ----------
    embedding : [n, n_embedding]
        Invariant embedding.
    steps : [n, k - 1, 3]
        Past displacements, in root-mean-square displacements.
    mass : [n]
        In mean bead masses.
    noise_level : [n]
        Noise on the history, in root-mean-square displacements; zero in a roll-out.
    """

    embedding: Tensor
    steps: Tensor
    mass: Tensor
    noise_level: Tensor


@dataclass(frozen=True)
class Prediction:
    """What the dynamics network says of the next step.

    Attributes
    ----------
    acceleration : GaussianField
        Distribution of the reduced accelerations [n, 3].
    displacement : [n, 3]
        Mean displacement, in root-mean-square displacements.
    latent : [n, irreps.dim]
        Equivariant node latents, for the score network.
    vector : [n_edges, 3]
        Edge vectors in the current frame, in mean bond lengths.
    embedding : [n, n_embedding]
        Of every bead.
    """

    acceleration: GaussianField
    displacement: Tensor
    latent: Tensor
    vector: Tensor
    embedding: Tensor


def around_prior(displacement: Tensor, steps: Tensor) -> Tensor:
    """Reduced acceleration ``u - v_t Delta`` [n, 3] of a mean displacement, see `Dynamics`."""
    return displacement - steps[:, -1] if steps.shape[1] else displacement


class DynamicsNetwork(nn.Module, ABC):
    """What stands for DYNAMICS in a simulator: a network from k frames to a `Prediction`.

    One of your own inherits from this class and is named to `cgsim.model.networks.add_network`.

    Attributes
    ----------
    Config
        Of its settings: `cgsim.config.DynamicsConfig`, or a dataclass that inherits from it.
    equivariant
        Whether its predictions turn with the molecule; for one whose do not, training windows are
        turned at random.
    irreps
        Of its latents, which a score network needs; None for one that has none.
    """

    Config: ClassVar[type[DynamicsConfig]] = DynamicsConfig
    equivariant: ClassVar[bool] = True
    irreps: o3.Irreps | None = None

    def __init__(
        self,
        config: DynamicsConfig,
        graph: GraphConfig,
        *,
        history: int,
        n_embedding: int,
        chiral: bool = False,
    ) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, beads: Beads, vector: Tensor, *, graph: BeadGraph) -> Prediction:
        """Predict the next step of every bead from edge vectors [n_edges, 3], in mean bonds."""


class Dynamics(DynamicsNetwork):
    r"""Equivariant message passing on the bead graph.

    Predicts around the overdamped prior ``a = -v_t / Delta + u / Delta^2``: the network gives the
    mean displacement ``u`` and the precision of its deviation. Untrained, ``u = 0`` and the
    precision is that of the data.

    Shapes
    ------
    beads (of n beads), vector [n_edges, 3] (in mean bond lengths), graph -> `Prediction`

    Raises
    ------
    ValueError
        If ``lmax`` is below 1, or there is no such noise.
    """

    irreps: o3.Irreps

    def __init__(
        self,
        config: DynamicsConfig,
        graph: GraphConfig,
        *,
        history: int,
        n_embedding: int,
        chiral: bool = False,
    ) -> None:
        super().__init__(config, graph, history=history, n_embedding=n_embedding, chiral=chiral)
        if config.lmax < 1:
            raise ValueError(f"lmax must be at least 1, got {config.lmax}: forces are vectors")
        width = config.n_channels
        self.irreps = hidden_irreps(width, config.lmax)
        self.n_channels = channels_of(self.irreps)
        self.edges = EdgeGeometry(graph, lmax=config.lmax, n_scalars=n_embedding)
        n_products = history * (history - 1) // 2
        self.scalars = mlp(n_embedding + n_products + 2, width, width)
        self.vectors = (
            EquivariantLinear(o3.Irreps([(history - 1, "1o")]), self.irreps)
            if history > 1
            else None
        )
        self.convolutions = nn.ModuleList(
            EquivariantConvolution(width, lmax=config.lmax, n_edge=self.edges.n_edge, chiral=chiral)
            for _ in range(config.n_layers)
        )
        self.displacement = EquivariantLinear(self.irreps, o3.Irreps("1o"))
        nn.init.zeros_(self.displacement.weight)
        self.noise = noise_class(config.noise)(width, n_edge=self.edges.n_edge)

    def forward(self, beads: Beads, vector: Tensor, *, graph: BeadGraph) -> Prediction:
        """Predict the next step of every bead."""
        edges = self.edges(vector, graph, beads.embedding)
        parts = self.inputs(beads)
        for convolution in self.convolutions:
            parts = convolution(parts, edges)
        latent, scalars = joined(parts), parts[0][:, 0]
        displacement = bounded(self.displacement.order(1, parts[1])[:, :, 0], LARGEST_DISPLACEMENT)
        mean = around_prior(displacement, beads.steps)
        field = self.noise(mean, scalars, vector, edges=edges, graph=graph)
        return Prediction(field, displacement, latent, vector, beads.embedding)

    def inputs(self, beads: Beads) -> list[Tensor]:
        """Embedding, mass, noise level, inner products as scalars; past steps as vectors."""
        steps = bounded(beads.steps, LARGEST_STEP)
        products = torch.einsum("nax,nbx->nab", steps, steps)
        n_steps = products.shape[1]
        upper = torch.triu_indices(n_steps, n_steps, device=products.device)
        invariants = torch.asinh(products[:, upper[0], upper[1]])
        known = [beads.embedding, invariants, beads.mass.log()[:, None], beads.noise_level[:, None]]
        scalars = self.scalars(torch.cat(known, dim=1))[:, None]
        parts = [scalars]
        for order, n_channels in enumerate(self.n_channels[1:], start=1):
            parts.append(scalars.new_zeros(len(scalars), 2 * order + 1, n_channels))
        if self.vectors is not None:
            parts[1] = self.vectors.order(1, steps.transpose(1, 2))
        return parts

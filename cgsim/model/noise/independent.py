"""One variance per bead."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cgsim.model.noise.gaussian import LOG_2PI, GaussianField, Noise, total_per_graph
from cgsim.model.noise.heads import BeadPrecision
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.random import randn_like


@dataclass(frozen=True)
class IndependentGaussian(GaussianField):
    """One variance per bead, ``P = diag(d_i)`` (Fu et al. 2022; a scalar one, for equivariance)."""

    def squared_norm(self, vector: Tensor) -> Tensor:
        """``sum_i d_i |v_i|^2`` of each system [n_graphs]."""
        return total_per_graph(
            self.diagonal * vector.square().sum(dim=1), self.batch, self.n_graphs
        )

    def log_det(self) -> Tensor:
        """``3 sum_i log d_i`` of each system [n_graphs]."""
        return 3 * total_per_graph(self.diagonal.log(), self.batch, self.n_graphs)

    def precision(self) -> Tensor:
        """See `GaussianField`, [n_graphs, width, width]."""
        return torch.diag_embed(self.layout.padded(self.diagonal.double(), fill=1.0))

    def core_log_prob(self, value: Tensor, core: Tensor) -> Tensor:
        """See `GaussianField`; what the others do is of no account."""
        squared = self.diagonal * (value - self.mean).square().sum(dim=1)
        log_prob = -0.5 * (squared - 3 * self.diagonal.log() + 3 * LOG_2PI)
        return total_per_graph(log_prob * core.to(log_prob), self.batch, self.n_graphs)

    def deviation(self, generator: torch.Generator | None = None) -> Tensor:
        """``z_i / sqrt(d_i)`` [n, 3]."""
        return self.deviation_of(randn_like(self.mean, generator))

    def deviation_of(self, noise: Tensor) -> Tensor:
        """``z_i / sqrt(d_i)`` [n, 3]."""
        return noise * self.diagonal.rsqrt()[:, None]


class IndependentNoise(Noise):
    """One precision per bead, each from the bead's own scalars (`BeadPrecision`)."""

    def __init__(self, n_channels: int, *, n_edge: int) -> None:
        super().__init__(n_channels, n_edge=n_edge)
        self.bead = BeadPrecision(n_channels)

    def forward(
        self,
        mean: Tensor,
        scalars: Tensor,
        vector: Tensor,
        *,
        edges: EdgeFeatures,
        graph: BeadGraph,
    ) -> IndependentGaussian:
        """See `Noise`; edges are not looked at."""
        diagonal = self.bead(scalars)
        return IndependentGaussian(
            mean, diagonal, graph.batch, graph.n_graphs, known_layout=graph.layout
        )

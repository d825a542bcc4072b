"""Gaussian Markov random fields on the bead graph: beads that move together."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cgsim.model.noise.gaussian import (
    DENSE_SOLVE_LIMIT,
    LOG_2PI,
    GaussianField,
    Noise,
    total_per_graph,
)
from cgsim.model.noise.heads import BeadPrecision, PairPrecision
from cgsim.model.noise.solve import conjugate_gradients
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.random import randn_like


@dataclass(frozen=True)
class PairField(GaussianField):
    """A Gaussian whose precision is ``diag(d_i)`` and a pull between the beads of every pair.

    Attributes
    ----------
    weight : [n_pairs]
        ``w_ij > 0``.
    pairs : [2, n_pairs]
        Each pair of beads once.
    """

    weight: Tensor
    pairs: Tensor

    @abstractmethod
    def pull(self, stretch: Tensor) -> Tensor:
        """The pull [n_pairs, 3] of pairs whose ends deviate by ``v_i - v_j`` [n_pairs, 3]."""

    @abstractmethod
    def random_pull(self, generator: torch.Generator | None) -> Tensor:
        """Normal numbers [n_pairs, 3] with the matrix of `pull` as their covariance."""

    @abstractmethod
    def strength(self) -> Tensor:
        """Mean of the pull over directions [n_pairs]: what a pair adds to the diagonal of P."""

    def log_det(self) -> Tensor:
        """``log det P`` of each system [n_graphs], by dense Cholesky factorisation."""
        if torch.compiler.is_compiling():
            return self._log_det_of(self._cholesky)
        log_det: Tensor = _LogDet.apply(self.precision(), self._factor)
        return self.n_alike * log_det.to(self.diagonal)

    def deviation(self, generator: torch.Generator | None = None) -> Tensor:
        """A random deviation [n, 3]: triangular solve for small systems, else perturb-and-solve."""
        if self.layout.width <= DENSE_SOLVE_LIMIT:
            return self.deviation_of(randn_like(self.mean, generator))
        return self._perturb_and_solve(generator)

    def deviation_of(self, noise: Tensor) -> Tensor:
        """``L^-T z`` [n, 3], of the covariance ``(L L^T)^-1``."""
        solved = torch.linalg.solve_triangular(self._cholesky.mT, self.rows(noise), upper=True)
        return self.beads(solved).to(noise)

    def core_log_prob(self, value: Tensor, core: Tensor) -> Tensor:
        """See `GaussianField`; by dense Cholesky factorisation."""
        inside = core[:, None].to(self.mean)
        deviation = value - self.mean
        pull = inside * self._times((1 - inside) * deviation)
        is_core = self.rows(inside.repeat(1, 3))[:, :, 0]
        block = is_core[:, :, None] * self.precision() * is_core[:, None, :]
        factor = torch.linalg.cholesky_ex(block + torch.diag_embed(1 - is_core)).L
        answer = self.beads(torch.cholesky_solve(self.rows(pull), factor)).to(deviation)
        squared = self.squared_norm(inside * deviation + answer)
        n_degrees = 3 * total_per_graph(inside[:, 0], self.batch, self.n_graphs)
        return -0.5 * (squared - self._log_det_of(factor) + LOG_2PI * n_degrees)

    @property
    def _cholesky(self) -> Tensor:
        """Unchecked: the networks' bounds leave no precision that is not positive definite."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return torch.linalg.cholesky_ex(self.precision()).L
        return self._factor

    @cached_property
    def _factor(self) -> Tensor:
        """The Cholesky factor, without a gradient."""
        with torch.no_grad():
            return torch.linalg.cholesky_ex(self.precision()).L

    def _log_det_of(self, factor: Tensor) -> Tensor:
        """``log det`` of the matrix that has this Cholesky factor, for all columns [n_graphs]."""
        return self.n_alike * _log_det_of(factor).to(self.diagonal)

    def squared_norm(self, vector: Tensor) -> Tensor:
        """``sum_i d_i |v_i|^2 + sum_{i<j} (v_i - v_j) . pull_ij``, of each system [n_graphs]."""
        first, second = self.pairs
        alone = total_per_graph(
            self.diagonal * vector.square().sum(dim=1), self.batch, self.n_graphs
        )
        stretch = vector[first] - vector[second]
        energy = (stretch * self.pull(stretch)).sum(dim=1)
        return alone + total_per_graph(energy, self.batch[first], self.n_graphs)

    def _perturb_and_solve(
        self, generator: torch.Generator | None, tolerance: float = 1e-5
    ) -> Tensor:
        """Solve ``P v = D^(1/2) z + sum of random pulls``: exact covariance without a matrix."""
        first, second = self.pairs
        pulls = self.random_pull(generator)
        alone = self.diagonal.sqrt()[:, None] * randn_like(self.mean, generator)
        right = alone.index_add(0, first, pulls).index_add(0, second, -pulls)
        return conjugate_gradients(self._times, right, self._matrix_diagonal, tolerance=tolerance)

    def _times(self, vector: Tensor) -> Tensor:
        """``P v`` without the matrix."""
        first, second = self.pairs
        pull = self.pull(vector[first] - vector[second])
        return (
            (self.diagonal[:, None] * vector).index_add(0, first, pull).index_add(0, second, -pull)
        )

    @property
    def _matrix_diagonal(self) -> Tensor:
        first, second = self.pairs
        strength = self.strength()
        return self.diagonal.index_add(0, first, strength).index_add(0, second, strength)


def _log_det_of(factor: Tensor) -> Tensor:
    return 2 * factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)


class _LogDet(torch.autograd.Function):
    """``log det P`` of matrices with their Cholesky factors; its slope is ``P^-1``.

    That is a quarter of the work of the slope of the factorisation.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return _log_det_of(factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (factor,) = ctx.saved_tensors
        return slope[:, None, None] * torch.cholesky_inverse(factor), None


@dataclass(frozen=True)
class CorrelatedGaussian(PairField):
    r"""A Gaussian Markov random field on the bead graph: bonded beads can move together.

    ``P = diag(d_i) + sum_{i<j} w_ij (delta_i - delta_j)(delta_i - delta_j)^T``, the same for x, y
    and z. With ``d, w > 0`` it is symmetric positive definite, and rotation-equivariant because it
    mixes beads, not components (Rue & Held, Gaussian Markov Random Fields, 2005).
    """

    def pull(self, stretch: Tensor) -> Tensor:
        """``w_ij (v_i - v_j)`` [n_pairs, 3]."""
        return self.weight[:, None] * stretch

    def random_pull(self, generator: torch.Generator | None) -> Tensor:
        """``w_ij^(1/2) z_ij`` [n_pairs, 3]."""
        normal = randn_like(self.weight[:, None].expand(-1, 3), generator)
        return self.weight.sqrt()[:, None] * normal

    def strength(self) -> Tensor:
        """``w_ij`` [n_pairs]."""
        return self.weight

    def precision(self) -> Tensor:
        """See `GaussianField`, [n_graphs, width, width]."""
        width, (first, second) = self.layout.width, self.pairs
        weight = self.weight.double()
        size = self.n_graphs * width
        row, column = self.layout.slot[first], self.layout.slot[second]
        place = torch.cat([row * width + column % width, column * width + row % width])
        pull = weight.new_zeros(size * width).index_add(0, place, torch.cat([weight, weight]))
        pull = pull.view(self.n_graphs, width, width)
        own = self.layout.padded(self.diagonal.double(), fill=1.0) + pull.sum(dim=2)
        return torch.diag_embed(own) - pull


class CorrelatedNoise(Noise):
    """A precision per bead and a coupling per pair of beads (`BeadPrecision`, `PairPrecision`)."""

    def __init__(self, n_channels: int, *, n_edge: int) -> None:
        super().__init__(n_channels, n_edge=n_edge)
        self.bead = BeadPrecision(n_channels)
        self.pair = PairPrecision(n_channels, n_edge=n_edge, n_values=1)

    def forward(
        self,
        mean: Tensor,
        scalars: Tensor,
        vector: Tensor,
        *,
        edges: EdgeFeatures,
        graph: BeadGraph,
    ) -> CorrelatedGaussian:
        """See `Noise`."""
        diagonal = self.bead(scalars)
        _, values = self.pair(scalars, edges, graph)
        return CorrelatedGaussian(
            mean,
            diagonal,
            graph.batch,
            graph.n_graphs,
            values[:, 0],
            graph.pairs,
            known_layout=graph.layout,
        )

r"""The distributions over accelerations: the same in any frame of reference, fast to sample.

They work in reduced units (see `cgsim.statistics`): the value is an [n, 3] array. Here x, y and z
are independent and alike; `cgsim.elastic` tells the direction along a bond from those across.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor

from cgsim.nn.layout import Layout

LOG_2PI = math.log(2 * math.pi)
SMALLEST_EXCESS = 0.5  # of its mean, below which it is not too large whatever the size
DENSE_SOLVE_LIMIT = (
    300  # beads of one system up to which a dense factorisation is used for sampling
)


def total_per_graph(value: Tensor, batch: Tensor, n_graphs: int) -> Tensor:
    """Sum over the beads of each system: [n] -> [n_graphs]."""
    return value.new_zeros(n_graphs).index_add(0, batch, value)


def randn_like(value: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers of the shape, type and device of ``value``."""
    return torch.randn(value.shape, dtype=value.dtype, device=value.device, generator=generator)


@dataclass(frozen=True)
class GaussianField(ABC):
    r"""A Gaussian over one 3-vector per bead, of a batch of systems.

    ``log p(a) = -1/2 (a - mu)^T P (a - mu) + 1/2 log det P - 3 n/2 log 2 pi``, with the [3 n, 3 n]
    precision P.

    Attributes
    ----------
    mean : [n, 3]
        ``mu``.
    diagonal : [n]
        ``d_i > 0``, the part of the precision that is each bead's own.
    batch : [n]
        System of each bead, sorted.
    n_graphs
        Number of systems.
    known_layout
        `layout`, where it is at hand already.
    n_alike
        Columns of a vector per bead that share one matrix: 3 where x, y and z are alike, else 1.
    """

    n_alike: ClassVar[int] = 3

    mean: Tensor
    diagonal: Tensor
    batch: Tensor
    n_graphs: int
    known_layout: Layout | None = field(default=None, kw_only=True)

    @abstractmethod
    def squared_norm(self, vector: Tensor) -> Tensor:
        """``v^T P v`` of each system [n_graphs], for a vector per bead [n, 3]."""

    @abstractmethod
    def log_det(self) -> Tensor:
        """``log det P`` of each system [n_graphs]."""

    @abstractmethod
    def core_log_prob(self, value: Tensor, core: Tensor) -> Tensor:
        """Log density of some beads given the values of all others [n_graphs], nats.

        ``p(a_c | a_s)`` is a Gaussian of the precision ``P_cc`` about
        ``mu_c - P_cc^-1 P_cs (a_s - mu_s)``. Only neighbours of the core have a part in it, so that
        it is the same in a cut-out as in the whole; the sum over cores is a composite likelihood
        (Besag, J. R. Stat. Soc. B 36, 192 (1974); Varin, Reid & Firth, Stat. Sinica 21, 5 (2011)).

        Parameters
        ----------
        value : [n, 3]
        core : [n]
            Whether a bead is one of them.
        """

    @abstractmethod
    def deviation(self, generator: torch.Generator | None = None) -> Tensor:
        """A random deviation from the mean [n, 3], with covariance ``P^-1``."""

    @abstractmethod
    def deviation_of(self, noise: Tensor) -> Tensor:
        """The deviation that standard normal numbers [n, 3] stand for, by dense factorisation.

        Of small systems `deviation` makes it of ``randn_like(mean)``.
        """

    @abstractmethod
    def precision(self) -> Tensor:
        """The precision of each system [n_graphs, n_rows, n_rows]; padding is the identity.

        In double precision: stiff bonds between beads that hardly move alone need it.
        """

    def __post_init__(self) -> None:
        if self.known_layout is None or self.known_layout.batch is not self.batch:
            layout = Layout.of(self.batch, self.n_graphs)
            object.__setattr__(self, "known_layout", layout)

    @property
    def layout(self) -> Layout:
        """Where the beads are in an array padded to the largest system."""
        return cast(Layout, self.known_layout)

    @property
    def counts(self) -> Tensor:
        """Beads of each system [n_graphs]."""
        return self.layout.counts

    def rows(self, vector: Tensor) -> Tensor:
        """A vector per bead [n, 3] as rows of the matrix [n_graphs, n_rows, n_alike], float64."""
        return self.layout.padded(vector).double().reshape(self.n_graphs, -1, self.n_alike)

    def beads(self, rows: Tensor) -> Tensor:
        """The inverse of `rows`."""
        return self.layout.unpadded(rows.reshape(self.n_graphs, -1, 3))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density of a value [n, 3] for each system [n_graphs], nats."""
        constant = 3 * LOG_2PI * self.counts.to(self.diagonal)
        return -0.5 * (self.squared_norm(value - self.mean) - self.log_det() + constant)

    def entropy(self) -> Tensor:
        """Entropy of each system [n_graphs], nats."""
        return 0.5 * (3 * (1 + LOG_2PI) * self.counts.to(self.diagonal) - self.log_det())

    def detach(self) -> Self:
        """The same distribution without gradients."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        detached: dict[str, Any] = {
            name: value.detach()
            for name, value in values.items()
            if isinstance(value, Tensor) and value.is_floating_point()
        }
        return replace(self, **detached)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One sample [n, 3]."""
        return self.mean + self.deviation(generator)


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
        return self._log_det_of(self._cholesky)

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
        return torch.linalg.cholesky_ex(self.precision()).L

    def _log_det_of(self, factor: Tensor) -> Tensor:
        """``log det`` of the matrix that has this Cholesky factor, for all columns [n_graphs]."""
        diagonal = factor.diagonal(dim1=1, dim2=2)
        return 2 * self.n_alike * diagonal.log().sum(dim=1).to(self.diagonal)

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


def is_plausible(field: GaussianField, deviation: Tensor, farthest: float) -> Tensor:
    """Whether a deviation from the mean [n, 3] may come from such a Gaussian [n_graphs].

    ``d^T P d`` of 3 n degrees of freedom has the mean 3 n and the variance 6 n; farther out than
    ``farthest`` standard deviations, or not a number, is implausible. Half the mean is not
    far, however: of 10^5 beads six standard deviations are 1.5 % of it, and what a refinement is
    for is to differ from the Gaussian.
    """
    n_degrees = 3 * field.counts.to(deviation)
    excess = farthest * (2 * n_degrees).sqrt()
    return field.squared_norm(deviation) <= n_degrees + excess.clamp(
        min=SMALLEST_EXCESS * n_degrees
    )


def conjugate_gradients(
    matrix: Callable[[Tensor], Tensor],
    right: Tensor,
    diagonal: Tensor,
    *,
    tolerance: float = 1e-5,
    n_iterations: int = 500,
) -> Tensor:
    """Solve ``P x = b`` for the three columns of ``b`` [n, 3], preconditioned by the diagonal.

    Parameters
    ----------
    matrix
        The product ``x -> P x``.
    tolerance
        Largest residual norm relative to the right-hand side.

    Raises
    ------
    ArithmeticError
        If it has not converged after ``n_iterations``.
    """
    solution, residual = torch.zeros_like(right), right
    search = preconditioned = residual / diagonal[:, None]
    strength = (residual * preconditioned).sum(dim=0)
    goal = tolerance * right.norm(dim=0)
    for _ in range(n_iterations):
        product = matrix(search)
        step = _ratio(strength, (search * product).sum(dim=0))
        solution, residual = solution + step * search, residual - step * product
        if bool((residual.norm(dim=0) <= goal).all()):
            return solution
        preconditioned = residual / diagonal[:, None]
        previous, strength = strength, (residual * preconditioned).sum(dim=0)
        search = preconditioned + _ratio(strength, previous) * search
    raise ArithmeticError(
        f"conjugate gradients did not reach {tolerance} in {n_iterations} iterations"
    )


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient of each column; zero for a column that is solved already."""
    return torch.where(denominator > 0, numerator / denominator, 0.0)

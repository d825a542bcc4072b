r"""What a noise model must answer: a distribution over accelerations, and the network of it.

Distributions are the same in any frame of reference and fast to sample. They work in reduced units
(see `cgsim.data.scales`): the value is an [n, 3] array. Here x, y and z are independent and alike;
`cgsim.model.noise.elastic` tells the direction along a bond from those across.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.graph.layout import Layout
from cgsim.nn.graph.neighbours import BeadGraph

LOG_2PI = math.log(2 * math.pi)
SMALLEST_EXCESS = 0.5  # of its mean, below which it is not too large whatever the size
DENSE_SOLVE_LIMIT = 300  # beads of one system up to which samples are drawn by dense factorisation


def total_per_graph(value: Tensor, batch: Tensor, n_graphs: int) -> Tensor:
    """Sum over the beads of each system: [n] -> [n_graphs]."""
    return value.new_zeros(n_graphs).index_add(0, batch, value)


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


class Noise(nn.Module, ABC):
    """A noise model: from what a dynamics network knows of the beads to a `GaussianField`.

    A new one is a class like this and a row of `cgsim.model.noise.NOISES`. Its parameters are its
    own; what it gives must turn with the molecule, and be positive definite whatever it is shown.

    Parameters
    ----------
    n_channels
        Scalars of every bead.
    n_edge
        Numbers that describe an edge.
    """

    def __init__(self, n_channels: int, *, n_edge: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(
        self,
        mean: Tensor,
        scalars: Tensor,
        vector: Tensor,
        *,
        edges: EdgeFeatures,
        graph: BeadGraph,
    ) -> GaussianField:
        """The distribution of the reduced accelerations.

        Parameters
        ----------
        mean : [n, 3]
            Of that distribution.
        scalars : [n, n_channels]
            Invariant features of every bead.
        vector : [n_edges, 3]
            Edge vectors, in mean bond lengths.
        edges
            Invariants and envelopes of the edges.
        graph
            Which beads they join.
        """


def is_plausible(field: GaussianField, deviation: Tensor, reject_beyond: float) -> Tensor:
    """Whether a deviation from the mean [n, 3] may come from such a Gaussian [n_graphs].

    ``d^T P d`` of 3 n degrees of freedom has the mean 3 n and the variance 6 n; farther out than
    ``reject_beyond`` standard deviations, or not a number, is implausible. Half the mean is not
    far, however: of 10^5 beads six standard deviations are 1.5 % of it, and what a refinement is
    for is to differ from the Gaussian.
    """
    n_degrees = 3 * field.counts.to(deviation)
    excess = reject_beyond * (2 * n_degrees).sqrt()
    return field.squared_norm(deviation) <= n_degrees + excess.clamp(
        min=SMALLEST_EXCESS * n_degrees
    )

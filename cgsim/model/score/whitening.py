r"""WHITENING: in what units the score network sees a residual, and in what it answers.

Where the predicted Gaussian, of precision P, is much stiffer along some directions than along
others, a network that sees Cartesian displacements has to tell both apart to their own scale.
`PrecisionWhitening` multiplies by powers of P: ``P^(1/2) y`` is white noise if y is a sample of the
Gaussian, ``P^(-1/2) F`` is an answer of one size in all directions, and ``P^-1 F`` is what a force
F does: it moves what is soft. The root is the symmetric one, so that all turn with the molecule.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from cgsim.model.noise.gaussian import GaussianField

SMALLEST = 1e-8  # eigenvalue of P that is taken, against round-off


class Whitening(ABC):
    """How residuals are encoded for a score network, and its answers decoded.

    Attributes
    ----------
    n_encoded, n_answers
        Vectors per bead that the network sees and gives.
    along_edges
        Whether it sees as well what of the difference of those vectors is along every edge.
    """

    n_encoded: ClassVar[int]
    n_answers: ClassVar[int]
    along_edges: ClassVar[bool]

    @classmethod
    @abstractmethod
    def of(cls, field: GaussianField) -> Self:
        """That of a predicted Gaussian."""

    @abstractmethod
    def encode(self, residual: Tensor) -> Tensor:
        """A residual [n, 3] as the network sees it [n, 3, n_encoded]."""

    @abstractmethod
    def decode(self, answer: Tensor) -> Tensor:
        """The displacement [n, 3] that an answer of the network [n, 3, n_answers] stands for."""


@dataclass(frozen=True)
class NoWhitening(Whitening):
    """Displacements as they are."""

    n_encoded = 1
    n_answers = 1
    along_edges = False

    @classmethod
    def of(cls, field: GaussianField) -> Self:
        """See `Whitening`."""
        return cls()

    def encode(self, residual: Tensor) -> Tensor:
        """See `Whitening`."""
        return residual[:, :, None]

    def decode(self, answer: Tensor) -> Tensor:
        """See `Whitening`."""
        return answer[:, :, 0]


@dataclass(frozen=True)
class PrecisionWhitening(Whitening):
    """A residual as it is and whitened; displacements, whitened ones and forces as answers.

    Attributes
    ----------
    field
        The predicted Gaussian.
    values : [n_graphs, n_rows]
        Eigenvalues of its precision.
    vectors : [n_graphs, n_rows, n_rows]
        Eigenvectors, its columns.
    """

    n_encoded = 2
    n_answers = 3
    along_edges = True

    field: GaussianField
    values: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, field: GaussianField) -> Self:
        """See `Whitening`; by dense diagonalisation, without gradients."""
        with torch.no_grad():
            values, vectors = torch.linalg.eigh(field.precision())
        return cls(field, values.clamp(min=SMALLEST), vectors)

    def encode(self, residual: Tensor) -> Tensor:
        """See `Whitening`."""
        return torch.stack([residual, self.power(residual, 0.5)], dim=2)

    def decode(self, answer: Tensor) -> Tensor:
        """See `Whitening`."""
        displacement, white, force = answer.unbind(2)
        return displacement + self.power(white, -0.5) + self.power(force, -1.0)

    def power(self, vector: Tensor, exponent: float) -> Tensor:
        """``P^exponent v`` [n, 3] of a vector per bead [n, 3]."""
        modes = self.vectors.mT @ self.field.rows(vector)
        rows = self.vectors @ (self.values[:, :, None] ** exponent * modes)
        return self.field.beads(rows).to(vector)

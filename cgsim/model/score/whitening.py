r"""FORMS: in what units the score network sees a residual, and in what it answers.

Where the predicted Gaussian, of precision P, is much stiffer along some directions than along
others, a network that sees Cartesian displacements has to tell both apart to their own scale.
`Whitened` multiplies by powers of P: ``P^(1/2) y`` is white noise if y is a sample of the Gaussian,
``P^(-1/2) F`` is an answer of one size in all directions, and ``P^-1 F`` is what a force F does: it
moves what is soft. The root is the symmetric one, so that all turn with the molecule.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from cgsim.model.noise.gaussian import GaussianField

SMALLEST = 1e-8  # eigenvalue of P that is taken, against round-off


@dataclass(frozen=True)
class Plain:
    """Displacements as they are.

    Attributes
    ----------
    n_shown, n_answered
        Vectors per bead that the network sees and gives.
    along_edges
        Whether it sees as well what of the difference of those vectors is along every edge.
    """

    n_shown: ClassVar[int] = 1
    n_answered: ClassVar[int] = 1
    along_edges: ClassVar[bool] = False

    @classmethod
    def of(cls, field: GaussianField) -> Self:
        """Those of a predicted Gaussian."""
        return cls()

    def shown(self, residual: Tensor) -> Tensor:
        """A residual [n, 3] as the network sees it [n, 3, n_shown]."""
        return residual[:, :, None]

    def answered(self, said: Tensor) -> Tensor:
        """The displacement [n, 3] that the network means by what it says [n, 3, n_answered]."""
        return said[:, :, 0]


@dataclass(frozen=True)
class Whitened(Plain):
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

    n_shown = 2
    n_answered = 3
    along_edges = True

    field: GaussianField
    values: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, field: GaussianField) -> Self:
        """See `Plain`; by dense diagonalisation, without gradients."""
        with torch.no_grad():
            values, vectors = torch.linalg.eigh(field.precision())
        return cls(field, values.clamp(min=SMALLEST), vectors)

    def shown(self, residual: Tensor) -> Tensor:
        """See `Plain`."""
        return torch.stack([residual, self.power(residual, 0.5)], dim=2)

    def answered(self, said: Tensor) -> Tensor:
        """See `Plain`."""
        displacement, white, force = said.unbind(2)
        return displacement + self.power(white, -0.5) + self.power(force, -1.0)

    def power(self, vector: Tensor, exponent: float) -> Tensor:
        """``P^exponent v`` [n, 3] of a vector per bead [n, 3]."""
        modes = self.vectors.mT @ self.field.rows(vector)
        rows = self.vectors @ (self.values[:, :, None] ** exponent * modes)
        return self.field.beads(rows).to(vector)


#: By the name of the steps in `cgsim.config.DynamicsConfig`.
FORMS: dict[str, type[Plain]] = {"straight": Plain, "turning": Whitened}

"""Distances expanded in smooth functions."""

import torch
from torch import Tensor, nn


def polynomial_envelope(distance: Tensor, cutoff: Tensor) -> Tensor:
    """Smooth step from 1 at zero to 0 at the cutoff; first and second derivative vanish there.

    ``1 - 10 u^3 + 15 u^4 - 6 u^5 = (1 - u)^3 (1 + 3 u + 6 u^2)`` with ``u = r / r_cut``: as a
    product, rounding never makes it negative.

    Parameters
    ----------
    distance : [n_edges]
        nm.
    """
    u = (distance / cutoff).clamp(max=1.0)
    return (1 - u) ** 3 * (1 + u * (3 + 6 * u))


class GaussianBasis(nn.Module):
    """``exp(-(r - c_i)^2 / 2 w^2)`` with centres ``c_i`` evenly spaced from zero to ``upper``.

    Shapes
    ------
    distance [n_edges] -> [n_edges, n_radial]
    """

    centres: Tensor

    def __init__(self, upper: float, *, n_radial: int) -> None:
        super().__init__()
        centres = torch.linspace(0.0, upper, n_radial)
        self.register_buffer("centres", centres, persistent=False)
        self.upper, self.width = upper, upper / n_radial

    def forward(self, distance: Tensor) -> Tensor:
        """Expand distances."""
        return torch.exp(-0.5 * ((distance[:, None] - self.centres) / self.width) ** 2)

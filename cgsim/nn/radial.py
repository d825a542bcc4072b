"""Distances expanded in smooth functions."""

import math

import torch
from torch import Tensor, nn

LONGEST_WAVE = 4.0  # mean bond lengths


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
        self.width = upper / n_radial

    def forward(self, distance: Tensor) -> Tensor:
        """Expand distances."""
        return torch.exp(-0.5 * ((distance[:, None] - self.centres) / self.width) ** 2)


class Octaves(nn.Module):
    r"""``sin(2 pi r / lambda_k), cos(2 pi r / lambda_k)`` with wavelengths ``4, 2, 1, 1/2, ...``.

    What a network is shown in small changes of a number it learns last (Tancik et al., arXiv
    2006.10739). Bonds of beads differ by a few hundredths of a mean bond length between the states
    of the atoms in them; the shorter waves make that as large as all else.

    Shapes
    ------
    distance [n_edges], in mean bond lengths -> [n_edges, 2 n_octaves]
    """

    wave_number: Tensor

    def __init__(self, n_octaves: int) -> None:
        super().__init__()
        wavelength = LONGEST_WAVE * 0.5 ** torch.arange(n_octaves)
        self.register_buffer("wave_number", 2 * math.pi / wavelength, persistent=False)

    def forward(self, distance: Tensor) -> Tensor:
        """Expand distances."""
        phase = distance[:, None] * self.wave_number
        return torch.cat([phase.sin(), phase.cos()], dim=1)

"""Radial functions against their definition."""

import torch

from cgsim.nn.radial import GaussianBasis, polynomial_envelope

CUTOFF = torch.tensor(1.7, dtype=torch.float64)


def derivatives(distance: float) -> list[float]:
    """The envelope and its first two derivatives."""
    r = torch.tensor([distance], dtype=torch.float64, requires_grad=True)
    value = polynomial_envelope(r, CUTOFF)
    (slope,) = torch.autograd.grad(value.sum(), r, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), r)
    return [value.item(), slope.item(), curvature.item()]


def test_envelope_is_a_smooth_step() -> None:
    torch.testing.assert_close(derivatives(0.0), [1.0, 0.0, 0.0])
    torch.testing.assert_close(derivatives(1.7 - 1e-9), [0.0, 0.0, 0.0], atol=1e-7, rtol=0)
    torch.testing.assert_close(derivatives(3.0), [0.0, 0.0, 0.0])
    u = 0.4
    expected = 1 - 10 * u**3 + 15 * u**4 - 6 * u**5
    torch.testing.assert_close(derivatives(0.4 * 1.7)[0], expected)


def test_envelope_falls() -> None:
    value = polynomial_envelope(torch.linspace(0, 1.7, 100, dtype=torch.float64), CUTOFF)
    assert (value.diff() < 0).all()
    assert ((value >= 0) & (value <= 1)).all()


def test_envelope_is_not_negative_by_rounding() -> None:
    """It multiplies variances, whose roots are taken."""
    value = polynomial_envelope(torch.linspace(1.69, 1.7, 10_000), CUTOFF.float())
    assert (value >= 0).all()


def test_gaussian_basis() -> None:
    basis = GaussianBasis(3.0, n_radial=4).double()
    distance = torch.tensor([0.2, 1.0, 7.0], dtype=torch.float64)
    found = basis(distance)
    for column, centre in enumerate([0.0, 1.0, 2.0, 3.0]):
        expected = torch.exp(-((distance - centre) ** 2) / (2 * 0.75**2))
        torch.testing.assert_close(found[:, column], expected)
    assert found.dtype == torch.float64

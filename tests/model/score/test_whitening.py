"""Powers of a precision: exact, equivariant, and what whitens is white."""

import pytest
import torch
from torch import Tensor

from cgsim.model.noise.correlated import CorrelatedGaussian
from cgsim.model.noise.elastic import ElasticGaussian
from cgsim.model.noise.gaussian import GaussianField
from cgsim.model.noise.independent import IndependentGaussian
from cgsim.model.score.whitening import NoWhitening, PrecisionWhitening
from cgsim.testing.checks import dense_precision, random_rotation

PAIRS = torch.tensor([[0, 1, 2, 4], [1, 2, 3, 5]])  # of a system of four beads and one of three


def field_of(kind: str, matrix: Tensor | None = None) -> GaussianField:
    batch = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    bead = (torch.zeros(7, 3).double(), torch.rand(7).double() + 0.5, batch, 2)
    if kind == "independent":
        return IndependentGaussian(*bead)
    weight, stiffness = torch.rand(4).double() + 0.1, 100 * torch.rand(4).double()
    if kind == "correlated":
        return CorrelatedGaussian(*bead, weight, PAIRS)
    direction = torch.nn.functional.normalize(torch.randn(4, 3).double(), dim=1)
    if matrix is not None:
        direction = direction @ matrix.T
    return ElasticGaussian(*bead, weight, PAIRS, stiffness, direction)


@pytest.mark.parametrize("kind", ["independent", "correlated", "elastic"])
def test_powers(kind: str) -> None:
    field = field_of(kind)
    whitening, vector = PrecisionWhitening.of(field), torch.randn(7, 3).double()
    expected = (dense_precision(field) @ vector.flatten()).view(7, 3)
    torch.testing.assert_close(whitening.power(vector, 1.0), expected)
    torch.testing.assert_close(whitening.power(whitening.power(vector, 0.5), 0.5), expected)
    torch.testing.assert_close(whitening.power(whitening.power(vector, 0.5), -0.5), vector)
    torch.testing.assert_close(
        whitening.power(whitening.power(vector, -0.5), -0.5), whitening.power(vector, -1.0)
    )


def test_a_sample_is_shown_as_white_noise() -> None:
    field = field_of("elastic")
    whitening, generator = PrecisionWhitening.of(field), torch.Generator().manual_seed(0)
    white = torch.stack(
        [whitening.encode(field.deviation(generator))[:, :, 1] for _ in range(3000)]
    )
    covariance = torch.cov(white.flatten(1).T)
    torch.testing.assert_close(covariance, torch.eye(21).double(), rtol=0, atol=0.12)


def test_answers_add_up() -> None:
    whitening, said = PrecisionWhitening.of(field_of("elastic")), torch.randn(7, 3, 3).double()
    expected = (
        said[:, :, 0] + whitening.power(said[:, :, 1], -0.5) + whitening.power(said[:, :, 2], -1.0)
    )
    torch.testing.assert_close(whitening.decode(said), expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_whitening_turns_with_the_molecule(sign: int) -> None:
    matrix, vector, said = sign * random_rotation(seed=3), torch.randn(7, 3).double(), None
    torch.manual_seed(1)
    here = PrecisionWhitening.of(field_of("elastic"))
    torch.manual_seed(1)
    there = PrecisionWhitening.of(field_of("elastic", matrix))
    shown = torch.einsum("ij,njk->nik", matrix, here.encode(vector))
    torch.testing.assert_close(there.encode(vector @ matrix.T), shown)
    said = torch.randn(7, 3, 3).double()
    turned = torch.einsum("ij,njk->nik", matrix, said)
    torch.testing.assert_close(there.decode(turned), here.decode(said) @ matrix.T)


def test_no_whitening_changes_nothing() -> None:
    whitening, vector = NoWhitening.of(field_of("elastic")), torch.randn(7, 3).double()
    torch.testing.assert_close(whitening.decode(whitening.encode(vector)), vector, rtol=0, atol=0)

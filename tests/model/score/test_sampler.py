"""The sampler: its angles, its draws, and the distribution that it ends in."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from cgsim.config import ScoreConfig
from cgsim.model.noise.gaussian import GaussianField
from cgsim.model.noise.independent import IndependentGaussian
from cgsim.model.score.sampler import Refinement, angles
from cgsim.testing.systems import TINY, random_chain, random_simulator

N_BEADS = 5_000
FIELD = IndependentGaussian(
    torch.zeros(N_BEADS, 3), torch.ones(N_BEADS), torch.arange(N_BEADS), N_BEADS
)


def refined(refinement: Refinement, spread: float) -> tuple[Tensor, int]:
    """Samples of ``N(0, spread^2)`` by the exact velocity, and how often noise was drawn."""
    generator, n_draws = torch.Generator().manual_seed(0), 0

    def draw(field: GaussianField) -> Tensor:
        nonlocal n_draws
        n_draws += 1
        return torch.randn(field.mean.shape, generator=generator)

    def velocity(residual: Tensor, angle: float) -> Tensor:
        sin, cos = math.sin(angle), math.cos(angle)
        return sin * cos * (1 - spread**2) / ((cos * spread) ** 2 + sin**2) * residual

    return refinement(velocity, draw, field=FIELD), n_draws


@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0])
def test_angles_are_even_in_a_power(spacing: float) -> None:
    found = angles(4, 1.5, spacing)
    start = math.atan(1.5)
    torch.testing.assert_close(found[0], start)
    assert found[-1] == 0.0
    shares = [(angle / start) ** (1 / spacing) for angle in found]
    torch.testing.assert_close([a - b for a, b in pairwise(shares)], [0.25] * 4)


@pytest.mark.parametrize("churn", [0.0, 0.4])
def test_of_a_configuration(churn: float) -> None:
    score = ScoreConfig(
        4, 1, n_evaluations=3, start_level=0.7, farthest=9.0, spacing=2.0, churn=churn
    )
    simulator = random_simulator([random_chain()], replace(TINY, score=score))
    assert simulator.score is not None
    assert simulator.score.refinement == Refinement(angles(2 if churn else 3, 0.7, 2.0), churn, 9.0)
    assert simulator.n_draws == (3 if churn else 1)
    assert simulator.with_evaluations(0).n_draws == 1


@pytest.mark.parametrize("churn", [0.0, 0.5, 1.5])
def test_draws_are_counted(churn: float) -> None:
    refinement = Refinement(angles(5, 3.0), churn)
    assert refined(refinement, 0.5)[1] == refinement.n_draws


@pytest.mark.parametrize("spread", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("churn", [0.0, 0.5, 1.5])
def test_exact_velocity_gives_the_right_distribution(churn: float, spread: float) -> None:
    samples, _ = refined(Refinement(angles(300, 50.0, 2.0), churn, farthest=1e9), spread)
    assert abs(samples.std().item() / spread - 1) < 0.03


def test_second_order_is_as_near_with_fewer_evaluations() -> None:
    """Halving the steps quarters the error of the spread; Euler's halves."""

    def ended(order: int, n_steps: int) -> Tensor:
        return refined(Refinement(angles(n_steps, 10.0), order=order, farthest=1e9), 0.5)[0]

    exact = ended(2, 2000)
    pairs = [(order, n_steps) for order in (1, 2) for n_steps in (40, 80)]
    errors = {pair: (ended(*pair) - exact).norm().item() for pair in pairs}
    assert 1.8 < errors[1, 40] / errors[1, 80] < 2.3
    assert 3.5 < errors[2, 40] / errors[2, 80] < 4.6
    assert errors[2, 40] < errors[1, 80] / 2


def test_churn_mends_a_wrong_start() -> None:
    """From a level too low, where the sample is too narrow by construction."""
    plain, _ = refined(Refinement(angles(300, 0.7), farthest=1e9), 2.0)
    churned, _ = refined(Refinement(angles(300, 0.7), churn=1.0, farthest=1e9), 2.0)
    start = math.atan(0.7)
    expected = 2 / math.hypot(2 * math.cos(start), math.sin(start))
    assert abs(plain.std().item() / expected - 1) < 0.02
    assert expected < 1.2
    assert abs(churned.std().item() / 2 - 1) < 0.03


def test_what_is_no_number_is_not_taken() -> None:
    """The system keeps the sample that it started from, whatever was put back after it."""
    starts = []

    def draw(field: GaussianField) -> Tensor:
        starts.append(torch.randn(field.mean.shape))
        return starts[-1]

    def velocity(residual: Tensor, angle: float) -> Tensor:
        return torch.full_like(residual, math.nan)

    found = Refinement(angles(3, 1.5), churn=0.5)(velocity, draw, field=FIELD)
    torch.testing.assert_close(found, starts[0], rtol=0, atol=0)

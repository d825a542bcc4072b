"""The sampler: its angles, its draws, and the distribution that it ends in."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from cgsim.config import SamplerConfig
from cgsim.model.noise.gaussian import GaussianField
from cgsim.model.noise.independent import IndependentGaussian
from cgsim.model.score.sampler import Sampler, noise_angles
from cgsim.testing.systems import TINY, random_chain, random_simulator

N_BEADS = 5_000
FIELD = IndependentGaussian(
    torch.zeros(N_BEADS, 3), torch.ones(N_BEADS), torch.arange(N_BEADS), N_BEADS
)


def refined(sampler: Sampler, spread: float) -> tuple[Tensor, int]:
    """Samples of ``N(0, spread^2)`` by the exact velocity, and how often noise was drawn."""
    generator, n_draws = torch.Generator().manual_seed(0), 0

    def draw(field: GaussianField) -> Tensor:
        nonlocal n_draws
        n_draws += 1
        return torch.randn(field.mean.shape, generator=generator)

    def velocity(residual: Tensor, angle: float) -> Tensor:
        sin, cos = math.sin(angle), math.cos(angle)
        return sin * cos * (1 - spread**2) / ((cos * spread) ** 2 + sin**2) * residual

    return sampler(velocity, draw, field=FIELD), n_draws


@pytest.mark.parametrize("rho", [0.5, 1.0, 2.0])
def test_angles_are_even_in_a_power(rho: float) -> None:
    found = noise_angles(4, 1.5, rho=rho)
    start = math.atan(1.5)
    torch.testing.assert_close(found[0], start)
    assert found[-1] == 0.0
    shares = [(angle / start) ** (1 / rho) for angle in found]
    torch.testing.assert_close([a - b for a, b in pairwise(shares)], [0.25] * 4)


@pytest.mark.parametrize("churn", [0.0, 0.4])
def test_of_a_configuration(churn: float) -> None:
    config = SamplerConfig(n_evaluations=3, sigma_max=0.7, rho=2.0, churn=churn)
    assert Sampler(config).angles == noise_angles(2 if churn else 3, 0.7, rho=2.0)
    simulator = random_simulator([random_chain()], replace(TINY, sampler=config))
    assert simulator.n_draws == (3 if churn else 1)
    simulator.sampler = replace(config, n_evaluations=0)
    assert simulator.n_draws == 1


def test_mistakes() -> None:
    for values, message in (
        ({"n_evaluations": -1}, "n_evaluations must not be negative, got -1"),
        ({"n_evaluations": 2, "churn": 0.5}, "n_evaluations must be odd with churn, got 2"),
        ({"churn": -0.1}, r"churn must not be negative, got -0\.1"),
        ({"rho": 0.0}, r"rho must be positive, got 0\.0"),
        ({"guided_from": 0.7, "guided_to": 0.7}, "guided_from must be below guided_to"),
    ):
        with pytest.raises(ValueError, match=message):
            SamplerConfig(**values)


@pytest.mark.parametrize("churn", [0.0, 0.5, 1.5])
def test_draws_are_counted(churn: float) -> None:
    sampler = Sampler(SamplerConfig(n_evaluations=9, sigma_max=3.0, churn=churn))
    assert refined(sampler, 0.5)[1] == sampler.n_draws


@pytest.mark.parametrize("spread", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("churn", [0.0, 0.5, 1.5])
def test_exact_velocity_gives_the_right_distribution(churn: float, spread: float) -> None:
    n_evaluations = 599 if churn else 300
    config = SamplerConfig(n_evaluations, 50.0, 2.0, churn, reject_beyond=1e9)
    samples, _ = refined(Sampler(config), spread)
    assert abs(samples.std().item() / spread - 1) < 0.03


def test_steps_without_churn_are_of_first_order() -> None:
    """Halving the steps halves the error of the spread (Euler)."""

    def ended(n_steps: int) -> Tensor:
        return refined(Sampler(SamplerConfig(n_steps, 10.0, reject_beyond=1e9)), 0.5)[0]

    exact = ended(4000)
    errors = [(ended(n_steps) - exact).norm().item() for n_steps in (40, 80)]
    assert 1.8 < errors[0] / errors[1] < 2.3


def test_churn_mends_a_wrong_start() -> None:
    """From a level too low, where the sample is too narrow by construction."""
    plain, _ = refined(Sampler(SamplerConfig(300, 0.7, reject_beyond=1e9)), 2.0)
    churned, _ = refined(Sampler(SamplerConfig(599, 0.7, churn=1.0, reject_beyond=1e9)), 2.0)
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

    sampler = Sampler(SamplerConfig(n_evaluations=5, churn=0.5))
    found = sampler(velocity, draw, field=FIELD)
    torch.testing.assert_close(found, starts[0], rtol=0, atol=0)

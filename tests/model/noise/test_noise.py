"""The Gaussian fields against the dense multivariate normal."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from cgsim.model.noise.correlated import CorrelatedGaussian
from cgsim.model.noise.elastic import ElasticGaussian
from cgsim.model.noise.gaussian import GaussianField, total_per_graph
from cgsim.model.noise.independent import IndependentGaussian
from cgsim.model.noise.solve import conjugate_gradients
from cgsim.nn.random import randn_like
from cgsim.testing.checks import dense_precision
from tests.model.noise.explicit import explicit_precision

COUNTS = [4, 1, 7]
N_BEADS = sum(COUNTS)
N_SAMPLES = 4000


def random_pairs(counts: list[int]) -> Tensor:
    """About two thirds of all pairs of every system, each once."""
    pairs, start = [], 0
    for count in counts:
        pairs.append(torch.combinations(torch.arange(start, start + count)))
        start += count
    joined = torch.cat(pairs).T
    return joined[:, torch.arange(joined.shape[1]) % 3 != 2]


def independent(counts: list[int]) -> IndependentGaussian:
    batch = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    n_beads = len(batch)
    diagonal = torch.rand(n_beads, dtype=torch.float64) + 0.3
    mean = torch.randn(n_beads, 3, dtype=torch.float64)
    return IndependentGaussian(mean, diagonal, batch, len(counts))


def correlated(counts: list[int]) -> CorrelatedGaussian:
    pairs = random_pairs(counts)
    alone = independent(counts)
    weight = 3 * torch.rand(pairs.shape[1], dtype=torch.float64)
    return CorrelatedGaussian(
        alone.mean, alone.diagonal, alone.batch, alone.n_graphs, weight, pairs
    )


def elastic(counts: list[int]) -> ElasticGaussian:
    alone = correlated(counts)
    n_pairs = len(alone.weight)
    direction = torch.nn.functional.normalize(torch.randn(n_pairs, 3, dtype=torch.float64), dim=1)
    stiffness = 5 * torch.rand(n_pairs, dtype=torch.float64)
    return ElasticGaussian(
        alone.mean,
        alone.diagonal,
        alone.batch,
        alone.n_graphs,
        alone.weight,
        alone.pairs,
        stiffness,
        direction,
    )


@pytest.fixture(params=[independent, correlated, elastic])
def field(request: pytest.FixtureRequest) -> GaussianField:
    found: GaussianField = request.param(COUNTS)
    return found


def dense_normals(field: GaussianField) -> list[MultivariateNormal]:
    """The same distribution of each system over its 3 n numbers, by PyTorch."""
    normals = []
    for graph in range(field.n_graphs):
        mine = field.batch == graph
        rows = mine.repeat_interleave(3)
        precision = explicit_precision(field)[rows][:, rows]
        normals.append(MultivariateNormal(field.mean[mine].flatten(), precision_matrix=precision))
    return normals


def times(field: GaussianField, vector: Tensor) -> Tensor:
    """The dense ``P v`` [n, 3]."""
    return (explicit_precision(field) @ vector.flatten()).view(-1, 3)


def test_log_prob_and_entropy(field: GaussianField) -> None:
    value = torch.randn(N_BEADS, 3, dtype=torch.float64)
    normals = dense_normals(field)
    parts = value.split(COUNTS)
    expected = [
        normal.log_prob(part.flatten()) for normal, part in zip(normals, parts, strict=True)
    ]
    exact = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)
    exact(field.log_prob(value), torch.stack(expected))
    entropies = torch.stack([normal.entropy() for normal in normals])
    exact(field.entropy(), entropies)


def test_squared_norm(field: GaussianField) -> None:
    vector = torch.randn(N_BEADS, 3, dtype=torch.float64)
    product = (vector * times(field, vector)).sum(dim=1)
    expected = [part.sum() for part in product.split(COUNTS)]
    torch.testing.assert_close(field.squared_norm(vector), torch.stack(expected))


@pytest.mark.parametrize("counts", [COUNTS, [6, 6]], ids=["padded", "full"])
@pytest.mark.parametrize("make", [independent, correlated, elastic])
def test_log_prob_of_a_core_is_that_of_the_conditional_normal(
    make: Callable[[list[int]], GaussianField], counts: list[int]
) -> None:
    field, n_beads = make(counts), sum(counts)
    value = torch.randn(n_beads, 3, dtype=torch.float64)
    core = torch.arange(n_beads) % 3 != 1
    inside = core.repeat_interleave(3)
    precision = explicit_precision(field)
    rest = (value - field.mean).flatten()[~inside]
    own, coupling = precision[inside][:, inside], precision[inside][:, ~inside]
    mean = field.mean.flatten()[inside] - torch.linalg.solve(own, coupling @ rest)
    expected = MultivariateNormal(mean, precision_matrix=own).log_prob(value.flatten()[inside])
    torch.testing.assert_close(field.core_log_prob(value, core).sum(), expected)
    whole = field.core_log_prob(value, torch.ones_like(core))
    torch.testing.assert_close(whole, field.log_prob(value))
    torch.testing.assert_close(
        field.core_log_prob(value, torch.zeros_like(core)), torch.zeros_like(whole)
    )


def test_log_prob_has_the_gradient_of_the_dense_normal() -> None:
    """The parameters are trained through the factorisation."""
    field = correlated(COUNTS)
    value = torch.randn(N_BEADS, 3, dtype=torch.float64)

    def log_prob(mean: Tensor, diagonal: Tensor, weight: Tensor) -> Tensor:
        return replace(field, mean=mean, diagonal=diagonal, weight=weight).log_prob(value).sum()

    inputs = tuple(
        tensor.clone().requires_grad_() for tensor in (field.mean, field.diagonal, field.weight)
    )
    assert torch.autograd.gradcheck(log_prob, inputs)


def repeated(field: GaussianField, n_copies: int) -> GaussianField:
    """Copies of all systems side by side: as many samples in one draw."""
    n_beads = len(field.mean)
    copy = torch.arange(n_copies)
    found = replace(
        field,
        mean=field.mean.repeat(n_copies, 1),
        diagonal=field.diagonal.repeat(n_copies),
        batch=(field.batch + field.n_graphs * copy[:, None]).flatten(),
        n_graphs=field.n_graphs * n_copies,
    )
    if not isinstance(found, CorrelatedGaussian | ElasticGaussian):
        return found
    pairs = (found.pairs[:, None] + n_beads * copy[None, :, None]).flatten(1)
    found = replace(found, pairs=pairs, weight=found.weight.repeat(n_copies))
    if not isinstance(found, ElasticGaussian):
        return found
    stiffness, direction = found.stiffness.repeat(n_copies), found.direction.repeat(n_copies, 1)
    return replace(found, stiffness=stiffness, direction=direction)


def assert_covariance(deviations: Tensor, precision: Tensor) -> None:
    """Samples [n_samples, n, 3] have mean 0 and covariance ``P^-1``, within 5 standard errors."""
    n_samples = len(deviations)
    flat = deviations.flatten(1)
    found = flat.T @ flat / n_samples
    expected = torch.linalg.inv(precision)
    variance = expected.diagonal()
    error = ((expected.square() + torch.outer(variance, variance)) / n_samples).sqrt()
    assert ((found - expected).abs() / error).max() < 5
    assert (flat.mean(dim=0).abs() / (variance / n_samples).sqrt()).max() < 5


def test_samples_have_the_covariance(field: GaussianField) -> None:
    deviations = repeated(field, N_SAMPLES).deviation(torch.Generator().manual_seed(1))
    assert_covariance(deviations.view(N_SAMPLES, N_BEADS, 3), explicit_precision(field))


def never(*arguments: object) -> None:
    raise AssertionError("a matrix was factorised")


@pytest.mark.parametrize("kind", [correlated, elastic])
def test_samples_without_a_matrix_have_the_covariance(
    kind: Callable[[list[int]], GaussianField], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of large systems, forced upon a small one; no factorisation is made."""
    field = kind(COUNTS)
    copies = repeated(field, N_SAMPLES)
    monkeypatch.setattr("cgsim.model.noise.correlated.DENSE_SOLVE_LIMIT", 4)
    with monkeypatch.context() as patch:
        patch.setattr(torch.linalg, "cholesky_ex", never)
        deviations = copies.deviation(torch.Generator().manual_seed(1))
    assert_covariance(deviations.view(N_SAMPLES, N_BEADS, 3), explicit_precision(field))


def test_samples_are_mean_plus_deviation(field: GaussianField) -> None:
    sample = field.sample(torch.Generator().manual_seed(5))
    deviation = field.deviation(torch.Generator().manual_seed(5))
    torch.testing.assert_close(sample, field.mean + deviation)


def test_deviations_are_those_of_given_noise(field: GaussianField) -> None:
    drawn = field.deviation(torch.Generator().manual_seed(5))
    noise = randn_like(field.mean, torch.Generator().manual_seed(5))
    torch.testing.assert_close(field.deviation_of(noise), drawn)


def test_samples_are_reproducible(field: GaussianField) -> None:
    first, again, other = (
        field.deviation(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_elastic_without_stiffness_is_correlated() -> None:
    field = elastic(COUNTS)
    soft = replace(field, stiffness=torch.zeros_like(field.stiffness))
    alike = CorrelatedGaussian(
        field.mean, field.diagonal, field.batch, field.n_graphs, field.weight, field.pairs
    )
    value = torch.randn(N_BEADS, 3, dtype=torch.float64)
    torch.testing.assert_close(soft.log_prob(value), alike.log_prob(value))


def test_elastic_pair_keeps_its_distance_and_turns_freely() -> None:
    """Two beads, stiff along x: their distance vector has variance 1/(1/2 + k) there, 2 across."""
    one, none = torch.ones(2, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    field = ElasticGaussian(
        torch.zeros(2, 3, dtype=torch.float64),
        one,
        torch.zeros(2, dtype=torch.long),
        1,
        none,
        torch.tensor([[0], [1]]),
        none + 1000.0,
        torch.tensor([[1.0, 0, 0]], dtype=torch.float64),
    )
    covariance = torch.linalg.inv(explicit_precision(field)).view(2, 3, 2, 3)
    apart = torch.tensor([1.0, -1.0], dtype=torch.float64)
    variance = torch.einsum("i,iajb,j->ab", apart, covariance, apart)
    expected = torch.tensor([1 / 1000.5, 2.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(variance, torch.diag(expected))


def test_detached_fields_carry_no_gradients() -> None:
    field = correlated(COUNTS)
    field = replace(field, weight=field.weight.requires_grad_())
    detached = field.detach()
    assert not detached.log_prob(field.mean).requires_grad
    torch.testing.assert_close(detached.log_prob(field.mean), field.log_prob(field.mean))


def test_weightless_pairs_are_no_pairs() -> None:
    field = correlated(COUNTS)
    free = replace(field, weight=torch.zeros_like(field.weight))
    alone = IndependentGaussian(field.mean, field.diagonal, field.batch, field.n_graphs)
    value = torch.randn(N_BEADS, 3, dtype=torch.float64)
    torch.testing.assert_close(free.log_prob(value), alone.log_prob(value))


def test_stiff_bonds_do_not_break_float32() -> None:
    """The log determinant at the bounds of the network's precisions, 40 neighbours per bead."""
    n_beads = 100
    first, second = torch.combinations(torch.arange(n_beads)).T
    pairs = torch.stack([first, second])[:, second - first <= 20]
    diagonal = torch.full((n_beads,), math.exp(-7.0))
    weight = torch.full((pairs.shape[1],), math.exp(7.0))
    batch, mean = torch.zeros(n_beads, dtype=torch.long), torch.zeros(n_beads, 3)
    field = CorrelatedGaussian(mean, diagonal, batch, 1, weight, pairs)
    exact = replace(field, diagonal=diagonal.double(), weight=weight.double()).log_det()
    torch.testing.assert_close(field.log_det().double(), exact, rtol=1e-6, atol=0)
    assert field.log_det().dtype == field.deviation().dtype == torch.float32
    assert field.deviation().isfinite().all()


def test_conjugate_gradients_solve() -> None:
    field = correlated([12])
    right = torch.randn(12, 3, dtype=torch.float64)
    found = conjugate_gradients(field._times, right, field._matrix_diagonal, tolerance=1e-12)
    expected = torch.linalg.solve(explicit_precision(field), right.flatten()).view(-1, 3)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_conjugate_gradients_leave_solved_columns_alone() -> None:
    """A column of zeros, and one that is solved in the first step, beside a hard one."""
    field = replace(correlated([12]), diagonal=torch.ones(12, dtype=torch.float64))
    field = replace(field, weight=torch.ones_like(field.weight))
    right = torch.randn(12, 3, dtype=torch.float64)
    right[:, 0] = 0.0
    right[:, 1] = 1.0
    ones = torch.ones(12, dtype=torch.float64)
    found = conjugate_gradients(field._times, right, ones, tolerance=1e-12)
    expected = torch.linalg.solve(explicit_precision(field), right.flatten()).view(-1, 3)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_conjugate_gradients_say_when_they_fail() -> None:
    field = correlated([12])
    right = torch.randn(12, 3, dtype=torch.float64)
    with pytest.raises(ArithmeticError, match=r"did not reach 1e-12 in 2 iterations"):
        conjugate_gradients(
            field._times, right, field._matrix_diagonal, tolerance=1e-12, n_iterations=2
        )


def test_total_per_graph() -> None:
    value, batch = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([0, 0, 2, 2])
    assert total_per_graph(value, batch, 4).tolist() == [3.0, 0.0, 12.0, 0.0]


def test_randn_like_takes_the_type() -> None:
    found = randn_like(torch.zeros(2, 3, dtype=torch.float64), torch.Generator().manual_seed(0))
    assert found.shape == (2, 3)
    assert found.dtype == torch.float64


@pytest.mark.parametrize("kind", [independent, correlated, elastic])
def test_the_public_precision_is_the_defined_one(
    kind: Callable[[list[int]], GaussianField],
) -> None:
    field = kind(COUNTS)
    torch.testing.assert_close(dense_precision(field), explicit_precision(field))

"""The denoiser: its angles, its symmetry, and what the sampler does with exact answers."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from cgsim.config import GraphConfig, SamplerConfig, ScoreConfig
from cgsim.data.augmentation import NO_AUGMENTATION
from cgsim.data.graphs import CGData
from cgsim.model.dynamics import Prediction
from cgsim.model.loss import draw
from cgsim.model.noise.independent import IndependentGaussian
from cgsim.model.score.network import Score
from cgsim.model.score.whitening import PrecisionWhitening
from cgsim.model.simulator import Simulator
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.product import hidden_irreps
from cgsim.testing.checks import dense_precision, random_rotation
from cgsim.testing.systems import perturb_parameters, random_chain, random_simulator


class GaussianVelocity(nn.Module):
    """The exact ``G(y, theta)`` where the residual is ``N(0, spread^2 P^-1)``.

    ``y_theta`` is ``N(0, v P^-1)`` with ``v = cos^2 spread^2 + sin^2``, and
    ``E[dy/dtheta | y] = sin cos (1 - spread^2) y / v``.
    """

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.spread = spread

    def forward(
        self,
        residual: Tensor,
        angle: Tensor,
        *,
        vector: Tensor,
        current: Prediction,
        graph: BeadGraph,
        conditional: Tensor | None = None,
    ) -> Tensor:
        sin, cos = angle.sin()[:, None], angle.cos()[:, None]
        variance = cos**2 * self.spread**2 + sin**2
        factor = sin * cos * (1 - self.spread**2) / variance
        return factor[:, :, None] * residual


def with_velocity(
    spread: float, *, n_evaluations: int = 1, sigma_max: float = 1.0
) -> tuple[Simulator, CGData]:
    """A float64 simulator with the exact velocity as its score network, and one window."""
    chain = random_chain(5)
    simulator = random_simulator([chain]).double()
    simulator.score = GaussianVelocity(spread)
    simulator.sampler = SamplerConfig(n_evaluations, sigma_max)
    return simulator, simulator.windows([chain])[4]


def refine(simulator: Simulator, batch: CGData, residual: Tensor) -> Tensor:
    pos = batch.pos[:, -1].double()
    graph = simulator.graph_at(pos, batch)
    denoiser = simulator.denoiser(pos, simulator.predict(batch), graph=graph)
    assert denoiser is not None
    return denoiser.refined(lambda field: residual)


@pytest.mark.parametrize("spread", [0.5, 2.0])
@pytest.mark.parametrize("sigma_max", [1e9, 1.5])
def test_exact_velocity_gives_the_right_variance(spread: float, sigma_max: float) -> None:
    """``y`` scales with the standard deviation of ``y_theta`` along the flow.

    From infinite noise the unit Gaussian becomes the target ``spread^2 P^-1``; a finite start
    level leaves what the start has wrong already.
    """
    simulator, batch = with_velocity(spread, n_evaluations=1000, sigma_max=sigma_max)
    residual = 0.1 * torch.randn(5, 3, dtype=torch.float64)  # plausible also when it is doubled
    start = math.atan(sigma_max)
    at_start = math.sqrt((math.cos(start) * spread) ** 2 + math.sin(start) ** 2)
    expected = spread / at_start * residual
    torch.testing.assert_close(refine(simulator, batch, residual), expected, rtol=8e-3, atol=0)
    if sigma_max > 1e6:
        torch.testing.assert_close(expected, spread * residual)


def test_sampler_has_first_order() -> None:
    """Twice the evaluations, half the error."""
    residual = 0.1 * torch.randn(5, 3, dtype=torch.float64)
    errors = []
    for n_evaluations in (25, 50, 100):
        simulated = with_velocity(2.0, n_evaluations=n_evaluations, sigma_max=1e9)
        found = refine(*simulated, residual)
        errors.append((found - 2.0 * residual).abs().max().item())
    for coarse, fine in pairwise(errors):
        assert 1.8 < coarse / fine < 2.2


def test_where_the_gaussian_is_right_nothing_moves() -> None:
    simulator, batch = with_velocity(1.0, n_evaluations=3, sigma_max=1.5)
    residual = torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(refine(simulator, batch, residual), residual)


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_score_from_velocity(spread: float) -> None:
    """``-P (sin y + cos G) / sin`` is the gradient of ``log N(y; 0, v P^-1)``."""
    simulator, batch = with_velocity(spread, n_evaluations=1, sigma_max=1.0)
    prediction = simulator.predict(batch)
    precision = dense_precision(prediction.acceleration).detach()
    y = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    angle = torch.full((5,), 0.6, dtype=torch.float64)
    sin, cos = angle.sin()[:, None], angle.cos()[:, None]
    velocity = GaussianVelocity(spread)
    graph = simulator.graph_at(batch.pos[:, -1].double(), batch)
    shown = y[:, :, None]
    flow = velocity(shown, angle, vector=prediction.vector, current=prediction, graph=graph)
    found = -(precision @ (sin * y + cos * flow[:, :, 0]).flatten()).view(-1, 3) / sin
    variance = (cos**2 * spread**2 + sin**2)[0]
    log_density = -0.5 * (y.flatten() @ precision @ y.flatten()) / variance
    (expected,) = torch.autograd.grad(log_density, y)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_exact_velocity_has_the_least_loss(spread: float) -> None:
    """What denoising score matching learns is that velocity: its loss is the conditional variance.

    ``Var[dy/dtheta | y] = spread^2 / v`` in units of the Gaussian; any other factor does worse.
    """
    chain = random_chain(5)
    simulator = random_simulator([chain]).double()
    batch = simulator.windows([chain])[[4] * 1500]
    prediction = simulator.predict(batch)
    windows, _, graph = draw(
        simulator, batch, generator=torch.Generator().manual_seed(0), augmentation=NO_AUGMENTATION
    )
    drawn = spread * prediction.acceleration.deviation(torch.Generator().manual_seed(1))
    shown = (prediction.displacement + drawn) * simulator.scales.step_scale
    windows = windows._replace(target_pos=windows.pos[:, -1] + shown)

    def loss(assumed: float) -> float:
        simulator.score = GaussianVelocity(assumed)
        denoiser = simulator.denoiser(windows.pos[:, -1], prediction, graph=graph)
        assert denoiser is not None
        return denoiser.loss(windows).item()

    angle = math.pi / 2 * (torch.arange(10_000) + 0.5) / 10_000
    expected = (spread**2 / ((angle.cos() * spread) ** 2 + angle.sin() ** 2)).mean().item()
    assert abs(loss(spread) / expected - 1) < 0.03
    assert loss(spread) < min(loss(0.8 * spread), loss(1.25 * spread))


N_EMBEDDING = 5


def score_network(lmax: int) -> Score:
    config = ScoreConfig(n_channels=4, n_layers=1, current_distances=True, unconditional=0.2)
    irreps = hidden_irreps(3, lmax)
    graph = GraphConfig(n_hops=2, n_radial=4)
    return Score(
        config, graph, latent_irreps=irreps, n_embedding=N_EMBEDDING, whitening=PrecisionWhitening
    )


def score_inputs(lmax: int) -> dict[str, Tensor]:
    return {
        "residual": torch.randn(4, 3, PrecisionWhitening.n_encoded),
        "angle": torch.tensor([0.1, 0.5, 0.9, 1.5]),
        "vector": torch.randn(6, 3),
        "present": torch.randn(6, 3),
        "latent": torch.randn(4, hidden_irreps(3, lmax).dim),
        "embedding": torch.randn(4, N_EMBEDDING),
    }


def velocity_of(network: Score, inputs: dict[str, Tensor], told: Tensor | None = None) -> Tensor:
    """The velocity of the beads of a chain."""
    field = IndependentGaussian(
        torch.zeros(4, 3), torch.ones(4), torch.zeros(4, dtype=torch.long), n_graphs=1
    )
    present = Prediction(
        field, torch.zeros(4, 3), inputs["latent"], inputs["present"], inputs["embedding"]
    )
    return network(
        inputs["residual"],
        inputs["angle"],
        vector=inputs["vector"],
        current=present,
        graph=line_graph(),
        conditional=told,
    )


def turn(vectors: Tensor, matrix: Tensor) -> Tensor:
    """Turned vectors [n, 3, n_vectors]."""
    return torch.einsum("ij,njk->nik", matrix, vectors)


def line_graph() -> BeadGraph:
    """A chain of four beads."""
    edge_index = torch.tensor([[1, 0, 2, 1, 3, 2], [0, 1, 1, 2, 2, 3]])
    zeros = torch.zeros(4, dtype=torch.long)
    return BeadGraph(
        edge_index, torch.ones(6).long(), torch.zeros(6, 3), zeros, n_graphs=1, reach=torch.ones(6)
    )


@pytest.mark.parametrize("lmax", [1, 2])
def test_untrained_network_says_zero(lmax: int) -> None:
    torch.set_default_dtype(torch.float64)
    found = velocity_of(score_network(lmax), score_inputs(lmax))
    torch.testing.assert_close(found, torch.zeros(4, 3, PrecisionWhitening.n_answers))


@pytest.mark.parametrize("lmax", [1, 2])
@pytest.mark.parametrize("sign", [1, -1], ids=["rotation", "reflection"])
@pytest.mark.parametrize("told", [None, torch.zeros(4, dtype=torch.float64)])
def test_network_is_equivariant(lmax: int, sign: int, told: Tensor | None) -> None:
    torch.set_default_dtype(torch.float64)
    network, inputs = score_network(lmax), score_inputs(lmax)
    perturb_parameters(network)
    matrix = sign * random_rotation(seed=4)
    turned = inputs | {
        "residual": turn(inputs["residual"], matrix),
        "vector": inputs["vector"] @ matrix.T,
        "present": inputs["present"] @ matrix.T,
        "latent": inputs["latent"] @ hidden_irreps(3, lmax).D_from_matrix(matrix).T,
    }
    before, after = velocity_of(network, inputs, told), velocity_of(network, turned, told)
    assert before.abs().min() > 1e-6
    torch.testing.assert_close(after, turn(before, matrix), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("what", ["residual", "angle", "vector", "present", "latent", "embedding"])
def test_network_sees_every_input(what: str) -> None:
    torch.set_default_dtype(torch.float64)
    network, inputs = score_network(1), score_inputs(1)
    perturb_parameters(network)
    other = inputs | {what: 0.9 * inputs[what]}
    change = velocity_of(network, other) - velocity_of(network, inputs)
    assert change.abs().max() > 1e-4


@pytest.mark.parametrize("what", ["present", "latent", "embedding", "vector"])
def test_what_a_network_that_is_not_told_knows(what: str) -> None:
    """The noisy positions and the kinds of beads, nothing of the present; each system by itself."""
    torch.set_default_dtype(torch.float64)
    network, inputs = score_network(1), score_inputs(1)
    perturb_parameters(network)
    other = inputs | {what: 0.9 * inputs[what]}
    untold = torch.zeros(4)
    change = velocity_of(network, other, untold) - velocity_of(network, inputs, untold)
    assert (change.abs().max() > 1e-4) == (what in ("embedding", "vector"))
    torch.testing.assert_close(
        velocity_of(network, inputs, torch.ones(4)), velocity_of(network, inputs)
    )


def test_edges_see_what_of_a_residual_is_along_them() -> None:
    """By how much it makes the bond longer, in every form."""
    torch.set_default_dtype(torch.float64)
    network, inputs = score_network(1), score_inputs(1)
    seen: list[Tensor] = []
    network.convolutions[0].register_forward_pre_hook(lambda _, args: seen.append(args[1].attr))
    bond = torch.tensor([0.0, 0.0, 2.0])
    stretch = torch.zeros(4, 3, PrecisionWhitening.n_encoded)
    stretch[1] = torch.tensor([[9.0, 9.0], [9.0, 9.0], [0.3, -5.0]])
    velocity_of(network, inputs | {"residual": stretch, "vector": bond.expand(6, 3)})
    expected = torch.tensor([1.0, -1.0, -1.0, 1.0, 0.0, 0.0])[:, None] * torch.tensor([0.3, -5.0])
    torch.testing.assert_close(seen[0][:, -PrecisionWhitening.n_encoded :], expected)

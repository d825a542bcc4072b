"""The simulator as a whole: exact symmetries, batches, a sane start, and the step."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.config import DynamicsConfig, ModelConfig, SamplerConfig
from cgsim.data.augmentation import NO_AUGMENTATION, Augmentation, count_graphs
from cgsim.data.graphs import CGData
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.loss import draw
from cgsim.model.noise.correlated import CorrelatedGaussian
from cgsim.model.noise.gaussian import GaussianField, is_plausible
from cgsim.model.noise.independent import IndependentGaussian
from cgsim.model.simulator import Simulator
from cgsim.model.state import centred
from cgsim.testing.checks import (
    assert_batch_invariant,
    assert_equivariant,
    outputs,
    random_rotation,
    transformed,
)
from cgsim.testing.systems import (
    ATOM_TYPES,
    TINY,
    perturb_parameters,
    random_chain,
    random_molecule,
    random_simulator,
)

EXACT = torch.float64


def config_of(
    *, history: int = 2, lmax: int = 1, noise: str = "correlated", score: bool = True
) -> ModelConfig:
    dynamics = DynamicsConfig(n_channels=4, n_layers=2, lmax=lmax, noise=noise)
    config = replace(TINY, history=history, dynamics=dynamics)
    return config if score else replace(config, score=None)


def branched_molecule() -> MappedTrajectory:
    """A ring of three with a side chain, in a shape that folds into the cutoff."""
    bonds = np.array([[0, 1, 0, 2, 3, 3], [1, 2, 2, 3, 4, 5]])
    return random_molecule(bonds, n_beads=6, seed=5, name="branched")


def untrained(
    trajectories: list[MappedTrajectory], config: ModelConfig = TINY, *, stride: int = 1
) -> Simulator:
    scales = measure(trajectories, stride=stride)
    return Simulator(config, atom_types=ATOM_TYPES, scales=scales)


# -------------------------------------------------------------------- symmetries


@pytest.mark.parametrize(  # any two of the options in all their combinations
    ("history", "lmax", "noise", "score"),
    [
        (1, 1, "independent", True),
        (1, 2, "correlated", False),
        (2, 1, "correlated", True),
        (2, 1, "elastic", True),
        (2, 2, "independent", False),
        (4, 1, "independent", False),
        (4, 2, "correlated", True),
    ],
)
def test_equivariant(history: int, lmax: int, noise: str, score: bool) -> None:
    torch.set_default_dtype(torch.float64)
    molecule = branched_molecule()
    config = config_of(history=history, lmax=lmax, noise=noise, score=score)
    assert_equivariant(random_simulator([molecule], config), molecule)


@pytest.mark.parametrize("stride", [1, 2])
def test_equivariant_after_conversion(stride: int) -> None:
    """``double()`` takes all parameters and buffers along."""
    chain = random_chain(7)
    simulator = random_simulator([chain], stride=stride).double()
    tensors = [*simulator.parameters(), *simulator.buffers()]
    assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float64}
    assert simulator.dtype == torch.float64
    assert_equivariant(simulator, chain)


def test_equivariant_to_rounding_after_conversion() -> None:
    """With lmax 2, e3nn's coupling coefficients keep the rounding of float32."""
    chain = random_chain(7)
    simulator = random_simulator([chain], config_of(lmax=2)).double()
    assert_equivariant(simulator, chain, tolerance=1e-7)


def test_equivariant_in_a_periodic_cell() -> None:
    """The cell turns with the beads; neighbours are found through its walls."""
    chain = random_chain(5)
    triclinic = np.array([[0.7, 0, 0], [0.2, 0.8, 0], [0.1, 0.3, 0.7]])
    boxed = replace(chain, cell=np.tile(triclinic, (chain.n_frames, 1, 1)))
    simulator = random_simulator([chain]).double()
    batch = simulator.windows([boxed])[4]
    pos = batch.pos[:, -1].double()
    n_free = simulator.graph_at(pos, simulator.windows([chain])[4]).edge_index.shape[1]
    assert simulator.graph_at(pos, batch).edge_index.shape[1] > n_free
    residual = torch.randn(5, 3, dtype=EXACT)
    rotation = random_rotation(seed=2)
    before = outputs(simulator, batch, residual)
    after = outputs(simulator, transformed(batch, rotation), residual @ rotation.T)
    for key, value in before.items():
        expected = value @ rotation.T if key in ("mean", "displacement", "score") else value
        torch.testing.assert_close(after[key], expected, rtol=1e-10, atol=1e-10)


def fixed_deviation(monkeypatch: pytest.MonkeyPatch, value: Tensor) -> None:
    """Let every Gaussian draw this deviation."""

    def deviation(self: GaussianField, _source: torch.Generator | Tensor | None = None) -> Tensor:
        return value.to(self.mean)

    for field in (IndependentGaussian, CorrelatedGaussian):
        monkeypatch.setattr(field, "deviation", deviation)
        monkeypatch.setattr(field, "deviation_of", deviation)


@pytest.mark.parametrize("history", [1, 3])
def test_step_and_losses_turn_with_the_noise(history: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole step, refinement included, and both losses, far from the origin."""
    molecule = branched_molecule()
    simulator = random_simulator([molecule], config_of(history=history)).double()
    batch = simulator.windows([molecule])[5]
    drawn = torch.randn(6, 3, dtype=EXACT)
    matrix, shift = -random_rotation(seed=6), torch.tensor([3.0, -40.0, 7.0], dtype=EXACT)
    turned = transformed(batch, matrix, shift)

    def run(window: CGData, noise: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        fixed_deviation(monkeypatch, noise)
        losses = simulator.loss(window, generator=torch.Generator().manual_seed(1))
        state = simulator.start(window, torch.Generator().manual_seed(1))
        return losses, simulator.step(state).pos

    losses, pos = run(batch, drawn)
    turned_losses, turned_pos = run(turned, drawn @ matrix.T)
    torch.testing.assert_close(turned_losses, losses, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(turned_pos, pos @ matrix.T + shift, rtol=1e-10, atol=1e-10)
    assert (pos[:, -1] - batch.pos[:, -1]).abs().min() > 1e-5


# -------------------------------------------------------------------- batches


@pytest.mark.parametrize("noise", ["independent", "correlated"])
@pytest.mark.parametrize("history", [1, 3])
def test_batch_is_many_singles(noise: str, history: int) -> None:
    molecules = [random_chain(4), branched_molecule(), random_chain(2, seed=8, name="dimer")]
    simulator = random_simulator(molecules, config_of(history=history, noise=noise)).double()
    assert_batch_invariant(simulator, molecules)


def test_step_of_a_batch_is_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    molecules = [random_chain(4), branched_molecule()]
    simulator = random_simulator(molecules).double()
    dataset = simulator.windows(molecules)
    drawn = torch.randn(10, 3, dtype=EXACT)

    def step(which: int | list[int], noise: Tensor) -> Tensor:
        fixed_deviation(monkeypatch, noise)
        return simulator.step(simulator.start(dataset[which], torch.Generator())).pos

    singles = [step(1, drawn[:4]), step(len(dataset) - 1, drawn[4:])]
    both = step([1, len(dataset) - 1], drawn)
    torch.testing.assert_close(both, torch.cat(singles), rtol=1e-10, atol=1e-10)


def test_count_graphs() -> None:
    chain = random_chain(4)
    assert count_graphs(random_simulator([chain]).windows([chain])[[0, 0, 3]]) == 3


# -------------------------------------------------------------------- before training


@pytest.mark.parametrize("history", [1, 2])
def test_untrained_simulator_is_a_random_walk(history: int) -> None:
    """No mean displacement; NLL near that of a Gaussian of the size of the data's steps.

    Independent noise: ``1/2 log 2 pi + 1/2 <u^2>``, with ``<u^2> = 1`` in units of step_scale.
    """
    chain = random_chain(6, n_frames=200)
    for noise, tolerance in (("independent", 0.02), ("correlated", 0.15)):
        simulator = untrained([chain], config_of(history=history, noise=noise))
        dataset = simulator.windows([chain])
        batch = dataset[list(range(len(dataset)))]
        displacement = simulator.predict(batch).displacement
        torch.testing.assert_close(displacement, torch.zeros(len(batch.mass), 3))
        nll = simulator.loss(batch)["nll"].item()
        assert abs(nll - 0.5 * (1 + math.log(2 * math.pi))) < tolerance


def test_untrained_steps_have_the_size_of_the_data() -> None:
    chain = random_chain(6, n_frames=200)
    simulator = untrained([chain], config_of(noise="independent"))
    batch = simulator.windows([chain])[[0] * 2000]
    before = simulator.start(batch, torch.Generator().manual_seed(0))
    step = simulator.step(before).pos[:, -1] - before.pos[:, -1]
    size = simulator.scales.step_scale
    assert step.square().mean().sqrt().item() == pytest.approx(size, rel=0.02)
    assert step.mean(dim=0).abs().max().item() < 0.05 * size


def test_score_loss_of_an_untrained_network_is_one() -> None:
    """Where the residual is distributed as predicted, about a mean that the network has moved."""
    chain = random_chain(6)
    for noise in ("independent", "correlated"):
        simulator = untrained([chain], config_of(noise=noise)).double()
        perturb_parameters(simulator.dynamics)
        batch = simulator.windows([chain])[[3] * 800]
        generator = torch.Generator().manual_seed(4)
        prediction = simulator.predict(batch)
        assert prediction.displacement.abs().mean() > 0.04
        residual = prediction.displacement + prediction.acceleration.deviation(generator)
        size = simulator.scales.step_scale
        batch.next_pos = batch.pos[:, -1].double() + size * residual.detach()
        loss = simulator.loss(batch, generator=generator)["score"].item()
        assert loss == pytest.approx(1.0, abs=0.04)


# -------------------------------------------------------------------- losses


def test_nll_is_the_likelihood_of_the_next_frame() -> None:
    """``nll + log step_scale`` is the density of x_{t+1}, per degree of freedom."""
    molecule = branched_molecule()
    simulator = random_simulator([molecule]).double()
    batch = simulator.windows([molecule])[4]
    size = simulator.scales.step_scale
    prediction = simulator.predict(batch)
    covariance = torch.linalg.inv(outputs(simulator, batch, torch.zeros(6, 3))["precision"])
    mean = batch.pos[:, -1].double() + size * prediction.displacement
    normal = torch.distributions.MultivariateNormal(mean.flatten(), size**2 * covariance)
    expected = -normal.log_prob(batch.next_pos.double().flatten()).item()
    nll = simulator.loss(batch)["nll"].item()
    assert nll + math.log(size) == pytest.approx(expected / 18, rel=1e-9)


def test_every_parameter_learns() -> None:
    chain = random_chain(6)
    simulator = random_simulator([chain])
    batch = simulator.windows([chain])[[0, 4]]
    losses = simulator.loss(batch, generator=torch.Generator().manual_seed(0))
    (losses["nll"] + losses["score"]).backward()
    still = [
        name
        for name, parameter in simulator.named_parameters()
        if parameter.numel() and (parameter.grad is None or not parameter.grad.abs().max() > 0)
    ]
    assert not still


def test_score_loss_leaves_the_gaussian_alone() -> None:
    """The denoiser's loss must not teach the Gaussian to be easy: no gradient on its parameters."""
    chain = random_chain(6)
    simulator = random_simulator([chain])
    batch = simulator.windows([chain])[[0, 4]]
    simulator.loss(batch, generator=torch.Generator().manual_seed(0))["score"].backward()
    for part in (simulator.dynamics.displacement, simulator.dynamics.noise):
        for parameter in part.parameters():
            assert parameter.grad is None or parameter.grad.abs().max() == 0
    latents = simulator.dynamics.scalars.parameters()
    assert max(p.grad.abs().max().item() for p in latents if p.grad is not None) > 0


def test_history_noise() -> None:
    """Half of the windows stay clean; each other one gets noise of one level on all its frames."""
    chain = random_chain(4)
    simulator = random_simulator([chain], config_of(history=3)).double()
    batch = simulator.windows([chain])[[2] * 1000]
    pos = batch.pos.double()
    windows, *_ = draw(
        simulator,
        batch,
        generator=torch.Generator().manual_seed(0),
        augmentation=Augmentation(history=0.4),
    )
    noise = ((windows.pos - pos) / simulator.scales.step_scale).view(1000, 4, 3, 3)
    level = windows.noise_level.view(1000, 4)
    assert (level == level[:, :1]).all()
    clean = level[:, 0] == 0
    assert 0.45 < clean.double().mean() < 0.55
    assert noise[clean].abs().max() == 0
    assert level.max() <= 0.4
    assert level.max() > 0.39
    relative = noise[~clean] / level[~clean][:, :, None, None]
    torch.testing.assert_close(
        relative.std(dim=(0, 1, 3)), torch.ones(3, dtype=EXACT), rtol=0.05, atol=0
    )
    same, *_ = draw(simulator, batch, generator=None, augmentation=NO_AUGMENTATION)
    assert torch.equal(same.pos, pos)
    assert same.noise_level.abs().max() == 0


def test_windows_backwards() -> None:
    """The given share of the windows, each as a whole, has its frames in the opposite order."""
    chain = random_chain(4)
    simulator = random_simulator([chain], config_of(history=3)).double()
    batch = simulator.windows([chain])[[2] * 1000]
    frames = torch.cat([batch.pos, batch.next_pos[:, None]], dim=1).double()
    windows, *_ = draw(
        simulator,
        batch,
        generator=torch.Generator().manual_seed(0),
        augmentation=Augmentation(reversal=0.3),
    )
    shown = torch.cat([windows.pos, windows.target_pos[:, None]], dim=1).view(1000, -1)
    forwards = (shown == frames.view(1000, -1)).all(dim=1)
    backwards = (shown == frames.flip(1).view(1000, -1)).all(dim=1)
    assert (forwards ^ backwards).all()
    assert 0.25 < backwards.double().mean() < 0.35


def test_reversible_data_cost_the_same_backwards() -> None:
    """A trajectory that is its own mirror image in time has one NLL for both directions."""
    chain = random_chain(4, n_frames=9)
    there_and_back = np.concatenate([chain.pos, chain.pos[::-1]])
    palindrome = replace(chain, pos=there_and_back)
    simulator = random_simulator([chain], config_of(score=False)).double()
    windows = simulator.windows([palindrome])
    batch = windows[list(range(len(windows)))]
    forwards = simulator.loss(batch)["nll"]
    backwards = simulator.loss(batch, augmentation=Augmentation(reversal=1.0))["nll"]
    torch.testing.assert_close(forwards, backwards)
    one = windows[[3]]
    other = simulator.loss(one, augmentation=Augmentation(reversal=1.0))["nll"]
    assert abs(simulator.loss(one)["nll"] - other) > 1e-3


def test_losses_are_reproducible() -> None:
    chain = random_chain(4)
    simulator = random_simulator([chain])
    batch = simulator.windows([chain])[[0, 4]]

    def losses(seed: int) -> list[float]:
        generator = torch.Generator().manual_seed(seed)
        return [
            loss.item()
            for loss in simulator.loss(
                batch, generator=generator, augmentation=Augmentation(history=0.3)
            ).values()
        ]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_without_score_network_there_is_no_score_loss() -> None:
    chain = random_chain(4)
    simulator = random_simulator([chain], config_of(score=False))
    assert set(simulator.loss(simulator.windows([chain])[0])) == {"nll"}
    assert simulator.score is None


# -------------------------------------------------------------------- roll-out


def test_step_samples_the_prediction() -> None:
    """Without a score network: mean and covariance of the next frame are the predicted ones."""
    chain = random_chain(4)
    simulator = random_simulator([chain], config_of(score=False)).double()
    dataset = simulator.windows([chain])
    n_samples = 3000
    state = simulator.start(dataset[[3] * n_samples], torch.Generator().manual_seed(0))
    drawn = simulator.step(state).pos[:, -1].view(n_samples, 4, 3)
    window = dataset[3]
    said = outputs(simulator, window, torch.zeros(4, 3))
    size = simulator.scales.step_scale
    mean = window.pos[:, -1].double() + size * said["displacement"]
    covariance = size**2 * torch.linalg.inv(said["precision"])
    error = covariance.diagonal().sqrt().view(4, 3) / math.sqrt(n_samples)
    assert ((drawn.mean(dim=0) - mean).abs() / error).max() < 5
    deviation = (drawn - mean).flatten(1)
    found = deviation.T @ deviation / n_samples
    scale = torch.outer(covariance.diagonal(), covariance.diagonal()).sqrt()
    assert ((found - covariance).abs() / scale).max() < 5 * math.sqrt(2 / n_samples)


@pytest.mark.parametrize("history", [1, 2, 4])
def test_step_moves_the_history(history: int) -> None:
    chain = random_chain(4)
    simulator = random_simulator([chain], config_of(history=history))
    state = simulator.start(simulator.windows([chain])[2], torch.Generator().manual_seed(0))
    after = simulator.step(state)
    assert after.pos.shape == state.pos.shape == (4, history, 3)
    assert torch.equal(after.pos[:, :-1], state.pos[:, 1:])
    assert after.pos.dtype == torch.float64
    assert simulator.dtype == torch.float32


def test_steps_are_reproducible() -> None:
    chain = random_chain(4)
    simulator = random_simulator([chain])
    batch = simulator.windows([chain])[2]

    def run(seed: int) -> Tensor:
        state = simulator.start(batch, torch.Generator().manual_seed(seed))
        for _ in range(3):
            state = simulator.step(state)
        return state.pos

    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))


def test_far_from_the_origin_the_step_is_the_same() -> None:
    """States are float64 and centred: 50 micrometres away, a float32 network sees the same."""
    chain = random_chain(4)
    simulator = random_simulator([chain])
    batch = simulator.windows([chain])[2]
    near = simulator.start(batch, torch.Generator().manual_seed(0))
    far = replace(near, pos=near.pos + 5e4, generator=torch.Generator().manual_seed(0))
    difference = simulator.step(far).pos - 5e4 - simulator.step(near).pos
    assert difference.abs().max() < 1e-6


def test_centred() -> None:
    molecules = [random_chain(4), random_chain(3, name="other")]
    simulator = random_simulator(molecules)
    dataset = simulator.windows(molecules)
    state = simulator.start(dataset[[1, len(dataset) - 1]], torch.Generator())
    pos = state.pos + 7.0 * (1 + state.batch)[:, None, None]
    found = centred(pos, state.layout)
    for system in (0, 1):
        mine = state.batch == system
        torch.testing.assert_close(found[mine][:, -1].mean(dim=0), torch.zeros(3, dtype=EXACT))
        expected = state.pos[mine] - state.pos[mine][:, -1].mean(dim=0)
        torch.testing.assert_close(found[mine], expected)


def test_another_sampler_shares_the_weights() -> None:
    simulator = random_simulator([random_chain(4)])
    other = simulator.sampled_by(replace(simulator.sampler, n_evaluations=0))
    assert other.score is simulator.score
    assert not other.is_refined
    assert simulator.is_refined
    assert other.config.sampler.n_evaluations == 0
    assert simulator.config == replace(other.config, sampler=simulator.sampler)


def unrefined(simulator: Simulator) -> Simulator:
    return simulator.sampled_by(replace(simulator.sampler, n_evaluations=0))


def test_refinement_gone_astray_is_not_taken() -> None:
    """Of the two systems of a batch, the one whose beads are of another type is refined."""
    chain, other = random_chain(4), random_chain(3, name="other")
    simulator = random_simulator([chain, other], seed=1)
    batch = simulator.windows([chain, other])[[0, len(simulator.windows([chain])) + 1]]
    start = simulator.start(batch, torch.Generator().manual_seed(0))

    def step(model: Simulator) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        return model.step(replace(start, generator=generator)).pos[:, -1]

    refined, sampled = step(simulator), step(unrefined(simulator))
    assert (refined - sampled).abs().max() > 1e-6
    assert simulator.score is not None
    velocity = simulator.score.forward

    def astray(*args: Any, **kwargs: Any) -> Tensor:
        found = velocity(*args, **kwargs)
        return torch.where((batch.batch == 0)[:, None, None], found, 1e9 * found)

    simulator.score.forward = astray
    second = batch.batch == 1
    torch.testing.assert_close(step(simulator)[second], sampled[second], rtol=0, atol=0)
    torch.testing.assert_close(step(simulator)[~second], refined[~second], rtol=0, atol=0)


def test_plausible() -> None:
    """Of one bead with unit precision: 3 + 6 sqrt(6) is the largest squared norm."""
    limit = (3 + 6 * math.sqrt(6)) ** 0.5
    field = IndependentGaussian(torch.zeros(4, 3), torch.ones(4), torch.arange(4), 4)
    deviation = torch.zeros(4, 3)
    deviation[:, 1] = torch.tensor([0.0, limit - 1e-3, limit + 1e-3, math.nan])
    assert is_plausible(field, deviation, 6.0).tolist() == [True, True, False, False]
    many = torch.zeros(4000).long()
    large = IndependentGaussian(torch.zeros(4000, 3), torch.ones(4000), many, 1)
    for squared, expected in ((1.49, True), (1.51, False)):  # over three per bead
        found = is_plausible(large, torch.full((4000, 3), squared**0.5), 6.0)
        assert found.tolist() == [expected]


def test_mistakes() -> None:
    chain = random_chain(4)
    with pytest.raises(ValueError, match="history must be at least 1 frame, got 0"):
        untrained([chain], replace(TINY, history=0))
    with pytest.raises(ValueError, match="lmax must be at least 1, got 0"):
        untrained([chain], replace(TINY, dynamics=replace(TINY.dynamics, lmax=0)))
    with pytest.raises(
        ValueError, match=r"no noise model 'corelated': did you mean 'correlated'\?"
    ):
        untrained([chain], replace(TINY, dynamics=replace(TINY.dynamics, noise="corelated")))
    with pytest.raises(ValueError, match="no kind of steps 'sideways': there are 'straight'"):
        untrained([chain], replace(TINY, dynamics=replace(TINY.dynamics, steps="sideways")))
    with pytest.raises(ValueError, match="needs a score network trained with an unconditional"):
        random_simulator([chain]).sampler = SamplerConfig(guidance=2.0)

"""The simulator without equivariance: what it keeps, what it gives up, rotations instead."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.baselines import PlainDynamics
from cgsim.config import Hardware, ModelConfig, TrainingConfig
from cgsim.data.augmentation import random_rotations, turned
from cgsim.data.graphs import CGData
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import load_simulator, read_header
from cgsim.model.dynamics import Dynamics
from cgsim.model.networks import with_networks
from cgsim.model.noise.correlated import CorrelatedGaussian
from cgsim.model.noise.independent import IndependentGaussian
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import simulate
from cgsim.testing.checks import (
    assert_batch_invariant,
    assert_equivariant,
    outputs,
    random_rotation,
    reordered,
    transformed,
)
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters, random_chain
from cgsim.training.fit import fit

PLAIN = replace(TINY, score=None)
INDEPENDENT = replace(PLAIN, dynamics=replace(TINY.dynamics, noise="independent"))
SHORT = TrainingConfig(n_steps=2, batch_size=4, n_warmup=1, steps_per_epoch=2)
CPU = Hardware(accelerator="cpu")


def untrained(trajectories: list[MappedTrajectory], config: ModelConfig = PLAIN) -> Simulator:
    scales = measure(trajectories, stride=1)
    model = with_networks(config, PlainDynamics)
    return Simulator(model, atom_types=ATOM_TYPES, scales=scales)


def random_plain(trajectories: list[MappedTrajectory], config: ModelConfig = PLAIN) -> Simulator:
    """Random weights, none of them zero, in float64 and evaluation mode."""
    simulator = untrained(trajectories, config)
    perturb_parameters(simulator)
    simulator.double().eval()
    return simulator


def said(simulator: Simulator, batch: CGData) -> dict[str, Tensor]:
    return outputs(simulator, batch, torch.zeros_like(batch.next_pos))


# -------------------------------------------------------------------- symmetries


@pytest.mark.parametrize("history", [1, 2, 4])
def test_follows_shifts(history: int) -> None:
    chain = random_chain(6)
    simulator = random_plain([chain], replace(PLAIN, history=history))
    batch = simulator.windows([chain])[5]
    shift = torch.tensor([3.0, -40.0, 7.0], dtype=torch.float64)
    moved = transformed(batch, torch.eye(3, dtype=torch.float64), shift)
    torch.testing.assert_close(
        said(simulator, moved), said(simulator, batch), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("history", [1, 2, 4])
def test_follows_renumbering(history: int) -> None:
    chain = random_chain(6)
    simulator = random_plain([chain], replace(PLAIN, history=history))
    batch = simulator.windows([chain])[5]
    random = np.random.default_rng(1)
    beads, atoms = random.permutation(6), random.permutation(len(chain.atom_type))
    other = simulator.windows([reordered(chain, beads, atoms)])[5]
    other.pos, other.next_pos = batch.pos[beads], batch.next_pos[beads]
    rows = torch.as_tensor(3 * beads[:, None] + np.arange(3)).flatten()
    expected = said(simulator, batch)
    for key in ("mean", "displacement"):
        expected[key] = expected[key][beads]
    expected["precision"] = expected["precision"][rows][:, rows]
    torch.testing.assert_close(said(simulator, other), expected, rtol=1e-10, atol=1e-10)


def test_does_not_follow_rotations() -> None:
    """It is what it says: not equivariant, neither in its mean nor in its precision."""
    chain = random_chain(6)
    simulator = random_plain([chain])
    with pytest.raises(AssertionError, match="rotation"):
        assert_equivariant(simulator, chain)
    batch, matrix = simulator.windows([chain])[5], random_rotation()
    before, after = said(simulator, batch), said(simulator, transformed(batch, matrix))
    assert (after["displacement"] - before["displacement"] @ matrix.T).abs().max() > 0.01
    assert (after["precision"] - before["precision"]).abs().max() > 0.01


@pytest.mark.parametrize("config", [PLAIN, INDEPENDENT], ids=["correlated", "independent"])
def test_batch_is_many_singles(config: ModelConfig) -> None:
    chains = [random_chain(4), random_chain(7, seed=3), random_chain(2, seed=8, name="dimer")]
    assert_batch_invariant(random_plain(chains, config), chains)


def test_continuous_where_a_pair_crosses_the_cutoff() -> None:
    chain = random_chain(6)
    simulator = random_plain([chain])
    batch = simulator.windows([chain])[5]
    batch.pos = batch.pos.double()
    away = batch.pos[0, -1] + torch.tensor([0.0, 0.0, 1.0]) * simulator.cutoff

    def mean_at(offset: float) -> Tensor:
        step = away + torch.tensor([0.0, 0.0, offset]) - batch.pos[5, -1]
        moved = batch.clone()
        moved.pos[5] += step
        return simulator.predict(moved).acceleration.mean.detach()

    outside = mean_at(1e-6)
    torch.testing.assert_close(mean_at(-1e-6), outside, rtol=0, atol=1e-5)
    assert (mean_at(-0.2 * simulator.cutoff) - outside).abs().max() > 1e-4


# -------------------------------------------------------------------- before training


@pytest.mark.parametrize("history", [1, 3])
def test_untrained_is_a_random_walk(history: int) -> None:
    chain = random_chain(6, n_frames=200)
    simulator = untrained([chain], replace(INDEPENDENT, history=history))
    dataset = simulator.windows([chain])
    batch = dataset[list(range(len(dataset)))]
    prediction = simulator.predict(batch)
    assert torch.equal(prediction.displacement, torch.zeros(len(batch.mass), 3))
    nll = simulator.loss(batch)["nll"].item()
    assert nll == pytest.approx(0.5 * (1 + math.log(2 * math.pi)), abs=0.02)


def test_noise_chooses_the_distribution() -> None:
    chain = random_chain(4)
    for config, kind in ((PLAIN, CorrelatedGaussian), (INDEPENDENT, IndependentGaussian)):
        simulator = untrained([chain], config)
        assert type(simulator.predict(simulator.windows([chain])[0]).acceleration) is kind


def test_every_parameter_learns() -> None:
    chain = random_chain(6)
    simulator = random_plain([chain]).train()
    generator = torch.Generator().manual_seed(0)
    simulator.loss(simulator.windows([chain])[[0, 4]], generator=generator)["nll"].backward()
    for name, parameter in simulator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_what_it_has_not_is_refused() -> None:
    chain = random_chain(4)
    with pytest.raises(
        ValueError, match=r"PlainDynamics has no equivariant latents .* set model\.score to None"
    ):
        untrained([chain], TINY)
    elastic = replace(PLAIN, dynamics=replace(TINY.dynamics, noise="elastic"))
    with pytest.raises(ValueError, match=r"dynamics\.noise is 'elastic'"):
        untrained([chain], elastic)


# -------------------------------------------------------------------- augmentation


def windows_of(*, n: int, cell: bool = False) -> CGData:
    """Windows of two molecules, ``n`` of each, in float64."""
    chains = [random_chain(4), random_chain(3, seed=5, name="other")]
    if cell:
        box = np.array([[4.0, 0, 0], [0.5, 4, 0], [0.2, 0.3, 4]])
        chains = [replace(chain, cell=np.tile(box, (chain.n_frames, 1, 1))) for chain in chains]
    dataset = untrained(chains).windows(chains)
    last = len(dataset) - 1
    batch = dataset[[0] * n + [last] * n]
    batch.pos, batch.next_pos = batch.pos.double(), batch.next_pos.double()
    if cell:
        batch.cell = batch.cell.double()
    return batch


def test_rotations_are_uniform() -> None:
    """Orthogonal, proper; moments of the Haar measure: <R> = 0, <R_ij R_kl> = d_ik d_jl / 3."""
    found = random_rotations(windows_of(n=10_000), torch.Generator().manual_seed(0))
    one = torch.eye(3, dtype=torch.float64).expand(len(found), 3, 3)
    torch.testing.assert_close(found @ found.mT, one, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.det(found), one[:, 0, 0], rtol=0, atol=1e-12)
    entries = found.flatten(1)
    error = 1 / math.sqrt(len(entries))
    assert entries.mean(dim=0).abs().max() < 5 * error
    second = entries.T @ entries / len(entries)
    assert (second - torch.eye(9) / 3).abs().max() < 5 * error
    angle = ((found.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2).clamp(-1, 1).acos()
    assert angle.mean().item() == pytest.approx(math.pi / 2 + 2 / math.pi, abs=5 * error)


def test_every_window_turns_as_a_whole_by_its_own_rotation() -> None:
    batch = windows_of(n=3, cell=True)
    before = batch.clone()
    rotations = random_rotations(batch, torch.Generator().manual_seed(0))
    found = turned(batch, rotations)
    for window in range(6):
        mine = batch.batch == window
        for what in ("pos", "next_pos"):
            expected = batch[what][mine] @ rotations[window].T
            torch.testing.assert_close(found[what][mine], expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(found.cell[window], batch.cell[window] @ rotations[window].T)
    apart = (rotations[:, None] - rotations[None]).abs().amax(dim=(2, 3))
    assert (apart + torch.eye(6)).min() > 0.05
    for what in ("pos", "next_pos", "cell"):
        assert torch.equal(batch[what], before[what])


def test_training_sees_turned_windows_and_validation_does_not() -> None:
    chain = random_chain(6)
    simulator = random_plain([chain])
    batch = simulator.windows([chain])[[1, 4, 7]]

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    seen = turned(batch, random_rotations(batch, generator()))
    straight, expected = simulator.loss(batch)["nll"], simulator.loss(seen)["nll"]
    assert simulator.loss(batch, generator=generator())["nll"] == straight
    simulator.train()
    assert simulator.loss(batch, generator=generator())["nll"] == expected
    assert abs(expected - straight) > 1e-3
    assert simulator.loss(batch, generator=torch.Generator().manual_seed(4))["nll"] != expected


# -------------------------------------------------------------------- training and files


def test_the_loss_falls() -> None:
    """Beads that move on by the same vector at every step, turned at random: predictable."""
    chain = random_chain(5, n_frames=40)
    drift = np.arange(40)[:, None, None] * np.array([0.03, 0.01, -0.02])
    noise = 1e-3 * np.random.default_rng(0).normal(size=(40, 5, 3))
    ballistic = replace(chain, pos=(chain.pos[:1] + drift + noise).astype(np.float32))
    config = replace(PLAIN, dynamics=replace(TINY.dynamics, n_channels=16))
    simulator = untrained([ballistic], config).train()
    batch = simulator.windows([ballistic])[list(range(30))]
    optimiser = torch.optim.Adam(simulator.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(0)
    before = simulator.eval().loss(batch)["nll"].item()
    simulator.train()
    for _ in range(100):
        optimiser.zero_grad()
        simulator.loss(batch, generator=generator)["nll"].backward()
        optimiser.step()
    after = simulator.eval().loss(batch)["nll"].item()
    assert after < before - 0.5


def test_trained_stored_and_rolled_out_like_any_simulator(tmp_path: Path) -> None:
    chain = random_chain(5, n_frames=60)
    simulator = fit(
        [chain], tmp_path, model=PLAIN, training=SHORT, hardware=CPU, network=PlainDynamics
    )
    file = tmp_path / "simulator.safetensors"
    assert read_header(file)["model"]["networks"]["dynamics"] == "PlainDynamics"
    found = load_simulator(file, network=PlainDynamics)
    assert type(found.dynamics) is type(simulator.dynamics) is PlainDynamics
    assert not found.training
    batch = found.windows([chain])[[2, 5]]
    for key, value in said(simulator, batch).items():
        assert torch.equal(said(found, batch)[key], value), key
    rollout = simulate(found, [chain], n_steps=3, seed=0)
    assert np.isfinite(rollout.trajectories[0].pos).all()
    with pytest.raises(
        ValueError, match=r"its dynamics network is 'PlainDynamics', not 'Dynamics'"
    ):
        load_simulator(file, network=Dynamics)

"""Guidance: what it changes and leaves alone, and that it is read right."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import cgsim.rollout.guidance
from cgsim.config import SamplerConfig, ScoreConfig
from cgsim.data.augmentation import NO_AUGMENTATION
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import load_simulator, save_simulator
from cgsim.model.loss import draw
from cgsim.model.simulator import Simulator
from cgsim.rollout.guidance import GuidanceScan, tune_guidance
from cgsim.testing.systems import TINY, perturb_parameters, random_chain, random_simulator

CHAIN = random_chain(4, n_frames=12)
SCORE = ScoreConfig(n_channels=4, n_layers=1, current_distances=True, unconditional=0.2)
CONFIG = replace(TINY, score=SCORE)


def breathing(n_frames: int, *, memory: float, seed: int, name: str = "chain") -> MappedTrajectory:
    """Three beads, one of which moves along a line and forgets where in ``memory`` frames."""
    random, decay = np.random.default_rng(seed), np.exp(-1 / memory)
    noise = random.normal(size=n_frames) * np.sqrt(1 - decay**2)
    place = np.empty(n_frames)
    place[0] = random.normal()
    for frame in range(1, n_frames):
        place[frame] = decay * place[frame - 1] + noise[frame]
    pos = np.zeros((n_frames, 3, 3), dtype=np.float32)
    pos[:, 1, 0], pos[:, 2, 0] = 0.3, 0.6 + 0.02 * place
    pos[:, 2, 1] = 0.3
    return replace(random_chain(3, n_frames=n_frames, name=name), pos=pos)


@dataclass(frozen=True)
class Rolled:
    trajectories: list[MappedTrajectory]


def guidable() -> Simulator:
    simulator = random_simulator([CHAIN], CONFIG)
    perturb_parameters(simulator)
    return simulator


def guided_by(simulator: Simulator, guidance: float, **angles: Any) -> Simulator:
    return simulator.sampled_by(replace(simulator.sampler, guidance=guidance, **angles))


def velocities(simulator: Simulator) -> tuple[Tensor, Tensor, Tensor]:
    """Guided, conditional and unconditional."""
    simulator = simulator.double()
    batch = simulator.windows([CHAIN])[4]
    pos = batch.pos[:, -1].double()
    graph = simulator.graph_at(pos, batch)
    denoiser = simulator.denoiser(pos, simulator.predict(batch), graph=graph)
    assert denoiser is not None
    residual, angles = torch.ones(4, 3).double(), torch.full((4,), 0.7).double()
    told, untold = (denoiser.velocity(residual, angles, k * torch.ones(4)) for k in (1, 0))
    return denoiser.guided(residual, 0.7), told, untold


@pytest.mark.parametrize("guidance", [0.0, 0.5, 1.0, 3.0])
def test_guided_velocity(guidance: float) -> None:
    guided, told, untold = velocities(guided_by(guidable(), guidance))
    assert (told - untold).abs().max() > 1e-3
    torch.testing.assert_close(guided, untold + guidance * (told - untold))


@pytest.mark.parametrize(
    ("between", "strength"),
    [((0.6, 0.8), 3.0), ((0.7, 0.7 + 1e-9), 3.0), ((0.0, 0.6), 1.0), ((0.8, 1.5), 1.0)],
)
def test_guidance_at_some_noise_angles_alone(between: tuple[float, float], strength: float) -> None:
    guided, told, untold = velocities(
        guided_by(guidable(), 3.0, guided_from=between[0], guided_to=between[1])
    )
    torch.testing.assert_close(guided, untold + strength * (told - untold))


def test_the_network_is_asked_twice_only_where_there_is_guidance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of ten Euler steps, at angles from 1 down to 0.1, three lie between 0.35 and 0.65."""
    simulator, asked = guidable(), []
    simulator.sampler = SamplerConfig(
        n_evaluations=10, sigma_max=math.tan(1.0), guidance=2.0, guided_from=0.35, guided_to=0.65
    )
    score = simulator.score
    forward = type(score).forward

    def counted(self: Any, residual: Tensor, *arguments: Any, **more: Any) -> Tensor:
        asked.append(len(residual))
        return forward(self, residual, *arguments, **more)

    monkeypatch.setattr(type(score), "forward", counted)
    simulator.step(simulator.start(simulator.windows([CHAIN])[4], torch.Generator()))
    assert asked == [4] * 4 + [8] * 3 + [4] * 3


def test_weights_stay(tmp_path: Path) -> None:
    """Guidance changes no weight, 1 is as learnt, and a checkpoint keeps it."""
    simulator = guidable()
    guided = guided_by(simulator, 2.0)
    file = save_simulator(guided, tmp_path / "a.safetensors")
    back = load_simulator(file)
    assert back.sampler.guidance == 2.0
    plain, same, other, loaded = (
        velocities(own)[0] for own in (simulator, guided_by(guided, 1.0), guided, back)
    )
    torch.testing.assert_close(plain, same, rtol=0, atol=0)
    torch.testing.assert_close(other, loaded, rtol=0, atol=0)
    assert (plain - other).abs().max() > 1e-4


def test_a_kernel_of_two_states_remembers_more() -> None:
    """``p(x'|x)^w p_0(x')^(1 - w)``, normalised, keeps a uniform ``p_0`` and slows down."""
    kernel, stationary = np.array([[0.6, 0.4], [0.4, 0.6]]), 0.5
    guided = kernel**2 * stationary**-1
    guided /= guided.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.full(2, stationary) @ guided, stationary)
    eigenvalue = [np.linalg.eigvals(own).real.min() for own in (kernel, guided)]
    assert eigenvalue[1] > 1.9 * eigenvalue[0]


@pytest.mark.parametrize("guidance", [0.5, 2.0])
def test_needs_a_denoiser_that_was_not_told(guidance: float) -> None:
    simulator = random_simulator([CHAIN])
    with pytest.raises(
        ValueError, match="needs a score network trained with an unconditional share"
    ):
        guided_by(simulator, guidance)
    with pytest.raises(ValueError, match="unconditional must be between 0 and 1, got 1"):
        ScoreConfig(unconditional=1.0)


def test_share_of_windows_that_is_not_told() -> None:
    simulator = guidable()
    batch = simulator.windows([CHAIN])[[3] * 2000]
    generator = torch.Generator().manual_seed(0)
    windows, *_ = draw(simulator, batch, generator=generator, augmentation=NO_AUGMENTATION)
    assert windows.conditional is not None
    per_window = windows.conditional.view(2000, 4)
    assert (per_window == per_window[:, :1]).all()
    assert abs(per_window.mean().item() - 0.8) < 0.03


@pytest.mark.parametrize("expected", [1.0, 2.0, 4.0])
def test_reading(expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulator that remembers for as long as it is guided; one molecule has two runs."""
    md = [
        breathing(8000, memory=10 * expected, seed=seed, name=name)
        for seed, name in enumerate(["a", "a", "b"])
    ]
    simulator = random_simulator([md[0]], CONFIG)

    def rolled(simulator: Any, starts: Any, n_steps: int, **kwargs: Any) -> Rolled:
        assert n_steps == 8000  # four times the 16,000 frames of molecule a, by eight replicas
        assert [own.name for own in starts] == ["a", "b"]
        memory = 10 * simulator.sampler.guidance
        return Rolled(
            [breathing(16000, memory=memory, seed=ord(own.name), name=own.name) for own in starts]
        )

    monkeypatch.setattr(cgsim.rollout.guidance, "simulate", rolled)
    lag_time = 4 * md[0].frame_interval
    reading = tune_guidance(simulator, md, lag_time=lag_time, guidances=(1.0, 2.0, 4.0))
    assert reading.names == ("a", "b")
    np.testing.assert_array_equal(reading.guidances, [1, 2, 4])
    assert reading.best == expected


def test_best_is_by_factors() -> None:
    """0.5 is farther from 1 than 1.6."""
    reading = GuidanceScan(("a",), np.array([1.0, 2.0]), np.array([[0.5], [1.6]]))
    assert reading.best == 2.0
    ratios = np.array([[0.9, np.nan], [1.6, 0.1]])
    assert GuidanceScan(("a", "b"), np.array([1.0, 2.0]), ratios).best == 1.0


@pytest.mark.parametrize(
    ("guided", "expected"),
    [
        ([0.62, 0.58, 0.66, 0.63], 1.0),  # a little better, within the noise
        ([0.72, 0.68, 0.76, 0.73], 2.0),  # better on every molecule
        ([0.32, 0.38, 0.36, 0.33], 1.0),
    ],
)
def test_guidance_that_is_no_better_is_not_taken(guided: list[float], expected: float) -> None:
    ratios = np.array([[0.60, 0.61, 0.61, 0.64], guided])
    assert GuidanceScan(tuple("abcd"), np.array([1.0, 2.0]), ratios).best == expected


def test_lag_must_be_a_multiple() -> None:
    simulator = random_simulator([CHAIN], CONFIG)
    with pytest.raises(ValueError, match="multiple of the time step"):
        tune_guidance(simulator, [CHAIN], lag_time=1.5 * simulator.timestep)

"""Mixed precision: the likelihood does not move, and training ends where it does without."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from cgsim.config import Hardware, TrainingConfig
from cgsim.data.scales import measure
from cgsim.io.records import from_dict
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.noise.heads import BeadPrecision
from cgsim.model.simulator import Simulator
from cgsim.testing.exact import rouse_chain
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters, random_chain
from cgsim.training.fit import fit

CHAINS = [random_chain(6, n_frames=120, seed=seed, name=f"c{seed}") for seed in range(2)]
NLL_BOUND = 1e-3  # nats per degree of freedom
BF16 = torch.autocast("cpu", dtype=torch.bfloat16)


def test_precisions_stay_in_full_precision() -> None:
    torch.manual_seed(0)
    network = BeadPrecision(8)
    perturb_parameters(network, scale=0.3)
    scalars = torch.randn(50, 8)
    expected = network(scalars)
    with BF16:
        assert (scalars @ torch.eye(8)).dtype == torch.bfloat16
        found = network(scalars)
        rounded = network(scalars.bfloat16())
    assert found.dtype == rounded.dtype == torch.float32
    assert torch.equal(found, expected)
    assert torch.equal(rounded, network(scalars.bfloat16().float()))


@pytest.mark.parametrize("noise", ["independent", "correlated", "elastic"])
def test_the_likelihood_of_a_model_does_not_move(
    noise: Literal["independent", "correlated", "elastic"],
) -> None:
    torch.manual_seed(0)
    config = replace(TINY, dynamics=replace(TINY.dynamics, noise=noise))
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure(CHAINS, stride=1))
    perturb_parameters(simulator, scale=0.1)
    batch = simulator.windows(CHAINS)[list(range(0, 200, 2))]
    full, slopes = losses_and_gradient(simulator, batch)
    with BF16:
        mixed, found = losses_and_gradient(simulator, batch)
    assert 0 < abs(full["nll"] - mixed["nll"]) < NLL_BOUND
    assert mixed["score"] == pytest.approx(full["score"], rel=5e-3)
    assert torch.cosine_similarity(found, slopes, dim=0) > 0.999
    assert float(found.norm() / slopes.norm()) == pytest.approx(1, abs=0.02)


def losses_and_gradient(
    simulator: Simulator, batch: object
) -> tuple[dict[str, float], torch.Tensor]:
    simulator.zero_grad()
    losses = simulator.loss(batch, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    total = losses["nll"] + losses["score"]
    with torch.autocast("cpu", enabled=False):
        total.backward()
    slopes = [own.grad.flatten() for own in simulator.parameters() if own.grad is not None]
    return {name: float(value.detach()) for name, value in losses.items()}, torch.cat(slopes)


def test_a_training_ends_where_it_does_without(tmp_path: Path) -> None:
    chain = [rouse_chain(4).trajectory(400, 0.3, seed=0)]
    training = TrainingConfig(n_steps=60, batch_size=16, steps_per_epoch=60, learning_rate=1e-2)
    hardware = (Hardware(accelerator="cpu"), Hardware(accelerator="cpu", precision="bf16-mixed"))
    ends = []
    for own in hardware:
        simulator = fit(
            chain, tmp_path / own.precision, model=TINY, training=training, hardware=own
        )
        assert {weight.dtype for weight in simulator.parameters()} == {torch.float32}
        ends.append(held_nll(simulator, chain))
    torch.manual_seed(0)
    start = held_nll(
        Simulator(TINY, atom_types=simulator.atom_types, scales=simulator.scales), chain
    )
    assert start - ends[0] > 0.02
    assert ends[1] == pytest.approx(ends[0], abs=0.005)
    assert ends[1] != ends[0]


@torch.no_grad()
def held_nll(simulator: Simulator, chain: list[MappedTrajectory]) -> float:
    """NLL of the last windows."""
    windows = simulator.windows(chain)
    batch = windows[list(range(len(windows) - 100, len(windows)))]
    return float(simulator.loss(batch, generator=torch.Generator())["nll"])


def test_other_precisions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"precision: expected one of .* got '16'"):
        from_dict(Hardware, {"precision": "16"})

"""What training changes at random, and what of it the targets must know."""

import math
from dataclasses import replace

import pytest
import torch

import cgsim
from cgsim.data.augmentation import NO_AUGMENTATION, Augmentation, dropped
from cgsim.data.graphs import CGData
from cgsim.model.loss import draw
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY, random_chain, random_simulator


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_what_is_left_of_an_embedding_makes_up_for_what_is_dropped(share: float) -> None:
    """Its mean stays, so that without dropout the networks see what they were trained on."""
    rows = torch.full((500, 200), 3.0)
    found = dropped(rows, share, generator())
    is_left = found != 0
    assert 1 - float(is_left.float().mean()) == pytest.approx(share, abs=0.01)
    assert float(found.mean()) == pytest.approx(3.0, rel=0.02)
    torch.testing.assert_close(found[is_left], torch.full((int(is_left.sum()),), 3 / (1 - share)))
    assert torch.equal(dropped(rows, 0.0, generator()), rows)


def noise_angles(simulator: Simulator, *, n_windows: int = 4000) -> torch.Tensor:
    """One for every window of a training batch, in quarter turns."""
    chain = random_chain(2, n_frames=4)
    chain = replace(chain, atom_type=(simulator.atom_types[0],) * len(chain.atom_type))
    frames = replace(chain, frame_interval=simulator.timestep)
    batch = simulator.windows([frames])[[0] * n_windows]
    windows, *_ = draw(simulator, batch, generator=generator(), augmentation=NO_AUGMENTATION)
    first = torch.cat([torch.tensor([True]), batch.batch.diff() > 0])
    return windows.angle[first] / (math.pi / 2)


@pytest.mark.parametrize(("name", "power"), [("peptides", 2.0), ("polymer-mini", 1.0)])
def test_noise_angles_of_training_are_spaced_as_configured(name: str, power: float) -> None:
    """Their ``1 / power``-th powers are uniform between 0 and 1."""
    found = noise_angles(cgsim.load_pretrained(name)) ** (1 / power)
    expected = torch.linspace(0.05, 0.95, 19)
    torch.testing.assert_close(found.float().quantile(expected), expected, atol=0.03, rtol=0)


def test_turning_steps_are_made_straight_about_what_the_networks_see() -> None:
    """The target is the displacement that leads from the noisy present, not from the clean one, to
    the next frame: that of a window whose present is the noisy one."""
    chain = random_chain(6)
    turning = replace(TINY, dynamics=replace(TINY.dynamics, steps="turning"))
    simulator = random_simulator([chain], turning).double()
    batch = simulator.windows([chain])[[0, 3, 5, 7]]

    def target(batch: CGData, augmentation: Augmentation) -> tuple[torch.Tensor, torch.Tensor]:
        windows, *_ = draw(simulator, batch, generator=generator(), augmentation=augmentation)
        return windows.pos, windows.target_pos

    noisy, found = target(batch, Augmentation(history=1.0))
    seen = batch.clone()
    seen.pos = noisy
    torch.testing.assert_close(found, target(seen, NO_AUGMENTATION)[1])
    clean, other = target(batch, NO_AUGMENTATION)
    moved = (noisy != clean).flatten(1).any(dim=1)
    assert moved.any()
    assert (found - other)[moved].abs().max() > 1e-3

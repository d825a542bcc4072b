"""Parts of one's own, from examples/extend: trained, rolled out, stored and read again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cgsim import fit, load_simulator, simulate
from cgsim.config import Hardware, ModelConfig, TrainingConfig
from cgsim.config.tables import add_row
from cgsim.model.noise import NOISES
from cgsim.testing import assert_equivariant, check_network, random_chain, random_simulator
from cgsim.testing.systems import TINY
from examples.extend.attention_dynamics import AttentionConfig, AttentionDynamics
from examples.extend.hop_noise import HopNoise

CHAIN = random_chain(5, n_frames=60)
SHORT = TrainingConfig(n_steps=2, batch_size=4, n_warmup=1, steps_per_epoch=2)
CPU = Hardware(accelerator="cpu")
SMALL = AttentionConfig(n_channels=4, n_layers=1, sharpness=2.0)


@pytest.fixture
def hop_noise(monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    monkeypatch.setattr("cgsim.model.noise.NOISES", NOISES)
    add_row(NOISES, "HopNoise", HopNoise, kind="noise model")
    return replace(TINY, dynamics=replace(TINY.dynamics, noise="HopNoise"))


def test_the_network_is_as_it_must_be() -> None:
    check_network(AttentionDynamics, SMALL)


def test_a_network_goes_the_whole_way(tmp_path: Path) -> None:
    model = replace(TINY, dynamics=SMALL)
    trained = fit(
        [CHAIN],
        tmp_path,
        model=model,
        training=SHORT,
        network=AttentionDynamics,
        hardware=Hardware("cpu"),
    )
    found = load_simulator(tmp_path / "simulator.safetensors", network=AttentionDynamics)
    assert isinstance(found.dynamics, AttentionDynamics)
    assert found.config.dynamics == SMALL
    rolled = [simulate(own, CHAIN, 3, seed=1).trajectories[0].pos for own in (trained, found)]
    np.testing.assert_array_equal(rolled[0], rolled[1])


def test_a_noise_model_goes_the_whole_way(hop_noise: ModelConfig, tmp_path: Path) -> None:
    assert_equivariant(random_simulator([CHAIN], hop_noise).double(), CHAIN)
    trained = fit([CHAIN], tmp_path, model=hop_noise, training=SHORT, hardware=CPU)
    found = load_simulator(tmp_path / "simulator.safetensors")
    assert isinstance(found.dynamics.noise, HopNoise)
    rolled = [simulate(own, CHAIN, 3, seed=1).trajectories[0].pos for own in (trained, found)]
    np.testing.assert_array_equal(rolled[0], rolled[1])

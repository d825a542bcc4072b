"""Parts of one's own, from examples/extend: trained, rolled out, stored and read again."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cgsim import fit, load_simulator, save_mapped, simulate
from cgsim.cli import command_line as cli
from cgsim.config import Hardware, ModelConfig, TrainingConfig
from cgsim.config.tables import add_row
from cgsim.model.networks import DYNAMICS
from cgsim.model.noise import NOISES
from cgsim.testing import assert_equivariant, check_network, random_chain, random_simulator
from cgsim.testing.systems import TINY
from examples.extend.attention_dynamics import AttentionConfig, AttentionDynamics
from examples.extend.hop_noise import HopNoise

CHAIN = random_chain(5, n_frames=60)
SHORT = TrainingConfig(n_steps=2, batch_size=4, n_warmup=1, steps_per_epoch=2)
CPU = Hardware(accelerator="cpu")
SMALL = AttentionConfig(n_channels=4, n_layers=1, sharpness=2.0)


@pytest.fixture(autouse=True)
def as_in_a_new_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rows that a test adds to the tables are gone after it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = [(table, dict(table)) for table in (NOISES, DYNAMICS)]
    yield
    for table, rows in before:
        table.clear()
        table.update(rows)  # type: ignore[arg-type]


@pytest.fixture
def hop_noise() -> ModelConfig:
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


NETWORK = ("--network", "examples.extend.attention_dynamics:AttentionDynamics")
NOISE = ("--noise", "examples.extend.hop_noise:HopNoise")
SETTINGS = """\
model:
  embedding: {n_channels: 4, n_layers: 1}
  graph: {n_hops: 2, n_radial: 4}
  score: {n_channels: 4, n_layers: 1}
training: {n_steps: 2, batch_size: 4, steps_per_epoch: 2}
hardware: {accelerator: cpu}
"""


def run(*words: object) -> None:
    assert cli.main([str(word) for word in words]) == 0


def test_both_go_through_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_mapped(CHAIN, tmp_path / "mapped" / "chain.cg")
    (tmp_path / "small.yaml").write_text(SETTINGS)
    small = ("--model.dynamics.n_channels", 4, "--model.dynamics.sharpness", 2.5)
    train = ("train", "mapped", "--output", "model", "--config", "small.yaml")
    run(*train, *NETWORK, *NOISE, *small)
    for table, name in ((NOISES, "HopNoise"), (DYNAMICS, "AttentionDynamics")):
        del table[name]
    rollout = ("rollout", "model/simulator.safetensors", "mapped", "--n_steps", 80)
    assert cli.main([str(word) for word in (*rollout, "--output", "out")]) == 1
    assert "--network package.module:AttentionDynamics" in capsys.readouterr().err
    run(*rollout, "--output", "out", *NETWORK, *NOISE)
    config = load_simulator("model/simulator.safetensors").config
    assert config.networks.dynamics == "AttentionDynamics"
    assert config.dynamics == AttentionConfig(n_channels=4, sharpness=2.5, noise="HopNoise")
    tuned = ("finetune", "model/simulator.safetensors", "mapped", "--output", "tuned")
    short = ("--finetuning.n_steps", 1, "--finetuning.steps_per_epoch", 1)
    run(*tuned, *short, "--hardware.accelerator", "cpu", *NETWORK, *NOISE)
    run("report", "mapped", "out", "--output", "report", "--run", "model")
    assert (tmp_path / "report" / "report.html").exists()


def test_what_is_no_network_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "a.cg", "--output", "o", "--network", "math:sqrt"]) == 1
    assert "is no network: a class that inherits from one of" in capsys.readouterr().err
    assert cli.main(["train", "a.cg", "--output", "o", "--noise", "cgsim.units:NM"]) == 1
    assert "module cgsim.units has no 'NM'" in capsys.readouterr().err

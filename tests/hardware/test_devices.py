"""Devices: what there is, and none without double precision."""

import pytest
import torch

from cgsim.hardware.devices import accelerator_with_doubles, check_doubles, choose_device
from cgsim.rollout.engines import SimulatorEngine
from cgsim.rollout.simulate import simulate
from cgsim.testing.systems import random_chain, random_simulator


@pytest.mark.parametrize(
    ("mps", "cuda", "chosen"),
    [(True, False, "cpu"), (True, True, "auto"), (False, True, "auto"), (False, False, "auto")],
)
def test_training_passes_over_a_device_without_doubles(
    mps: bool, cuda: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert accelerator_with_doubles("auto") == chosen
    assert accelerator_with_doubles("cuda") == "cuda"


def test_a_roll_out_without_doubles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = random_chain(5)
    simulator = random_simulator([chain])
    monkeypatch.setattr(SimulatorEngine, "device", torch.device("mps"))
    with pytest.raises(ValueError, match=r"mps has no double precision.*'cpu' or 'cuda'"):
        simulate(simulator, chain, 2)


def test_devices_with_doubles_pass() -> None:
    for device in ("cpu", "cuda"):
        check_doubles(device)


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(ValueError, match="PyTorch finds no CUDA device"):
        choose_device("cuda")

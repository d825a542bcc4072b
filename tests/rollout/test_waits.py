"""A roll-out on a GPU: the host runs ahead of it, and nothing in its loop makes it wait."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import cgsim.hardware.devices
import cgsim.rollout.simulate
from cgsim.config import ModelConfig, SamplerConfig
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.rollout.batches import Batches
from cgsim.rollout.guard import FIRST_STEPS, Guard
from cgsim.rollout.simulate import Rollout, simulate
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.systems import ATOM_TYPES, TINY, random_chain, random_simulator
from cgsim.testing.waits import PretendedCuda, no_waits

CHAIN = random_chain(9, n_frames=20)
N_STEPS = FIRST_STEPS + 20

# Double precision is for positions, which may be far from the origin, and for the factorisation of
# the precision, a small matrix per system. What costs time, the networks, has none.
PRODUCTS = {"mm", "addmm", "_scaled_mm", "baddbmm", "convolution"}


@pytest.fixture(autouse=True)
def _operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: without what was compiled for CPUs."""
    monkeypatch.setattr("cgsim.nn.native.kernels._kernels", None)


def state_of(simulator: Simulator, chain: MappedTrajectory) -> State:
    systems = choose_starts(simulator, [chain], n_replicas=3, seed=0)
    return simulator.start(start_batch(simulator, systems), torch.Generator().manual_seed(1))


def noise_for(simulator: Simulator, state: State) -> Tensor:
    return torch.randn(simulator.n_draws, len(state.pos), 3)


CONFIGS = {
    "default": ModelConfig(),
    "not refined": replace(ModelConfig(), score=None),
    "churned": replace(ModelConfig(), sampler=SamplerConfig(n_evaluations=3, churn=0.5)),
    "guided": replace(
        ModelConfig(),
        score=replace(ModelConfig().score, unconditional=0.1),  # type: ignore[type-var]
        sampler=SamplerConfig(guidance=1.5),
    ),
    "independent": replace(
        ModelConfig(), dynamics=replace(ModelConfig().dynamics, noise="independent")
    ),
    "elastic": replace(ModelConfig(), dynamics=replace(ModelConfig().dynamics, noise="elastic")),
    "turning": replace(
        ModelConfig(), dynamics=replace(ModelConfig().dynamics, noise="elastic", steps="turning")
    ),
    "long history": replace(ModelConfig(), history=5),
}


@pytest.mark.parametrize("name", list(CONFIGS))
def test_a_step_of_small_systems_makes_no_host_wait(name: str) -> None:
    """With real numbers on the CPU, and on a GPU that is not there."""
    torch.manual_seed(0)
    scales = measure([CHAIN], stride=1)
    simulator = Simulator(CONFIGS[name], atom_types=ATOM_TYPES, scales=scales).eval()
    state = state_of(simulator, CHAIN)
    noise = noise_for(simulator, state)
    expected = simulator.history_after(state.pos, noise, state=state)  # and what is constant
    with no_waits():
        found = simulator.history_after(state.pos, noise, state=state)
    assert torch.equal(found, expected)
    gpu = PretendedCuda()
    there, state_there, noise_there = gpu.copy((simulator, state, noise))
    with gpu, no_waits() as operations:
        found = there.history_after(state_there.pos, noise_there, state=state_there)
    assert (found.device.type, found.shape) == ("cuda", expected.shape)
    assert operations.devices == {"cuda"}  # one CUDA graph can hold it
    for product in PRODUCTS & operations.dtypes.keys():
        assert torch.float64 not in operations.dtypes[product], product
    assert "mm" in operations.dtypes or "addmm" in operations.dtypes


# ------------------------------------------------------------------ the loop


@pytest.fixture
def runs_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: the loop looks at what has happened only now and then."""
    monkeypatch.setattr(cgsim.hardware.devices, "runs_ahead", lambda device: True)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps between the looks, each of which is checked to wait for nothing."""
    steps: list[int] = []
    step, put_back, look = Batches.step, Guard.put_back, cgsim.rollout.simulate._Run._look
    monkeypatch.setattr(Batches, "step", _watched(step, steps))
    monkeypatch.setattr(Guard, "put_back", _watched(put_back, []))
    looks: list[int] = []

    def counted(self: Any, watch: Any) -> None:
        looks.append(len(steps))
        look(self, watch)

    monkeypatch.setattr(cgsim.rollout.simulate._Run, "_look", counted)
    return looks


def _watched(function: Any, calls: list[int]) -> Any:
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 1:  # constants are computed once
            return function(self, *args, **kwargs)
        with no_waits():
            return function(self, *args, **kwargs)

    return watched


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return random_simulator([CHAIN], replace(TINY, history=3), seed=2)


def frames(rollout: Rollout) -> list[np.ndarray]:
    return [np.asarray(own.pos) for own in rollout.trajectories]


def test_the_loop_waits_for_nothing_between_looks(
    simulator: Simulator, runs_ahead: None, strict: list[int]
) -> None:
    rollout = simulate(simulator, CHAIN, N_STEPS, n_replicas=3)
    assert [len(own) for own in frames(rollout)] == [N_STEPS] * 3
    # One by one at first, which shows what is wrong and how fast it goes; then not before the end.
    assert strict == [*range(1, FIRST_STEPS + 1), N_STEPS]


@pytest.mark.parametrize("every", [1, 7])
def test_running_ahead_changes_no_frame(
    simulator: Simulator, every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = frames(simulate(simulator, CHAIN, N_STEPS, n_replicas=2, every=every))
    monkeypatch.setattr(cgsim.hardware.devices, "runs_ahead", lambda device: True)
    found = frames(simulate(simulator, CHAIN, N_STEPS, n_replicas=2, every=every))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def damaged(monkeypatch: pytest.MonkeyPatch, steps: dict[int, int]) -> None:
    """Systems whose positions are lost at some steps, by system."""
    step, n_done = Batches.step, [0]

    def lossy(self: Batches) -> Tensor:
        pos = step(self)
        n_done[0] += 1
        for system, first in steps.items():
            if n_done[0] == first:
                pos = pos.clone()
                pos[9 * system : 9 * (system + 1)] = torch.nan
                self.put(pos)
        return self.pos

    monkeypatch.setattr(Batches, "step", lossy)


def test_what_is_lost_between_looks_is_noted_where_it_was_lost(
    simulator: Simulator, tmp_path: Path
) -> None:
    """The same failures, and the same good frames, as where every step is looked at."""
    losses = {0: FIRST_STEPS + 9, 2: 4}
    found = []
    for ahead in (False, True):
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            patch.setattr(cgsim.hardware.devices, "runs_ahead", lambda _, ahead=ahead: ahead)
            damaged(patch, losses)
            found.append(simulate(simulator, CHAIN, N_STEPS, n_replicas=3))
    by_step, ahead_of = found
    assert {own.replica: own.step for own in ahead_of.failures} == losses
    assert sorted(map(repr, ahead_of.failures)) == sorted(map(repr, by_step.failures))
    for one, other in zip(frames(ahead_of), frames(by_step), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [len(own) for own in frames(ahead_of)] == [FIRST_STEPS + 8, N_STEPS, 3]


def test_frames_of_a_stopped_replica_stay_out_after_a_restart(
    simulator: Simulator, tmp_path: Path, runs_ahead: None
) -> None:
    """Also where it is lost a second time after the restart."""
    for n_steps in (8, N_STEPS):
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            damaged(patch, {1: 5})
            rollout = simulate(simulator, CHAIN, n_steps, n_replicas=2, output=tmp_path)
    import mdtraj

    lengths = [len(mdtraj.load(str(own), top=str(tmp_path / "chain.psf"))) for own in rollout.files]
    assert lengths == [N_STEPS, 4]
    assert [own.step for own in rollout.failures] == [5]

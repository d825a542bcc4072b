"""Steps of equally many edges, for GPUs: the same steps, and never one that lacks an edge."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import cgsim.hardware.devices
import cgsim.nn.graph.slots
import cgsim.rollout.compiled
from cgsim.config import ModelConfig, SamplerConfig
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.rollout.batches import Batches
from cgsim.rollout.compiled import CompiledStepper, fixed_edges
from cgsim.rollout.guard import FIRST_STEPS
from cgsim.rollout.simulate import Rollout, simulate
from cgsim.rollout.slots import Slots
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters, random_chain
from cgsim.testing.waits import PretendedCuda, no_waits

CHAIN = random_chain(20, n_frames=20, seed=1)
N_STEPS = FIRST_STEPS + 15
DEFAULT = ModelConfig()


@pytest.fixture(autouse=True)
def _operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: without what was compiled for CPUs."""
    monkeypatch.setattr("cgsim.nn.native.kernels._kernels", None)


def simulator_of(config: ModelConfig, chain: MappedTrajectory = CHAIN) -> Simulator:
    torch.manual_seed(0)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure([chain], stride=1))
    perturb_parameters(simulator, scale=0.05)
    return simulator.eval()


def state_of(simulator: Simulator, chain: MappedTrajectory, n_replicas: int = 3) -> State:
    systems = choose_starts(simulator, [chain], n_replicas=n_replicas, seed=0)
    return simulator.start(start_batch(simulator, systems), torch.Generator().manual_seed(1))


CONFIGS = {
    "default": DEFAULT,
    "not refined": replace(DEFAULT, score=None),
    "elastic": replace(DEFAULT, dynamics=replace(DEFAULT.dynamics, noise="elastic")),
    "guided": replace(
        DEFAULT,
        score=replace(DEFAULT.score, unconditional=0.1),  # type: ignore[type-var]
        sampler=SamplerConfig(guidance=1.5),
    ),
    "second order": replace(DEFAULT, dynamics=replace(DEFAULT.dynamics, lmax=2, n_channels=8)),
}


@pytest.mark.parametrize("name", list(CONFIGS))
def test_a_step_by_slots_is_the_step(name: str) -> None:
    """To rounding; and no host waits for it, on a GPU that is not there."""
    simulator = simulator_of(CONFIGS[name])
    state = state_of(simulator, CHAIN)
    (by_slots,) = Slots(simulator).of([state])
    assert fixed_edges(state) == 0
    assert fixed_edges(by_slots) == by_slots.slot_table.slots * len(state.pos)  # type: ignore[union-attr]
    noise = torch.randn(simulator.n_draws, len(state.pos), 3)
    expected = simulator.history_after(state.pos, noise, state=state)
    simulator.history_after(state.pos, noise, state=by_slots)  # what is constant
    with no_waits():
        found = simulator.history_after(state.pos, noise, state=by_slots)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * simulator.scales.step_scale)
    gpu = PretendedCuda()
    there, state_there, noise_there = gpu.copy((simulator, by_slots, noise))
    with gpu, no_waits() as operations:
        found = there.history_after(state_there.pos, noise_there, state=state_there)
    assert (found.device.type, found.shape) == ("cuda", expected.shape)
    assert operations.devices == {"cuda"}  # one CUDA graph can hold it


def test_a_system_that_lacks_edges_has_no_numbers() -> None:
    simulator = simulator_of(DEFAULT)
    state = state_of(simulator, CHAIN)
    (by_slots,) = Slots(simulator).of([state])
    table = by_slots.slot_table
    assert table is not None
    n_neighbours = table.near(state.pos[:, -1].float()).sum(dim=2).amax(dim=1)
    assert len(n_neighbours.unique()) > 1
    fewer = replace(by_slots, slot_table=replace(table, slots=int(n_neighbours.max())))
    noise = torch.randn(simulator.n_draws, len(state.pos), 3)
    found = simulator.history_after(state.pos, noise, state=fewer)[:, -1].view(3, 20, 3)
    is_lost = found.isnan().all(dim=2).all(dim=1)
    assert torch.equal(is_lost, n_neighbours == n_neighbours.max())
    assert found[~is_lost].isfinite().all()


@pytest.mark.parametrize("case", ["small", "periodic", "turning", "several sizes"])
def test_what_has_no_slots(case: str) -> None:
    chain, config = CHAIN, replace(TINY, graph=replace(TINY.graph, cutoff=2.5))
    if case == "small":
        chain = random_chain(9, n_frames=20)
    if case == "periodic":
        cell = np.broadcast_to(5.0 * np.eye(3), (CHAIN.n_frames, 3, 3))
        chain = replace(CHAIN, cell=cell)
    if case == "turning":
        config = replace(
            config, dynamics=replace(config.dynamics, noise="elastic", steps="turning")
        )
    simulator = simulator_of(config, chain)
    if case == "several sizes":
        both = [CHAIN, random_chain(25, n_frames=20, name="longer")]
        systems = choose_starts(simulator, both, n_replicas=1, seed=0)
        state = simulator.start(start_batch(simulator, systems), torch.Generator())
    else:
        state = state_of(simulator, chain)
    assert Slots(simulator).of([state])[0].slot_table is None


# ------------------------------------------------------------------ roll-outs


@pytest.fixture
def as_on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host runs ahead, and steps are "compiled" into themselves, which takes no time."""
    monkeypatch.setattr(cgsim.hardware.devices, "runs_ahead", lambda device: True)
    monkeypatch.setattr(cgsim.rollout.compiled, "compiled", lambda function, _=None: function)
    monkeypatch.setattr(cgsim.rollout.compiled, "WORTH", 0.0)


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return simulator_of(replace(TINY, graph=replace(TINY.graph, cutoff=2.5)))


@pytest.fixture
def slots(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Slots of every batch that was built."""
    found: list[int] = []
    build = Batches._build

    def noted(self: Batches, before: str | None) -> None:
        build(self, before)
        found.extend(state.slot_table.slots if state.slot_table else 0 for state in self._states)

    monkeypatch.setattr(Batches, "_build", noted)
    return found


def frames(rollout: Rollout) -> np.ndarray:
    return np.stack([np.asarray(own.pos) for own in rollout.trajectories])


def test_a_roll_out_by_slots_is_the_roll_out(
    simulator: Simulator, slots: list[int], monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    expected = frames(simulate(simulator, CHAIN, N_STEPS, n_replicas=3))
    assert slots == [0]
    request.getfixturevalue("as_on_gpu")
    taken: list[int] = []
    step = CompiledStepper.__call__

    def watched(self: CompiledStepper, state: State) -> State:
        taken.append(len(state.pos))
        with no_waits():
            return step(self, state)

    monkeypatch.setattr(CompiledStepper, "__call__", watched)
    found = frames(simulate(simulator, CHAIN, N_STEPS, n_replicas=3))
    assert slots[1] > 1
    assert taken == [60] * N_STEPS
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("n_lost", [0, 1])
def test_steps_that_lack_edges_are_taken_again(
    n_lost: int,
    simulator: Simulator,
    slots: list[int],
    as_on_gpu: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With no slot to spare a step soon does; nothing of it is seen, and slots become more."""
    monkeypatch.setattr(cgsim.nn.graph.slots, "SPARE", 1.0)
    monkeypatch.setattr(cgsim.nn.graph.slots, "LEAST_SPARE", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cgsim.hardware.devices, "runs_ahead", lambda device: False)
        patch.setattr(cgsim.rollout.compiled, "WORTH", 1e9)
        expected = simulate(simulator, CHAIN, N_STEPS, n_replicas=3)
    assert not expected.failures
    if n_lost:
        monkeypatch.setattr(Batches, "step", _lossy(Batches.step, at=7))
    slots.clear()
    with pytest.warns(UserWarning, match="stopped at step 7") if n_lost else _nothing():
        rollout = simulate(simulator, CHAIN, N_STEPS, n_replicas=3)
    assert 0 in slots  # steps without
    with_slots = [n_slots for n_slots in slots if n_slots]
    assert len(with_slots) > 1
    assert (np.diff(with_slots) > 0).all()
    assert [own.step for own in rollout.failures] == [7] * n_lost
    for index, (one, other) in enumerate(
        zip(rollout.trajectories, expected.trajectories, strict=True)
    ):
        n_frames = 6 if n_lost and index == 0 else N_STEPS
        assert one.n_frames == n_frames
        np.testing.assert_allclose(one.pos, other.pos[:n_frames], atol=1e-3)


def test_what_explodes_is_not_taken_for_want_of_slots(
    simulator: Simulator, slots: list[int], as_on_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps are taken again, and then go on as they were: nothing is compiled anew."""
    monkeypatch.setattr(Batches, "step", _lossy(Batches.step, at=7))
    with pytest.warns(UserWarning, match="stopped at step 7"):
        rollout = simulate(simulator, CHAIN, N_STEPS, n_replicas=3)
    assert [len(own.pos) for own in rollout.trajectories] == [6, N_STEPS, N_STEPS]
    n_slots, without = slots  # built twice
    assert n_slots > 1
    assert without == 0


def _lossy(step: Callable[[Batches], Tensor], *, at: int) -> Callable[[Batches], Tensor]:
    """The first system is lost at a step, whenever it is taken: by the noise that was drawn."""
    known: list[Tensor] = []

    def taken(self: Batches) -> Tensor:
        before = self.generator.get_state()
        if not any(torch.equal(before, own) for own in known):
            known.append(before)
        pos = step(self)
        if len(known) >= at and torch.equal(before, known[at - 1]):
            pos = pos.clone()
            pos[:20] = torch.nan
            self.put(pos)
        return self.pos

    return taken


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()

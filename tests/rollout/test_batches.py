"""Batches of a roll-out: bounded, exact, restarted exactly, halved where memory runs out."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
import torch
from safetensors import safe_open

import cgsim.rollout.compiled
from cgsim.data.scales import measure
from cgsim.hardware.compile import has_compiler
from cgsim.hardware.memory import BATCH_EDGES
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.rollout.batches import Batches, batch_sizes, choose_steppers, count_edges
from cgsim.rollout.simulate import Rollout, simulate
from cgsim.rollout.starts import choose_starts
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters, random_chain

CHAINS = [random_chain(6, n_frames=30, seed=seed, name=f"c{seed}") for seed in range(2)]
LONG = random_chain(20, n_frames=30, seed=7, name="long")
OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    torch.manual_seed(0)
    simulator = Simulator(TINY, atom_types=ATOM_TYPES, scales=measure([*CHAINS, LONG], stride=1))
    perturb_parameters(simulator, scale=0.1)
    return simulator.eval()


def batches_of(simulator: Simulator, *, most_edges: int, n_replicas: int = 4) -> Batches:
    systems = choose_starts(simulator, CHAINS, n_replicas=n_replicas, seed=0)
    generator = torch.Generator().manual_seed(1)
    return Batches(simulator, systems, generator=generator, most_edges=most_edges)


def limit_edges(monkeypatch: pytest.MonkeyPatch, most_edges: int) -> None:
    """The largest batch that `simulate` chooses by itself."""
    monkeypatch.setattr(
        "cgsim.rollout.engines.fitting_edges", lambda device, *, n_channels: most_edges
    )


def run_out_above(
    monkeypatch: pytest.MonkeyPatch, n_beads: int, *, from_step: int = 1, error: Exception
) -> list[int]:
    """Let memory run out in steps of more beads, half-way; return the beads of steps that fit."""
    original, sizes = Simulator.step, list[int]()

    def step(self: Simulator, state: State) -> State:
        if len(state.pos) > n_beads and len(sizes) + 1 >= from_step:
            torch.randn(7, generator=state.generator)  # it had begun
            raise error
        sizes.append(len(state.pos))
        return original(self, state)

    monkeypatch.setattr(Simulator, "step", step)
    return sizes


def frames(rollout: Rollout) -> np.ndarray:
    return np.stack([np.asarray(trajectory.pos) for trajectory in rollout.trajectories])


def settings_in(folder: Path) -> dict[str, Any]:
    with safe_open(str(folder / "restart.safetensors"), framework="pt") as file:
        return dict(json.loads(file.metadata()["restart"])["settings"])


# ------------------------------------------------------------------ who goes with whom


@pytest.mark.parametrize(
    ("n_edges", "most_edges", "expected"),
    [
        ([81] * 40, 8000, [40]),
        ([81] * 1000, 8000, [50] * 20),  # 98 would do; 20 batches are equal, 11 are not
        ([10] * 7, 30, [3, 2, 2]),
        ([10] * 11, 50, [4, 4, 3]),
        ([50, 50, 120, 30, 30, 50], 100, [2, 1, 2, 1]),
        ([9], 1, [1]),
    ],
)
def test_batches_are_few_bounded_and_equal_if_they_can_be(
    n_edges: list[int], most_edges: int, expected: list[int]
) -> None:
    assert batch_sizes(np.array(n_edges), most_edges) == expected


def test_edges_are_not_underestimated(simulator: Simulator) -> None:
    for system in (CHAINS[0], LONG):
        (start,) = choose_starts(simulator, [system], n_replicas=1, seed=0)
        batch = simulator.windows([system])[0]
        batch.pos = torch.as_tensor(start.pos.transpose(1, 0, 2).copy())
        state = simulator.start(batch, torch.Generator())
        graph = state.graph_at(state.pos[:, -1].float(), cutoff=simulator.cutoff)
        n_edges = graph.edge_index.shape[1]
        assert n_edges <= count_edges(simulator, start) <= 2.5 * n_edges
    cell = np.repeat(np.diag([3.0, 4.0, 5.0])[None].astype(np.float32), 30, axis=0)
    diffused = replace(LONG, cell=cell, pos=LONG.pos + 100 * np.arange(20)[:, None])
    sphere = 4 / 3 * np.pi * simulator.cutoff**3 / 60
    expected = min(400, int(400 * sphere) + 2 * TINY.graph.n_hops * 20)
    assert count_edges(simulator, diffused) == expected


# ------------------------------------------------------------------ what they compute


def test_each_batch_draws_in_turn_and_moves_as_if_alone(simulator: Simulator) -> None:
    batches = batches_of(simulator, most_edges=150, n_replicas=4)  # 36 edges each
    assert batches.sizes == [4, 4]
    systems, generator = batches.systems, torch.Generator().manual_seed(1)
    alone = [
        Batches(simulator, systems[part], generator=generator, most_edges=150)
        for part in (slice(0, 4), slice(4, 8))
    ]
    for each in (batches, *alone):
        each.prepare(3, before=None)
    start = batches.pos
    for _ in range(3):
        torch.testing.assert_close(
            batches.step(), torch.cat([each.step() for each in alone]), rtol=0, atol=0
        )
    assert (batches.pos - start).abs().max() > 1e-3


def test_many_replicas_are_cut_by_themselves(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = run_out_above(monkeypatch, 10**9, error=OUT_OF_MEMORY)  # never
    rollout = simulate(simulator, CHAINS[0], 1, n_replicas=2000)
    assert len(rollout.trajectories) == 2000
    assert set(sizes) == {6 * 1000}
    assert BATCH_EDGES >= 36 * 1000


def test_batches_of_one_molecule_share_what_is_constant(simulator: Simulator) -> None:
    batches = batches_of(simulator, most_edges=72)
    batches.prepare(1, before=None)
    one, two, *_, last = batches._states
    assert one.embedding is two.embedding
    assert one.fixed_graph is two.fixed_graph
    assert last.embedding is not one.embedding


def test_restarts_exactly(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"n_replicas": 4, "seed": 5}
    with monkeypatch.context() as patch:
        limit_edges(patch, 100)
        whole = simulate(simulator, CHAINS, 9, output=tmp_path / "whole", **settings)
        simulate(simulator, CHAINS, 4, output=tmp_path / "parts", **settings)
    assert settings_in(tmp_path / "parts")["most_edges"] == 100
    parts = simulate(simulator, CHAINS, 9, output=tmp_path / "parts", **settings)
    for one, other in zip(whole.files, parts.files, strict=True):
        assert one.read_bytes() == other.read_bytes()
    single = simulate(simulator, CHAINS, 9, output=tmp_path / "single", **settings)
    assert single.files[0].read_bytes() != whole.files[0].read_bytes()


# ------------------------------------------------------------------ memory runs out


@pytest.mark.parametrize(
    "error",
    [
        OUT_OF_MEMORY,
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    ],
    ids=["torch", "cuda", "cpu"],
)
def test_half_the_batch_goes_on(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with monkeypatch.context() as patch:
        limit_edges(patch, 36 * 2)
        expected = simulate(simulator, CHAINS, 4, n_replicas=4, seed=2)
    sizes = run_out_above(monkeypatch, 12, error=error)
    with pytest.warns(UserWarning, match="memory ran out on cpu") as seen:
        found = simulate(simulator, CHAINS, 4, n_replicas=4, seed=2)
    said = [str(warning.message) for warning in seen]
    assert ["4 systems instead of 8" in said[0], "2 systems instead of 4" in said[1]] == [True] * 2
    assert len(said) == 2
    assert sizes == [12] * 4 * 4
    np.testing.assert_array_equal(frames(found), frames(expected))


def test_in_mid_run_nothing_is_lost_and_restarts_are_exact(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"n_replicas": 2, "every": 2}
    plain = simulate(simulator, CHAINS, 9, output=tmp_path / "plain/*.dcd", **settings)
    with monkeypatch.context() as patch:
        run_out_above(patch, 12, from_step=5, error=OUT_OF_MEMORY)
        with pytest.warns(UserWarning, match="2 systems instead of 4"):
            whole = simulate(simulator, CHAINS, 9, output=tmp_path / "whole/*.dcd", **settings)
    with monkeypatch.context() as patch:
        run_out_above(patch, 12, from_step=5, error=OUT_OF_MEMORY)
        with pytest.warns(UserWarning, match="2 systems instead of 4"):
            simulate(simulator, CHAINS, 6, output=tmp_path / "parts/*.dcd", **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = simulate(simulator, CHAINS, 9, output=tmp_path / "parts/*.dcd", **settings)
    for one, other, before in zip(whole.files, parts.files, plain.files, strict=True):
        assert one.read_bytes() == other.read_bytes()
        found, without = (
            mdtraj.load(str(path), top=str(path.parent / f"{path.name[:2]}.psf")).xyz
            for path in (one, before)
        )
        assert len(found) == 4
        np.testing.assert_array_equal(found[:2], without[:2])


def test_halving_is_written_at_once(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    flush = cgsim.rollout.reporters.FileReporter.flush

    def spy(self: Any, restart: Any) -> None:
        steps.append(restart.step)
        flush(self, restart)

    monkeypatch.setattr(cgsim.rollout.reporters.FileReporter, "flush", spy)
    run_out_above(monkeypatch, 12, from_step=3, error=OUT_OF_MEMORY)
    with pytest.warns(UserWarning, match="memory ran out"):
        simulate(simulator, CHAINS, 8, n_replicas=2, output=tmp_path)
    assert steps == [0, 3, 8]


@pytest.mark.filterwarnings("ignore:memory ran out")
def test_a_system_that_does_not_fit_is_named(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_above(monkeypatch, 5, error=OUT_OF_MEMORY)
    with (
        pytest.warns(UserWarning, match="1 systems instead of 2"),
        pytest.raises(MemoryError, match=r"one system of 6 beads .* memory of cpu"),
    ):
        simulate(simulator, CHAINS, 3)


def test_other_errors_are_not_taken_for_it(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_above(monkeypatch, 5, error=RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        simulate(simulator, CHAINS, 3)


# ------------------------------------------------------------------ compiled


def test_one_compilation_serves_all_batches_of_a_shape(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_compiled: list[Any] = []

    def compile_nothing(function: Any, **settings: Any) -> Any:
        n_compiled.append(function)
        return function

    monkeypatch.setattr(cgsim.rollout.compiled, "has_compiler", lambda: True)
    monkeypatch.setattr(torch, "compile", compile_nothing)
    batches = batches_of(simulator, most_edges=72)
    batches.prepare(10**9, before=None)
    assert batches.stepper == "compiled"
    assert len(n_compiled) == 1
    assert len({id(stepper) for stepper in batches._steppers}) == 1
    eager = batches_of(simulator, most_edges=72)
    eager.prepare(1, before=None)
    assert eager.stepper == "eager"
    for _ in range(2):
        torch.testing.assert_close(batches.step(), eager.step(), rtol=0, atol=1e-6)
    states = [*batches._states[:3]]
    assert {each.name for each in choose_steppers(simulator, states, 1, before=None)} == {"eager"}


@pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")
def test_a_compiled_step_serves_other_molecules(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Simulator(
        replace(TINY, dynamics=replace(TINY.dynamics, n_layers=1), score=None),
        atom_types=ATOM_TYPES,
        scales=simulator.scales,
    ).eval()
    perturb_parameters(small, scale=0.3)
    eager, compiled = (batches_of(small, most_edges=72, n_replicas=2) for _ in range(2))
    eager.prepare(1, before=None)
    monkeypatch.setattr(cgsim.rollout.compiled, "WORTH", 0.0)
    compiled.prepare(1, before=None)
    assert (eager.stepper, compiled.stepper) == ("eager", "compiled")
    assert len({id(stepper) for stepper in compiled._steppers}) == 1
    for _ in range(3):
        torch.testing.assert_close(compiled.step(), eager.step(), rtol=0, atol=1e-5)

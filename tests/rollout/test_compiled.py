"""The compiled step: equal to the eager one, chosen by a fixed rule, never a reason to fail."""

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
import torch
from safetensors import safe_open

import cgsim.hardware.threads
import cgsim.rollout.compiled
from cgsim.config import SamplerConfig, ScoreConfig
from cgsim.data.scales import measure
from cgsim.hardware.compile import has_compiler
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.nn.native.kernels import is_built
from cgsim.rollout.compiled import (
    CompiledStepper,
    EagerStepper,
    choose_stepper,
    compiled_step,
    compiling_pays,
    runs_kernels,
)
from cgsim.rollout.simulate import simulate
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters, random_chain

LONG = 10**9  # steps for which everything pays
CHAIN = random_chain(5, n_frames=20)
needs_compiler = pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    torch.manual_seed(0)
    config = replace(
        TINY,
        dynamics=replace(TINY.dynamics, n_layers=1),
        score=ScoreConfig(n_channels=4, n_layers=1, current_distances=True),
        sampler=SamplerConfig(n_evaluations=3, churn=0.5),
    )
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure([CHAIN], stride=1))
    perturb_parameters(simulator, scale=0.1)
    return simulator.eval()


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile however short the roll-out."""
    monkeypatch.setattr(cgsim.rollout.compiled, "WORTH", 0.0)


def state_of(simulator: Simulator, *molecules: MappedTrajectory, n_replicas: int = 2) -> State:
    systems = choose_starts(simulator, list(molecules), n_replicas=n_replicas, seed=0)
    return simulator.start(start_batch(simulator, systems), torch.Generator().manual_seed(1))


def stepper_in(folder: Path) -> str:
    with safe_open(str(folder / "restart.safetensors"), framework="pt") as file:
        return str(json.loads(file.metadata()["restart"])["settings"]["stepper"])


def frames(file: Path) -> np.ndarray:
    return np.asarray(mdtraj.load(str(file), top=str(file.parent / "chain.psf")).xyz)


# ------------------------------------------------------------------ the compiled step


@needs_compiler
def test_a_compiled_roll_out_is_the_eager_one_and_restarts_exactly(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cgsim.rollout.compiled, "WORTH", 0.0)
        whole = simulate(simulator, CHAIN, 9, n_replicas=2, output=tmp_path / "whole/*.dcd")
        simulate(simulator, CHAIN, 4, n_replicas=2, output=tmp_path / "parts/*.dcd")
    parts = simulate(simulator, CHAIN, 9, n_replicas=2, output=tmp_path / "parts/*.dcd")
    assert stepper_in(tmp_path / "whole") == stepper_in(tmp_path / "parts") == "compiled"
    eager = simulate(simulator, CHAIN, 9, n_replicas=2, output=tmp_path / "eager/*.dcd")
    assert stepper_in(tmp_path / "eager") == "eager"
    for one, other, reference in zip(whole.files, parts.files, eager.files, strict=True):
        np.testing.assert_array_equal(frames(one), frames(other))
        np.testing.assert_allclose(frames(one), frames(reference), rtol=0, atol=1e-5)
    state = state_of(simulator, CHAIN)
    function = compiled_step(simulator, state)
    stepper = CompiledStepper(function, simulator.dtype, n_edges=50, n_draws=simulator.n_draws)
    generator = torch.Generator().manual_seed(1)
    compiled, plain = state, replace(state, generator=generator)
    for _ in range(5):
        compiled, plain = stepper(compiled), simulator.step(plain)
    torch.testing.assert_close(compiled.pos, plain.pos, rtol=0, atol=1e-5)
    assert (compiled.pos - state.pos).abs().max() > 1e-2
    assert torch.equal(compiled.generator.get_state(), plain.generator.get_state())


@pytest.mark.parametrize("sizes", [(17,), (5, 6)], ids=["large", "unequal"])
def test_others_are_not_compiled(simulator: Simulator, sizes: tuple[int, ...]) -> None:
    state = state_of(simulator, *(random_chain(size, name=f"c{size}") for size in sizes))
    assert (state.fixed_graph is None) == (sizes == (17,))
    assert isinstance(choose_stepper(simulator, state, LONG), EagerStepper)
    with pytest.raises(ValueError, match="small equal systems"):
        compiled_step(simulator, state)


# ------------------------------------------------------------------ the choice


@needs_compiler
def test_the_number_of_threads_changes_no_bit(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgsim.hardware.threads, "EDGES_PER_THREAD", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        state = state_of(simulator, CHAIN, n_replicas=40)
        stepper = choose_stepper(simulator, state, LONG)
        assert (stepper.name, stepper.most_threads) == ("compiled", 2)
        ends = []
        for n_threads in (2, 1):
            torch.set_num_threads(n_threads)
            state.generator.manual_seed(0)
            moved = state
            for _ in range(5):
                moved = stepper(moved)
            ends.append(moved.pos)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*ends)


def test_what_pays() -> None:
    assert not compiling_pays(1000, 100, on_gpu=False)
    assert compiling_pays(100_000, 100, on_gpu=False)
    assert compiling_pays(10_000, 5000, on_gpu=False)
    assert not compiling_pays(5_000, 100, on_gpu=False)
    assert compiling_pays(100_000, 100, on_gpu=True)


def test_beside_kernels_only_few_replicas_are_worth_a_compilation() -> None:
    assert compiling_pays(100_000, 100, on_gpu=False, has_kernels=True)
    assert not compiling_pays(10_000, 100, on_gpu=False, has_kernels=True)
    assert not compiling_pays(10**9, 40 * 81, on_gpu=False, has_kernels=True)


@pytest.mark.parametrize(
    ("n_channels", "lmax", "expected"), [(8, 1, True), (8, 2, False), (4, 1, False)]
)
def test_kernels_are_for_some_networks(n_channels: int, lmax: int, expected: bool) -> None:
    dynamics = replace(TINY.dynamics, n_channels=n_channels, lmax=lmax)
    config = replace(TINY, dynamics=dynamics, score=None)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure([CHAIN], stride=1))
    assert runs_kernels(simulator) == (expected and is_built())
    assert not runs_kernels(simulator.double())


def test_a_short_roll_out_is_eager(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", _never)
    assert choose_stepper(simulator, state_of(simulator, CHAIN), 100).name == "eager"


def test_what_was_begun_goes_on_alike(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(simulator, CHAIN, 3, output=tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr(cgsim.rollout.compiled, "WORTH", 0.0)
        patch.setattr(torch, "compile", _never)
        (found,) = simulate(simulator, CHAIN, 6, output=tmp_path / "parts").files
    (expected,) = simulate(simulator, CHAIN, 6, output=tmp_path / "whole").files
    assert found.read_bytes() == expected.read_bytes()


def _never(*arguments: Any, **settings: Any) -> Any:
    raise RuntimeError("the compiler gave up\nfor many reasons")


# ------------------------------------------------------------------ when it cannot be


def _wrong(function: Callable[..., torch.Tensor], **settings: Any) -> Any:
    return lambda *arguments: function(*arguments) + 0.1


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        (_never, "RuntimeError: the compiler gave up for many reasons$"),
        (_wrong, "ArithmeticError: .* differs"),
    ],
)
def test_without_success_it_is_eager_with_one_warning(
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    always: None,
    compiler: Callable[..., Any],
    reason: str,
) -> None:
    monkeypatch.setattr(cgsim.rollout.compiled, "has_compiler", lambda: True)
    monkeypatch.setattr(torch, "compile", compiler)
    with pytest.warns(UserWarning, match=reason) as seen:
        (found,) = simulate(simulator, CHAIN, 5).trajectories
    assert len(seen) == 1
    monkeypatch.setattr(cgsim.rollout.compiled, "WORTH", float("inf"))
    (expected,) = simulate(simulator, CHAIN, 5).trajectories
    np.testing.assert_array_equal(found.pos, expected.pos)


def test_without_a_compiler_it_is_eager(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, always: None
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(torch, "compile", _never)
    assert not has_compiler()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stepper = choose_stepper(simulator, state_of(simulator, CHAIN), LONG)
    assert stepper.name == "eager"


def test_a_failed_compilation_leaves_the_random_numbers_alone(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_of(simulator, CHAIN)
    before = state.generator.get_state()
    monkeypatch.setattr(torch, "compile", lambda function, **settings: function)
    monkeypatch.setattr(cgsim.rollout.compiled, "has_compiler", lambda: True)
    stepper = choose_stepper(simulator, state, LONG)
    assert stepper.name == "compiled"
    assert torch.equal(state.generator.get_state(), before)
    expected = simulator.step(replace(state, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(stepper(state).pos, expected.pos, rtol=0, atol=1e-9)

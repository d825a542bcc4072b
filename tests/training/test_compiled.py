"""The compiled loss: the eager one to round-off, chosen by a fixed rule, never a reason to fail."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

import cgsim.training.compiled
from cgsim.baselines import PlainDynamics
from cgsim.config import ModelConfig, ScoreConfig, TrainingConfig
from cgsim.data.augmentation import NO_AUGMENTATION, Augmentation
from cgsim.data.sampling import EqualSizes, ReplayDataset
from cgsim.data.scales import measure
from cgsim.hardware.compile import has_compiler
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.networks import with_networks
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import (
    ATOM_TYPES,
    TINY,
    perturb_parameters,
    random_chain,
    random_molecule,
    random_simulator,
)
from cgsim.training.compiled import CompiledLoss, choose_loss, sizes_to_compile, training_threads
from cgsim.training.fit import fit

CHAINS = [random_chain(4, n_frames=40, seed=seed, name=f"chain{seed}") for seed in (1, 2, 3)]
STAR = random_molecule(np.array([[0, 0, 0], [1, 2, 3]]), n_beads=4, n_frames=40, name="star")
OTHERS = [random_chain(size, n_frames=40, seed=size, name=f"of {size}") for size in (5, 3)]
LONG = TrainingConfig(n_steps=10**9)  # everything pays
needs_compiler = pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")


def model(noise: Literal["correlated", "elastic"] = "correlated") -> ModelConfig:
    return replace(
        TINY,
        dynamics=replace(TINY.dynamics, n_layers=1, noise=noise),
        score=ScoreConfig(n_channels=4, n_layers=1),
    )


def simulator_of(config: ModelConfig) -> Simulator:
    torch.manual_seed(0)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure(CHAINS, stride=1))
    perturb_parameters(simulator, scale=0.1)
    return simulator


@needs_compiler
@pytest.mark.parametrize(("noise", "sizes"), [("correlated", {4, 5}), ("elastic", {4})])
def test_losses_and_gradients_are_those_of_the_simulator(
    noise: Literal["correlated", "elastic"], sizes: set[int]
) -> None:
    """Of batches of molecules with other bonds, of other sizes, also after the weights change."""
    simulator = simulator_of(model(noise))
    loss, windows = CompiledLoss(simulator, sizes), simulator.windows([*CHAINS, STAR, *OTHERS])
    n = windows.starts
    four, star, five, three = ([int(n[k]), int(n[k]) + 5] for k in (0, 3, 4, 5))
    for rows in ([*four, 50, 51], [*four, *star], [*five, *five], three):
        batch = windows[rows]
        results = []
        for function in (loss, simulator.loss):
            simulator.zero_grad()
            losses = function(
                batch,
                generator=torch.Generator().manual_seed(4),
                augmentation=Augmentation(history=0.3),
            )
            (losses["nll"] + losses["score"]).backward()
            gradient = {
                name: weight.grad.clone()
                for name, weight in simulator.named_parameters()
                if weight.grad is not None
            }
            results.append((losses, gradient))
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)
        perturb_parameters(simulator, scale=0.1)
    assert loss.compiled_sizes == sizes


def test_only_batches_of_equal_small_systems_are_compiled() -> None:
    simulator = simulator_of(model())
    long = random_chain(17, n_frames=20)

    def sizes(*molecules: MappedTrajectory, training: TrainingConfig = LONG) -> set[int]:
        loss, windows = choose_loss(simulator, simulator.windows(molecules), training)
        assert isinstance(windows, EqualSizes) == (
            isinstance(loss, CompiledLoss) and len({each.n_beads for each in molecules}) > 1
        )
        return set(loss.sizes) if isinstance(loss, CompiledLoss) else set()

    assert sizes(*CHAINS) == ({4} if has_compiler() else set())
    assert sizes(*CHAINS, *OTHERS) == ({3, 4, 5} if has_compiler() else set())
    assert sizes(*CHAINS, long) == set()
    assert sizes(*CHAINS, training=TrainingConfig(n_steps=10)) == set()
    assert sizes(long) == set()


@needs_compiler
def test_a_size_is_compiled_if_its_share_of_the_steps_pays() -> None:
    simulator = simulator_of(model())
    molecules = [random_chain(4, n_frames=1000), random_chain(5, n_frames=10)]
    some = TrainingConfig(n_steps=10_000)
    assert sizes_to_compile(simulator, molecules, some) == {4}
    assert sizes_to_compile(simulator, molecules, LONG) == {4, 5}


def test_replayed_windows_of_several_sizes_are_not_compiled() -> None:
    simulator = simulator_of(model())
    new, old = simulator.windows(CHAINS), simulator.windows(OTHERS)
    both = ReplayDataset(new, old, share=0.5)
    assert choose_loss(simulator, both, LONG) == (simulator.loss, both)


def test_a_network_that_is_not_equivariant_is_not_compiled() -> None:
    plain = simulator_of(with_networks(replace(model(), score=None), PlainDynamics))
    windows = plain.windows(CHAINS)
    assert choose_loss(plain, windows, LONG) == (plain.loss, windows)


def test_what_cannot_be_compiled_is_computed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: object) -> object:
        raise RuntimeError("no compiler today")

    monkeypatch.setattr(cgsim.training.compiled, "compiled", broken)
    simulator = simulator_of(model())
    batch = simulator.windows(CHAINS)[[0, 7, 40]]
    loss = CompiledLoss(simulator, {4})
    with pytest.warns(UserWarning, match="no compiler today"):
        found = loss(
            batch,
            generator=torch.Generator().manual_seed(2),
            augmentation=Augmentation(history=0.1),
        )
    expected = simulator.loss(
        batch, generator=torch.Generator().manual_seed(2), augmentation=Augmentation(history=0.1)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert not loss.compiled_sizes


@needs_compiler
def test_a_function_that_differs_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(function):  # type: ignore[no-untyped-def]
        return lambda *inputs: {name: 2 * value for name, value in function(*inputs).items()}

    monkeypatch.setattr(cgsim.training.compiled, "compiled", wrong)
    simulator = simulator_of(model())
    loss = CompiledLoss(simulator, {4})
    with pytest.warns(UserWarning, match="gradient differs"):
        loss(
            simulator.windows(CHAINS)[[0]],
            generator=torch.Generator(),
            augmentation=NO_AUGMENTATION,
        )
    assert not loss.compiled_sizes


@needs_compiler
def test_a_compiled_training_ends_as_an_eager_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = TrainingConfig(n_steps=6, steps_per_epoch=3, batch_size=4, stride=1)
    eager = fit(CHAINS, tmp_path / "eager", model=model(), training=training)
    monkeypatch.setattr(cgsim.training.compiled, "WORTH", 0.0)
    compiled = fit(CHAINS, tmp_path / "compiled", model=model(), training=training)
    weights = dict(eager.named_parameters())
    for name, weight in compiled.named_parameters():
        torch.testing.assert_close(weight, weights[name], rtol=1e-3, atol=1e-4)


def test_a_training_on_several_sizes_has_batches_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watched(function):  # type: ignore[no-untyped-def]
        def call(windows, *others):  # type: ignore[no-untyped-def]
            seen.append(len(windows.pos))
            return function(windows, *others)

        return call

    monkeypatch.setattr(cgsim.training.compiled, "compiled", watched)
    monkeypatch.setattr(cgsim.training.compiled, "has_compiler", lambda: True)
    monkeypatch.setattr(cgsim.training.compiled, "WORTH", 0.0)
    training = TrainingConfig(n_steps=20, steps_per_epoch=10, batch_size=4, stride=1)
    fit([*CHAINS, *OTHERS], tmp_path, model=model(), training=training)
    assert {4 * 4} < set(seen) <= {4 * 3, 4 * 4, 4 * 5}


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_a_compiled_loss_uses_more_threads_than_the_same_as_it_is() -> None:
    chain = random_chain(9)
    simulator = random_simulator([chain])
    used = []
    for loss in (simulator.loss, CompiledLoss(simulator, {9})):
        with training_threads(loss, [chain], TrainingConfig(batch_size=64)):
            used.append(torch.get_num_threads())
    assert used == [1, 2]

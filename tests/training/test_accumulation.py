"""Training in parts: the loss and gradient of the whole batch, halved where memory runs out."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.config import TrainingConfig
from cgsim.data.augmentation import NO_AUGMENTATION, Augmentation, count_graphs
from cgsim.data.graphs import CGData
from cgsim.data.scales import measure
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters, random_chain
from cgsim.training.accumulation import AccumulatedLoss, windows_in_parts
from cgsim.training.compiled import Losses
from cgsim.training.fit import fit

CHAINS = [
    random_chain(6, n_frames=30, seed=0, name="a"),
    random_chain(20, n_frames=30, seed=1, name="b"),
    random_chain(6, n_frames=30, seed=2, name="c"),
]
OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture
def simulator() -> Simulator:
    """Without a score network its loss draws no random numbers that matter."""
    torch.manual_seed(0)
    config = replace(TINY, score=None)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure(CHAINS, stride=1))
    perturb_parameters(simulator, scale=0.1)
    return simulator


@pytest.fixture
def batch(simulator: Simulator) -> CGData:
    windows = simulator.windows(CHAINS)
    random = np.random.default_rng(0)
    return windows[windows.draw(random, 7).tolist()]


def nll(losses: Losses) -> Tensor:
    return losses["nll"]


def gradients(simulator: Simulator) -> list[Tensor | None]:
    found = [None if own.grad is None else own.grad.clone() for own in simulator.parameters()]
    simulator.zero_grad()
    return found


def run_out_above(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, n_windows: int
) -> list[int]:
    """Let memory run out for more windows; return the windows of every loss that fits."""
    original, sizes = Simulator.loss, list[int]()

    def loss(
        self: Simulator,
        batch: CGData,
        *,
        generator: torch.Generator | None = None,
        augmentation: Augmentation = NO_AUGMENTATION,
    ) -> Losses:
        if count_graphs(batch) > n_windows and torch.is_grad_enabled():
            torch.randn(5, generator=generator)  # it had begun
            raise OUT_OF_MEMORY
        sizes.append(count_graphs(batch))
        return original(self, batch, generator=generator, augmentation=augmentation)

    monkeypatch.setattr(Simulator, "loss", loss)
    return sizes


# ------------------------------------------------------------------ parts


@pytest.mark.parametrize("n_parts", [1, 2, 3, 7, 20])
def test_parts_are_the_same_windows(simulator: Simulator, batch: CGData, n_parts: int) -> None:
    parts = windows_in_parts(batch, n_parts)
    sizes = [count_graphs(part) for part in parts]
    assert len(parts) == min(n_parts, 7)
    assert sum(sizes) == 7
    assert max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat([part.pos for part in parts]), batch.pos)
    whole = simulator.predict(batch).acceleration
    own = [simulator.predict(part).acceleration for part in parts]
    torch.testing.assert_close(torch.cat([field.mean for field in own]), whole.mean)
    torch.testing.assert_close(torch.cat([field.entropy() for field in own]), whole.entropy())


def test_parts_keep_their_cells(simulator: Simulator) -> None:
    cell = np.diag([9.0, 8.0, 7.0]).astype(np.float32) * np.linspace(1, 2, 30)[:, None, None]
    periodic = replace(CHAINS[0], cell=cell.astype(np.float32))
    batch = simulator.windows([periodic])[[1, 5, 9]]
    first, second = windows_in_parts(batch, 2)
    assert torch.equal(torch.cat([first.cell, second.cell]), batch.cell)


# ------------------------------------------------------------------ the gradient


@pytest.mark.parametrize("n_windows", [7, 4, 2, 1])
def test_loss_and_gradient_are_those_of_the_whole_batch(
    simulator: Simulator, batch: CGData, monkeypatch: pytest.MonkeyPatch, n_windows: int
) -> None:
    expected = simulator.loss(batch)["nll"]
    expected.backward()
    slopes = gradients(simulator)
    assert max(float(own.abs().max()) for own in slopes if own is not None) > 1e-3
    run_out_above(simulator, monkeypatch, n_windows)
    accumulated = AccumulatedLoss(simulator, nll)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        total, losses = accumulated(
            simulator.loss, batch, generator=torch.Generator(), augmentation=NO_AUGMENTATION
        )
    (3 * total).backward()
    torch.testing.assert_close(total.detach(), expected.detach())
    torch.testing.assert_close(losses["nll"], expected.detach())
    for found, slope in zip(gradients(simulator), slopes, strict=True):
        assert (found is None) == (slope is None)
        if found is not None and slope is not None:
            torch.testing.assert_close(found, 3 * slope, rtol=1e-3, atol=1e-5)


def test_a_batch_that_fits_is_left_alone(simulator: Simulator, batch: CGData) -> None:
    simulator.loss(batch, generator=torch.Generator(), augmentation=Augmentation(history=0.1))[
        "nll"
    ].backward()
    slopes = gradients(simulator)
    total, _ = AccumulatedLoss(simulator, nll)(
        simulator.loss, batch, generator=torch.Generator(), augmentation=Augmentation(history=0.1)
    )
    total.backward()
    for found, slope in zip(gradients(simulator), slopes, strict=True):
        torch.testing.assert_close(found, slope, rtol=0, atol=0)


# ------------------------------------------------------------------ memory runs out


def test_halves_from_then_on_and_says_so(
    simulator: Simulator, batch: CGData, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = run_out_above(simulator, monkeypatch, 2)
    accumulated = AccumulatedLoss(simulator, nll)
    with pytest.warns(UserWarning, match="memory ran out on cpu") as seen:
        accumulated(
            simulator.loss,
            batch,
            generator=torch.Generator(),
            augmentation=Augmentation(history=0.1),
        )
    said = [str(warning.message) for warning in seen]
    assert ["4 windows instead of 7" in said[0], "2 windows instead of 4" in said[1]] == [True] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        accumulated(
            simulator.loss,
            batch,
            generator=torch.Generator(),
            augmentation=Augmentation(history=0.1),
        )
    assert sorted(sizes) == [1] * 2 + [2] * 6
    assert accumulated.n_parts == 4


def test_in_the_backward_pass_too(
    simulator: Simulator, batch: CGData, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, sizes = torch.autograd.grad, list[int]()

    def grad(*arguments: Any, **settings: Any) -> Any:
        sizes.append(len(sizes))
        if len(sizes) == 1:
            raise OUT_OF_MEMORY
        return original(*arguments, **settings)

    expected = simulator.loss(batch)["nll"].detach()
    monkeypatch.setattr(torch.autograd, "grad", grad)
    with pytest.warns(UserWarning, match="4 windows instead of 7"):
        total, _ = AccumulatedLoss(simulator, nll)(
            simulator.loss, batch, generator=torch.Generator(), augmentation=NO_AUGMENTATION
        )
    torch.testing.assert_close(total.detach(), expected)
    assert len(sizes) == 3


@pytest.mark.filterwarnings("ignore:memory ran out")
def test_a_window_that_does_not_fit_is_named(
    simulator: Simulator, batch: CGData, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_above(simulator, monkeypatch, 0)
    with (
        pytest.warns(UserWarning, match="1 windows instead of 2"),
        pytest.raises(MemoryError, match=r"loss of one window .* memory of cpu"),
    ):
        AccumulatedLoss(simulator, nll)(
            simulator.loss, batch, generator=torch.Generator(), augmentation=NO_AUGMENTATION
        )


def test_other_errors_are_not_taken_for_it(simulator: Simulator, batch: CGData) -> None:
    def broken(batch: CGData, *, generator: torch.Generator, augmentation: Augmentation) -> Losses:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        AccumulatedLoss(simulator, nll)(
            broken, batch, generator=torch.Generator(), augmentation=NO_AUGMENTATION
        )


def test_a_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = replace(TINY, score=None)
    training = TrainingConfig(n_steps=6, batch_size=8, steps_per_epoch=6, history_noise=0.0)
    whole = fit(CHAINS[:1], tmp_path / "whole", model=model, training=training)
    sizes = run_out_above(whole, monkeypatch, 4)
    with pytest.warns(UserWarning, match="4 windows instead of 8"):
        parts = fit(CHAINS[:1], tmp_path / "parts", model=model, training=training)
    assert sizes.count(4) == 12
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3)

"""Batches learnt in pieces: what is drawn, learnt and held, whatever their number."""

import numpy as np
import pytest
import torch

from cgsim.config import TrainingConfig
from cgsim.data.augmentation import Augmentation, count_graphs
from cgsim.data.graphs import CGData
from cgsim.data.scales import measure
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters, random_chain
from cgsim.training import pieces
from cgsim.training.accumulation import AccumulatedLoss
from cgsim.training.compiled import Losses, choose_loss
from cgsim.training.pieces import PiecewiseLoss

CHAINS = [random_chain(size, n_frames=30, seed=size, name=str(size)) for size in (20, 34)]
NOISY = Augmentation(history=0.3, embedding=0.2, reversal=0.5)


@pytest.fixture
def simulator() -> Simulator:
    torch.manual_seed(0)
    simulator = Simulator(TINY, atom_types=ATOM_TYPES, scales=measure(CHAINS, stride=1))
    perturb_parameters(simulator, scale=0.1)
    return simulator


@pytest.fixture
def batch(simulator: Simulator) -> CGData:
    windows = simulator.windows(CHAINS)
    return windows[windows.draw(np.random.default_rng(0), 7).tolist()]


def total(losses: Losses) -> torch.Tensor:
    return losses["nll"] + 0.5 * losses["score"]


def gradient(simulator: Simulator, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    simulator.zero_grad()
    loss.backward()
    found = simulator.named_parameters()
    return {name: own.grad.clone() for name, own in found if own.grad is not None}


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("most_edges", [1, 600, 10**9])
def test_loss_and_gradient_are_those_of_the_whole_batch_with_the_same_noise(
    simulator: Simulator, batch: CGData, most_edges: int, n_threads: int
) -> None:
    whole = simulator.loss(batch, generator=torch.Generator().manual_seed(1), augmentation=NOISY)
    slopes = gradient(simulator, total(whole))
    loss = PiecewiseLoss(simulator, n_threads=n_threads)
    loss.most_edges = most_edges
    accumulated = AccumulatedLoss(simulator, total)
    found, losses = accumulated(
        loss, batch, generator=torch.Generator().manual_seed(1), augmentation=NOISY
    )
    assert accumulated.n_parts == {1: 7, 600: accumulated.n_parts, 10**9: 1}[most_edges]
    torch.testing.assert_close(losses, {name: own.detach() for name, own in whole.items()})
    torch.testing.assert_close(gradient(simulator, found), slopes, rtol=1e-3, atol=1e-5)


def test_threads_change_no_bit(simulator: Simulator, batch: CGData) -> None:
    found = []
    for n_threads in (1, 2, 3):
        loss = PiecewiseLoss(simulator, n_threads=n_threads)
        loss.most_edges = 1000
        own, _ = AccumulatedLoss(simulator, total)(
            loss, batch, generator=torch.Generator().manual_seed(1), augmentation=NOISY
        )
        found.append(gradient(simulator, own))
    for other in found[1:]:
        assert all(torch.equal(other[name], own) for name, own in found[0].items())


def test_memory_that_runs_out_makes_smaller_pieces_of_the_same_noise(
    simulator: Simulator, batch: CGData, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = simulator.loss(batch, generator=torch.Generator().manual_seed(1), augmentation=NOISY)
    original = pieces.on_graph

    def on_graph(networks: Simulator, own: CGData, *others: torch.Tensor) -> object:
        if count_graphs(own) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(networks, own, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(pieces, "on_graph", on_graph)
    accumulated = AccumulatedLoss(simulator, total)
    with pytest.warns(UserWarning, match="4 windows instead of 7"):
        _, losses = accumulated(
            PiecewiseLoss(simulator, n_threads=1),
            batch,
            generator=torch.Generator().manual_seed(1),
            augmentation=NOISY,
        )
    assert accumulated.n_parts == 4
    torch.testing.assert_close(losses, {name: own.detach() for name, own in whole.items()})


def test_few_threads_and_small_pieces_where_memory_is_short(simulator: Simulator) -> None:
    loss = PiecewiseLoss(simulator, n_threads=4)
    loss.fit_into(1e12, bytes_per_edge=1e3, n_edges=5e3)
    assert (loss.n_threads, loss.most_edges) == (4, pieces.PIECE_EDGES)
    loss.fit_into(3e7, bytes_per_edge=1e3, n_edges=5e3)  # thirty thousand edges
    assert (loss.n_threads, loss.most_edges) == (4, 7500)
    loss.fit_into(1.2e7, bytes_per_edge=1e3, n_edges=5e3)
    assert (loss.n_threads, loss.most_edges) == (2, 6000)
    loss.fit_into(1e3, bytes_per_edge=1e3, n_edges=5e3)  # no window fits; one is the least
    assert (loss.n_threads, loss.most_edges) == (1, 5000)
    assert loss.at_once(1e5, 64) == (1, 1 / 20)


def test_it_is_chosen_for_systems_of_more_than_a_few_beads(simulator: Simulator) -> None:
    windows = simulator.windows(CHAINS)
    loss, chosen = choose_loss(simulator, windows, TrainingConfig())
    assert isinstance(loss, PiecewiseLoss)
    assert chosen is windows
    small = simulator.windows([random_chain(6, n_frames=30)])
    assert not isinstance(
        choose_loss(simulator, small, TrainingConfig(n_steps=1))[0], PiecewiseLoss
    )

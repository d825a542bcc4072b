"""Loaders of PyTorch Geometric over windows give what lists of windows give."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from cgsim.config import ModelConfig
from cgsim.data.augmentation import NO_AUGMENTATION, Augmentation
from cgsim.data.cutouts import CutoutDataset
from cgsim.data.graphs import CGData
from cgsim.data.sampling import ReplayDataset
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY, random_chain, random_molecule, random_simulator

RING = np.array([[0, 1, 2, 3, 0], [1, 2, 3, 4, 4]])
BOX = np.tile(3.0 * np.eye(3), (12, 1, 1))


def boxed(n_beads: int, name: str) -> MappedTrajectory:
    return replace(random_chain(n_beads, name=name), cell=BOX)


SYSTEMS: dict[str, list[MappedTrajectory]] = {
    "one molecule": [random_chain(6)],
    "sizes": [random_chain(4), random_chain(7, seed=1, name="b"), random_molecule(RING, n_beads=5)],
    "large": [random_chain(40), random_chain(20, seed=1, name="b")],
    "cells": [boxed(5, "a"), boxed(8, "b")],
}
LEVELS = [NO_AUGMENTATION, Augmentation(history=0.3, reversal=0.5)]


def losses(
    simulator: Simulator, batch: CGData, augmentation: Augmentation
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return simulator.loss(batch, generator=generator, augmentation=augmentation)


@pytest.mark.parametrize("augmentation", LEVELS, ids=["plain", "noisy"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_loss_and_gradient_are_those_of_our_batches(name: str, augmentation: Augmentation) -> None:
    systems = SYSTEMS[name]
    simulator = random_simulator(systems).double()
    windows = simulator.windows(systems)
    rows = [0, 2, 3, len(windows) // 2, len(windows) - 1]
    theirs = Batch.from_data_list([windows[row] for row in rows])
    slopes = []
    for batch in (windows[rows], theirs):
        found = losses(simulator, batch, augmentation)
        total = torch.stack(list(found.values()))
        slopes.append(
            (total.detach(), torch.autograd.grad(total.sum(), list(simulator.parameters())))
        )
    (ours, our_slopes), (others, other_slopes) = slopes
    torch.testing.assert_close(others, ours, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(other_slopes, our_slopes, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_every_window_comes_once_an_epoch(n_workers: int) -> None:
    systems = SYSTEMS["sizes"]
    simulator = random_simulator(systems)
    windows = simulator.windows(systems)
    loader = DataLoader(windows, batch_size=8, shuffle=True, num_workers=n_workers)
    seen = []
    for batch in loader:
        assert batch.num_graphs == int(batch.batch[-1]) + 1 <= 8
        assert losses(simulator, batch, NO_AUGMENTATION)["nll"].isfinite()
        seen += [own.next_pos for own in batch.to_data_list()]
    assert len(seen) == len(windows)

    def order(frames: Sequence[torch.Tensor]) -> list[tuple[float, ...]]:
        return sorted(tuple(frame.flatten().tolist()) for frame in frames)

    assert order(seen) == order([windows[row].next_pos for row in range(len(windows))])


@pytest.mark.parametrize("config", [TINY, replace(TINY, score=None), replace(TINY, history=3)])
def test_a_training_loop_of_ones_own(config: ModelConfig) -> None:
    """Seen again and again, a few windows are learnt by heart."""
    systems = SYSTEMS["sizes"]
    simulator = random_simulator(systems, config)
    optimizer = torch.optim.Adam(simulator.parameters(), lr=1e-2)
    loader = DataLoader(simulator.windows(systems)[:16], batch_size=8, shuffle=True)
    means = []
    for _ in range(8):
        values = []
        for batch in loader:
            found = simulator.loss(batch)
            optimizer.zero_grad()
            sum(found.values(), torch.zeros(())).backward()
            optimizer.step()
            values.append(float(found["nll"].detach()))
        means.append(np.mean(values))
    assert means[-1] < means[0] - 0.05


INDICES: dict[str, Callable[[list[int]], object]] = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "tensor": torch.tensor,
    "int32": lambda rows: np.array(rows, dtype=np.int32),
}


@pytest.mark.parametrize("kind", INDICES)
def test_several_windows_are_a_batch(kind: str) -> None:
    windows = random_simulator([random_chain(6)]).windows([random_chain(6)])
    batch = windows[INDICES[kind]([1, 4, 5])]  # type: ignore[call-overload]
    assert int(batch.batch[-1]) + 1 == 3
    assert torch.equal(batch.next_pos, torch.cat([windows[row].next_pos for row in (1, 4, 5)]))


def test_a_slice_is_a_smaller_dataset() -> None:
    chain = random_chain(6)
    windows = random_simulator([chain]).windows([chain])
    assert len(windows[:4]) == 4
    part = windows[3:-1:2]
    rows = list(range(len(windows)))[3:-1:2]
    assert len(part) == len(rows)
    for place, row in enumerate(rows):
        assert torch.equal(part[place].next_pos, windows[row].next_pos)
    expected = windows[[rows[0], rows[2]]]
    assert torch.equal(part[[0, 2]].next_pos, expected.next_pos)
    (batch,) = DataLoader(part, batch_size=len(rows))
    assert torch.equal(batch.next_pos, windows[rows].next_pos)
    assert len(windows[len(windows) :]) == 0


@pytest.mark.parametrize("index", [[True, False], 1.5, [0.0], "0", [[0, 1]]])
def test_what_is_no_index_says_so(index: object) -> None:
    """A mask of booleans would be the windows 0 and 1."""
    chain = random_chain(6)
    windows = random_simulator([chain]).windows([chain])
    with pytest.raises(IndexError, match="chosen by integers"):
        windows[index]  # type: ignore[call-overload]


def test_cut_outs_and_replayed_windows_can_be_loaded_too() -> None:
    long, short = random_chain(30), random_chain(5, seed=1, name="b")
    simulator = random_simulator([long, short])
    windows = simulator.windows([long, short])
    cut = CutoutDataset(windows, n_beads=12, shell=0.1, n_bonds=2)
    replayed = ReplayDataset(simulator.windows([short]), simulator.windows([long]), share=0.5)
    for dataset in (cut, replayed):
        batch = next(iter(DataLoader(dataset, batch_size=4)))
        expected = dataset[[0, 1, 2, 3]]
        assert torch.equal(batch.next_pos, expected.next_pos)
        assert losses(simulator, batch, NO_AUGMENTATION)["nll"].isfinite()
        with pytest.raises(IndexError, match=rf"0\.\.{len(dataset) - 1}"):
            dataset[len(dataset)]


def test_mixed_cells_are_refused() -> None:
    systems = [random_chain(5), boxed(5, "boxed")]
    simulator = random_simulator(systems)
    windows = simulator.windows(systems)
    (batch,) = DataLoader(windows, batch_size=len(windows))
    with pytest.raises(ValueError, match="some systems have a periodic cell and others none"):
        simulator.loss(batch)

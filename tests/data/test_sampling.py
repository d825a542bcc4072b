"""Batches: the same whatever the processes, of all windows alike, old ones in their share."""

import numpy as np
import pytest
import torch

from cgsim.data.sampling import EqualSizes, ReplayDataset, WindowSampler
from cgsim.data.windows import WindowDataset
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.systems import ATOM_TYPES, random_chain


def dataset_of(*trajectories: MappedTrajectory, stride: int = 1) -> WindowDataset:
    return WindowDataset(
        trajectories, atom_types=ATOM_TYPES, history=2, stride=stride, n_hops=2, n_bonds=1
    )


WINDOWS = dataset_of(random_chain(n_frames=102))


def sampler(
    *, batch_size: int = 4, seed: int = 1, rank: int = 0, world_size: int = 1
) -> WindowSampler:
    return WindowSampler(
        WINDOWS, batch_size=batch_size, n_batches=5, seed=seed, rank=rank, world_size=world_size
    )


def test_sampler_is_deterministic() -> None:
    batches = list(sampler())
    assert len(sampler()) == len(batches) == 5
    assert all(len(batch) == 4 for batch in batches)
    assert list(sampler()) == batches
    assert list(sampler(seed=2)) != batches
    assert len({tuple(batch) for batch in batches}) == 5


def test_sampler_changes_with_the_epoch() -> None:
    one = sampler()
    first = list(one)
    one.set_epoch(1)
    second = list(one)
    assert first != second
    one.set_epoch(0)
    assert list(one) == first


def test_processes_share_the_batch_of_one() -> None:
    halves = [list(sampler(rank=rank, world_size=2)) for rank in (0, 1)]
    joined = [first + second for first, second in zip(*halves, strict=True)]
    assert joined == list(sampler(batch_size=8))


def test_sampler_reaches_every_window() -> None:
    many = WindowSampler(dataset_of(random_chain(n_frames=12)), batch_size=50, n_batches=10, seed=0)
    counts = np.bincount(np.concatenate(list(many)), minlength=10)
    assert len(counts) == 10
    assert counts.min() > 25


def test_batches_of_one_size_hold_every_window_as_often() -> None:
    sizes, lengths = (4, 6, 4), (12, 32, 22)
    chains = [
        random_chain(size, n_frames=n, seed=n) for size, n in zip(sizes, lengths, strict=True)
    ]
    windows = dataset_of(*chains)
    alike = EqualSizes(windows)
    batches = list(WindowSampler(alike, batch_size=50, n_batches=400, seed=0))
    owners = [np.searchsorted(windows.starts, rows, side="right") - 1 for rows in batches]
    assert {tuple({sizes[k] for k in owner}) for owner in owners} == {(4,), (6,)}
    counts = np.bincount(np.concatenate(batches), minlength=len(windows))
    assert len(counts) == len(alike) == 60
    np.testing.assert_allclose(counts / counts.mean(), 1, atol=0.35)
    torch.testing.assert_close(alike[batches[0]].pos, windows[batches[0]].pos)


# ------------------------------------------------------------------ replay


NEW = dataset_of(random_chain(6, n_frames=42, seed=1), random_chain(4, n_frames=12, seed=2))
OLD = dataset_of(random_chain(5, n_frames=104, seed=3), stride=2)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_every_batch_replays_its_share(share: float) -> None:
    both = ReplayDataset(NEW, OLD, share=share)
    for rank in (0, 1):
        batches = list(
            WindowSampler(both, batch_size=20, n_batches=30, seed=0, rank=rank, world_size=2)
        )
        for batch in batches:
            assert sum(index >= len(NEW) for index in batch) == round(20 * share)
        assert len(set(np.concatenate(batches))) > 0.9 * len(both) * min(share, 1 - share)


def test_replayed_windows_are_those_of_their_own_data() -> None:
    """New windows first, then old ones of another stride; none are mixed up."""
    both = ReplayDataset(NEW, OLD, share=0.5)
    assert len(both) == len(NEW) + len(OLD)
    rows = [len(NEW) + 7, 3, len(NEW) + 90, 45]
    batch, new, old = both[rows], NEW[[3, 45]], OLD[[7, 90]]
    for key in ("pos", "next_pos", "mass"):
        expected = torch.cat([new[key], old[key]])
        torch.testing.assert_close(batch[key], expected, rtol=0, atol=0)
    assert int(batch.batch[-1]) == 3
    torch.testing.assert_close(both[[len(NEW)]].pos, OLD[[0]].pos, rtol=0, atol=0)

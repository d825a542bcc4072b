"""Which windows make a batch: at random, the same for any number of processes; replayed; alike."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch

from cgsim.data.cutouts import CutoutDataset
from cgsim.data.graphs import CGData, join
from cgsim.data.windows import Index, WindowDataset, rows_of

TrajectoryWindows = WindowDataset | CutoutDataset


class ReplayDataset(torch.utils.data.Dataset):
    """Windows of new trajectories and, a fixed share of every batch, of old ones.

    Parameters
    ----------
    new, old
        Windows of one history; the strides may differ.
    share
        Share of the windows that are old, 0 to 1.
    """

    def __init__(self, new: TrajectoryWindows, old: TrajectoryWindows, *, share: float) -> None:
        self.new, self.old, self.share = new, old, share
        self.trajectories = [*new.trajectories, *old.trajectories]

    def __len__(self) -> int:
        return len(self.new) + len(self.old)

    def __getitem__(self, index: Index) -> CGData:
        rows = rows_of(index, len(self))
        is_old = rows >= len(self.new)
        parts = [(self.new, rows[~is_old]), (self.old, rows[is_old] - len(self.new))]
        picked = [windows.pick(chosen) for windows, chosen in parts if len(chosen)]
        graphs, counts, windows = (list(chain(*lists)) for lists in zip(*picked, strict=True))
        return join(graphs, counts, windows)

    def draw(self, random: np.random.Generator, n_windows: int) -> np.ndarray:
        """Indices of random windows, old ones spread evenly among the new."""
        is_old = np.diff(np.floor(np.arange(n_windows + 1) * self.share)) > 0
        new, old = self.new.draw(random, n_windows), self.old.draw(random, n_windows)
        return np.where(is_old, len(self.new) + old, new)


class EqualSizes(torch.utils.data.Dataset):
    """Windows drawn in batches of one number of beads, each as often as others.

    Parameters
    ----------
    windows
        Of systems of several sizes.
    """

    def __init__(self, windows: WindowDataset) -> None:
        self.windows, self.trajectories = windows, windows.trajectories
        sizes = [trajectory.n_beads for trajectory in self.trajectories]
        self._size = np.repeat(sizes, np.diff(windows.starts))
        self._alike = {size: np.flatnonzero(self._size == size) for size in set(sizes)}

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: Index) -> CGData:
        return self.windows[index]

    def draw(self, random: np.random.Generator, n_windows: int) -> np.ndarray:
        """Indices of random windows, with replacement, all of the size of a random one."""
        alike = self._alike[self._size[random.integers(len(self))]]
        return alike[random.integers(len(alike), size=n_windows)]


TrainingWindows = TrajectoryWindows | ReplayDataset | EqualSizes


class WindowSampler(torch.utils.data.Sampler[list[int]]):
    """Random windows, drawn with replacement, the same for any number of processes.

    Batch ``b`` of epoch ``e`` is drawn from ``(seed, e, b)``: a run that is resumed, or split over
    processes, sees the same windows.

    Parameters
    ----------
    dataset
        What to draw from.
    batch_size
        Windows per process and step.
    n_batches
        Batches per epoch.
    """

    def __init__(
        self,
        dataset: TrainingWindows,
        *,
        batch_size: int,
        n_batches: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.dataset, self.batch_size, self.n_batches = dataset, batch_size, n_batches
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch (Lightning calls this)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[list[int]]:
        for batch in range(self.n_batches):
            random = np.random.default_rng([self.seed, self.epoch, batch])
            drawn = self.dataset.draw(random, self.batch_size * self.world_size)
            yield drawn[self.rank * self.batch_size : (self.rank + 1) * self.batch_size].tolist()

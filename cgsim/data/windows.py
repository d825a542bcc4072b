"""Mapped trajectories on disk, and windows of them as graphs.

Only bead positions are needed per frame (the atom graph is static), so a trajectory is mapped once,
in chunks, into a small memory-mapped array, from which windows are read at random.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from cgsim.data.graphs import CGData, Picked, SystemGraph, join
from cgsim.mapping.trajectory import MappedTrajectory


class WindowDataset(torch.utils.data.Dataset):
    """All windows of ``history + 1`` frames, ``stride`` apart, of several trajectories.

    ``dataset[i]`` is one window; ``dataset[[i, j, ...]]`` is a batch, assembled without a loop over
    windows.

    Parameters
    ----------
    trajectories
        Trajectories with one frame interval.
    atom_types
        The simulator's atom types.
    history
        Number k of past frames.
    stride
        Frames per step.
    n_hops
        Topological neighbours (see `cgsim.config.GraphConfig`).
    n_bonds
        Atom bonds that the embedding of a bead sees (see `cgsim.config.EmbeddingConfig`).

    Raises
    ------
    ValueError
        If a trajectory is too short for one window, or holds an unknown atom type.
    """

    def __init__(
        self,
        trajectories: Sequence[MappedTrajectory],
        *,
        atom_types: Sequence[str],
        history: int,
        stride: int,
        n_hops: int,
        n_bonds: int,
    ) -> None:
        self.trajectories = [replace(own, pos=np.asarray(own.pos)) for own in trajectories]
        self.offsets = np.arange(-(history - 1), 2) * stride
        span = history * stride
        for trajectory in self.trajectories:
            if trajectory.n_frames <= span:
                raise ValueError(
                    f"{trajectory.name}: {trajectory.n_frames} frames; {history} past frames and "
                    f"the next one at a stride of {stride} need at least {span + 1}"
                )
        self.first = (history - 1) * stride
        self.graphs = [
            SystemGraph.build(trajectory, atom_types=atom_types, n_hops=n_hops, n_bonds=n_bonds)
            for trajectory in self.trajectories
        ]
        self.starts = np.cumsum(
            [0] + [trajectory.n_frames - span for trajectory in self.trajectories]
        )

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: int | np.integer | Sequence[int]) -> CGData:
        return self.__getitems__(
            [int(index)] if isinstance(index, (int, np.integer)) else list(index)
        )

    def __getitems__(self, indices: Sequence[int]) -> CGData:
        """A batch of windows, grouped by trajectory."""
        return join(*self.pick(np.asarray(indices)))

    def pick(self, indices: np.ndarray) -> Picked:
        """Windows as `join` takes them: systems, windows of each, positions and cells."""
        order = np.sort(indices)
        if len(order) == 0 or order[0] < 0 or order[-1] >= len(self):
            raise IndexError(f"window indices must lie in 0..{len(self) - 1}")
        owner = np.searchsorted(self.starts, order, side="right") - 1
        owners, first = np.unique(owner, return_index=True)
        present = np.split(order - self.starts[owner] + self.first, first[1:])
        windows = [self._windows(*own) for own in zip(owners, present, strict=True)]
        return [self.graphs[k] for k in owners], [len(rows) for rows in present], windows

    def draw(self, random: np.random.Generator, n_windows: int) -> np.ndarray:
        """Indices of random windows, with replacement."""
        return random.integers(len(self), size=n_windows)

    def _windows(self, which: int, present: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """Positions [w, k + 1, n, 3] centred on the present frame, and cells [w, 3, 3]."""
        pos = self.trajectories[which].at(present[:, None] + self.offsets, present=-2)
        pos = pos - pos[:, -2:-1].sum(axis=2, keepdims=True) / pos.shape[2]
        cell = self.trajectories[which].cell
        cells = None if cell is None else torch.as_tensor(cell[present]).float()
        return torch.from_numpy(pos.astype(np.float32)), cells

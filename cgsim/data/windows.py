"""Mapped trajectories on disk, and windows of them as graphs.

Only bead positions are needed per frame (the atom graph is static), so a trajectory is mapped once,
in chunks, into a small memory-mapped array, from which windows are read at random.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

import numpy as np
import torch
from torch import Tensor

from cgsim.data.graphs import CGData, Picked, SystemGraph, join
from cgsim.data.references import ReferenceEdges
from cgsim.mapping.trajectory import MappedTrajectory

Index = int | np.integer | Sequence[int] | np.ndarray | Tensor


class WindowDataset(torch.utils.data.Dataset):
    """All windows of ``history + 1`` frames, ``stride`` apart, of several trajectories.

    ``dataset[i]`` is one window, ``dataset[[i, j, ...]]`` a batch of them, and ``dataset[a:b]`` a
    smaller dataset. Batches may be made by `torch_geometric.loader.DataLoader` too, and mean the
    same; but a batch of a list is put together without a loop over windows, and the windows of one
    molecule share its atom graph, which is then embedded once and not once a window.

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
        references: ReferenceEdges | None = None,
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
        self._has_mixed_cells = len({own.cell is None for own in self.trajectories}) > 1
        self.first = (history - 1) * stride
        self.graphs = [
            SystemGraph.build(
                trajectory,
                atom_types=atom_types,
                n_hops=n_hops,
                n_bonds=n_bonds,
                references=references,
            )
            for trajectory in self.trajectories
        ]
        self.starts = np.cumsum(
            [0] + [trajectory.n_frames - span for trajectory in self.trajectories]
        )

    def __len__(self) -> int:
        return int(self.starts[-1])

    @overload
    def __getitem__(self, index: slice) -> "torch.utils.data.Subset[CGData]": ...
    @overload
    def __getitem__(self, index: Index) -> CGData: ...
    def __getitem__(self, index: Index | slice) -> "CGData | torch.utils.data.Subset[CGData]":
        """One window, a batch of windows grouped by trajectory, or a smaller dataset.

        Raises
        ------
        IndexError
            If an index is no integer, or there is no such window.
        """
        # No `__getitems__`: loaders would call it, and take the batch for a list of windows.
        if isinstance(index, slice):
            return torch.utils.data.Subset(self, range(len(self))[index])
        data = join(*self.pick(rows_of(index, len(self))))
        if np.ndim(index) == 0 and self._has_mixed_cells and "cell" not in data:
            # PyTorch Geometric takes the fields of the first window of a batch for those of all:
            # without this mark it would leave out the cells of the others, and say nothing.
            data.cell = data.pos.new_empty(0, 3, 3)
        return data

    def pick(self, indices: np.ndarray) -> Picked:
        """Windows as `join` takes them: systems, windows of each, positions and cells."""
        order = np.sort(indices)
        owner = np.searchsorted(self.starts, order, side="right") - 1
        owners, first = np.unique(owner, return_index=True)
        current = np.split(order - self.starts[owner] + self.first, first[1:])
        windows = [self._windows(*own) for own in zip(owners, current, strict=True)]
        return [self.graphs[k] for k in owners], [len(rows) for rows in current], windows

    def draw(self, random: np.random.Generator, n_windows: int) -> np.ndarray:
        """Indices of random windows, with replacement."""
        return random.integers(len(self), size=n_windows)

    def _windows(self, which: int, current: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """Positions [w, k + 1, n, 3] centred on the current frame, and cells [w, 3, 3]."""
        pos = self.trajectories[which].at(current[:, None] + self.offsets, current=-2)
        pos = pos - pos[:, -2:-1].sum(axis=2, keepdims=True) / pos.shape[2]
        cell = self.trajectories[which].cell
        cells = None if cell is None else torch.as_tensor(cell[current]).float()
        return torch.from_numpy(pos.astype(np.float32)), cells


def rows_of(index: Index, n_windows: int) -> np.ndarray:
    """The windows that an index stands for [n], integers; several are a list or an array of them.

    Raises
    ------
    IndexError
        If it is no integer, or there is no such window.
    """
    rows = np.atleast_1d(np.asarray(index))
    if rows.ndim > 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
        # a mask of booleans among them, which would otherwise be windows 0 and 1
        raise IndexError(f"windows are chosen by integers, not by {index!r}")
    if not rows.size or rows.min() < 0 or rows.max() >= n_windows:
        raise IndexError(f"window indices must lie in 0..{n_windows - 1}")
    return rows

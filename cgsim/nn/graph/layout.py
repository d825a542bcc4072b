"""Systems of a batch side by side in one padded array."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where the beads of a batch are in an array [n_graphs, width] padded to the largest system.

    Attributes
    ----------
    batch : [n]
        System of each bead, sorted.
    counts : [n_graphs]
        Beads of each system.
    width
        Beads of the largest system.
    """

    batch: Tensor
    counts: Tensor
    width: int

    @classmethod
    def of(cls, batch: Tensor, n_graphs: int) -> "Layout":
        """The layout of a batch."""
        counts = torch.bincount(batch, minlength=n_graphs)
        return cls(batch, counts, int(counts.max()))

    @cached_property
    def is_full(self) -> bool:
        """Whether all systems are of one size: there is no padding."""
        return len(self.batch) == len(self.counts) * self.width

    @cached_property
    def slot(self) -> Tensor:
        """Row of each bead in the array with its first two axes made one [n]."""
        start = torch.cumsum(self.counts, 0) - self.counts
        within = torch.arange(len(self.batch), device=self.batch.device) - start[self.batch]
        return self.batch * self.width + within

    def padded(self, values: Tensor, fill: float = 0.0) -> Tensor:
        """Values of beads [n, ...] -> [n_graphs, width, ...]."""
        shape = (len(self.counts), self.width, *values.shape[1:])
        if self.is_full:
            return values.view(shape)
        flat = values.new_full((shape[0] * shape[1], *shape[2:]), fill)
        return flat.index_copy(0, self.slot, values).view(shape)

    def unpadded(self, values: Tensor) -> Tensor:
        """The inverse: [n_graphs, width, ...] -> [n, ...]."""
        flat = values.flatten(0, 1)
        return flat if self.is_full else flat.index_select(0, self.slot)

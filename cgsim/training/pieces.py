"""The loss of a large batch in pieces, of bounded memory, on as many threads as there are."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

import torch
from torch import Tensor

from cgsim.data.augmentation import Augmentation, Windows, count_graphs
from cgsim.data.graphs import CGData
from cgsim.hardware.threads import at_most_threads
from cgsim.model.loss import draw_windows, losses, on_graph
from cgsim.model.simulator import Simulator
from cgsim.training.parts import Losses, windows_between

T = TypeVar("T")

# Of a piece: smaller ones spend their time on calling operations.
PIECE_EDGES = 32_000


@dataclass(frozen=True)
class Piece:
    """Some windows of a batch.

    Attributes
    ----------
    batch
        Of these windows.
    embedding : [n, n_channels]
        Of their beads, to take the gradient at.
    losses
        Their losses, of that embedding.
    """

    batch: CGData
    embedding: Tensor
    losses: Callable[[], Losses]


class PiecewiseLoss:
    """`Simulator.loss` of batches of systems of more than a few beads, which can be cut.

    All that is random is drawn for the whole batch: loss and gradient are the same, to rounding, in
    any number of pieces, and memory is that of one piece for each thread. A piece takes one thread:
    nothing depends on how many there are.

    Parameters
    ----------
    n_threads
        That may be used.

    Attributes
    ----------
    most_edges
        Of a piece, unless a window has more.
    """

    def __init__(self, simulator: Simulator, *, n_threads: int) -> None:
        self.simulator, self.n_threads = simulator, n_threads
        self.most_edges = PIECE_EDGES

    def at_once(self, n_edges: float, n_windows: int) -> tuple[int, float]:
        """Pieces at a time, and their share of a batch of so many edges and windows."""
        n_pieces = self._n_pieces(n_edges, n_windows)
        n_at_once = min(self.n_threads, n_pieces)
        return n_at_once, n_at_once / n_pieces

    def fit_into(self, free: float, *, bytes_per_edge: float, n_edges: float) -> None:
        """Make pieces smaller, and fewer at a time, where memory is short.

        Parameters
        ----------
        free
            Bytes.
        n_edges
            Of a window.
        """
        fitting = free / bytes_per_edge
        while self.n_threads > 1 and self.n_threads * n_edges > fitting:
            self.n_threads -= 1
        self.most_edges = int(min(self.most_edges, max(n_edges, fitting / self.n_threads)))

    def _n_pieces(self, n_edges: float, n_windows: int) -> int:
        return max(1, min(n_windows, math.ceil(n_edges / self.most_edges)))

    def __call__(
        self, batch: CGData, *, generator: torch.Generator, augmentation: Augmentation
    ) -> Losses:
        """Losses of a whole batch."""
        return self.simulator.loss(batch, generator=generator, augmentation=augmentation)

    def n_pieces(self, batch: CGData) -> int:
        """Pieces that are fastest, judged by the edges of the first window."""
        n_windows = count_graphs(batch)
        if batch.pos.is_cuda:
            return 1
        first = windows_between(batch, 0, 1)
        with torch.no_grad():
            graph = self.simulator.graph_at(first.pos[:, -1].to(self.simulator.dtype), first)
        n_edges = graph.edge_index.shape[1] / len(first.pos) * len(batch.pos)
        return self._n_pieces(n_edges, n_windows)

    def pieces(
        self,
        batch: CGData,
        n_pieces: int,
        *,
        generator: torch.Generator,
        augmentation: Augmentation,
    ) -> tuple[list[Piece], Tensor]:
        """So many pieces, of equally many windows, and the embedding that theirs are parts of."""
        drawn, windows, embedding = draw_windows(
            self.simulator, batch, generator=generator, augmentation=augmentation
        )
        n_windows = count_graphs(batch)
        bounds = torch.linspace(0, n_windows, min(n_pieces, n_windows) + 1).round().long()
        places = torch.searchsorted(batch.batch, bounds.to(batch.batch.device))
        pieces = []
        for k in range(len(bounds) - 1):
            beads = slice(int(places[k]), int(places[k + 1]))
            own = windows_between(drawn, int(bounds[k]), int(bounds[k + 1]))
            leaf = embedding[beads].detach().requires_grad_(embedding.requires_grad)
            inputs = own, _rows(windows, beads), leaf
            pieces.append(Piece(own, leaf, partial(_losses, self.simulator, *inputs)))
        return pieces, embedding

    def map(self, work: Callable[[Piece], T], pieces: Sequence[Piece]) -> list[T]:
        """Do the work for every piece, one thread for each."""
        n_threads = min(self.n_threads, len(pieces))
        # Mixed precision is a matter of the thread: others would not know of it.
        if n_threads == 1 or torch.is_autocast_enabled(pieces[0].batch.pos.device.type):
            return [work(piece) for piece in pieces]
        with at_most_threads(1):
            return list(_threads(n_threads).map(work, pieces))


def _rows(windows: Windows, beads: slice) -> Windows:
    return Windows._make(None if value is None else value[beads] for value in windows)


def _losses(simulator: Simulator, batch: CGData, windows: Windows, embedding: Tensor) -> Losses:
    return losses(simulator, *on_graph(simulator, batch, windows, embedding))


@cache
def _threads(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        n_threads,
        thread_name_prefix="cgsim-pieces",
        initializer=torch.set_num_threads,
        initargs=(1,),
    )

"""The messages of a convolution with their gradient, in one pass over the edges each.

Operation by operation, a convolution keeps some hundreds of numbers per edge for its gradient, and
writes and reads them through memory. Here nothing is kept of an edge but what it was given: going
back, `learning.hpp` computes its message again where it is used. Sums and gradients are those of
`cgsim.nn.convolution.EquivariantConvolution`, to rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cgsim.hardware.threads import EDGES_PER_THREAD
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.native.messages import CHANNELS, Convolution, _threads

try:
    from cgsim.nn.native import _learning
except ImportError:  # there was no C++ compiler where the package was built
    _learning = None  # type: ignore[assignment]

Slopes = tuple[Tensor, ...]


def is_built() -> bool:
    """Whether the package was built with this C++ part."""
    return _learning is not None


def learns(convolution: Convolution, ends: Tensor, edges: EdgeFeatures) -> bool:
    """Whether `learnt_messages` can take the place of the operations one by one.

    Only on CPUs, in single precision, for scalars and vectors, and where no gradient with respect
    to positions is wanted.
    """
    return (
        _learning is not None
        and ends.device.type == "cpu"
        and ends.dtype == torch.float32
        and convolution.lmax == 1
        and convolution.n_channels in CHANNELS
        and not edges.harmonics.requires_grad
        and not edges.envelope.requires_grad
        and not torch.is_autocast_enabled("cpu")
    )


def learnt_messages(
    convolution: Convolution, parts: Sequence[Tensor], ends: Tensor, edges: EdgeFeatures
) -> list[Tensor]:
    """`cgsim.nn.native.messages.sum_messages`, with gradients; second ones there are none."""
    hidden, of_paths = convolution.weight[0], convolution.weight[2]
    chirality = edges.chirality if convolution.chiral else None
    source, destination = edges.edge_index
    start = torch.searchsorted(destination.contiguous(), torch.arange(len(ends) + 1))
    paths = _Paths(
        start,
        source.contiguous(),
        edges.harmonics.contiguous(),
        edges.envelope.contiguous(),
        None if chirality is None else chirality.to(ends.dtype).contiguous(),
    )
    weights = [*hidden.parameters(), *of_paths.parameters()]
    known = convolution.edge(edges.attr)
    received: tuple[Tensor, Tensor] = _Messages.apply(paths, *parts, ends, known, *weights)
    return list(received)


@dataclass(frozen=True)
class _Paths:
    """Where messages go, and what of their edges has no gradient.

    Attributes
    ----------
    start : [n + 1]
        First edge into every bead.
    source : [n_edges]
        Bead that each edge comes from.
    harmonics, envelope
        See `EdgeFeatures`.
    handedness : [n] or None
        Of every bead.
    """

    start: Tensor
    source: Tensor
    harmonics: Tensor
    envelope: Tensor
    handedness: Tensor | None

    def shares(self) -> list[tuple[int, int]]:
        """Ranges of beads for one thread each, with no edge from one to another."""
        n_edges, n_beads = len(self.source), len(self.start) - 1
        n_threads = min(torch.get_num_threads(), max(1, n_edges // EDGES_PER_THREAD))
        if n_threads == 1:
            return [(0, n_beads)]
        bead = torch.arange(n_beads)
        degree = self.start.diff()
        into = torch.repeat_interleave(bead, degree)
        furthest = bead.scatter_reduce(0, torch.minimum(self.source, into), torch.maximum(self.source, into), "amax")
        is_cut = furthest.cummax(0).values[:-1] == bead[:-1]
        cuts = is_cut.nonzero()[:, 0] + 1
        wanted = torch.arange(1, n_threads) * (n_edges // n_threads)
        place = torch.searchsorted(self.start[cuts], wanted).clamp(max=len(cuts) - 1)
        chosen = cuts[place].tolist() if len(cuts) else []
        return list(pairwise(sorted({0, n_beads, *chosen})))


class _Messages(torch.autograd.Function):
    """Sums of messages at every bead, normalised, of scalars, vectors, ends and invariants."""

    @staticmethod
    def forward(ctx: Any, paths: _Paths, *values: Tensor) -> tuple[Tensor, Tensor]:
        values = tuple(value.contiguous() for value in values)
        scalar, ends = values[0], values[2]
        n_beads, _, n_channels = scalar.shape
        width = (2 if paths.handedness is None else 3) * n_channels
        sums = scalar.new_empty(n_beads, 1, 2 * n_channels), ends.new_empty(n_beads, 3, width)
        norm = scalar.new_empty(n_beads)
        network = _network(paths, values)

        def between(first: int, last: int) -> None:
            _learning.sums(n_channels, first, last, *network.addresses, *_addresses(*sums, norm))

        _in_threads(between, paths.shares())
        ctx.paths = paths
        ctx.save_for_backward(norm, *values)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        paths: _Paths = ctx.paths
        norm, *values = ctx.saved_tensors
        _, _, _, _, w_hidden, _, w_path, _ = values
        of_sums = [slope * norm[:, None, None] for slope in slopes]
        network = _network(paths, values)
        inputs = _addresses(w_hidden, w_path, *of_sums)
        of_beads = [torch.zeros_like(value) for value in values[:4]]
        scalar, vector, ends, known = of_beads
        n_channels = scalar.shape[2]

        def between(first: int, last: int) -> list[Tensor]:
            of_weights = [torch.zeros_like(weight) for weight in values[4:]]
            outputs = _addresses(scalar, vector, ends, known, *of_weights)
            _learning.slopes(n_channels, first, last, *network.addresses, *inputs, *outputs)
            return of_weights

        shares = _in_threads(between, paths.shares())
        of_weights = [sum(own[1:], own[0]) for own in zip(*shares, strict=True)]
        return None, *of_beads, *of_weights


@dataclass(frozen=True)
class _Network:
    """Addresses of what `learning.cpp` calls a network, and what must live as long as they do."""

    addresses: tuple[int, ...]
    kept: tuple[Tensor, ...]


def _network(paths: _Paths, values: Sequence[Tensor]) -> _Network:
    scalar, vector, ends, known, w_hidden, b_hidden, w_path, b_path = values
    turned = w_hidden.t().contiguous(), w_path.t().contiguous()
    edges = _addresses(paths.start, paths.source)
    of_edges = _addresses(known, paths.harmonics, paths.envelope, paths.handedness)
    beads = _addresses(scalar, vector, ends)
    weights = _addresses(turned[0], b_hidden, turned[1], b_path)
    return _Network((*edges, 0, *of_edges, *beads, *weights), turned)


def _addresses(*arrays: Tensor | None) -> tuple[int, ...]:
    return tuple(0 if array is None else array.data_ptr() for array in arrays)


def _in_threads(work: Callable[[int, int], Any], shares: Sequence[tuple[int, int]]) -> list[Any]:
    if len(shares) == 1:
        return [work(*shares[0])]
    return list(_threads(len(shares)).map(lambda share: work(*share), shares))

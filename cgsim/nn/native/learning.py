"""A convolution with its gradient, in one pass over edges and beads each.

Operation by operation, a convolution keeps some hundreds of numbers per edge for its gradient, and
writes and reads them through memory. Here nothing is kept of an edge but what it was given: going
back, `learning.hpp` computes its message again where it is used. Results and gradients are those of
`cgsim.nn.convolution.EquivariantConvolution`, to rounding.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cgsim.hardware.threads import EDGES_PER_THREAD
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.native.convolution import Convolution, has_kernel
from cgsim.nn.native.gradients import addresses, can_learn, run
from cgsim.nn.native.linear import linear


def learns(convolution: Convolution, parts: Sequence[Tensor], edges: EdgeFeatures) -> bool:
    """Whether `learnt` can take the place of the operations one by one.

    Where `can_learn` says so, no gradient is wanted with respect to positions, and only for scalars
    and vectors.
    """
    return (
        can_learn(parts[0])
        and has_kernel(convolution)
        and not edges.harmonics.requires_grad
        and not edges.envelope.requires_grad
    )


def learnt(convolution: Convolution, parts: Sequence[Tensor], edges: EdgeFeatures) -> list[Tensor]:
    """What `EquivariantConvolution.forward` returns, with gradients; second ones there are none."""
    chirality = edges.chirality if convolution.chiral else None
    source, destination = edges.edge_index
    gate = convolution.gate
    paths = _Paths(
        torch.searchsorted(destination.contiguous(), torch.arange(len(parts[0]) + 1)),
        source.contiguous(),
        None if edges.pairing is None else edges.pairing.row,
        edges.harmonics.contiguous(),
        edges.envelope.contiguous(),
        None if chirality is None else chirality.to(parts[0].dtype).contiguous(),
        torch.tensor([gate.of_silu, gate.of_sigmoid]),
    )
    layers = (convolution.ends, convolution.weight[0], convolution.weight[2])
    weights: list[Tensor] = [weight for layer in layers for weight in layer.parameters()]
    maps = convolution.from_self, convolution.from_messages
    for order in (0, 1):
        weights.append(torch.cat([own.matrix(order) for own in maps]))
    updated: tuple[Tensor, Tensor] = _Learnt.apply(
        paths, *parts, linear(convolution.edge, edges.attr), *weights
    )
    return list(updated)


@dataclass(frozen=True)
class _Paths:
    """Where messages go, and what has no gradient.

    Attributes
    ----------
    start : [n + 1]
        First edge into every bead.
    source : [n_edges]
        Bead that each edge comes from.
    row : [n_edges] or None
        Row of the invariants of each edge; None where they come one after the other.
    harmonics, envelope
        See `EdgeFeatures`.
    handedness : [n] or None
        Of every bead.
    scale : [2]
        See `Gate`.
    """

    start: Tensor
    source: Tensor
    row: Tensor | None
    harmonics: Tensor
    envelope: Tensor
    handedness: Tensor | None
    scale: Tensor

    @property
    def is_chiral(self) -> int:
        """Whether beads have a handedness."""
        return int(self.handedness is not None)

    def shares(self) -> list[tuple[int, int]]:
        """Ranges of beads for one thread each, with no edge from one to another."""
        n_edges, n_beads = len(self.source), len(self.start) - 1
        n_threads = min(torch.get_num_threads(), max(1, n_edges // EDGES_PER_THREAD))
        if n_threads == 1:
            return [(0, n_beads)]
        bead = torch.arange(n_beads)
        into = torch.repeat_interleave(bead, self.start.diff())
        first, last = torch.minimum(self.source, into), torch.maximum(self.source, into)
        reach = bead.scatter_reduce(0, first, last, "amax").cummax(0).values
        cuts = (reach[:-1] == bead[:-1]).nonzero()[:, 0] + 1
        if not len(cuts):
            return [(0, n_beads)]
        wanted = torch.arange(1, n_threads) * (n_edges // n_threads)
        place = torch.searchsorted(self.start[cuts], wanted).clamp(max=len(cuts) - 1)
        return list(pairwise(sorted({0, n_beads, *cuts[place].tolist()})))


class _Learnt(torch.autograd.Function):
    """Scalars and vectors of every bead after a convolution."""

    @staticmethod
    def forward(ctx: Any, paths: _Paths, *values: Tensor) -> tuple[Tensor, Tensor]:
        values = tuple(value.contiguous() for value in values)
        scalar, vector, known, w_ends, b_ends, w_hidden, b_hidden, w_path, b_path, *maps = values
        n_beads, _, width = scalar.shape
        ends = torch.addmm(b_ends, scalar[:, 0], w_ends.t())
        received = (
            scalar.new_empty(n_beads, 1, 2 * width),
            scalar.new_empty(n_beads, 3, (2 + paths.is_chiral) * width),
        )
        opened = scalar.new_empty(n_beads, 1, 2 * width), torch.empty_like(vector)
        out = torch.empty_like(scalar), torch.empty_like(vector)
        norm = scalar.new_empty(n_beads)
        turned = w_hidden.t().contiguous(), w_path.t().contiguous()
        network = _network(paths, known, (scalar, vector, ends), turned, (b_hidden, b_path))
        sums = addresses(*received, norm)
        update = addresses(paths.scale, scalar, vector, *received, *maps, *opened, *out)

        def between(first: int, last: int) -> None:
            run("sums", width, first, last, *network, *sums)
            run("update", width, paths.is_chiral, first, last, *update)

        _in_threads(between, paths.shares())
        ctx.paths, ctx.maps = paths, maps
        ctx.save_for_backward(*values[: -len(maps)], ends, norm, *received, *opened)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        paths: _Paths = ctx.paths
        *values, ends, norm, sum_scalar, sum_vector, open_scalar, open_vector = ctx.saved_tensors
        scalar, vector, known, w_ends, _, w_hidden, b_hidden, w_path, b_path = values
        width = scalar.shape[2]
        slopes = tuple(slope.contiguous() for slope in slopes)
        of_beads = torch.empty_like(scalar), torch.empty_like(vector)
        of_sums = torch.empty_like(sum_scalar), torch.empty_like(sum_vector)
        of_ends, of_known = torch.zeros_like(ends), torch.zeros_like(known)
        turned = w_hidden.t().contiguous(), w_path.t().contiguous()
        back = [each.t().contiguous() for each in ctx.maps]
        network = _network(paths, known, (scalar, vector, ends), turned, (b_hidden, b_path))
        update = addresses(paths.scale, scalar, vector, sum_scalar, sum_vector, *back)
        update += addresses(open_scalar, open_vector, norm, *slopes, *of_beads, *of_sums)
        edges = addresses(w_hidden, w_path, *of_sums, *of_beads, of_ends, of_known)

        def between(first: int, last: int) -> list[Tensor]:
            own = [torch.zeros_like(weight) for weight in (*values[5:], *ctx.maps)]
            run("update_slopes", width, paths.is_chiral, first, last, *update, *addresses(*own[4:]))
            run("slopes", width, first, last, *network, *edges, *addresses(*own[:4]))
            return own

        shares = _in_threads(between, paths.shares())
        of_weights = [sum(own[1:], own[0]) for own in zip(*shares, strict=True)]
        of_beads[0][:, 0].addmm_(of_ends, w_ends)
        of_w_ends = of_ends.t() @ scalar[:, 0]
        return None, *of_beads, of_known, of_w_ends, of_ends.sum(dim=0), *of_weights


def _network(
    paths: _Paths,
    known: Tensor,
    beads: Sequence[Tensor],
    turned: Sequence[Tensor],
    biases: Sequence[Tensor],
) -> tuple[int, ...]:
    """Addresses of what `learning.cpp` calls a network."""
    edges = addresses(paths.start, paths.source, paths.row)
    of_edges = addresses(known, paths.harmonics, paths.envelope, paths.handedness, *beads)
    weights = addresses(turned[0], biases[0], turned[1], biases[1])
    return *edges, *of_edges, *weights


def _in_threads(work: Callable[[int, int], Any], shares: Sequence[tuple[int, int]]) -> list[Any]:
    if len(shares) == 1:
        return [work(*shares[0])]
    return list(_threads(len(shares)).map(lambda share: work(*share), shares))


@cache
def _threads(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="cgsim-learning")

"""Near pairs of small systems, joined with pairs that are edges anyway, in one pass."""

import torch
from torch import Tensor

from cgsim.nn.native.kernels import even_bounds, is_built, run

MOST_BEADS = 1024  # as in module.cpp
PAIRS_PER_SHARE = 50_000  # some 50 microseconds


def can_join(pos: Tensor, most_beads: int) -> bool:
    """Whether `joined_pairs` can be asked: on CPUs, in single precision."""
    return (
        is_built()
        and pos.device.type == "cpu"
        and pos.dtype == torch.float32
        and most_beads <= MOST_BEADS
    )


def joined_pairs(
    pos: Tensor, known: Tensor, *, cutoff: float, counts: Tensor
) -> tuple[Tensor, Tensor]:
    """Ordered pairs that are known or nearer than the cutoff, sorted by destination, then source.

    Parameters
    ----------
    pos : [n, 3]
    known : [2, n_known]
        Sorted likewise.
    counts : [n_systems]
        Beads of each system.

    Returns
    -------
    Pairs [2, n_pairs], and which of the known ones each is, or -1 [n_pairs].
    """
    n_beads = len(pos)
    first = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    axes = pos.detach().t().contiguous()
    start_known = torch.searchsorted(known[1].contiguous(), torch.arange(n_beads + 1))
    source = known[0].contiguous()
    counted = torch.empty(n_beads, dtype=torch.int64)
    inputs = (first, *axes, start_known, source)
    bounds = even_bounds(len(counts), per_share=max(1, PAIRS_PER_SHARE // int(counts.max()) ** 2))
    run("pairs", bounds, (cutoff**2,), (*inputs, counted, None, None, None))
    n_pairs = int(counted.sum())
    start = counted.cumsum(0) - counted
    pairs = torch.empty(2, n_pairs, dtype=torch.int64)
    which = torch.empty(n_pairs, dtype=torch.int64)
    run("pairs", bounds, (cutoff**2,), (*inputs, start, *pairs, which))
    return pairs, which

"""Calls of the C++ part: when it can take the place of operations, and its threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn

try:
    from cgsim.nn.native import _kernels
except ImportError:  # there was no C++ compiler where the package was built
    _kernels = None  # type: ignore[assignment]

CHANNELS = (8, 16, 24, 32)
MOST_INVARIANTS = 128  # as in module.cpp

Field = int | float | Tensor | None


def is_built() -> bool:
    """Whether the package was built with its C++ part."""
    return _kernels is not None


def can_run(values: Tensor) -> bool:
    """Whether kernels can take the place of operations on such values.

    Only on CPUs, in single precision, and where no gradient is wanted.
    """
    return (
        _kernels is not None
        and not torch.compiler.is_compiling()
        and values.device.type == "cpu"
        and values.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )


def run(kernel: str, numbers: Sequence[float], arrays: Sequence[Tensor | None]) -> None:
    """Call a kernel with the fields of its struct; every array must be contiguous."""
    addresses = [0 if array is None else array.data_ptr() for array in arrays]
    getattr(_kernels, kernel)(*numbers, *addresses)


def transposed(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight [n_in, n_out] and bias of a linear layer, contiguous."""
    return layer.weight.t().contiguous(), layer.bias  # type: ignore[operator,return-value]


def in_shares(bounds: Sequence[int], work: Callable[[tuple[int, int]], None]) -> None:
    """Do the work from each bound to the next, on a thread each."""
    shares = list(pairwise(bounds))
    if len(shares) == 1:
        work(shares[0])
    else:
        list(_threads(len(shares)).map(work, shares))


def even_bounds(n_rows: int, *, per_thread: int) -> list[int]:
    """Where the share of one thread ends and the next begins, in rows that cost alike."""
    n_threads = min(torch.get_num_threads(), max(1, n_rows // per_thread))
    return [n_rows * i // n_threads for i in range(n_threads + 1)]


@cache
def _threads(n_threads: int) -> ThreadPoolExecutor:
    """Threads that sleep until there is work: those of OpenMP spin, and slow each other down."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix="cgsim-kernels")

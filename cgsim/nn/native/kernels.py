"""Calls of the C++ part: when it can take the place of operations, and its threads."""

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from cgsim.hardware.threads import Threads
from cgsim.nn.native.sources import is_current

try:
    from cgsim.nn.native import _kernels
except ImportError:  # there was no C++ compiler where the package was built
    _kernels = None  # type: ignore[assignment]
if _kernels is not None and not is_current(_kernels):
    _kernels = None  # type: ignore[assignment]

CHANNELS = (8, 16, 24, 32)
MOST_INVARIANTS = 128  # as in module.cpp
SHARES_PER_THREAD = 4


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


def run(
    kernel: str,
    bounds: list[int],
    numbers: Sequence[float],
    arrays: Sequence[Tensor | None],
) -> None:
    """Call a kernel with the fields of its struct; every array must be contiguous.

    Parameters
    ----------
    bounds
        Where shares of its work begin and end; threads take one after the other.
    """
    addresses = [0 if array is None else array.data_ptr() for array in arrays]
    getattr(_kernels, kernel)(n_threads(), bounds, *numbers, *addresses)


def n_threads() -> int:
    """CPU threads of kernels: what `set_threads` was told, else as many as PyTorch has."""
    return _threads[0] or torch.get_num_threads()


def set_threads(n: int | None) -> None:
    """Set the CPU threads of kernels; None is as many as PyTorch has."""
    _threads[0] = n


_threads: list[int | None] = [None]
KERNELS = Threads(lambda: _threads[0], set_threads)
"""Asleep where there is no work: they do not hinder each other, nor another process."""


def packed(module: nn.Module, pack: Callable[[], list[Tensor]]) -> list[Tensor]:
    """The weights of a module as kernels read them, made anew only when they have changed."""
    state = tuple((own.data_ptr(), own._version) for own in module.parameters())
    known = _packed.get(module)
    if known is None or known[0] != state:
        known = _packed[module] = (state, pack())
    return known[1]


_packed: WeakKeyDictionary[nn.Module, tuple[tuple[tuple[int, int], ...], list[Tensor]]] = (
    WeakKeyDictionary()
)


def transposed(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight [n_in, n_out] and bias of a linear layer, contiguous."""
    return layer.weight.t().contiguous(), layer.bias  # type: ignore[operator,return-value]


def even_bounds(n_rows: int, *, per_share: int) -> list[int]:
    """Where shares begin and end, of rows that cost alike."""
    n_shares = _n_shares(n_rows, per_share)
    return [n_rows * i // n_shares for i in range(n_shares + 1)]


def bounds_by_weight(start: Tensor, *, per_share: int) -> list[int]:
    """Where shares begin and end, of rows that cost as many edges as start in them [n_rows + 1]."""
    total, n_rows = int(start[-1]), len(start) - 1
    n_shares = _n_shares(total, per_share)
    if n_shares == 1:
        return [0, n_rows]
    cuts = torch.arange(1, n_shares) * total // n_shares
    return sorted({0, n_rows, *torch.searchsorted(start, cuts).tolist()})


def _n_shares(size: int, per_share: int) -> int:
    """As many as there are threads to take them, a few times over: some threads may be late."""
    most = SHARES_PER_THREAD * n_threads() if n_threads() > 1 else 1
    return min(most, max(1, size // per_share))

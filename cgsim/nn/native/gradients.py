"""Calls of the C++ part that learns: when it can take the place of operations."""

import torch
from torch import Tensor

from cgsim.nn.native.sources import is_current

try:
    from cgsim.nn.native import _learning
except ImportError:  # there was no C++ compiler where the package was built
    _learning = None  # type: ignore[assignment]
if _learning is not None and not is_current(_learning):
    _learning = None  # type: ignore[assignment]


def is_built() -> bool:
    """Whether the package was built with this C++ part."""
    return _learning is not None


def can_learn(values: Tensor) -> bool:
    """Whether kernels can take the place of operations whose gradient is wanted of such values.

    Only on CPUs and in single precision.
    """
    return (
        _learning is not None
        and not torch.compiler.is_compiling()
        and values.device.type == "cpu"
        and values.dtype == torch.float32
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )


def run(kernel: str, *fields: int) -> None:
    """Call a kernel with the fields of its struct."""
    getattr(_learning, kernel)(*fields)


def addresses(*arrays: Tensor | None) -> tuple[int, ...]:
    """Of arrays, which must be contiguous; 0 is none."""
    return tuple(0 if array is None else array.data_ptr() for array in arrays)

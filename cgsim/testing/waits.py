"""What makes a host wait for its GPU, found without one: for steps, ours or yours.

A GPU works through a queue that the host fills ahead of it. An operation that needs a number of the
device on the host, for a branch or for the size of its own result, empties that queue; and none
such can be part of a CUDA graph. `no_waits` finds them with real numbers on a CPU. `PretendedCuda`
is a device that is not there: copies on it have shapes and types but no numbers, take the branches
of a GPU, and constants that were left on the host are found (PyTorch's `FakeTensorMode`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import copy
from dataclasses import is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

T = TypeVar("T")

CUDA = torch.device("cuda:0")
# A number for the host, or a result whose size the host must know.
_WAITING = {
    "_local_scalar_dense",
    "is_nonzero",
    "equal",
    "nonzero",
    "argwhere",
    "masked_select",
    "unique_consecutive",
    "unique_dim",
    "_unique2",
    "bincount",
    "_linalg_check_errors",
}
_TO_HOST = {Tensor.tolist, Tensor.numpy, Tensor.cpu, Tensor.__array__}


class WaitError(AssertionError):
    """A step asks its device for a number."""


class _Operations(TorchDispatchMode):
    """Hands every operation to `_seen` before it is done.

    Attributes
    ----------
    dtypes
        Types of what was computed, by the name of the operation.
    devices
        Where it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: dict[str, set[torch.dtype]] = {}
        self.devices: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = func.overloadpacket.__name__
        _check(name, func, args, kwargs or {})
        result = func(*args, **(kwargs or {}))
        for own in result if isinstance(result, tuple | list) else (result,):
            if isinstance(own, Tensor):
                self.dtypes.setdefault(name, set()).add(own.dtype)
                self.devices.add(own.device.type)
        return result


def _check(name: str, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if name in _WAITING:
        raise WaitError(f"{func} makes the host wait for its device")
    if name == "repeat_interleave" and kwargs.get("output_size") is None:
        raise WaitError(f"{func} without output_size makes the host wait for its device")
    if name in ("index", "index_put", "index_put_"):
        indices = [own for own in args[1] if own is not None]
        if any(own.dtype in (torch.bool, torch.uint8) for own in indices):
            raise WaitError(f"{func} by a mask makes the host wait for its device")
        if any(own.device != args[0].device for own in indices):
            raise WaitError(f"{func} by indices that are on another device")
    if name in ("_to_copy", "copy_"):
        first, other = args[0].device, args[1].device if name == "copy_" else kwargs.get("device")
        if other is not None and torch.device(other).type != first.type:
            raise WaitError(f"{func} copies between {first} and {other}")


class _Methods(TorchFunctionMode):
    """Finds what brings numbers to the host without an operation."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _TO_HOST:
            raise WaitError(f"Tensor.{func.__name__} brings numbers to the host")
        return func(*args, **(kwargs or {}))


@contextmanager
def no_waits() -> Iterator[_Operations]:
    """Raise at the first operation inside that would make a host wait for its GPU.

    Yields
    ------
    What was computed, in which types.

    Raises
    ------
    WaitError
        Naming the operation.
    """
    with _Operations() as operations, _Methods():
        yield operations


class PretendedCuda(AbstractContextManager[None]):
    """A GPU that is not there: inside, copies on it have shapes, types and a device, no numbers.

    gpu = PretendedCuda()
    simulator, state = gpu.copy((simulator, state))
    with gpu, no_waits():
        simulator.step(state)
    """

    def __init__(self) -> None:
        self._mode = FakeTensorMode()
        self._within = ExitStack()
        self._copies: dict[int, Any] = {}
        self._originals: list[Any] = []

    def copy(self, value: T) -> T:
        """On that device: tensors, modules, and dataclasses, lists, tuples and tables of them.

        What was computed once and kept (`functools.cached_property`) goes along.
        """
        found: Any = self._copied(value)
        return found

    def __enter__(self) -> None:
        self._within.enter_context(_Substitutes())
        self._within.enter_context(self._mode)

    def __exit__(self, *error: Any) -> None:
        self._within.close()

    def _copied(self, value: Any) -> Any:
        """What is one thing stays one thing."""
        if id(value) not in self._copies:
            self._originals.append(value)  # so that no other takes its address
            self._copies[id(value)] = self._new(value)
        return self._copies[id(value)]

    def _new(self, value: Any) -> Any:
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, Tensor):
            meta = torch.empty_like(value.detach(), device="meta")
            return FakeTensor(self._mode, meta, CUDA)
        if isinstance(value, dict):
            return {key: self._copied(own) for key, own in value.items()}
        if isinstance(value, tuple | list):
            parts = [self._copied(own) for own in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        if is_dataclass(value) and not isinstance(value, type):
            other = copy(value)
            for key, own in vars(value).items():
                object.__setattr__(other, key, self._copied(own))
            return other
        return value

    def _module(self, module: nn.Module) -> nn.Module:
        """The same networks with weights and constants of no value."""
        other = copy(module)
        for kind in ("_parameters", "_buffers", "_modules"):
            other.__dict__[kind] = self._copied(dict(getattr(module, kind)))
        return other


class _Substitutes(TorchFunctionMode):
    """Methods that ask for a real device in a PyTorch without CUDA, as operations."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is Tensor.__getitem__ and isinstance(args[0], FakeTensor):
            return _indexed(args[0], args[1])
        if func is Tensor.__invert__ and isinstance(args[0], FakeTensor):
            return torch.bitwise_not(args[0])
        if func is Tensor.contiguous and isinstance(args[0], FakeTensor):
            return args[0].clone(memory_format=torch.contiguous_format)
        return func(*args, **(kwargs or {}))


def _indexed(value: Tensor, key: Any) -> Tensor:
    keys = key if isinstance(key, tuple) else (key,)
    n_axes = sum(own is not None and own is not Ellipsis for own in keys)
    tensors: list[Tensor | None] = []
    axis = 0
    for own in keys:
        if own is None:
            value = value.unsqueeze(axis)
        elif own is Ellipsis:
            axis += value.dim() - axis - (n_axes - _n_done(keys, own))
            continue
        elif isinstance(own, int):
            value = value.select(axis, own)
            continue
        elif isinstance(own, slice):
            value = torch.ops.aten.slice(value, axis, own.start, own.stop, own.step or 1)
        else:
            tensors += [None] * (axis - len(tensors)) + [own]
        axis += 1
    return torch.ops.aten.index(value, tensors) if tensors else value


def _n_done(keys: tuple[Any, ...], until: Any) -> int:
    """Axes that keys before one stand for."""
    before = keys[: next(i for i, own in enumerate(keys) if own is until)]
    return sum(own is not None for own in before)

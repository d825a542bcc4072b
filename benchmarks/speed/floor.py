"""What a step must cost: its operations and bytes, and what this machine can do of either."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "mkl::", "mkldnn::")
MOVES = ("copy", "cat", "index", "gather", "clone", "stack", "pad", "where")
FACTORS = ("linalg", "cholesky", "triangular")
N_PROFILED = 5  # steps


class ByteCounter(TorchDispatchMode):
    """Bytes that operations read and write, those of matrix products apart; views are free."""

    def __init__(self) -> None:
        super().__init__()
        self.total = self.products = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            leaves = tree_leaves((args, kwargs, result))
            n_bytes = sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))
            self.total += n_bytes
            if func._schema.name in PRODUCTS:
                self.products += n_bytes
        return result


def operations(step: Callable[[], object]) -> dict[str, float]:
    """Floating-point operations of the matrix products of a step, and bytes moved.

    Returns
    -------
    ``flops`` of matrix products; ``bytes`` of all operations one by one; ``product_bytes``, which
    no fusion of operations can avoid.
    """
    with FlopCounterMode(display=False) as flops, ByteCounter() as counter:
        step()
    return {
        "flops": flops.get_total_flops(),
        "bytes": counter.total,
        "product_bytes": counter.products,
    }


def ceilings(options: argparse.Namespace) -> dict[str, float]:
    """GFLOP/s of a large float32 matrix product and GB/s of a large copy: the best of several."""
    size, n_values = options.ceiling_size, 16 * options.ceiling_size**2
    a, b = torch.rand(2, size, size, device=options.device)
    source = torch.rand(n_values, device=options.device)
    target = torch.empty_like(source)
    product = best(lambda: a @ b, options.device)
    copy = best(lambda: target.copy_(source), options.device)
    return {
        "gemm_gflops": 2 * size**3 / product / 1e9,
        "copy_gb_per_second": 2 * source.nbytes / copy / 1e9,
        "n_threads": torch.get_num_threads(),
    }


def best(action: Callable[[], object], device: str, n_times: int = 7) -> float:
    """Shortest of several durations, s."""
    durations = []
    for _ in range(n_times):
        with timed(device) as seconds:
            action()
        durations.append(seconds[0])
    return min(durations)


@contextmanager
def timed(device: str) -> Iterator[list[float]]:
    """Duration of what is inside, s, when the device has finished."""
    seconds: list[float] = []
    wait(device)
    start = time.perf_counter()
    yield seconds
    wait(device)
    seconds.append(time.perf_counter() - start)


def wait(device: str) -> None:
    """Until a GPU has done what it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def floor_seconds(counted: dict[str, float], known: dict[str, float]) -> float:
    """The longer of the times that flops and unavoidable bytes need at the ceilings."""
    compute = counted["flops"] / known["gemm_gflops"] / 1e9
    memory = counted["product_bytes"] / known["copy_gb_per_second"] / 1e9
    return max(compute, memory)


def shares(step: Callable[[], object]) -> dict[str, float]:
    """Where the CPU time of a step goes, in per cent."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(N_PROFILED):
            step()
    spent = dict.fromkeys(("matrix products", "moving data", "factorisation", "the rest"), 0.0)
    for event in profiler.key_averages():
        spent[_kind(event.key)] += event.self_cpu_time_total
    total = sum(spent.values())
    return {kind: 100 * value / total for kind, value in spent.items()}


def _kind(operation: str) -> str:
    if operation.startswith(PRODUCTS):
        return "matrix products"
    if any(word in operation for word in FACTORS):
        return "factorisation"
    return "moving data" if any(word in operation for word in MOVES) else "the rest"

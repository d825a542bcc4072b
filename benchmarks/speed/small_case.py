"""CPU time of one step, in a process of its own: see `benchmarks.speed.small`.

It is also run with the package of an older tree, so that it uses only what both have.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed.__main__ import state_of, untrained
from benchmarks.speed.floor import operations
from cgsim.testing.systems import perturb_parameters

N_STEPS, N_HISTORY_SEED = 5, 3
NOISE = 0.1  # of a bond, on every bead


def main(case: dict[str, Any]) -> dict[str, Any]:
    """CPU time of a step, ms, its operations, and the rate of a matrix product here."""
    torch.set_num_threads(1)
    with suppress(ImportError):  # what a roll-out does first, where the tree has it
        from cgsim.hardware.allocator import keep_freed_memory

        keep_freed_memory()
    simulator, starts = untrained(case["n_beads"], score=case["refined"], device="cpu")
    perturb_parameters(simulator, scale=0.1)
    state = state_of(simulator, starts, case["n_replicas"])
    bond = simulator.scales.length_scale
    path = SHAPES[case["shape"]](case["n_beads"]) * bond
    state = replace(state, pos=frames(path, state.pos, bond, simulator.scales.step_scale))
    local = state.pos[:, -1].float()
    graph = state.graph_at(local, cutoff=simulator.cutoff)

    def step() -> object:
        return simulator.step(state)

    with operation_by_operation():
        counted = operations(step)
    times = [_cpu_seconds(step) for _ in range(N_STEPS + 1)][1:]
    return {
        "cpu_ms": statistics.median(times) * 1e3,
        "gflop": counted["flops"] / 1e9,
        "gflops": product_rate(),
        "edges_per_bead": graph.edge_index.shape[1] / len(local),
    }


def product_rate(size: int = 2048, n_times: int = 5) -> float:
    """GFLOP per second of CPU time of a large matrix product: the best of several."""
    a, b = torch.rand(2, size, size)
    return 2e-9 * size**3 / min(_cpu_seconds(lambda: a @ b) for _ in range(n_times))


def globule(n_beads: int) -> np.ndarray:
    """A path that fills a cube, neighbours one apart [n_beads, 3]."""
    side = int(np.ceil(n_beads ** (1 / 3)))
    points = []
    for z in range(side):
        rows = range(side) if z % 2 == 0 else range(side)[::-1]
        for y in rows:
            columns = range(side) if (y + z * side) % 2 == 0 else range(side)[::-1]
            points += [(x, y, z) for x in columns]
    return np.array(points[:n_beads], dtype=np.float64)


def extended(n_beads: int) -> np.ndarray:
    """A zigzag, neighbours one apart [n_beads, 3]."""
    index = np.arange(n_beads)
    half = np.sqrt(0.5)
    return np.stack([index * half, (index % 2) * half, 0 * index], axis=1).astype(np.float64)


SHAPES: dict[str, Callable[[int], np.ndarray]] = {"globule": globule, "extended": extended}


def frames(path: np.ndarray, like: Tensor, bond: float, step: float) -> Tensor:
    """The same shape for all replicas, with noise, and small steps before [n, k, 3]."""
    random = np.random.default_rng(N_HISTORY_SEED)
    n, k = like.shape[:2]
    last = np.tile(path, (n // len(path), 1)) + NOISE * bond * random.standard_normal((n, 3))
    steps = step * random.standard_normal((n, k, 3))
    steps[:, -1] = 0.0
    return torch.as_tensor(last[:, None] + steps).to(like)


@contextmanager
def operation_by_operation() -> Iterator[None]:
    """Without the C++ part, whose operations nobody counts."""
    try:
        from cgsim.nn.native import kernels
    except ImportError:
        yield
        return
    built, kernels._kernels = kernels._kernels, None  # type: ignore[assignment]
    try:
        yield
    finally:
        kernels._kernels = built


def _cpu_seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))

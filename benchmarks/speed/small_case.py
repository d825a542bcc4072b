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

from benchmarks.speed.floor import operations
from cgsim.hardware.memory import fitting_edges
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.rollout.batches import Batches
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.systems import perturb_parameters

try:
    from benchmarks.speed.rates import untrained
except ImportError:  # of an older tree
    from benchmarks.speed.__main__ import untrained

N_STEPS, N_HISTORY_SEED = 4, 3
NOISE = 0.1  # of a bond, on every bead


def main(case: dict[str, Any]) -> dict[str, Any]:
    """CPU time of a step, ms, its operations, and the rate of a matrix product here."""
    torch.set_num_threads(1)
    with suppress(ImportError):  # what a roll-out does first, where the tree has it
        from cgsim.hardware.allocator import keep_freed_memory

        keep_freed_memory()
    simulator, starts = untrained(case["n_beads"], score=case["refined"], device="cpu")
    perturb_parameters(simulator, scale=0.1)
    systems = choose_starts(simulator, starts, n_replicas=case["n_replicas"], seed=0)
    systems = [shaped(system, case["shape"], simulator) for system in systems]
    most_edges = fitting_edges(torch.device("cpu"), n_channels=simulator.config.dynamics.n_channels)
    generator = torch.Generator().manual_seed(0)
    batches = Batches(simulator, systems, generator=generator, most_edges=most_edges)
    times = []
    with batches.prepare(1, before="eager"):
        for _ in range(N_STEPS + 1):
            first = batches.pos
            times.append(_cpu_seconds(batches.step))
            batches.put(first)  # untrained, its steps leave the shape
    return {"cpu_ms": statistics.median(times[1:]) * 1e3, "gflops": product_rate()} | arithmetic(
        simulator, systems
    )


def arithmetic(simulator: Simulator, systems: list[MappedTrajectory]) -> dict[str, float]:
    """Operations of the matrix products of a step, operation by operation, and edges per bead."""
    batch = start_batch(simulator, systems[:1])
    state = simulator.start(batch, torch.Generator().manual_seed(0))
    with operation_by_operation():
        counted = operations(lambda: simulator.step(state))
    graph = state.graph_at(state.pos[:, -1].float(), cutoff=simulator.cutoff)
    return {
        "gflop": len(systems) * counted["flops"] / 1e9,
        "edges_per_bead": graph.edge_index.shape[1] / len(state.pos),
    }


def shaped(system: MappedTrajectory, shape: str, simulator: Simulator) -> MappedTrajectory:
    """The same molecule in a shape, with small steps before."""
    bond, step = simulator.scales.length_scale, simulator.scales.step_scale
    random = np.random.default_rng(N_HISTORY_SEED)
    last = SHAPES[shape](system.n_beads) * bond
    last = last + NOISE * bond * random.standard_normal(last.shape)
    steps = step * random.standard_normal(system.pos.shape)
    steps[-1] = 0.0
    return replace(system, pos=(last + steps).astype(system.pos.dtype))


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

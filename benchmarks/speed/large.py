"""Large periodic systems: time and peak memory of a step, each size in a process of its own.

    python -m benchmarks.speed.large --beads 1000 --score --device cpu

prints one row; `python -m benchmarks.speed --only large` makes all of them. CPU time is what the
machine did for the step, whatever else it was doing.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import torch

from benchmarks.speed.floor import wait
from benchmarks.speed.melt import random_melt
from cgsim.config import ModelConfig
from cgsim.data.scales import measure
from cgsim.model.simulator import Simulator
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.systems import ATOM_TYPES

CUTOFF = 2.0  # bond lengths; in a melt that is some thirty neighbours
STEP = 0.02  # bond lengths per component and time step
MOST_STEPS = 10
SECONDS = 20.0  # after which no further step is begun
FEWEST_STEPS = 1
BYTES_PER_RSS = 1024 if sys.platform.startswith("linux") else 1


def large(options: argparse.Namespace) -> dict[str, Any]:
    """A row for every size, without and with refinement."""
    rows = []
    for n_beads in options.large_beads:
        for score in (False, True):
            words = ["--beads", str(n_beads), "--device", options.device]
            command = [sys.executable, "-m", "benchmarks.speed.large", *words]
            done = subprocess.run(
                command + ["--score"] * score, stdout=subprocess.PIPE, text=True, check=True
            )
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps(rows[-1]), flush=True)
    return {"cutoff": CUTOFF, "step": STEP, "rows": rows}


def measured(n_beads: int, *, score: bool, device: str) -> dict[str, Any]:
    """Steps of an untrained simulator of the default size, but for the cutoff."""
    melt = random_melt(n_beads, step=STEP)
    config = ModelConfig() if score else replace(ModelConfig(), score=None)
    config = replace(config, graph=replace(config.graph, cutoff=CUTOFF))
    torch.manual_seed(0)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure([melt], stride=1))
    simulator = simulator.to(device).eval()
    batch = start_batch(simulator, choose_starts(simulator, [melt], n_replicas=1, seed=0))
    state = simulator.start(batch.to(device), torch.Generator(device).manual_seed(0))
    with_search: list[tuple[float, float]] = []  # wall clock and CPU time
    without: list[tuple[float, float]] = []
    began = time.perf_counter()
    while len(without) < FEWEST_STEPS or (
        len(without) < MOST_STEPS and time.perf_counter() - began < SECONDS
    ):
        before = state.skin_list
        wait(device)
        wall, cpu = time.perf_counter(), time.process_time()
        state = simulator.step(state)
        wait(device)
        spent = time.perf_counter() - wall, time.process_time() - cpu
        (without if state.skin_list is before else with_search).append(spent)
    if state.skin_list is None:
        raise ValueError(f"steps of {STEP} bond lengths are too long for a neighbour list to last")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_RSS
    if device != "cpu":
        peak = torch.cuda.max_memory_allocated(device)
    n_edges = state.skin_list.graph_at(state.skin_list.pos).edge_index.shape[1]
    return {
        "n_beads": n_beads,
        "score": score,
        "edges_per_bead": n_edges / n_beads,
        "seconds": statistics.median(wall for wall, _ in without),
        "cpu_seconds": statistics.median(cpu for _, cpu in without),
        "cpu_seconds_with_search": statistics.median(cpu for _, cpu in with_search),
        "n_steps": len(without) + len(with_search),
        "n_searches": len(with_search),
        "peak_bytes": peak,
        "n_threads": torch.get_num_threads(),
    }


def main() -> None:
    """Measure one size in this process and print its row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--beads", type=int, required=True)
    parser.add_argument("--score", action="store_true", help="with the default refinement")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    print(json.dumps(measured(options.beads, score=options.score, device=options.device)))


if __name__ == "__main__":
    main()

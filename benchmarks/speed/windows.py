"""Training windows per second and memory of a window, beside those of an earlier tree.

Each tree is measured in processes of its own, in turn, on one thread: of neighbours that keep the
machine busy each then has its share.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
N_STEPS = 2  # of a round, of which the fastest counts
BATCH_EDGES = 100_000  # of the largest batch: an earlier tree keeps 15 kB of each

# Run by either tree: it uses only what both have.
_CASE = """
import json, resource, sys, time
import torch
from torch import Tensor
from cgsim.config import ModelConfig, TrainingConfig
from cgsim.data.augmentation import Augmentation
from cgsim.data.scales import measure
from cgsim.hardware.allocator import keep_freed_memory
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import ATOM_TYPES, random_chain
from cgsim.training.accumulation import AccumulatedLoss
from cgsim.training.compiled import choose_loss

n_beads, n_windows, n_steps = map(int, sys.argv[1:])
keep_freed_memory()
torch.set_num_threads(1)
chain = random_chain(n_beads, n_frames=100, seed=n_beads)
torch.manual_seed(0)
simulator = Simulator(ModelConfig(), atom_types=ATOM_TYPES, scales=measure([chain], stride=1))
windows = simulator.train().windows([chain])
loss, windows = choose_loss(simulator, windows, TrainingConfig(n_steps=1))
accumulated = AccumulatedLoss(simulator, lambda own: own["nll"] + 0.5 * own["score"])
optimiser = torch.optim.AdamW(simulator.parameters(), lr=1e-3, fused=True)

def in_use() -> int:
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

def step(k: int, n: int) -> Tensor:
    rows = [(k * n + i) % len(windows) for i in range(n)]
    total, losses = accumulated(
        loss,
        windows[rows],
        generator=torch.Generator().manual_seed(k),
        augmentation=Augmentation(history=0.1),
    )
    total.backward()
    optimiser.step()
    optimiser.zero_grad()
    return losses["nll"]

before = in_use()
step(0, 1)
seconds, nll = [], []
for k in range(1 + n_steps):
    start = time.process_time()
    nll.append(float(step(k, n_windows)))
    seconds.append(time.process_time() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
graph = simulator.graph_at(windows[[0]].pos[:, -1], windows[[0]])
print(json.dumps({
    "windows_per_s": n_windows / min(seconds[1:]),
    "mb_per_window": (peak - before) / 1e6 / n_windows,
    "edges_per_bead": graph.edge_index.shape[1] / n_beads,
    "nll": nll,
}))
"""


def training_windows(options: argparse.Namespace) -> dict[str, Any]:
    """Windows per CPU second and memory (MB) per window, beside an older tree if one is given."""
    trees = {"now": ROOT} | ({"before": options.before} if options.before else {})
    rows = []
    for n_beads in options.window_beads:
        rows.append(_row(n_beads, trees, n_rounds=options.window_rounds))
        print(json.dumps(rows[-1]), flush=True)
    return {"rows": rows}


def _row(n_beads: int, trees: dict[str, Path], *, n_rounds: int) -> dict[str, Any]:
    n_windows = max(1, min(64, BATCH_EDGES // (30 * n_beads)))
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
    for _ in range(n_rounds):
        for name, tree in trees.items():
            runs[name].append(_measured(tree, n_beads, n_windows))
    names = {"now": ("windows_per_s", "mb_per_window", "nll")}
    names["before"] = ("before", "mb_before", "nll_before")
    row = {
        "n_beads": n_beads,
        "edges_per_bead": runs["now"][0]["edges_per_bead"],
        "batch_size": n_windows,
    }
    for tree_name, own in runs.items():
        rate, memory, nll = names[tree_name]
        row[rate] = statistics.median(run["windows_per_s"] for run in own)
        row[memory] = statistics.median(run["mb_per_window"] for run in own)
        row[nll] = own[0]["nll"]  # of one batch after another, each learnt from
    return row


def _measured(tree: Path, n_beads: int, n_windows: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _CASE, str(n_beads), str(n_windows), str(N_STEPS)],
        cwd=tree,
        env=os.environ
        | {"PYTHONPATH": str(tree.absolute()), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{tree}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found

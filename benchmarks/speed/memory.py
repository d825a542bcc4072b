"""Peak memory of training and roll-out, each case in a process of its own."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TRAINING_BATCH = 64
FEW_STEPS = 2  # what a step needs is freed before the next


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Bytes that training and roll-outs take at most beyond the program itself."""
    rows = []
    for case in cases(options):
        rows.append(_measured(case))
        print(json.dumps(rows[-1]), flush=True)
    return {"rows": rows}


def cases(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What is measured: sizes, numbers of replicas, and numbers of steps.

    ``rollout`` is as `cgsim.simulate` does it, into files; ``one_batch`` steps all at once.
    """
    small, large, few = options.beads[0], options.beads[-1], options.memory_replicas[0]
    replicas = [(small, size) for size in options.memory_replicas] + [(large, few)]
    chosen = [("training", n_beads, TRAINING_BATCH, FEW_STEPS) for n_beads in options.beads]
    for task in ("rollout", "one_batch"):
        chosen += [(task, n_beads, size, FEW_STEPS) for n_beads, size in replicas]
    chosen += [("rollout", small, few, n_steps) for n_steps in options.memory_steps]
    names = ("task", "n_beads", "size", "n_steps")
    return [dict(zip(names, row, strict=True)) | {"device": options.device} for row in chosen]


def _measured(case: dict[str, Any]) -> dict[str, Any]:
    """Measure a case in a new process.

    Raises
    ------
    RuntimeError
        If it fails, with what it said.
    """
    words = [sys.executable, "-m", "benchmarks.speed.memory_case", json.dumps(case)]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, capture_output=True, text=True, cwd=root, check=False)
    if done.returncode:
        raise RuntimeError(f"{case}: {done.stderr.strip()[-500:]}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row

"""CPU time of a step of systems of 20 to 300 beads: over its floor, and beside a tree before.

The states are globules and extended chains, in batches as `cgsim.simulate` makes them; both trees
step the same, in processes of their own, in turn. The floor is the arithmetic of the networks,
operation by operation, at the rate of a large matrix product on one thread, measured between the
steps.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

N_ROUNDS = 2
BEADS = (20, 40, 76, 100, 214, 300)
FEW_BEADS, MANY_REPLICAS, FEW_REPLICAS = 100, 40, 8
ROOT = Path(__file__).parents[2]

Row = dict[str, Any]


def small(options: argparse.Namespace) -> dict[str, Any]:
    """CPU time of a step for every size, shape and refinement."""
    trees = {"step_cpu_ms": ROOT} | ({"before_cpu_ms": options.before} if options.before else {})
    rows = []
    for case in cases():
        measured: dict[str, list[Row]] = {name: [] for name in trees}
        for _ in range(N_ROUNDS):
            for name, tree in trees.items():
                measured[name].append(_run(tree, case))
        rows.append(case | _summary(measured))
        print(json.dumps(rows[-1]), flush=True)
    return {"rows": rows}


def cases() -> list[Row]:
    """What is measured."""
    return [
        {
            "n_beads": n_beads,
            "n_replicas": MANY_REPLICAS if n_beads <= FEW_BEADS else FEW_REPLICAS,
            "shape": shape,
            "refined": refined,
        }
        for n_beads in BEADS
        for shape in ("globule", "extended")
        for refined in (False, True)
    ]


def _summary(measured: dict[str, list[Row]]) -> Row:
    """Medians of the rounds; the floor by the operations of the tree that runs them one by one."""
    found: Row = {
        name: statistics.median(row["cpu_ms"] for row in rows) for name, rows in measured.items()
    }
    own = measured["step_cpu_ms"]
    found["edges_per_bead"] = own[0]["edges_per_bead"]
    rate = statistics.median(row["gflops"] for rows in measured.values() for row in rows)
    found["floor_ms"] = own[0]["gflop"] / rate * 1e3
    found["over_floor"] = found["step_cpu_ms"] / found["floor_ms"]
    if "before_cpu_ms" in found:
        found["times_faster"] = found["before_cpu_ms"] / found["step_cpu_ms"]
    return found


def _run(tree: Path, case: Row) -> Row:
    """Measure a case with the package of a tree.

    Raises
    ------
    RuntimeError
        If it fails, with what it said.
    """
    words = [sys.executable, str(Path(__file__).with_name("small_case.py")), json.dumps(case)]
    one = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(tree).resolve())}
    environment = os.environ | one
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=tree, env=environment, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{case} in {tree}: {done.stderr.strip()[-500:]}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row

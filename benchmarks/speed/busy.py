"""Roll-outs beside other work: the number of threads that is chosen, beside one and all of them.

A busy neighbour is a process that computes without end: of the same session, or of another one as
if started from another terminal (Linux then shares the cores between the sessions, not between the
processes). Under ``nice`` a roll-out gives way to both.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BEADS = (9, 40)
NICE = 10


@dataclass(frozen=True)
class Condition:
    """What runs beside a roll-out."""

    name: str
    neighbour: str = ""  # "same session" or "other session"
    nice: int = 0


CONDITIONS = (
    Condition("alone"),
    Condition("beside a busy process", "same session"),
    Condition("beside one of another session", "other session"),
    Condition("nice 10", nice=NICE),
    Condition("nice 10, beside a busy process", "same session", NICE),
    Condition("nice 10, beside one of another session", "other session", NICE),
)


def busy(options: argparse.Namespace) -> dict[str, Any]:
    """Steps per second for every condition, size, stepper and refinement."""
    rows = []
    for condition in CONDITIONS:
        for n_beads in BEADS:
            for refined in (False, True):
                case = {"n_beads": n_beads, "refined": refined, "seconds": options.seconds}
                with _neighbour(condition.neighbour):
                    rows += [
                        {"condition": condition.name, **asdict(condition), **row}
                        for row in _run(case, condition.nice)
                    ]
                print(json.dumps(rows[-1]), flush=True)
    return {"rows": rows}


@contextmanager
def _neighbour(kind: str) -> Iterator[None]:
    """A process that computes without end, or none."""
    if not kind:
        yield
        return
    words = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(words, start_new_session=kind == "other session") as process:
        try:
            yield
        finally:
            process.kill()


def _run(case: dict[str, Any], nice: int) -> list[dict[str, Any]]:
    """Measure a case in a process of its own.

    Raises
    ------
    RuntimeError
        If it fails, with what it said.
    """
    words = [sys.executable, "-m", "benchmarks.speed.busy_case", json.dumps(case)]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        start_new_session=True,
        preexec_fn=partial(os.nice, nice),
    )
    if done.returncode:
        raise RuntimeError(f"{case}: {done.stderr.strip()[-500:]}")
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows

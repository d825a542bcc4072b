"""Faults planted one at a time, and which of them the tests notice.

    python -m benchmarks.faults [--parts evaluate io ...] [--folder runs/faults]

Each of the lists in `benchmarks/faults` is planted fault by fault in a copy of the working tree,
and the tests that touch it are run until one fails. Outcomes of one commit are kept in the folder,
so that an interrupted run goes on, and several processes may share the lists. When all are there
`benchmarks/results/faults.json` is written: how many were planted and noticed, and of the others
why they change no figure.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.faults.planting import Copy, Fault, Outcome, copied, part_names, read_faults
from benchmarks.record import environment, write_result
from cgsim.io import read_json, write_atomic_json

FOLDER = Path("runs/faults")
HARMLESS = "harmless"
COMMAND = "python -m benchmarks.faults"

Outcomes = dict[str, str]
"""Of each fault by its `key`."""


def key(fault: Fault) -> str:
    """What tells a fault from all others, its tests included."""
    return sha256(repr(astuple(fault)).encode()).hexdigest()[:16]


def plant_part(part: str, file: Path) -> None:
    """Plant what is not yet in a file of outcomes; every one is kept at once."""
    known: Outcomes = read_json(file)["outcomes"] if file.exists() else {}
    seconds = float(read_json(file)["seconds"]) if file.exists() else 0.0
    missing = [fault for fault in read_faults([part]) if key(fault) not in known]
    if not missing:
        return
    with copied() as copy, tqdm(missing, desc=part, unit="fault") as bar:
        copy.check_sound(missing)
        for fault in bar:
            begun = time.perf_counter()
            known[key(fault)] = outcome_of(fault, copy).value
            seconds += time.perf_counter() - begun
            write_atomic_json(file, {"outcomes": known, "seconds": seconds})


def outcome_of(fault: Fault, copy: Copy) -> Outcome:
    """Plant a fault, run its tests, take it out again."""
    with copy.with_fault(fault):
        return copy.run_tests(fault.tests)


def label_of(fault: Fault, outcomes: Mapping[str, str]) -> str:
    """Noticed, harmless or survived."""
    if outcomes[key(fault)] != Outcome.SURVIVED:
        return Outcome.NOTICED
    return HARMLESS if fault.harmless else Outcome.SURVIVED


def summary(faults: Sequence[Fault], outcomes: Mapping[str, str]) -> dict[str, Any]:
    """How many were planted and noticed, in all and of each list, and which were not."""
    labels = {key(fault): label_of(fault, outcomes) for fault in faults}

    def counted(some: Iterable[Fault]) -> dict[str, int]:
        counts = Counter(labels[key(fault)] for fault in some)
        names = (Outcome.NOTICED, HARMLESS, Outcome.SURVIVED)
        return {"planted": counts.total(), **{f"{name}": counts[name] for name in names}}

    def listed(label: str) -> list[dict[str, str]]:
        return [
            {"path": own.path, "truth": own.truth, "why": own.harmless}
            for own in faults
            if labels[key(own)] == label
        ]

    parts = list(dict.fromkeys(fault.part for fault in faults))
    return {
        **counted(faults),
        "parts": {part: counted(own for own in faults if own.part == part) for part in parts},
        "not_noticed": {HARMLESS: listed(HARMLESS), "survived": listed(Outcome.SURVIVED)},
    }


def show(metrics: Mapping[str, Any]) -> None:
    """Print the counts and what survived."""
    columns = ("planted", "noticed", "harmless", "survived")
    table = Table("list", *columns, title="faults")
    for part, counts in {**metrics["parts"], "all": metrics}.items():
        table.add_row(part, *(str(counts[name]) for name in columns))
    console = Console()
    console.print(table)
    for own in metrics["not_noticed"]["survived"]:
        console.print(f"survived: {own['path']}: {own['truth']}", markup=False)


def main() -> None:
    """Plant what is missing; print and write when all is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=part_names(), default=part_names())
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where outcomes are kept")
    options = parser.parse_args()
    home = options.folder / str(environment()["commit"])[:12]
    for part in options.parts:
        plant_part(part, home / f"{part}.json")
    files = [home / f"{part}.json" for part in part_names()]
    faults = read_faults(part_names())
    kept = [read_json(file) for file in files if file.exists()]
    outcomes: Outcomes = {name: own for each in kept for name, own in each["outcomes"].items()}
    if not all(key(fault) in outcomes for fault in faults):
        print(f"not all lists are done: {COMMAND} --folder {options.folder} goes on")
        return
    metrics = summary(faults, outcomes)
    seconds = sum(each["seconds"] for each in kept)
    path = write_result("faults", COMMAND, metrics, wall_clock=seconds)
    show(metrics)
    print(f"written to {path}")


if __name__ == "__main__":
    main()

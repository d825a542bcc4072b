"""All that a GPU is needed for, in one command that may be killed and given again.

    python -m benchmarks.gpu --output runs/gpu

Checks that the numbers are those of a CPU, times roll-outs and trainings, compares with OpenMM and
cuEquivariance where they are installed, steps 10⁵ beads, runs out of memory on purpose, and makes
the trainings of a file. Every row is kept in ``OUTPUT/rows.json`` as soon as it is made; given
again, the command makes those that are missing, and in the end writes
`benchmarks/results/speed_gpu.json`. What cannot be made here is left out with its reason. Rows are
made in a process of their own, so that one that crashes or hangs takes no other with it. `--dry`
makes them all as small as can be, on the CPU.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.gpu import (
    checks,
    limits,
    processes,
    products,
    rollouts,
    samples,
    trainings,
    trials,
)
from benchmarks.gpu.ledger import DONE, FAILED, LEFT_OUT, UNFINISHED, Entry, Ledger, Row
from benchmarks.record import RESULTS, write_result

PARTS = {
    "check": checks,
    "rollout": rollouts,
    "training": trainings,
    "processes": processes,
    "product": products,
    "samples": samples,
    "memory": limits,
    "trial": trials,
}
NAME = "speed_gpu"
MINUTES = 25.0
POLL = 0.5  # s between two looks at the process that makes rows
GRACE = 10.0  # s between asking it to end and ending it


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="every row as small as can be, CPU")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--output", type=Path, help="folder; by default runs/gpu or runs/gpu_dry")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="then no row is begun")
    parser.add_argument("--again", action="store_true", help="also those that failed, left out")
    parser.add_argument("--no-compile", action="store_true", help="nothing is compiled")
    parser.add_argument("--data", type=Path, help="mapped polymers to start from, NAME.cg")
    parser.add_argument("--trainings", type=Path, help="JSON of trainings, see trials.py")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="by default a GPU if there is")
    parser.add_argument("--rows", action="store_true", help=argparse.SUPPRESS)
    return parser


def settled(options: argparse.Namespace) -> argparse.Namespace:
    """With what follows from the machine."""
    if options.device is None:
        is_there = torch.cuda.is_available() and not options.dry
        options.device = "cuda" if is_there else "cpu"
    if options.output is None:
        options.output = Path("runs/gpu_dry" if options.dry else "runs/gpu")
    if options.device == "cpu" and not options.dry:
        raise SystemExit("there is no GPU: `--dry` makes every row tiny, on the CPU")
    return options


def rows_of(options: argparse.Namespace) -> list[Row]:
    """All that are asked for, checks first."""
    return [row for name in PARTS if name in options.only for row in PARTS[name].rows(options)]


def ledger_of(options: argparse.Namespace) -> Ledger:
    """What is known so far."""
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    return Ledger(options.output / "rows.json", {"dry": options.dry, "device": device})


def missing(options: argparse.Namespace, ledger: Ledger) -> list[Row]:
    """Rows that are not final."""
    return [row for row in rows_of(options) if not ledger.is_final(row.name)]


def make_rows(options: argparse.Namespace, ends: float) -> None:
    """Make what is missing, in this process, until time is up."""
    ledger = ledger_of(options)
    for row in missing(options, ledger):
        if time.time() > ends:
            return
        entry = ledger.make(row)
        print(_line(entry), flush=True)


def oversee(options: argparse.Namespace, words: Sequence[str], ends: float) -> None:
    """Let processes make rows; one that crashes or hangs loses its row, and another goes on."""
    command = [sys.executable, "-m", "benchmarks.gpu", *words, "--rows"]
    seconds = {row.name: row.seconds for row in rows_of(options)}
    if (cut_off := ledger_of(options).running()) is not None:  # when this was ended the last time
        ledger_of(options).put(replace(cut_off, state=UNFINISHED))
    while time.time() < ends and missing(options, ledger_of(options)):
        left = max(0.1, (ends - time.time()) / 60)
        child = subprocess.Popen([*command, "--minutes", f"{left:.3f}"])
        try:
            reason = _followed(child, options, seconds)
        finally:
            _end(child)
        ledger = ledger_of(options)
        lost = ledger.running()
        if lost is not None:
            ledger.put(replace(lost, state=FAILED, reason=reason, seconds=time.time() - lost.began))
            print(_line(ledger.entries[lost.name]), flush=True)
        elif child.returncode:
            raise SystemExit(f"the process that makes rows ended by itself: {reason}")
        else:
            return  # time is up, or all are there


def _followed(
    child: subprocess.Popen[bytes], options: argparse.Namespace, seconds: dict[str, float]
) -> str:
    """Wait for the end of a process or of the time of its row; why it ended."""
    while child.poll() is None:
        time.sleep(POLL)
        running = ledger_of(options).running()
        if running is not None and time.time() - running.began > seconds[running.name]:
            return f"took longer than {seconds[running.name]:.0f} s"
    return f"the process ended with code {child.returncode}"


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then end it."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _line(entry: Entry) -> str:
    said = entry.reason or json.dumps(entry.values)
    return f"{entry.name:32} {entry.state:10} {entry.seconds:6.1f} s  {said[:160]}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make rows, print, write."""
    options = settled(make_parser().parse_args(arguments))
    words = list(sys.argv[1:] if arguments is None else arguments)
    start = time.time()
    ends = start + 60 * options.minutes
    if options.rows:
        make_rows(options, ends)
        return
    if options.again:
        ledger = ledger_of(options)
        for entry in list(ledger.entries.values()):
            if entry.state in (FAILED, LEFT_OUT):
                ledger.put(replace(entry, state=UNFINISHED))
        words.remove("--again")
    oversee(options, words, ends)
    entries = ledger_of(options).entries.values()
    count = {
        state: sum(own.state == state for own in entries) for state in (DONE, LEFT_OUT, FAILED)
    }
    print(", ".join(f"{number} {state}" for state, number in count.items()))
    if left := missing(options, ledger_of(options)):
        print(f"{len(left)} to be made: give the command again")
    name = f"{NAME}_dry" if options.dry else NAME
    path = write_result(
        name,
        " ".join(["python -m benchmarks.gpu", *words]),
        {"rows": json.loads((options.output / "rows.json").read_text(encoding="utf-8"))["rows"]},
        wall_clock=time.time() - start,
        seed=0,
        device=options.device,
        directory=options.output if options.dry else options.results,
    )
    print(f"written to {path}")
    if count[FAILED]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

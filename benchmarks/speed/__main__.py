"""How fast cgsim is here: roll-out, training, distance from the machine's limits, against OpenMM.

    python -m benchmarks.speed

Everything is measured side by side in one process, the rivals of a row in turn, several times over,
and medians are reported. Writes `benchmarks/results/speed_DEVICE.json`; `--only` makes some parts
and leaves the others as they are. Weights do not matter for speed: the simulators of all parts but
`md` are untrained ones of the default size, which already hold a chain together.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import RESULTS, made, write_result
from benchmarks.speed.busy import busy
from benchmarks.speed.floor import ceilings, floor_seconds, operations, shares
from benchmarks.speed.large import large
from benchmarks.speed.md import paper_against_md, peptides_against_md, polymers_against_md
from benchmarks.speed.memory import memory
from benchmarks.speed.precision import precision
from benchmarks.speed.rates import state_of, steppers, steps_per_second, untrained
from benchmarks.speed.small import small
from benchmarks.speed.training import training_rows
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import random_chain

FLOOR_REPLICAS = 40


def rollouts(options: argparse.Namespace) -> dict[str, Any]:
    """Batched steps per second for every size, number of replicas and refinement."""
    rows = []
    for n_beads in options.beads:
        for score in (False, True):
            simulator, starts = untrained(n_beads, score=score, device=options.device)
            for n_replicas in options.replicas:
                state = state_of(simulator, starts, n_replicas)
                own, compilation = steppers(simulator, state)
                rates = steps_per_second(own, state, seconds=options.seconds, device=options.device)
                rows.append(
                    {
                        "n_beads": n_beads,
                        "n_replicas": n_replicas,
                        "score": score,
                        "steps_per_second": rates,
                        "compile_seconds": compilation or None,
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    return {"rows": rows}


def floors(options: argparse.Namespace) -> dict[str, Any]:
    """Operations, bytes, ceilings, time over floor and where the time goes."""
    rows: list[dict[str, Any]] = []
    own_ceilings = ceilings(options)
    for n_beads in options.beads:
        for score in (False, True):
            simulator, starts = untrained(n_beads, score=score, device=options.device)
            state = state_of(simulator, starts, FLOOR_REPLICAS)
            counted = operations(lambda: simulator.step(state))  # noqa: B023
            own, _ = steppers(simulator, state)
            rates = steps_per_second(own, state, seconds=options.seconds, device=options.device)
            floor = floor_seconds(counted, own_ceilings)
            rows.append(
                {"n_beads": n_beads, "n_replicas": FLOOR_REPLICAS, "score": score, **counted}
                | {"floor_seconds": floor, "seconds": {k: 1 / rate for k, rate in rates.items()}}
                | {"over_floor": {name: 1 / rate / floor for name, rate in rates.items()}}
                | {"shares": {k: shares(lambda: step(state)) for k, step in own.items()}}  # noqa: B023
            )
            print(json.dumps(rows[-1]), flush=True)
    return {"ceilings": own_ceilings, "rows": rows}


def training(options: argparse.Namespace) -> dict[str, Any]:
    """Windows per second of the optimisation, and of the loader alone."""

    def make(n_beads: int, n_trajectories: int) -> tuple[Simulator, list[MappedTrajectory]]:
        simulator, first = untrained(n_beads, score=True, device=options.device)
        others = (random_chain(n_beads, n_frames=100, seed=s) for s in range(1, n_trajectories))
        return simulator, [*first, *others]

    return {"rows": training_rows(make, options)}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "rollout": rollouts,
    "training": training,
    "floor": floors,
    "memory": memory,
    "precision": precision,
    "md": polymers_against_md,
    "md-peptides": peptides_against_md,
    "md-paper": paper_against_md,
    "large": large,
    "small": small,
    "busy": busy,
}


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--beads", nargs="+", type=int, default=[9, 40, 100])
    parser.add_argument("--replicas", nargs="+", type=int, default=[1, 8, 40, 256])
    parser.add_argument("--seconds", type=float, default=3.0, help="per rate")
    parser.add_argument("--training-batches", type=int, default=15)
    parser.add_argument("--trajectories", nargs="+", type=int, default=[1, 250], help="to train on")
    parser.add_argument("--memory-replicas", nargs="+", type=int, default=[40, 1000, 4000])
    parser.add_argument("--memory-steps", nargs="+", type=int, default=[500, 2000])
    parser.add_argument("--ceiling-size", type=int, default=2048, help="rows of a large matrix")
    parser.add_argument("--data", type=Path, default=Path("runs/polymer_mini/mapped"))
    parser.add_argument("--peptide-data", type=Path, default=Path("runs/peptides/mapped-residues"))
    parser.add_argument("--md-replicas", type=int, default=40, help="learned molecules")
    parser.add_argument("--md-steps", type=int, default=6000)
    parser.add_argument("--large-beads", nargs="+", type=int, default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--before", type=Path, help="an older tree to measure beside (small)")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=["cpu", "cuda"], default=default)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    return parser


def command(part: str, options: argparse.Namespace) -> str:
    """The command line that makes a part again."""
    words = ["python -m benchmarks.speed --only", part]
    for name, value in vars(options).items():
        if name not in ("only", "output") and value != make_parser().get_default(name):
            values = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return " ".join(words)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    options = make_parser().parse_args(arguments)
    words = sys.argv[1:] if arguments is None else list(arguments)
    start, name = time.perf_counter(), f"speed_{options.device}"
    file = options.output / f"{name}.json"
    metrics = json.loads(file.read_text(encoding="utf-8"))["metrics"] if file.exists() else {}
    for part in options.only:
        metrics[part] = PARTS[part](options) | {"command": command(part, options), "made": made()}
    path = write_result(
        name,
        " ".join(["python -m benchmarks.speed", *words]),
        metrics,
        wall_clock=time.perf_counter() - start,
        seed=0,
        device=options.device,
        directory=options.output,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

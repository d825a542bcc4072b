"""The baselines of our forerunners: forecasters, a language model of states, and roll-outs.

    python -m benchmarks.baselines [--only forecast language_model rollout] [--quick]
        [--data NAME.cg ...] [--dihedral NAME.pdb] [--peptide FOLDER] [--rows ROW ...]

`forecast` makes the table of Gupta et al. for every mapped trajectory given by `--data`, beside
those of earlier calls, and says which of their claims hold; `language_model` trains the model of
Tsai, Kuo and Tiwary on the four-well potential and, where `--dihedral` names a peptide with its MD,
on phi of that; `rollout` lets simple propagators, a network without equivariance and cgsim go on
with the same molecules and measures all in the same way. What is made lies in folders under
`runs/baselines`, where a second call goes on; `benchmarks/results/baselines.json` keeps the
sections that are not made. With `--quick` it is written to that folder instead.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.baselines.forecast import forecast, with_earlier
from benchmarks.baselines.language_model import language_model
from benchmarks.baselines.rollout import ROWS, rollout
from benchmarks.polymers.runs import best_device
from benchmarks.record import RESULTS, made, write_result

Section = Callable[[argparse.Namespace], dict[str, Any]]

SECTIONS: dict[str, Section] = {
    "forecast": forecast,
    "language_model": language_model,
    "rollout": rollout,
}


def command(section: str, options: argparse.Namespace) -> str:
    """The command line that makes a section again; each forecast knows its own."""
    words = ["python -m benchmarks.baselines --only", section]
    if section == "language_model" and options.dihedral is not None:
        words += ["--dihedral", str(options.dihedral)]
    elif section == "rollout" and options.peptide is not None:
        words += ["--peptide", str(options.peptide)]
        words += ["--peptide-stride", str(options.peptide_stride)]
    return " ".join(words + (["--quick"] if options.quick else []))


def written(metrics: dict[str, Any], directory: Path) -> dict[str, Any]:
    """What is made now over what the result file holds of other sections and trajectories."""
    file = directory / "baselines.json"
    before = json.loads(file.read_text(encoding="utf-8"))["metrics"] if file.exists() else {}
    if "forecast" in metrics:
        own = metrics["forecast"]
        metrics = metrics | {"forecast": own | with_earlier(own, before.get("forecast"))}
    return before | metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the chosen sections, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--data", nargs="+", type=Path, default=[], help="mapped trajectories")
    parser.add_argument("--as-is", action="store_true", help="do not superpose the frames")
    parser.add_argument("--dihedral", type=Path, help="NAME.pdb, with NAME-r0.xtc ... beside it")
    parser.add_argument("--polymers", type=Path, default=Path("runs/polymer_mini"), help="their MD")
    parser.add_argument("--peptide", type=Path, help="a folder of mapped replicas of one peptide")
    parser.add_argument("--peptide-stride", type=int, default=5, help="frames per step")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--quick", action="store_true", help="everything small")
    parser.add_argument("--output", type=Path, default=Path("runs/baselines"), help="a folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    directory = options.output if options.quick else RESULTS
    start = time.perf_counter()
    metrics = {
        name: SECTIONS[name](options) | {"command": command(name, options), "made": made()}
        for name in options.only
    }
    path = write_result(
        "baselines",
        f"python -m benchmarks.baselines --only {' '.join(options.only)}"
        f"{' --quick' if options.quick else ''}",
        written(metrics, directory),
        wall_clock=time.perf_counter() - start,
        seed=options.seed,
        device=best_device(),
        directory=directory,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

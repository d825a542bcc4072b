"""The quickstart as a new user runs it: its scores, its wall-clock stage by stage, its picture.

    python -m benchmarks.quickstart

Runs `cgsim quickstart` in a folder of its own, writes `benchmarks/results/quickstart.json` and
draws `docs/images/quickstart.png`.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread, imsave

from benchmarks.record import RESULTS, write_result
from cgsim.cli.quickstart_config import MODEL, TRAINING, QuickstartConfig
from cgsim.evaluate import Comparison
from cgsim.evaluate.observables.table import RELAXATION, RG
from cgsim.evaluate.report.plots import plot_means, plot_relaxation_times
from cgsim.evaluate.scores.comparison import estimate_to_dict

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "quickstart.png"
STAGES = ("MD to learn from", "training", "MD to compare with", "roll-out and report")
SHOWN = ("rg", "rg_reference", "relaxation", "relaxation_reference")
HEADING = re.compile("─ [1-4]/4 ")


def run(folder: Path) -> dict[str, float]:
    """Run the command in an empty folder; return the wall-clock of each stage in seconds.

    The process start and all imports belong to the first stage.

    Raises
    ------
    SystemExit
        If the folder is in use (a stage that is there already takes no time), or the command fails.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty: remove it, or give another one with --output")
    code = "import sys; from cgsim.cli.command_line import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "quickstart", "--output", str(folder)]
    times = [time.perf_counter()]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, encoding="utf-8", env=environment
    ) as process:
        times += headings(process)
    if process.returncode:
        raise SystemExit(process.returncode)
    times[1:2] = []  # the first stage begins with the process
    times.append(time.perf_counter())
    return {
        stage: round(end - begin, 1)
        for stage, (begin, end) in zip(STAGES, pairwise(times), strict=True)
    }


def headings(process: subprocess.Popen[str]) -> Iterator[float]:
    """Show what the command prints; yield the time of each heading of a stage."""
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if HEADING.search(line):
            yield time.perf_counter()


def draw(comparison: Comparison, path: Path) -> None:
    """Draw size and relaxation time, learned against MD, side by side."""
    panels = [
        pixels(plot_means(RG, comparison)),
        pixels(plot_relaxation_times(RELAXATION, comparison)),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, np.ascontiguousarray(np.hstack(panels)))


def pixels(figure: Figure) -> np.ndarray:
    """Return the figure as an image, [height, width, 4]."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=170)
    buffer.seek(0)
    return np.asarray(imread(buffer))


def summary(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Return every score of every row, with its standard error."""
    return {
        label: {name: estimate_to_dict(estimate) for name, estimate in score.summary.items()}
        for label, score in comparison.rows.items()
    }


def molecules(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Return what the picture shows: size (nm) and relaxation time (ps) of every molecule."""
    return {
        label: {
            row.name: {name: estimate_to_dict(row[name]) for name in SHOWN}
            for row in score.molecules
        }
        for label, score in comparison.rows.items()
    }


def main() -> None:
    """Run, print, write, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--output", type=Path, default=Path("runs/quickstart"), help="an empty folder to work in"
    )
    folder: Path = parser.parse_args().output
    start = time.perf_counter()
    stages = run(folder)
    wall_clock = time.perf_counter() - start
    content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    comparison = Comparison.from_dict(content)
    metrics = {
        "units": content["metrics"],
        "scores": summary(comparison),
        "n_test_molecules": len(comparison.learned.molecules),
        "stages_seconds": stages,
        "sizes": asdict(QuickstartConfig()),
        "model": asdict(MODEL),
        "training": asdict(TRAINING),
        "molecules": molecules(comparison),
    }
    path = write_result(
        "quickstart",
        "python -m benchmarks.quickstart",
        metrics,
        wall_clock=wall_clock,
        seed=QuickstartConfig().seed,
        directory=RESULTS,
    )
    draw(comparison, PICTURE)
    for stage, seconds in stages.items():
        print(f"{seconds:8.1f} s  {stage}")
    print(f"{wall_clock:8.1f} s  in all\nwritten to {path} and {PICTURE}")


if __name__ == "__main__":
    main()

"""The table of Gupta et al.: forecasters of coordinates, and which of their claims hold."""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.record import made
from cgsim.baselines.forecast import superposed
from cgsim.baselines.forecast_table import forecast_grid, forecast_table
from cgsim.mapping.store import load_mapped

Rows = list[dict[str, Any]]

# Training steps of 256 series: with 120 forecasters some minutes for each trajectory.
FULL, QUICK = 300, 5


def forecast(options: argparse.Namespace) -> dict[str, Any]:
    """The table of every trajectory, the claims about it and the command that makes them again."""
    if not options.data:
        raise SystemExit("forecast needs trajectories: --data NAME.cg (made by `cgsim map`)")
    n_steps = QUICK if options.quick else FULL
    grid = [replace(config, n_steps=n_steps) for config in forecast_grid()]
    frames = "" if options.as_is else "-superposed"
    found = {}
    for folder in options.data:
        trajectory = load_mapped(folder)
        if not options.as_is:
            trajectory = superposed(trajectory)
        target = options.output / "forecast" / f"{trajectory.name}-{n_steps}{frames}"
        rows = forecast_table(trajectory, target, grid=grid, seed=options.seed)
        Console(width=140).print(forecast_rows(rows))
        held = claims(rows)
        print(json.dumps(held, indent=2))
        found[trajectory.name] = {
            "rows": rows,
            "claims": held,
            "superposed": not options.as_is,
            "frame_interval": trajectory.frame_interval,
            "n_steps": n_steps,
            "command": forecast_command(folder, options),
            "made": made(),
        }
    return {"trajectories": found}


def forecast_command(folder: Path, options: argparse.Namespace) -> str:
    """The command line that makes the table of one trajectory again."""
    words = ["python -m benchmarks.baselines --only forecast --data", str(folder)]
    words += ["--as-is"] * options.as_is + ["--quick"] * options.quick
    return " ".join(words)


def with_earlier(now: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """What was made now, and the trajectories of earlier calls under other names.

    The section's command makes all of them, one line each.
    """
    found = (before["trajectories"] if before else {}) | now["trajectories"]
    commands = [own["command"] for own in found.values()]
    return {"trajectories": found, "command": "\n".join(commands)}


def claims(rows: Rows) -> dict[str, Any]:
    """Which of the published claims hold for one trajectory, on held-out frames.

    A difference counts if it is more than two standard errors; fractions are those of pairs of
    forecasters that differ in one setting.
    """
    trained = [row for row in rows if row["config"]["kind"] != "static"]
    early = [row for row in trained if row["config"]["lead"] in (1, 5)]
    late = [r for r in trained if r["config"]["lead"] >= 15 and r["config"]["kind"] == "lstm"]
    return {
        "static wins at leads 1 and 5": not any(beats_static(row) for row in early),
        "LSTM beats static from lead 15 on": bool(late) and all(map(best_of_lead(late), late)),
        "LSTM never beats static": not any(
            beats_static(row) for row in trained if row["config"]["kind"] == "lstm"
        ),
        "fraction in which history 10 beats 1": fraction_lower(trained, "history", 10, 1),
        "fraction in which decomposition helps": fraction_lower(trained, "decomposed", True, False),
    }


def beats_static(row: dict[str, Any]) -> bool:
    """Lower than the static forecaster on the same frames by two standard errors."""
    above = row["above_static"]
    return bool(above["value"] + 2 * above["error"] < 0)


def best_of_lead(rows: Rows) -> Callable[[dict[str, Any]], bool]:
    """Whether the best of the rows of the same lead beats the static forecaster."""

    def holds(row: dict[str, Any]) -> bool:
        same = [other for other in rows if other["config"]["lead"] == row["config"]["lead"]]
        return beats_static(min(same, key=lambda other: other["rmsd"]["mean"]))

    return holds


def fraction_lower(rows: Rows, field: str, new: object, old: object) -> float:
    """Of the pairs that differ in one field: how often the new value has the lower mean RMSD."""

    def rest(row: dict[str, Any]) -> str:
        return json.dumps(row["config"] | {field: None}, sort_keys=True)

    sides = [
        {rest(row): row["rmsd"]["mean"] for row in rows if row["config"][field] == value}
        for value in (new, old)
    ]
    pairs = [sides[0][key] < sides[1][key] for key in sides[0].keys() & sides[1].keys()]
    return float(np.mean(pairs)) if pairs else float("nan")


def forecast_rows(rows: Rows) -> Table:
    """One row per forecaster."""
    shown = Table(title=f"{rows[0]['origin']['name']}: RMSD on held-out frames, nm")
    for head in ("lead", "kind", "scope", "history", "mean", "median", "above static"):
        shown.add_column(head)
    for row in rows:
        config, above = row["config"], row["above_static"]
        shown.add_row(
            str(config["lead"]),
            config["kind"],
            "atoms" if config["decomposed"] else "whole",
            str(config["history"]),
            f"{row['rmsd']['mean']:.4f}",
            f"{row['rmsd']['quantiles']['0.5']:.4f}",
            f"{above['value']:+.4f} ± {above['error']:.4f}",
        )
    return shown

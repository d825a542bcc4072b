"""cgsim and the baselines in one picture: size, relaxation time, and distributions of Rg."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.baselines.rows import ROWS
from cgsim.evaluate.report.plots.style import FLOOR, LEARNED, MUTED, logarithmic, style

COLOURS = {
    "cgsim": LEARNED,
    "not-equivariant": "#7b5ea7",
    "var": "#17a398",
    "var-own-md": "#8fd3c8",
    "lstm": "#3a86c8",
    "language-model": "#e0a33a",
    "second-md-run": FLOOR,
}


def draw(path: Path, systems: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw the picture into a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plot(systems).savefig(path, dpi=170)


def plot(systems: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Against MD, one point per molecule: Rg and relaxation time; bars: JS distance of Rg."""
    with style():
        figure = Figure(figsize=(13.0, 4.6), layout="constrained")
        size, time, distance = figure.subplots(1, 3)
        molecules = [
            (key, molecule)
            for system in systems.values()
            for key, scores in reversed(system["rows"].items())
            for molecule in scores["molecules"]
        ]
        _scatter(size, molecules, "rg")
        size.set(title="Size", xlabel="Rg, MD (nm)", ylabel="Rg (nm)")
        _scatter(time, molecules, "relaxation")
        time.set(
            title="Kinetics",
            xlabel="relaxation time of Rg², MD (ps)",
            ylabel="relaxation time of Rg² (ps)",
        )
        _bars(distance, systems)
        handles, labels = size.get_legend_handles_labels()
        once = dict(zip(reversed(labels), reversed(handles), strict=True))
        if once:
            figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=4)
    return figure


def _scatter(axis: Axes, molecules: list[tuple[str, Mapping[str, Any]]], what: str) -> None:
    """Logarithmic, with the identity line; values that are not known are left out."""
    limits = []
    for key, molecule in molecules:
        x, y = molecule[f"{what}_reference"]["value"], molecule[what]["value"]
        if x is None or y is None or not (x > 0 and y > 0):
            continue
        label = ROWS[key].label
        axis.plot(x, y, "o", ms=5, mec="white", mew=0.5, color=COLOURS[key], label=label)
        limits += [x, y]
    if limits:
        logarithmic(axis)
        line = np.array([min(limits) / 1.2, max(limits) * 1.2])
        axis.plot(line, line, color=MUTED, ls="--", lw=1, zorder=0)


def _bars(axis: Axes, systems: Mapping[str, Mapping[str, Any]]) -> None:
    """One group per system, one bar per row; rows without a score have none."""
    ticks, at = [], 0.0
    for name, system in systems.items():
        known = {key: own["js_rg"] for key, own in system["rows"].items() if own.get("js_rg")}
        places = at + np.arange(len(known))
        axis.bar(places, list(known.values()), color=[COLOURS[key] for key in known], width=0.85)
        ticks.append((at + (len(known) - 1) / 2, name))
        at += len(known) + 1.0
    axis.set_xticks([place for place, _ in ticks], [name for _, name in ticks])
    axis.set(title="Distribution of Rg", ylabel="JS distance to MD", ylim=(0, 1))

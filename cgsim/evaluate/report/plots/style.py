"""The look of all figures: colours, fonts, axes. Figures are built without pyplot or a display."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cgsim.evaluate.yardsticks import HALVES, HALVES_ROW, YARDSTICKS
from cgsim.evaluate.yardsticks import LEARNED as LEARNED_ROW

REFERENCE = "#33415c"
LEARNED = "#e4572e"
FLOOR = YARDSTICKS["floor"].colour
MUTED = "#94a3b8"


def row_colour(key: str) -> str:
    """Colour of a row of a comparison."""
    if key == LEARNED_ROW:
        return LEARNED
    if key == HALVES:
        return HALVES_ROW.colour
    return YARDSTICKS[key].colour if key in YARDSTICKS else MUTED


_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": "#334155",
    "axes.edgecolor": "#94a3b8",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": "#1e293b",
    "xtick.color": "#64748b",
    "ytick.color": "#64748b",
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "grid.color": "#e2e8f0",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "svg.hashsalt": "cgsim",
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the look to figures made inside."""
    with mpl.rc_context(_SETTINGS):
        yield


def grid_of_axes(
    n_panels: int, *, n_columns: int = 4, height: float = 2.1
) -> tuple[Figure, list[Axes]]:
    """A figure of at most `n_columns` panels to a row, the rows as even as can be."""
    n_rows = -(-n_panels // n_columns)
    n_columns = max(-(-n_panels // n_rows), 2)
    figure = Figure(figsize=(9.6, height * n_rows + 0.5), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis in axes[n_panels:]:
        axis.set_visible(False)
    return figure, list(axes[:n_panels])


def legend_above(figure: Figure, axis: Axes) -> None:
    """One legend for all panels, on one line above them."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def logarithmic(axis: Axes) -> None:
    """Logarithmic axes with plain numbers at 1, 2 and 5."""
    axis.set(xscale="log", yscale="log")
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        ticks.set_minor_formatter(NullFormatter())


def thin(values: np.ndarray, n_points: int = 1500) -> slice:
    """Slice that leaves at most `n_points` evenly spaced values."""
    return slice(None, None, max(1, -(-len(values) // n_points)))

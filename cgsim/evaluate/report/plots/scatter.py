"""Learned against true, one point per molecule, and the training curve."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cgsim.evaluate.observables.relaxation import Relaxation
from cgsim.evaluate.observables.scalar import Scalar
from cgsim.evaluate.report.plots.style import (
    MUTED,
    REFERENCE,
    logarithmic,
    row_colour,
    style,
)
from cgsim.evaluate.scores.comparison import Comparison
from cgsim.evaluate.statistics.estimate import Estimate
from cgsim.evaluate.yardsticks import LEARNED, row_label


@dataclass(frozen=True)
class TrainingCurve:
    """Losses over the optimiser steps; NaN where one was not computed.

    Parameters
    ----------
    step, train, validation
        [n_points] each.
    label
        What the loss is, for the axis.
    """

    step: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    label: str = "loss"


def plot_means(observable: Scalar, comparison: Comparison) -> Figure:
    """Mean of every molecule against that of the reference, with the identity line."""
    with style():
        figure, axis = _square_figure()
        _scatter_rows(axis, comparison, observable.name)
        _identity_line(axis)
        axis.set(
            xlabel=_with_unit(f"{observable.label}, reference MD", observable.unit),
            ylabel=observable.axis,
            title=f"Mean {observable.label}",
        )
        _legend(axis)
    return figure


def plot_relaxation_times(observable: Relaxation, comparison: Comparison) -> Figure:
    """Relaxation time of every molecule against that of the reference, logarithmic axes."""
    with style():
        figure, axis = _square_figure()
        _scatter_rows(axis, comparison, observable.named("relaxation"))
        _scatter_bounds(axis, comparison, observable.named("relaxation"))
        if axis.containers:
            logarithmic(axis)
        _identity_line(axis)
        what = f"relaxation time of {observable.label}"
        axis.set(
            xlabel=f"{what}, reference MD (ps)",
            ylabel=f"{what} (ps)",
            title=f"Relaxation of {observable.label}",
        )
        _legend(axis)
    return figure


def plot_training(curve: TrainingCurve) -> Figure:
    """Training and validation loss against the optimiser step."""
    with style():
        figure = Figure(figsize=(9.6, 2.8), layout="constrained")
        axis = figure.add_subplot()
        series = (
            ("training", curve.train, MUTED),
            ("validation", curve.validation, row_colour(LEARNED)),
        )
        for label, values, colour in series:
            known = np.isfinite(values)
            if known.any():
                marker = "o" if known.sum() <= 40 and label == "validation" else None
                axis.plot(
                    curve.step[known], values[known], color=colour, label=label, marker=marker, ms=3
                )
        losses = np.concatenate([curve.train, curve.validation])
        losses = losses[np.isfinite(losses)]
        if losses.size > 10:
            # The first steps would flatten everything after them.
            top = np.quantile(losses, 0.98)
            axis.set_ylim(top=top + 0.05 * (top - losses.min() + 1e-12))
        axis.set(xlabel="optimiser step", ylabel=curve.label)
        axis.grid(True)
        axis.legend(loc="upper right")
    return figure


def _square_figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.7, 4.5), layout="constrained")
    axis = figure.add_subplot()
    axis.grid(True)
    axis.set_axisbelow(True)
    return figure, axis


def _with_unit(text: str, unit: str) -> str:
    return f"{text} ({unit})" if unit else text


def _scatter_rows(axis: Axes, comparison: Comparison, name: str) -> None:
    """All rows, the learned one on top; molecules that were not scored in it are left out."""
    for key, score in reversed(comparison.scores.items()):
        rows = [molecule.scores for molecule in score.molecules if name in molecule.scores]
        if not rows:
            continue
        x = _columns([own[f"{name}_reference"] for own in rows])
        y = _columns([own[name] for own in rows])
        known = np.isfinite(x[0]) & np.isfinite(y[0])
        if not known.any():
            continue
        is_learned = key == LEARNED
        axis.errorbar(
            x[0, known],
            y[0, known],
            xerr=np.nan_to_num(x[1, known]),
            yerr=np.nan_to_num(y[1, known]),
            fmt="o",
            ms=6.5 if is_learned else 4.5,
            mec="white",
            mew=0.7,
            color=row_colour(key),
            elinewidth=1.0,
            alpha=0.95 if is_learned else 0.75,
            label=row_label(key),
            zorder=3 if is_learned else 2,
        )


def _scatter_bounds(axis: Axes, comparison: Comparison, name: str) -> None:
    """Molecules of which one of the two is only bounded from below, as triangles at the bound."""
    for key, score in comparison.scores.items():
        pairs = [
            (own[f"{name}_reference"], own[name])
            for own in (molecule.scores for molecule in score.molecules)
            if name in own
        ]
        for marker, bounded in (("^", 1), (">", 0)):
            points = [
                (_least(x), _least(y))
                for x, y in pairs
                if (x, y)[bounded].is_bound and math.isfinite((x, y)[1 - bounded].value)
            ]
            if points:
                x, y = np.array(points).T
                colour = row_colour(key)
                axis.errorbar(x, y, fmt=marker, ms=4.5, mfc="white", color=colour, zorder=2)


def _least(estimate: Estimate) -> float:
    if estimate.lower_bound is not None:
        return estimate.lower_bound
    return estimate.value


def _columns(estimates: list[Estimate]) -> np.ndarray:
    return np.array([[e.value for e in estimates], [e.error for e in estimates]])


def _limits(axis: Axes) -> tuple[float, float]:
    """Common range of both axes: that of the points and a margin; long error bars are cut."""
    points = [container[0].get_data() for container in axis.containers]
    if not points:
        return 0.0, 1.0
    values = np.concatenate([np.concatenate(xy) for xy in points]).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if axis.get_xscale() == "log":
        margin = max((high / low) ** 0.15, 1.2)
        return low / margin, high * margin
    margin = max(0.15 * (high - low), 0.02 * high)
    return low - margin, high + margin


def _legend(axis: Axes) -> None:
    """Legend with the learned row first, though it is drawn last."""
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        axis.legend(handles[::-1], labels[::-1], loc="upper left")


def _identity_line(axis: Axes) -> None:
    low, high = _limits(axis)
    axis.plot([low, high], [low, high], color=REFERENCE, lw=0.9, ls=(0, (4, 3)), zorder=1)
    axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")

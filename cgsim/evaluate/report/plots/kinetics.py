"""Slow motions: free-energy surfaces, implied timescales, Chapman–Kolmogorov test."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.kinetics.tica import N_BINS_TIC01, TicaModel, tic01_counts, tic01_edges
from cgsim.evaluate.kinetics.validation import ChapmanKolmogorov, ImpliedTimescales
from cgsim.evaluate.report.plots.style import (
    LEARNED,
    MUTED,
    REFERENCE,
    legend_above,
    logarithmic,
    style,
)

_MARKERS = ("o", "s", "^", "D", "v")


def plot_free_energy(tica: TicaModel, reference: Ensemble, learned: Ensemble) -> Figure:
    """Free energy −ln p over TIC0 and TIC1, in kT above the lowest; white where no frame is.

    Raises
    ------
    ValueError
        If there is only one component, or the molecule is another one.
    """
    if tica.n_components < 2:
        raise ValueError(f"{tica.name}: n_components must be at least 2 for a surface, got 1")
    both = tica.project(reference), tica.project(learned)
    edges = tic01_edges(both[0])
    counts = [tic01_counts(np.concatenate(tics), edges) for tics in both]
    surfaces = [_free_energy(count) for count in counts]
    highest = max(float(np.nanmax(surface)) for surface in surfaces)
    with style():
        figure = Figure(figsize=(8.2, 3.6), layout="constrained")
        axes = figure.subplots(1, 2, sharex=True, sharey=True)
        for axis, surface, label in zip(axes, surfaces, ("reference MD", "learned"), strict=True):
            image = axis.pcolormesh(
                *edges, surface.T, cmap="viridis", vmin=0, vmax=highest, rasterized=True
            )
            axis.set(title=f"{tica.name}, {label}", xlabel="TIC0")
        axes[0].set_ylabel("TIC1")
        figure.colorbar(image, ax=axes, label="free energy (kT)", aspect=30)
    return figure


def plot_implied_timescales(
    reference: ImpliedTimescales, learned: ImpliedTimescales | None = None
) -> Figure:
    """Implied timescales against lag time with standard errors; shaded where time < lag."""
    rows = [(reference, REFERENCE, "reference MD")]
    if learned is not None:
        rows.append((learned, LEARNED, "learned"))
    with style():
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axis = figure.add_subplot()
        for times, colour, label in rows:
            for index in range(times.values.shape[1]):
                axis.errorbar(
                    times.lag_times,
                    times.values[:, index],
                    yerr=times.errors[:, index],
                    color=colour,
                    marker=_MARKERS[index % len(_MARKERS)],
                    ms=4,
                    lw=1.2,
                    capsize=2,
                    alpha=1.0 if index == 0 else 0.6,
                    label=label if index == 0 else None,
                )
        logarithmic(axis)
        axis.set(xlabel="lag time (ps)", ylabel="implied timescale (ps)", title=reference.name)
        _shade_below_lag(axis)
        axis.grid(True)
        legend_above(figure, axis)
    return figure


def plot_chapman_kolmogorov(test: ChapmanKolmogorov) -> Figure:
    """Predicted (line) and estimated (points) probabilities between metastable states."""
    n_states = test.predicted.shape[1]
    with style():
        figure = Figure(figsize=(1.9 * n_states + 0.6, 1.6 * n_states + 0.7), layout="constrained")
        axes = figure.subplots(n_states, n_states, sharex=True, sharey=True, squeeze=False)
        start = np.eye(n_states)[None]
        predicted = np.concatenate([start, test.predicted])
        for row in range(n_states):
            for column in range(n_states):
                axis = axes[row, column]
                axis.plot(
                    [0.0, *test.times],
                    predicted[:, row, column],
                    color=MUTED,
                    label="predicted by the model",
                )
                axis.errorbar(
                    test.times,
                    test.estimated[:, row, column],
                    yerr=test.errors[:, row, column],
                    color=REFERENCE,
                    fmt="o",
                    ms=3.5,
                    lw=1.0,
                    capsize=2,
                    label="estimated",
                )
                axis.set_title(f"{row} → {column}")
                axis.set_ylim(-0.04, 1.04)
                axis.grid(True)
        figure.supxlabel("time (ps)", fontsize=9)
        figure.supylabel("probability", fontsize=9)
        legend_above(figure, axes[0, 0])
    return figure


def _shade_below_lag(axis: Axes) -> None:
    """Where a process has decayed within the lag time, it cannot be told."""
    limits = axis.get_xlim(), axis.get_ylim()
    lags = np.geomspace(*limits[0], 200)
    axis.fill_between(lags, lags, 0.0, color=MUTED, alpha=0.2, lw=0)
    axis.set(xlim=limits[0], ylim=limits[1])


def _free_energy(counts: np.ndarray) -> np.ndarray:
    """[50, 50] in kT, NaN where nothing was counted."""
    surface = np.full(counts.shape, np.nan)
    visited = counts > 0
    surface[visited] = np.log(counts.max()) - np.log(counts[visited])
    return surface.reshape(N_BINS_TIC01, N_BINS_TIC01)

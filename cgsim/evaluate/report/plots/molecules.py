"""Small multiples: one panel per molecule, learned over reference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from cgsim.evaluate.observables.contacts import ContactMap
from cgsim.evaluate.observables.distribution import Distribution
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.relaxation import Relaxation
from cgsim.evaluate.observables.scalar import Scalar
from cgsim.evaluate.observables.structure import contact_map
from cgsim.evaluate.report.plots.style import (
    LEARNED,
    MUTED,
    REFERENCE,
    grid_of_axes,
    legend_above,
    style,
    thin,
)
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.statistics.distributions import histogram, union_edges
from cgsim.evaluate.statistics.series import Series


@dataclass(frozen=True)
class Shown:
    """The molecules that get panels, in the same order on both sides, and how they were scored."""

    reference: Sequence[Profile]
    learned: Sequence[Profile]
    scoring: Scoring

    def __len__(self) -> int:
        return len(self.reference)

    def __iter__(self) -> Iterator[tuple[Profile, Profile]]:
        return zip(self.reference, self.learned, strict=True)


def plot_scalar_distributions(observable: Scalar, shown: Shown) -> Figure:
    """Distribution of a number per frame, of each molecule."""
    with style():
        figure, axes = grid_of_axes(len(shown))
        for axis, pair in zip(axes, shown, strict=True):
            values = [np.concatenate(own.series(observable.measure).values) for own in pair]
            _densities(axis, *values, n_bins=observable.bins or shown.scoring.n_bins)
            axis.set(title=pair[0].ensemble.name, xlabel=observable.axis)
        legend_above(figure, axes[0])
    return figure


def plot_pooled_distributions(observable: Distribution, shown: Shown) -> Figure:
    """Distribution of many values per frame, pooled, of each molecule."""
    with style():
        figure, axes = grid_of_axes(len(shown))
        for axis, pair in zip(axes, shown, strict=True):
            values = [observable.measure(own.sampled()).ravel() for own in pair]
            _densities(axis, *values, n_bins=observable.bins or shown.scoring.n_bins)
            axis.set(title=pair[0].ensemble.name, xlabel=observable.axis)
        legend_above(figure, axes[0])
    return figure


def plot_autocorrelations(observable: Relaxation, shown: Shown) -> Figure:
    """Autocorrelation of each molecule; the relaxation time is where it crosses 1/e."""
    with style():
        figure, axes = grid_of_axes(len(shown))
        for axis, pair in zip(axes, shown, strict=True):
            series = [own.series(observable.measure) for own in pair]
            axis.axhline(np.exp(-1), color=MUTED, lw=0.8, ls=(0, (2, 2)))
            for own, colour, label in zip(
                series, (REFERENCE, LEARNED), ("reference MD", "learned"), strict=True
            ):
                _autocorrelation(axis, own, colour=colour, label=label)
            horizon = 4 * np.nanmax([own.relaxation_time for own in series] + [0.0])
            axis.set(title=pair[0].ensemble.name, xlabel="time (ps)", ylim=(-0.25, 1.02))
            if horizon > 0:
                axis.set_xlim(0, horizon)
        legend_above(figure, axes[0])
    return figure


def plot_traces(observable: Scalar, shown: Shown) -> Figure:
    """A number over time, first replica of each molecule, over the time that both cover."""
    with style():
        figure, axes = grid_of_axes(len(shown), n_columns=2, height=1.6)
        for axis, pair in zip(axes, shown, strict=True):
            for own, colour, label in zip(
                pair, (REFERENCE, LEARNED), ("reference MD", "learned"), strict=True
            ):
                values = own.series(observable.measure).values[0]
                time = np.arange(len(values)) * own.ensemble.frame_interval
                few = thin(values)
                axis.plot(time[few], values[few], color=colour, lw=0.8, alpha=0.85, label=label)
            both = [own.ensemble for own in pair]
            shared = min(len(own.xyz[0]) * own.frame_interval for own in both)
            axis.set(
                title=both[0].name, xlabel="time (ps)", ylabel=observable.axis, xlim=(0, shared)
            )
        legend_above(figure, axes[0])
    return figure


def plot_contact_maps(observable: ContactMap, shown: Shown) -> Figure:
    """Contact probabilities: reference above the diagonal, learned below it."""
    with style():
        figure, axes = grid_of_axes(len(shown), height=2.4)
        for axis, pair in zip(axes, shown, strict=True):
            cutoff = observable.thresholds(*pair, shown.scoring)
            contacts = [contact_map(own.sampled().xyz, cutoff) for own in pair]
            combined = np.triu(contacts[0], 1) + np.tril(contacts[1], -1)
            np.fill_diagonal(combined, np.nan)
            image = axis.imshow(combined, vmin=0, vmax=1, cmap="magma_r", interpolation="nearest")
            axis.set(title=pair[0].ensemble.name, xlabel="bead", ylabel="bead")
        figure.colorbar(image, ax=axes, label="contact probability", shrink=0.8, aspect=30)
    return figure


def _densities(axis: Axes, reference: np.ndarray, learned: np.ndarray, *, n_bins: int) -> None:
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    if not reference.size or not learned.size:
        axis.text(0.5, 0.5, "none", ha="center", transform=axis.transAxes)
        return
    edges = union_edges(reference, learned, n_bins=n_bins)
    for values, colour, label in (
        (reference, REFERENCE, "reference MD"),
        (learned, LEARNED, "learned"),
    ):
        density = histogram(values, edges) / (len(values) * (edges[1] - edges[0]))
        axis.stairs(density, edges, color=colour, lw=1.4, label=label)
    axis.patches[0].set(fill=True, facecolor=(*to_rgb(REFERENCE), 0.14))


def _autocorrelation(axis: Axes, series: Series, *, colour: str, label: str) -> None:
    acf, interval = series.autocorrelation, series.frame_interval
    if np.isfinite(series.relaxation_time):
        acf = acf[: int(12 * series.relaxation_time / interval) + 3]
        if not series.relaxation.is_bound:
            axis.axvline(series.relaxation_time, color=colour, lw=0.8, alpha=0.5)
    time = np.arange(len(acf)) * interval
    axis.plot(time[thin(acf, 400)], acf[thin(acf, 400)], color=colour, label=label)

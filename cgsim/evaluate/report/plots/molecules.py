"""Small multiples: one panel per molecule, learned over reference."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.structure import (
    bond_lengths,
    contact_map,
    nonbonded_pairs,
    pair_distances,
)
from cgsim.evaluate.report.plots.style import (
    LEARNED,
    MUTED,
    REFERENCE,
    grid_of_axes,
    legend_above,
    style,
    thin,
)
from cgsim.evaluate.statistics.distributions import N_BINS, histogram, union_edges

_MAX_FRAMES = 5000


def plot_rg_distributions(reference: Sequence[Ensemble], learned: Sequence[Ensemble]) -> Figure:
    """Distribution of Rg of each molecule."""
    with style():
        figure, axes = grid_of_axes(len(reference))
        for axis, first, second in zip(axes, reference, learned, strict=True):
            rg = [np.concatenate(Profile(ensemble).rg) for ensemble in (first, second)]
            _densities(axis, *rg)
            axis.set(title=first.name, xlabel="Rg (nm)")
        legend_above(figure, axes[0])
    return figure


def plot_bond_distributions(reference: Sequence[Ensemble], learned: Sequence[Ensemble]) -> Figure:
    """Distribution of the bond lengths of each molecule, all bonds pooled."""
    with style():
        figure, axes = grid_of_axes(len(reference))
        for axis, first, second in zip(axes, reference, learned, strict=True):
            lengths = [bond_lengths(_sample(e), e.edge_index).ravel() for e in (first, second)]
            _densities(axis, *lengths)
            axis.set(title=first.name, xlabel="bond length (nm)")
        legend_above(figure, axes[0])
    return figure


def plot_pair_distributions(reference: Sequence[Ensemble], learned: Sequence[Ensemble]) -> Figure:
    """Distribution of the distances of beads that share no bond, all pairs pooled."""
    with style():
        figure, axes = grid_of_axes(len(reference))
        for axis, first, second in zip(axes, reference, learned, strict=True):
            pairs = nonbonded_pairs(first.n_beads, first.edge_index)
            distances = [pair_distances(_sample(e), pairs).ravel() for e in (first, second)]
            _densities(axis, *distances)
            axis.set(title=first.name, xlabel="pair distance (nm)")
        legend_above(figure, axes[0])
    return figure


def plot_autocorrelations(reference: Sequence[Ensemble], learned: Sequence[Ensemble]) -> Figure:
    """Autocorrelation of Rg² of each molecule; the relaxation time is where it crosses 1/e."""
    with style():
        figure, axes = grid_of_axes(len(reference))
        for axis, first, second in zip(axes, reference, learned, strict=True):
            profiles = Profile(first), Profile(second)
            axis.axhline(np.exp(-1), color=MUTED, lw=0.8, ls=(0, (2, 2)))
            for profile, colour, label in zip(
                profiles, (REFERENCE, LEARNED), ("reference MD", "learned"), strict=True
            ):
                _autocorrelation(axis, profile, colour=colour, label=label)
            horizon = 4 * np.nanmax([p.relaxation_time for p in profiles] + [0.0])
            axis.set(title=first.name, xlabel="time (ps)", ylim=(-0.25, 1.02))
            if horizon > 0:
                axis.set_xlim(0, horizon)
        legend_above(figure, axes[0])
    return figure


def plot_rg_traces(reference: Sequence[Ensemble], learned: Sequence[Ensemble]) -> Figure:
    """Rg over time of the first replica of each molecule, over the time that both cover."""
    with style():
        figure, axes = grid_of_axes(len(reference), n_columns=2, height=1.6)
        for axis, first, second in zip(axes, reference, learned, strict=True):
            for ensemble, colour, label in (
                (first, REFERENCE, "reference MD"),
                (second, LEARNED, "learned"),
            ):
                rg = Profile(ensemble).rg[0]
                time = np.arange(len(rg)) * ensemble.frame_interval
                axis.plot(
                    time[thin(rg)], rg[thin(rg)], color=colour, lw=0.8, alpha=0.85, label=label
                )
            shared = min(len(e.xyz[0]) * e.frame_interval for e in (first, second))
            axis.set(title=first.name, xlabel="time (ps)", ylabel="Rg (nm)", xlim=(0, shared))
        legend_above(figure, axes[0])
    return figure


def plot_contact_maps(
    reference: Sequence[Ensemble], learned: Sequence[Ensemble], *, cutoff: float | None = None
) -> Figure:
    """Contact probabilities: reference above the diagonal, learned below it.

    `cutoff` in nm; None: 1.5 times the mean bond length of each reference.
    """
    with style():
        figure, axes = grid_of_axes(len(reference), height=2.4)
        for axis, first, second in zip(axes, reference, learned, strict=True):
            contacts = [
                contact_map(_sample(e), cutoff or 1.5 * Profile(first).mean_bond_length)
                for e in (first, second)
            ]
            combined = np.triu(contacts[0], 1) + np.tril(contacts[1], -1)
            np.fill_diagonal(combined, np.nan)
            image = axis.imshow(combined, vmin=0, vmax=1, cmap="magma_r", interpolation="nearest")
            axis.set(title=first.name, xlabel="bead", ylabel="bead")
        figure.colorbar(image, ax=axes, label="contact probability", shrink=0.8, aspect=30)
    return figure


def _densities(axis: Axes, reference: np.ndarray, learned: np.ndarray) -> None:
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    if not reference.size or not learned.size:
        axis.text(0.5, 0.5, "none", ha="center", transform=axis.transAxes)
        return
    edges = union_edges(reference, learned, n_bins=N_BINS)
    for values, colour, label in (
        (reference, REFERENCE, "reference MD"),
        (learned, LEARNED, "learned"),
    ):
        density = histogram(values, edges) / (len(values) * (edges[1] - edges[0]))
        axis.stairs(density, edges, color=colour, lw=1.4, label=label)
    axis.patches[0].set(fill=True, facecolor=(*to_rgb(REFERENCE), 0.14))


def _autocorrelation(axis: Axes, profile: Profile, *, colour: str, label: str) -> None:
    acf = profile.autocorrelation
    interval = profile.ensemble.frame_interval
    if np.isfinite(profile.relaxation_time):
        acf = acf[: int(12 * profile.relaxation_time / interval) + 3]
        axis.axvline(profile.relaxation_time, color=colour, lw=0.8, alpha=0.5)
    time = np.arange(len(acf)) * interval
    axis.plot(time[thin(acf, 400)], acf[thin(acf, 400)], color=colour, label=label)


def _sample(ensemble: Ensemble) -> np.ndarray:
    """At most about 5000 frames, evenly spaced over all replicas."""
    step = max(1, ensemble.n_frames // _MAX_FRAMES)
    return np.concatenate([xyz[::step] for xyz in ensemble.xyz])

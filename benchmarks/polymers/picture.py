"""Learned against MD in one picture: size, relaxation time, and distributions of some chains."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave

from benchmarks.quickstart import pixels
from cgsim.evaluate import Comparison, Ensemble
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.table import RELAXATION, RG
from cgsim.evaluate.report.plots import plot_means, plot_relaxation_times
from cgsim.evaluate.report.plots.style import LEARNED, REFERENCE, style
from cgsim.evaluate.statistics.distributions import histogram, union_edges

N_SHOWN = 5
N_BINS = 40


def draw(
    path: Path, comparison: Comparison, reference: Sequence[Ensemble], learned: Sequence[Ensemble]
) -> None:
    """Draw the three panels side by side into a PNG file."""
    figures = (
        plot_means(RG, comparison),
        plot_relaxation_times(RELAXATION, comparison),
        plot_distributions(*spread_by_size(comparison, reference, learned)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, np.ascontiguousarray(np.hstack([pixels(figure) for figure in figures])))


def spread_by_size(
    comparison: Comparison, reference: Sequence[Ensemble], learned: Sequence[Ensemble]
) -> tuple[list[Ensemble], list[Ensemble]]:
    """A few chains from small to large, in the same order on both sides."""
    rows = sorted(comparison.learned.molecules, key=lambda row: row["rg_reference"].value)
    picked = np.unique(np.linspace(0, len(rows) - 1, min(N_SHOWN, len(rows))).round().astype(int))
    names = [rows[index].name for index in picked]
    sides = [{ensemble.name: ensemble for ensemble in side} for side in (reference, learned)]
    return [sides[0][name] for name in names], [sides[1][name] for name in names]


def plot_distributions(reference: Sequence[Ensemble], learned: Sequence[Ensemble]) -> Figure:
    """Distributions of Rg, one chain below the other on a common axis."""
    with style():
        figure = Figure(figsize=(4.7, 4.5), layout="constrained")
        axes = figure.subplots(len(reference), 1, sharex=True, squeeze=False)[:, 0]
        for axis, first, second in zip(axes, reference, learned, strict=True):
            rg = [np.concatenate(Profile(ensemble).rg) for ensemble in (first, second)]
            edges = union_edges(*rg, n_bins=N_BINS)
            densities = [histogram(values, edges) / len(values) for values in rg]
            axis.stairs(densities[0], edges, color=REFERENCE, fill=True, alpha=0.35, label="MD")
            axis.stairs(densities[1], edges, color=LEARNED, lw=1.5, label="learned")
            axis.set_yticks([])
            axis.spines["left"].set_visible(False)
            axis.text(0.995, 0.8, first.name, ha="right", fontsize=8, transform=axis.transAxes)
        axes[0].set_title("Distribution of Rg")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower right", ncols=2)
        axes[-1].set_xlabel("Rg (nm)")
    return figure

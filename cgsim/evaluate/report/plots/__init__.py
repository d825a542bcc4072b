"""Figures of a comparison. Every function returns a matplotlib `Figure` and saves nothing."""

from cgsim.evaluate.report.plots.folds import plot_fold
from cgsim.evaluate.report.plots.kinetics import (
    plot_chapman_kolmogorov,
    plot_free_energy,
    plot_implied_timescales,
)
from cgsim.evaluate.report.plots.memory import plot_memory
from cgsim.evaluate.report.plots.molecules import (
    Shown,
    plot_autocorrelations,
    plot_contact_maps,
    plot_pooled_distributions,
    plot_scalar_distributions,
    plot_traces,
)
from cgsim.evaluate.report.plots.pulling import plot_pulling
from cgsim.evaluate.report.plots.scatter import (
    TrainingCurve,
    plot_means,
    plot_relaxation_times,
    plot_training,
)

__all__ = [
    "Shown",
    "TrainingCurve",
    "plot_autocorrelations",
    "plot_chapman_kolmogorov",
    "plot_contact_maps",
    "plot_fold",
    "plot_free_energy",
    "plot_implied_timescales",
    "plot_means",
    "plot_memory",
    "plot_pooled_distributions",
    "plot_pulling",
    "plot_relaxation_times",
    "plot_scalar_distributions",
    "plot_traces",
    "plot_training",
]

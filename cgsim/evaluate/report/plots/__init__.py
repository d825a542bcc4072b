"""Figures of a comparison. Every function returns a matplotlib `Figure` and saves nothing."""

from cgsim.evaluate.report.plots.kinetics import (
    plot_chapman_kolmogorov,
    plot_free_energy,
    plot_implied_timescales,
)
from cgsim.evaluate.report.plots.memory import plot_memory
from cgsim.evaluate.report.plots.molecules import (
    plot_autocorrelations,
    plot_bond_distributions,
    plot_contact_maps,
    plot_pair_distributions,
    plot_rg_distributions,
    plot_rg_traces,
)
from cgsim.evaluate.report.plots.pulling import plot_pulling
from cgsim.evaluate.report.plots.scatter import (
    TrainingCurve,
    plot_relaxation,
    plot_rg,
    plot_training,
)

__all__ = [
    "TrainingCurve",
    "plot_autocorrelations",
    "plot_bond_distributions",
    "plot_chapman_kolmogorov",
    "plot_contact_maps",
    "plot_free_energy",
    "plot_implied_timescales",
    "plot_memory",
    "plot_pair_distributions",
    "plot_pulling",
    "plot_relaxation",
    "plot_rg",
    "plot_rg_distributions",
    "plot_rg_traces",
    "plot_training",
]

"""Memory of a molecule: autocorrelation of velocities and positions, kurtosis bead by bead."""

import numpy as np
from matplotlib.figure import Figure

from cgsim.evaluate.observables.correlations import Memory
from cgsim.evaluate.report.plots.style import LEARNED, MUTED, REFERENCE, legend_above, style, thin


def plot_memory(reference: Memory, learned: Memory | None = None) -> Figure:
    """Three panels with bands (bars) of one standard error; dashed what no memory would give."""
    rows = [(reference, REFERENCE, "reference MD")]
    if learned is not None:
        rows.append((learned, LEARNED, "learned"))
    with style():
        figure = Figure(figsize=(9.6, 3.0), layout="constrained")
        velocity, position, kurtosis = figure.subplots(1, 3)
        for memory, colour, label in rows:
            shown = thin(memory.times)
            for axis, curve, error in (
                (velocity, memory.velocity, memory.velocity_errors),
                (position, memory.position, memory.position_errors),
            ):
                times, low, high = (
                    values[shown] for values in (memory.times, curve - error, curve + error)
                )
                axis.plot(times, curve[shown], color=colour, label=label)
                axis.fill_between(times, low, high, color=colour, alpha=0.25, lw=0)
            beads = np.arange(len(memory.kurtosis))
            kurtosis.errorbar(
                beads, memory.kurtosis, yerr=memory.kurtosis_errors, color=colour, fmt="o-", ms=3
            )
        for axis, title in ((velocity, "velocity"), (position, "position")):
            axis.axhline(0.0, color=MUTED, ls="--", lw=1)
            axis.set_xscale("symlog", linthresh=reference.times[1])
            axis.set(xlabel="time (ps)", title=f"{reference.name}: {title}", xlim=(0, None))
        velocity.set_ylabel("autocorrelation")
        kurtosis.axhline(3.0, color=MUTED, ls="--", lw=1)
        kurtosis.set(xlabel="bead", ylabel="kurtosis", title="displacements in one frame")
        legend_above(figure, velocity)
    return figure

"""A molecule that is pulled: its length, the force and what is left of its helix, over time."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cgsim.evaluate.observables.pulling import PullingCurve
from cgsim.evaluate.report.plots.style import LEARNED, MUTED, REFERENCE, style, thin

N_WINDOWS = 200


def plot_pulling(curves: Sequence[PullingCurve]) -> Figure:
    """Distance, force and helix over time, and force against extension, of one replica or more.

    Faint: every frame; strong: means over a 200th of the time.
    """
    with style():
        figure = Figure(figsize=(9.6, 5.2), layout="constrained")
        distance, force, helix, curve = figure.subplots(2, 2).ravel()
        for pulling in curves:
            shown = thin(pulling.time)
            time = pulling.time[shown]
            distance.plot(time, pulling.distance[shown], color=REFERENCE, lw=1.0, label="molecule")
            helix.plot(time, pulling.helix[shown], color=REFERENCE, lw=1.0)
            window = pulling.time[-1] / N_WINDOWS
            mean_time, mean_extension, mean_force = pulling.smooth(window)
            force.plot(time, pulling.force[shown], color=MUTED, lw=0.6, alpha=0.5)
            force.plot(mean_time, mean_force, color=LEARNED, lw=1.2)
            curve.plot(mean_extension, mean_force, color=LEARNED, lw=1.2)
        longest = max(curves, key=lambda pulling: pulling.time[-1])
        distance.plot(
            longest.time, longest.spring, color=MUTED, ls="--", lw=1.0, label="spring, relaxed"
        )
        distance.set(title="End-to-end distance", ylabel="nm")
        force.set(title="Force of the spring", ylabel="kJ/mol/nm")
        helix.set(title="Residues in the helix", ylabel="share", ylim=(-0.03, 1.03))
        curve.set(title="Force and extension", ylabel="kJ/mol/nm")
        curve.set_xlabel("extension (nm)")
        for axis in (distance, force, helix):
            axis.set(xlabel="time (ps)", xlim=(0, longest.time[-1]))
        handles, labels = distance.get_legend_handles_labels()
        once = dict(zip(labels, handles, strict=True))
        figure.legend(once.values(), once.keys(), loc="outside upper left", ncols=len(once))
    return figure

"""A folded molecule over time and bead by bead."""

import numpy as np
from matplotlib.figure import Figure

from cgsim.evaluate.observables.folded import bead_fluctuations, native_structure
from cgsim.evaluate.observables.native import NATIVE_CUTOFF
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.structure import contact_map
from cgsim.evaluate.observables.superposition import cross_correlations
from cgsim.evaluate.report.plots.style import LEARNED, REFERENCE, legend_above, style, thin


def plot_fold(reference: Profile, learned: Profile) -> Figure:
    """Q over time, RMSF, contacts within 0.8 nm and cross-correlations.

    Maps have the reference above the diagonal and the learned run below.

    Raises
    ------
    ValueError
        If the reference has no structure.
    """
    structure = native_structure(reference)
    if structure is None:
        raise ValueError(f"{reference.ensemble.name} keeps no fold and names no structure")
    both = reference, learned
    with style():
        figure = Figure(figsize=(9.6, 6.4), layout="constrained")
        time_axis, bead_axis, contact_axis, correlation_axis = figure.subplots(2, 2).ravel()
        for own, colour, label in zip(
            both, (REFERENCE, LEARNED), ("reference MD", "learned"), strict=True
        ):
            values = own.series(structure.q).values[0]
            time = np.arange(len(values)) * own.ensemble.frame_interval
            few = thin(values)
            time_axis.plot(time[few], values[few], color=colour, lw=0.8, alpha=0.85, label=label)
            bead_axis.plot(bead_fluctuations(own, structure.xyz), color=colour)
        time_axis.set(title=reference.ensemble.name, xlabel="time (ps)", ylabel="Q", ylim=(0, 1.02))
        bead_axis.set(xlabel="bead", ylabel="RMSF (nm)", ylim=(0, None))
        frames = [own.sampled().xyz for own in both]
        contacts = _halves(*(contact_map(own, NATIVE_CUTOFF) for own in frames))
        image = contact_axis.imshow(contacts, vmin=0, vmax=1, cmap="magma_r")
        figure.colorbar(image, ax=contact_axis, label="contact probability")
        moving = _halves(*(cross_correlations(own, structure.xyz) for own in frames))
        image = correlation_axis.imshow(moving, vmin=-1, vmax=1, cmap="RdBu_r")
        figure.colorbar(image, ax=correlation_axis, label="cross-correlation")
        for axis in (contact_axis, correlation_axis):
            axis.set(xlabel="bead", ylabel="bead")
        legend_above(figure, time_axis)
    return figure


def _halves(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    combined = np.triu(above, 1) + np.tril(below, -1)
    np.fill_diagonal(combined, np.nan)
    return combined

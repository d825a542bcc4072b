"""Slowest motion of unseen peptides: its distribution, and how fast it is forgotten."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.peptides.scores import Ruler
from cgsim.evaluate import Ensemble
from cgsim.evaluate.report.plots.style import FLOOR, LEARNED, REFERENCE, style
from cgsim.evaluate.statistics.autocorrelation import autocorrelation

ROWS = {"MD": REFERENCE, "second MD run": FLOOR, "learned": LEARNED}
N_BINS = 50
LONGEST = 200.0  # ps


def draw(rows: Mapping[str, Sequence[Ensemble]], rulers: Mapping[str, Ruler], path: Path) -> None:
    """A column for every peptide.

    Parameters
    ----------
    rows
        Ensembles by the labels of `ROWS`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    plot(rows, rulers).savefig(path, dpi=110)


def plot(rows: Mapping[str, Sequence[Ensemble]], rulers: Mapping[str, Ruler]) -> Figure:
    """See `draw`."""
    with style():
        figure = Figure(figsize=(2.6 * len(rulers), 4.6), layout="constrained")
        axes = figure.subplots(2, len(rulers), squeeze=False)
        for (above, below), (name, ruler) in zip(axes.T, rulers.items(), strict=True):
            above.set(title=name, xlabel="TIC0", yticks=[])
            below.set(xlabel="ps", ylim=(-0.1, 1.02), xlim=(0, LONGEST))
            for label, color in ROWS.items():
                (own,) = (one for one in rows[label] if one.name == name)
                tic0 = ruler.clusters.assign(own).tic0
                both = np.concatenate(tic0)
                above.hist(both, N_BINS, density=True, histtype="step", color=color, label=label)
                found = autocorrelation(tic0)
                times = own.frame_interval * np.arange(len(found))
                below.plot(times[times <= LONGEST], found[times <= LONGEST], color=color)
        axes[0, 0].legend(fontsize="x-small")
        axes[1, 0].set_ylabel("autocorrelation of TIC0")
    return figure

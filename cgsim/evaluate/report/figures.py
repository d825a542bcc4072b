"""Which figures an observable gets, by its kind: a new observable needs nothing here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from cgsim.evaluate.observables.contacts import ContactMap
from cgsim.evaluate.observables.distribution import Distribution
from cgsim.evaluate.observables.folded import native_structure
from cgsim.evaluate.observables.observable import Observable
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.relaxation import Relaxation
from cgsim.evaluate.observables.scalar import Scalar
from cgsim.evaluate.observables.table import OBSERVABLES
from cgsim.evaluate.report import plots
from cgsim.evaluate.report.plots import Shown
from cgsim.evaluate.scores.comparison import Comparison

# A function that draws an observable, and a caption with its label in {label} and what it is in
# {definition}.
_Figure = tuple[Callable[[Any, Any], Figure], str]

_AGAINST_REFERENCE: dict[type[Observable], list[_Figure]] = {
    Scalar: [(plots.plot_means, "Mean {label}, one point per molecule.")],
    Relaxation: [
        (
            plots.plot_relaxation_times,
            "Relaxation time of {label}, one point per molecule. Triangles: one of the times is "
            "not resolved and stands at its lower bound, up or right of which it is.",
        )
    ],
}
_BY_MOLECULE: dict[type[Observable], list[_Figure]] = {
    Scalar: [
        (plots.plot_scalar_distributions, "Distribution of {label}."),
        (
            plots.plot_traces,
            "{label} over time: the first replica of each, over the time that both cover.",
        ),
    ],
    Relaxation: [
        (
            plots.plot_autocorrelations,
            "Autocorrelation of {label}. Vertical lines mark the relaxation times, where the "
            "curves fall to 1/e (dashed), of runs that are long enough to tell them.",
        )
    ],
    Distribution: [(plots.plot_pooled_distributions, "Distribution of {definition}.")],
    ContactMap: [
        (
            plots.plot_contact_maps,
            "Contact probabilities: reference above the diagonal, learned below. A perfect "
            "simulator gives a symmetric map.",
        )
    ],
}

_FOLD = (
    "Fold of {}: native contacts Q over time (first replica), fluctuation of each bead, contacts "
    "within 0.8 nm and cross-correlations of beads (maps: reference above the diagonal, learned "
    "below)."
)


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn when it is asked for, so that it can fail alone."""

    draw: Callable[[], Figure]
    caption: str


def against_reference(comparison: Comparison) -> Iterator[Drawing]:
    """Figures with one point per molecule."""
    return _figures(_AGAINST_REFERENCE, comparison)


def by_molecule(shown: Shown) -> Iterator[Drawing]:
    """Figures with one panel per molecule, and one for each that keeps a fold."""
    yield from _figures(_BY_MOLECULE, shown)
    for pair in shown:
        if _has_structure(pair[0]):
            yield Drawing(partial(plots.plot_fold, *pair), _FOLD.format(pair[0].ensemble.name))


def _has_structure(reference: Profile) -> bool:
    try:
        return native_structure(reference) is not None
    except ValueError:  # stands among the scores that could not be computed
        return False


def _figures(
    table: Mapping[type[Observable], Sequence[_Figure]], data: Comparison | Shown
) -> Iterator[Drawing]:
    for observable in OBSERVABLES.values():
        kind = next((kind for kind in type(observable).__mro__ if kind in table), None)
        for draw, caption in table[kind] if kind is not None else ():
            definition = observable.definition or observable.label
            text = caption.format(label=observable.label, definition=definition)
            yield Drawing(partial(draw, observable, data), text[:1].upper() + text[1:])

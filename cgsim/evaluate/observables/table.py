"""The table of what is compared: every score, table, figure and JSON is made from it.

A new observable is one row, also of your own at run time::

    from cgsim.evaluate import Relaxation, Scalar, add_observable
    from cgsim.evaluate.observables.structure import end_to_end

    ends = Scalar(
        "end_to_end",
        "end-to-end distance",
        "nm",
        measure=lambda frames: end_to_end(frames.xyz),
        definition="Distance of the first from the last bead.",
    )
    add_observable(ends)
    add_observable(Relaxation.of(ends))
"""

from collections.abc import Iterable

from cgsim.config.tables import import_part
from cgsim.evaluate.observables.between import Between
from cgsim.evaluate.observables.contacts import Collisions, ContactMap
from cgsim.evaluate.observables.distribution import Distribution
from cgsim.evaluate.observables.drift import Drift
from cgsim.evaluate.observables.folded import Folded
from cgsim.evaluate.observables.frames import bond_lengths, nonbonded_distances, rg, rg_squared
from cgsim.evaluate.observables.observable import Metric, Observable
from cgsim.evaluate.observables.relaxation import Relaxation
from cgsim.evaluate.observables.scalar import Scalar

RG = Scalar(
    "rg",
    "Rg",
    "nm",
    measure=rg,
    relaxes_as=rg_squared,  # as what is counted below: blocks are cut once for all of them
    definition="Rg is the mass-weighted radius of gyration.",
)
RELAXATION = Relaxation("relaxation", "Rg²", "nm²", measure=rg_squared)

BETWEEN = Between("between", "distances between molecules", "nm")

_ROWS = (
    RG,
    RELAXATION,
    Distribution(
        "bond",
        "bond lengths",
        "nm",
        measure=bond_lengths,
        definition="the lengths of all bonds of a molecule",
    ),
    Distribution(
        "pair",
        "pair distances",
        "nm",
        measure=nonbonded_distances,
        definition="the distances of all pairs of beads that share no bond",
    ),
    ContactMap("contact", "contact map"),
    Collisions("collisions", "collisions"),
    Drift("drift_rg", "Rg", "nm", measure=rg, relaxes_as=rg_squared),
    BETWEEN,
    Folded("folded", "fold"),
)

#: By name, in the order in which they are shown.
OBSERVABLES: dict[str, Observable] = {row.name: row for row in _ROWS}


def add_observable(observable: Observable) -> None:
    """Add a row to the table; one that is there already stays.

    Raises
    ------
    ValueError
        If its name, or that of one of its metrics, is taken by another.
    """
    if OBSERVABLES.get(observable.name) == observable:
        return
    if observable.name in OBSERVABLES:
        raise ValueError(
            f"there is an observable {observable.name!r} already; take another name, or replace it "
            f"by OBSERVABLES[{observable.name!r}] = ..."
        )
    taken = {metric.name for metric in metrics()}
    doubled = [metric.name for metric in observable.metrics if metric.name in taken]
    if doubled:
        raise ValueError(
            f"observable {observable.name!r}: there are metrics {', '.join(doubled)} already"
        )
    OBSERVABLES[observable.name] = observable


def add_named(names: Iterable[str]) -> None:
    """Add rows that a user names as ``package.module:THING``.

    Raises
    ------
    ValueError
        If there is no such thing, it is no observable, or its name is taken.
    """
    for name in names:
        row = import_part(name)
        if not isinstance(row, Observable):
            raise ValueError(
                f"{name} is no observable but of type {type(row).__name__}: name an object such as "
                "Scalar(...) of cgsim.evaluate"
            )
        add_observable(row)


def metrics() -> list[Metric]:
    """Those of all observables; counts, which say what could not be scored, at the end."""
    found = [metric for observable in OBSERVABLES.values() for metric in observable.metrics]
    return sorted(found, key=lambda metric: metric.kind == "count")

"""Are two ensembles of the same molecule, mapping and conditions? What is not, by name."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.mapping.bead_mapping import recipe_difference

_MASS_TOLERANCE = 1e-3  # relative; structure files round masses
_TEMPERATURE_TOLERANCE = 1e-2  # relative, as in training
_FEWEST_FRAMES = 10
_N_FRAMES, _N_BEADS = 20, 20
_SHAPE_TOLERANCE = 2e-3  # nm; two runs that were rounded as in XTC files
_CELL_TOLERANCE = 0.05  # relative; a cell under constant pressure fluctuates


@dataclass(frozen=True)
class Trait:
    """Something that two ensembles must have in common to be compared.

    Parameters
    ----------
    name
        Of the field.
    difference
        From the ensemble and the reference to what is different, in words; empty if nothing is, or
        if it is not known of both.
    way_on
        What to do.
    """

    name: str
    difference: Callable[[Ensemble, Ensemble], str]
    way_on: str


def check_same(label: str, other: Ensemble, reference: Ensemble) -> None:
    """Refuse an ensemble that is of something else than the reference.

    Raises
    ------
    ValueError
        Naming the field.
    """
    for trait in TRAITS:
        difference = trait.difference(other, reference)
        if difference:
            raise ValueError(f"{label}: {other.name} has {difference}; {trait.way_on}")


def interval_note(label: str, other: Ensemble, reference: Ensemble) -> str:
    """What must be said of frames at other intervals than those of the reference; or nothing."""
    own, expected = other.frame_interval, reference.frame_interval
    if np.isclose(own, expected, rtol=1e-4):
        return ""
    return (
        f"{label}: frames are {own:g} ps apart, those of the reference {expected:g} ps: times are "
        f"compared in ps, and those near {max(own, expected):g} ps or below are not to be trusted."
    )


def same_run_note(label: str, other: Ensemble, reference: Ensemble) -> str:
    """What must be said of a replica that is the reference, frame for frame; or nothing.

    Given as a second run it would make a perfect floor.
    """
    for replica, xyz in enumerate(other.xyz):
        if any(_are_same(xyz, expected) for expected in reference.xyz):
            return (
                f"{label}: {other.name}, replica {replica}, is the reference itself, frame for "
                "frame: its scores say nothing. Give a run that is independent of it."
            )
    return ""


def _are_same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether molecules move, and have the same shape in every frame that is looked at."""
    if first.shape != second.shape or len(first) < _FEWEST_FRAMES or first.shape[1] == 1:
        return False
    frames = np.linspace(0, len(first) - 1, min(len(first), _N_FRAMES)).astype(int)
    beads = np.linspace(0, first.shape[1] - 1, min(first.shape[1], _N_BEADS)).astype(int)
    shapes = [
        np.linalg.norm(np.diff(xyz[frames][:, beads], axis=1), axis=2) for xyz in (first, second)
    ]
    moves = np.ptp(shapes[0], axis=0).max() > 3 * _SHAPE_TOLERANCE
    return bool(moves and np.abs(shapes[0] - shapes[1]).max() < _SHAPE_TOLERANCE)


def _beads(other: Ensemble, reference: Ensemble) -> str:
    if other.n_beads == reference.n_beads:
        return ""
    return f"{other.n_beads} beads, the reference {reference.n_beads}"


def _bonds(other: Ensemble, reference: Ensemble) -> str:
    own, expected = _bond_set(other), _bond_set(reference)
    if own == expected:
        return ""
    first, second = min(own ^ expected)
    where = "only there" if (first, second) in own else "only in the reference"
    return (
        f"other bonds than the reference ({len(own)} against {len(expected)}; that of beads "
        f"{first} and {second} is {where})"
    )


def _bond_set(ensemble: Ensemble) -> set[tuple[int, int]]:
    return {(min(bond), max(bond)) for bond in ensemble.edge_index.T.tolist()}


def _masses(other: Ensemble, reference: Ensemble) -> str:
    wrong = ~np.isclose(other.bead_mass, reference.bead_mass, rtol=_MASS_TOLERANCE)
    if not wrong.any():
        return ""
    bead = int(wrong.argmax())
    return (
        f"other bead masses than the reference ({other.bead_mass[bead]:g} against "
        f"{reference.bead_mass[bead]:g} Da of bead {bead}, {int(wrong.sum())} in all)"
    )


def _atoms(other: Ensemble, reference: Ensemble) -> str:
    own, expected = other.origin.atoms, reference.origin.atoms
    if own is None or expected is None or own == expected:
        return ""
    kinds = [kind for kind in {**own, **expected} if own.get(kind, 0) != expected.get(kind, 0)]
    first = kinds[0]
    return (
        f"other atoms than the reference ({own.get(first, 0)} against {expected.get(first, 0)} of "
        f"type {first!r}, {sum(own.values())} against {sum(expected.values())} in all)"
    )


def _mapping(other: Ensemble, reference: Ensemble) -> str:
    own, expected = other.origin.recipe, reference.origin.recipe
    if own is None or expected is None:
        return ""
    difference = recipe_difference(own, expected)
    return f"another mapping than the reference ({difference})" if difference else ""


def _temperature(other: Ensemble, reference: Ensemble) -> str:
    own, expected = other.origin.temperature, reference.origin.temperature
    if own is None or expected is None or np.isclose(own, expected, rtol=_TEMPERATURE_TOLERANCE):
        return ""
    return f"another temperature than the reference ({own:g} against {expected:g} K)"


def _cell(other: Ensemble, reference: Ensemble) -> str:
    own, expected = other.origin, reference.origin
    if own.periodic is None or expected.periodic is None:
        return ""
    if own.periodic != expected.periodic:
        which = "a periodic cell, the reference none" if own.periodic else "no periodic cell"
        return which if own.periodic else f"{which}, the reference one"
    if own.cell is None or expected.cell is None:
        return ""
    first, second = (np.linalg.norm(cell, axis=-1) for cell in (own.cell, expected.cell))
    if np.allclose(first, second, rtol=_CELL_TOLERANCE):
        return ""
    sides = [" x ".join(f"{side:.3g}" for side in sides) for sides in (first, second)]
    return f"another periodic cell than the reference ({sides[0]} against {sides[1]} nm)"


_MAP = "map both in the same way"
_SAME = "compare a simulation with MD of the same molecule"

#: In the order in which they are looked at.
TRAITS: tuple[Trait, ...] = (
    Trait("atoms", _atoms, _SAME),
    Trait("beads", _beads, _MAP),
    Trait("mapping", _mapping, _MAP),
    Trait("bonds", _bonds, _MAP),
    Trait("masses", _masses, _MAP),
    Trait("temperature", _temperature, "compare it with MD at the temperature of the simulation"),
    Trait("cell", _cell, "compare it with MD in the same cell"),
)

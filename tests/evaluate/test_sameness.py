"""What is not the same molecule, mapping or conditions is refused by the name of the field."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cgsim.evaluate import Ensemble, Scoring, compare
from cgsim.evaluate.origin import Origin
from cgsim.evaluate.sources import ensembles_of
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.systems import random_chain

QUICK = Scoring(n_bootstrap=5)
CELL = np.diag([3.0, 4.0, 5.0])


def mapped(**changes: Any) -> MappedTrajectory:
    chain = random_chain(5, n_frames=30, seed=0, name="poly")
    recipe = {"method": "metis", "atoms_per_bead": 3}
    return replace(chain, recipe=recipe, temperature=300.0, **changes)


def ensemble(**changes: Any) -> Ensemble:
    (made,) = ensembles_of([replace(mapped(), **changes)])
    return made


def test_the_same_is_compared() -> None:
    compare([ensemble()], [ensemble()], scoring=QUICK)
    unknown = replace(ensemble(), origin=Origin())
    compare([ensemble()], [unknown], scoring=QUICK)
    older = ensemble(recipe={"method": "metis"}, temperature=None)
    compare([ensemble()], [older], scoring=QUICK)
    warmer = ensemble(temperature=301.0)
    compare([ensemble()], [warmer], scoring=QUICK)
    still = ensemble(recipe={"method": "metis", "atoms_per_bead": 3, "rigid_motion": False})
    compare([ensemble()], [still], scoring=QUICK)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"atom_type": ("X",) * 9}, "other atoms .*, 9 against 9 in all"),
        ({"recipe": {"method": "calpha"}}, "another mapping .*method 'calpha' against 'metis'"),
        (
            {"recipe": {"method": "metis", "atoms_per_bead": 4}},
            r"another mapping .*atoms_per_bead 4 against 3",
        ),
        ({"edge_index": mapped().edge_index[:, 1:]}, r"other bonds .*3 against 4; .*beads 0 and 1"),
        ({"bead_mass": 1.1 * mapped().bead_mass}, "other bead masses .*of bead 0, 5 in all"),
        ({"temperature": 350.0}, "another temperature .*350 against 300 K"),
        ({"cell": np.repeat(CELL[None], 30, axis=0)}, "a periodic cell, the reference none"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_the_field_that_differs_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"learned: poly has {said}"):
        compare([ensemble()], [ensemble(**changes)], scoring=QUICK)


def test_equal_masses_of_other_beads_are_other_masses() -> None:
    heavy_first = np.array([30.0, 10.0, 10.0, 10.0, 10.0])
    first, second = (ensemble(bead_mass=mass) for mass in (heavy_first, heavy_first[::-1].copy()))
    with pytest.raises(
        ValueError, match=r"other bead masses .*10 against 30 Da of bead 0, 2 in all"
    ):
        compare([first], [second], scoring=QUICK)


def test_cells_of_other_sizes_are_named() -> None:
    first, other = (
        ensemble(cell=np.repeat(scale * CELL[None], 30, axis=0)) for scale in (1.0, 1.2)
    )
    compare([first], [first], scoring=QUICK)
    with pytest.raises(ValueError, match=re.escape("(3.6 x 4.8 x 6 against 3 x 4 x 5 nm)")):
        compare([first], [other], scoring=QUICK)


def test_other_frame_intervals_are_said_and_times_are_in_ps() -> None:
    """Every second frame of the same trajectory relaxes as slowly."""
    random = np.random.default_rng(0)
    size = np.zeros(4000)
    for frame in range(1, 4000):
        size[frame] = 0.95 * size[frame - 1] + random.normal()
    xyz = np.zeros((4000, 2, 3))
    xyz[:, 1, 0] = 3 + 0.2 * size
    first = Ensemble("m", (xyz,), 1.0, np.ones(2), np.array([[0], [1]]))
    other = replace(first, xyz=(xyz[::2],), frame_interval=2.0)
    comparison = compare([first], [other], scoring=QUICK)
    assert comparison.learned.molecules[0]["relaxation_ratio"].value == pytest.approx(1, rel=0.05)
    (note,) = comparison.notes
    assert "2 ps apart" in note
    assert "1 ps" in note
    assert not compare([first], [first], scoring=QUICK).notes
    three = [[replace(own, name=name) for name in "abc"] for own in (first, other)]
    assert compare(*three, scoring=QUICK).notes == (note,)  # said once


def test_the_reference_given_as_a_second_run_is_said() -> None:
    (own,) = ensembles_of([random_chain(5, n_frames=30, seed=0, name="poly")])
    noise = np.random.default_rng(1).normal(size=own.xyz[0].shape)
    other = replace(own, xyz=(own.xyz[0] + 0.02 * noise,))
    rounded = replace(own, xyz=(own.xyz[0].round(3) + 1.0,))
    both = replace(own, xyz=(other.xyz[0], own.xyz[0]))
    for again, replica in ((own, 0), (rounded, 0), (both, 1)):
        (note,) = compare([own], [other], yardsticks={"floor": [again]}, scoring=QUICK).notes
        assert note.startswith(f"floor: poly, replica {replica}, is the reference itself")
    assert not compare([own], [own], yardsticks={"floor": [other]}, scoring=QUICK).notes


def test_what_stands_still_is_no_copy_of_what_stands_still() -> None:
    (own,) = ensembles_of([random_chain(5, n_frames=30, seed=0, name="poly")])
    still = replace(own, xyz=tuple(np.repeat(xyz[:1], len(xyz), axis=0) for xyz in own.xyz))
    assert not compare([still], [own], yardsticks={"floor": [still]}, scoring=QUICK).notes

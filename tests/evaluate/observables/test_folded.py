from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Ensemble, Scoring, compare
from cgsim.evaluate.observables.folded import native_structure
from cgsim.evaluate.observables.profile import Profile

N_FRAMES, N_BEADS = 300, 24
SCORING = Scoring(n_bootstrap=50)


def helix(*, spread: float = 0.03, seed: int = 0, unfolds: bool = False) -> Ensemble:
    """A C-alpha helix, stiff in the middle; its ends move twice as far."""
    angle = np.deg2rad(100) * np.arange(N_BEADS)
    rise = 0.15 * np.arange(N_BEADS)
    structure = np.stack([0.23 * np.cos(angle), 0.23 * np.sin(angle), rise], axis=1)
    width = spread * (1 + np.abs(np.linspace(-1, 1, N_BEADS)))[:, None]
    noise = np.random.default_rng(seed).normal(size=(2, N_FRAMES, N_BEADS, 3))
    xyz = structure + width * noise
    if unfolds:
        xyz[:, N_FRAMES // 2 :, :, 2] *= 3
    return Ensemble(
        name="helix",
        xyz=tuple(xyz),
        frame_interval=1.0,
        bead_mass=np.ones(N_BEADS),
        edge_index=np.stack([np.arange(N_BEADS - 1), np.arange(1, N_BEADS)]),
    )


def test_a_second_run_of_a_fold_has_its_contacts_and_fluctuations() -> None:
    score = compare([helix()], [helix(seed=1)], scoring=SCORING).learned.molecules[0].scores
    assert score["q"].value == pytest.approx(score["q_reference"].value, abs=0.01)
    assert score["q"].value > 0.9
    assert score["r_rmsf"].value > 0.97
    assert score["rmsf_ratio"].value == pytest.approx(1, abs=0.05)
    # Each bead moves in three directions; superposing takes six of 72 of them.
    assert score["rmsf"].value == pytest.approx(np.sqrt(3) * 0.03 * 1.52, rel=0.1)


def test_twice_the_motion_is_told_by_ratio_and_not_by_correlation() -> None:
    summary = compare([helix()], [helix(spread=0.06, seed=1)], scoring=SCORING).learned.summary
    assert summary["rmsf_ratio"].value == pytest.approx(2, rel=0.1)
    assert summary["r_rmsf"].value > 0.95
    assert summary["rmsf_ratio"].error > 0


def test_a_run_that_unfolds_loses_contacts() -> None:
    score = compare([helix()], [helix(seed=1, unfolds=True)], scoring=SCORING)
    scores = score.learned.molecules[0].scores
    assert scores["q"].value < 0.75 * scores["q_reference"].value
    assert scores["rmsd"].value > 3 * scores["rmsd_reference"].value


def test_contacts_are_those_of_the_structure_that_is_given() -> None:
    given = replace(helix(), native=1.2 * helix(spread=0).xyz[0][0])
    scores = compare([given], [helix(seed=1)], scoring=SCORING).learned.molecules[0].scores
    own = compare([helix()], [helix(seed=1)], scoring=SCORING).learned.molecules[0].scores
    assert scores["rmsd"].value > 2 * own["rmsd"].value


def test_a_molecule_without_a_fold_has_no_such_scores() -> None:
    assert native_structure(Profile(helix(unfolds=True))) is None
    score = compare([helix(unfolds=True)], [helix()], scoring=SCORING).learned
    assert not {"q", "rmsd", "r_rmsf"} & set(score.molecules[0].scores)
    assert not {"mae_q", "r_rmsf"} & set(score.summary)


def test_a_structure_of_other_beads_is_refused() -> None:
    with pytest.raises(ValueError, match=r"native must be \[24, 3\]"):
        replace(helix(), native=np.zeros((23, 3)))

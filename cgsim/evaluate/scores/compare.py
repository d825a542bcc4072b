"""Score learned trajectories against reference MD."""

from collections.abc import Mapping, Sequence

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.problems import Problem
from cgsim.evaluate.sameness import check_same, interval_note, same_run_note
from cgsim.evaluate.scores.box import find_overlaps, score_box
from cgsim.evaluate.scores.comparison import Comparison, MoleculeScore, Score
from cgsim.evaluate.scores.crossing import Crossing
from cgsim.evaluate.scores.headline import concluded
from cgsim.evaluate.scores.molecule import score_molecule
from cgsim.evaluate.scores.red_lines import find_crossings
from cgsim.evaluate.scores.summary import summarise
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.species import Box, parts_of
from cgsim.evaluate.yardsticks import LEARNED, check_yardsticks, row_labels


def compare(
    reference: Sequence[Ensemble],
    learned: Sequence[Ensemble],
    *,
    yardsticks: Mapping[str, Sequence[Ensemble]] | None = None,
    scoring: Scoring | None = None,
    seed: int = 0,
) -> Comparison:
    """Score learned trajectories against reference MD, molecule by molecule and in summary.

    Error bars are standard errors: of a molecule by a bootstrap over blocks of its trajectories,
    of a summary by a bootstrap over molecules. A score that cannot be computed is NaN, and
    `MoleculeScore.problems` says why. What the learned simulator must not do is looked for as well
    (see `cgsim.evaluate.scores.red_lines`).

    Parameters
    ----------
    reference
        MD of each molecule, as long as can be had.
    learned
        Roll-outs of the same molecules (paired by name).
    yardsticks
        What puts the learned row in proportion, scored in the same way, by key of `YARDSTICKS`:
        ``{"floor": ...}`` is a second MD run, independent of the reference.
    scoring
        Bins, cutoffs and the number of bootstrap replicates.
    seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If a row has other molecules than the reference, or for one of them other atoms, beads,
        bonds, masses, mapping, temperature or cell, or there is no such yardstick; if a measure
        gives no numbers.
    """
    scoring, yardsticks = scoring or Scoring(), yardsticks or {}
    systems = {ensemble.name: ensemble for ensemble in reference}
    if len(systems) < len(reference) or not systems:
        raise ValueError("reference must hold at least one molecule and each name once")
    check_yardsticks(yardsticks)
    given = {LEARNED: learned, **yardsticks}
    notes = [note for key, own in given.items() for note in _check_row(key, own, systems)]
    profiles = _profiles(parts_of(reference))
    rows = {}
    crossings: list[Crossing] = []
    for key, ensembles in given.items():
        rng = row_random(seed, key)
        others = _profiles(parts_of(ensembles))
        rows[key] = _score(profiles, others, scoring=scoring, rng=rng)
        if key == LEARNED:
            problems: list[Problem] = []
            for name, profile in profiles.items():
                crossings += _crossings(profile, others[name], problems)
            notes += [f"{problem}." for problem in problems]
    made = Comparison(
        rows.pop(LEARNED),
        scoring,
        seed,
        yardsticks=rows,
        red_lines=tuple(crossings),
        notes=tuple(notes),
    )
    return concluded(made)


def row_random(seed: int, key: str) -> np.random.Generator:
    """Random numbers of one row: rows more or less do not change those of the others."""
    labels = list(row_labels())
    return np.random.default_rng([seed, labels.index(key) if key in labels else len(labels)])


def _check_row(
    label: str, ensembles: Sequence[Ensemble], systems: Mapping[str, Ensemble]
) -> list[str]:
    """Refuse other molecules; what is to be said of the row."""
    names = [ensemble.name for ensemble in ensembles]
    if sorted(names) != sorted(systems):
        raise ValueError(f"{label} has molecules {sorted(names)}, reference {sorted(systems)}")
    notes: list[str] = []
    for ensemble in ensembles:
        expected = systems[ensemble.name]
        check_same(label, ensemble, expected)
        notes.append(interval_note(label, ensemble, expected))
        if label != LEARNED:
            notes.append(same_run_note(label, ensemble, expected))
    return [note for note in dict.fromkeys(notes) if note]  # one that is of all is said once


# A box has no profile: nothing is measured on all of its beads together.
Judged = Profile | Box


def _profiles(parts: Sequence[Ensemble]) -> dict[str, Judged]:
    return {part.name: part if isinstance(part, Box) else Profile(part) for part in parts}


def _crossings(reference: Judged, other: Judged, problems: list[Problem]) -> list[Crossing]:
    if isinstance(reference, Profile) and isinstance(other, Profile):
        return find_crossings(reference, other, problems)
    if isinstance(reference, Box) and isinstance(other, Box):
        return find_overlaps(reference, other)
    raise TypeError("a box is compared with a box")


def _score(
    profiles: Mapping[str, Judged],
    others: Mapping[str, Judged],
    *,
    scoring: Scoring,
    rng: np.random.Generator,
) -> Score:
    molecules = tuple(
        _score_part(profile, others[name], scoring, rng) for name, profile in profiles.items()
    )
    return Score(molecules, summarise(molecules, n_bootstrap=scoring.n_bootstrap, rng=rng))


def _score_part(
    reference: Judged, other: Judged, scoring: Scoring, rng: np.random.Generator
) -> MoleculeScore:
    if isinstance(reference, Profile) and isinstance(other, Profile):
        return score_molecule(reference, other, scoring=scoring, rng=rng)
    if isinstance(reference, Box) and isinstance(other, Box):
        return score_box(reference, other, scoring=scoring, rng=rng)
    raise TypeError("a box is compared with a box")

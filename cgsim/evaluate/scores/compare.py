"""Score learned trajectories against reference MD."""

from collections.abc import Mapping, Sequence

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.problems import Problem
from cgsim.evaluate.sameness import check_same, interval_note
from cgsim.evaluate.scores.comparison import Comparison, Score
from cgsim.evaluate.scores.crossing import Crossing
from cgsim.evaluate.scores.headline import concluded
from cgsim.evaluate.scores.molecule import score_molecule
from cgsim.evaluate.scores.red_lines import find_crossings
from cgsim.evaluate.scores.summary import summarise
from cgsim.evaluate.scoring import Scoring
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
    profiles = {ensemble.name: Profile(ensemble) for ensemble in reference}
    if len(profiles) < len(reference) or not profiles:
        raise ValueError("reference must hold at least one molecule and each name once")
    check_yardsticks(yardsticks)
    given = {LEARNED: learned, **yardsticks}
    notes = [note for key, own in given.items() for note in _check_row(key, own, profiles)]
    rows = {}
    crossings: list[Crossing] = []
    for key, ensembles in given.items():
        rng = row_random(seed, key)
        others = {ensemble.name: Profile(ensemble) for ensemble in ensembles}
        rows[key] = _score(profiles, others, scoring=scoring, rng=rng)
        if key == LEARNED:
            problems: list[Problem] = []
            for name, profile in profiles.items():
                crossings += find_crossings(profile, others[name], problems)
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
    label: str, ensembles: Sequence[Ensemble], profiles: Mapping[str, Profile]
) -> list[str]:
    """Refuse other molecules; what is to be said of the row."""
    names = [ensemble.name for ensemble in ensembles]
    if sorted(names) != sorted(profiles):
        raise ValueError(f"{label} has molecules {sorted(names)}, reference {sorted(profiles)}")
    notes = []
    for ensemble in ensembles:
        expected = profiles[ensemble.name].ensemble
        check_same(label, ensemble, expected)
        notes.append(interval_note(label, ensemble, expected))
    return [note for note in notes if note]


def _score(
    profiles: Mapping[str, Profile],
    others: Mapping[str, Profile],
    *,
    scoring: Scoring,
    rng: np.random.Generator,
) -> Score:
    molecules = tuple(
        score_molecule(profile, others[name], scoring=scoring, rng=rng)
        for name, profile in profiles.items()
    )
    return Score(molecules, summarise(molecules, n_bootstrap=scoring.n_bootstrap, rng=rng))

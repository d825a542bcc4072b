"""Score learned trajectories against reference MD."""

from collections.abc import Mapping, Sequence

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.scores.comparison import Comparison, Score
from cgsim.evaluate.scores.molecule import score_molecule
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
    of a summary by a bootstrap over molecules.

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
        If a row has other molecules than the reference, or other beads or bonds for one, or there
        is no such yardstick.
    """
    scoring, yardsticks = scoring or Scoring(), yardsticks or {}
    profiles = {ensemble.name: Profile(ensemble) for ensemble in reference}
    if len(profiles) < len(reference) or not profiles:
        raise ValueError("reference must hold at least one molecule and each name once")
    check_yardsticks(yardsticks)
    rows = {}
    for key, ensembles in {LEARNED: learned, **yardsticks}.items():
        _check_row(key, ensembles, profiles)
        rows[key] = _score(profiles, ensembles, scoring=scoring, rng=row_random(seed, key))
    return Comparison(rows.pop(LEARNED), scoring, seed, yardsticks=rows)


def row_random(seed: int, key: str) -> np.random.Generator:
    """Random numbers of one row: rows more or less do not change those of the others."""
    return np.random.default_rng([seed, list(row_labels()).index(key)])


def _check_row(label: str, ensembles: Sequence[Ensemble], profiles: Mapping[str, Profile]) -> None:
    names = [ensemble.name for ensemble in ensembles]
    if sorted(names) != sorted(profiles):
        raise ValueError(f"{label} has molecules {sorted(names)}, reference {sorted(profiles)}")
    for ensemble in ensembles:
        expected = profiles[ensemble.name].ensemble
        if ensemble.n_beads != expected.n_beads:
            raise ValueError(
                f"{label}: {ensemble.name} has {ensemble.n_beads} beads, the reference "
                f"{expected.n_beads}; map both in the same way"
            )
        if _bonds(ensemble) != _bonds(expected):
            raise ValueError(f"{label}: {ensemble.name} has other bonds than the reference")


def _bonds(ensemble: Ensemble) -> set[tuple[int, int]]:
    return {(min(bond), max(bond)) for bond in ensemble.edge_index.T.tolist()}


def _score(
    profiles: Mapping[str, Profile],
    ensembles: Sequence[Ensemble],
    *,
    scoring: Scoring,
    rng: np.random.Generator,
) -> Score:
    by_name = {ensemble.name: ensemble for ensemble in ensembles}
    molecules = tuple(
        score_molecule(profiles[name], Profile(by_name[name]), scoring=scoring, rng=rng)
        for name in profiles
    )
    return Score(molecules, summarise(molecules, n_bootstrap=scoring.n_bootstrap, rng=rng))

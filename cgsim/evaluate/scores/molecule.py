"""Score one molecule: every observable of two ensembles, with bootstrap errors over blocks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cgsim.evaluate.observables.counted import Counted, count_frames
from cgsim.evaluate.observables.observable import Observable, Sample, Scores
from cgsim.evaluate.observables.profile import MeasureError, Profile
from cgsim.evaluate.observables.table import OBSERVABLES
from cgsim.evaluate.problems import Problem
from cgsim.evaluate.scores.comparison import MoleculeScore
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.statistics.estimate import Estimate


def score_molecule(
    reference: Profile, other: Profile, *, scoring: Scoring, rng: np.random.Generator
) -> MoleculeScore:
    """Score an ensemble against the reference ensemble of the same molecule.

    An observable that cannot be computed has NaN for its scores, and the reason is in `problems`.

    Raises
    ------
    MeasureError
        If a measure gives no finite numbers even of the reference: then it is wrong itself.
    """
    scores, problems = _all_scores(reference, other, scoring, rng)
    return MoleculeScore(
        name=reference.ensemble.name,
        n_beads=reference.ensemble.n_beads,
        n_frames=other.ensemble.n_frames,
        duration=other.ensemble.duration,
        duration_reference=reference.ensemble.duration,
        n_effective=_number(lambda: other.rg_squared.n_known),
        n_effective_reference=_number(lambda: reference.rg_squared.n_known),
        scores=scores,
        problems=tuple(problems),
    )


def _all_scores(
    reference: Profile, other: Profile, scoring: Scoring, rng: np.random.Generator
) -> tuple[Scores, list[Problem]]:
    """Those of all observables, and why some are NaN."""
    observables = list(OBSERVABLES.values())
    counted = [observable for observable in observables if isinstance(observable, Counted)]
    scores: Scores = {}
    problems: list[Problem] = []
    first = Sample(reference, n_bootstrap=scoring.n_bootstrap, rng=rng)
    try:
        second = Sample(other, n_bootstrap=scoring.n_bootstrap, rng=rng)
    except MeasureError as error:  # no Rg: then there are no blocks, and nothing has error bars
        problems = [Problem.of("all scores", error)]
        return {k: v for own in observables for k, v in _unknown(own).items()}, problems
    uncounted = _count(first, second, counted, scoring)
    for observable in observables:
        try:
            if observable.name in uncounted:
                raise uncounted[observable.name]
            scores |= observable.score(first, second, scoring)
        except Exception as error:
            if isinstance(error, MeasureError) and error.ensemble is reference.ensemble:
                raise
            problems.append(Problem.of(observable.label, error))
            scores |= _unknown(observable)
    return scores, problems


def _count(
    first: Sample, second: Sample, counted: Sequence[Counted[Any]], scoring: Scoring
) -> dict[str, Exception]:
    """Count all together, or where one fails each for itself: why some could not be counted."""
    try:
        count_frames(first, second, counted, scoring)
    except Exception:
        failed = {}
        for own in counted:
            try:
                count_frames(first, second, [own], scoring)
            except Exception as error:
                failed[own.name] = error
        return failed
    return {}


def _unknown(observable: Observable) -> Scores:
    """NaN for all that its metrics and columns need."""
    names = {name for metric in observable.metrics for name in metric.of} | set(observable.columns)
    return dict.fromkeys(sorted(names), Estimate(math.nan, math.nan))


def _number(compute: Callable[[], float]) -> float:
    try:
        return compute()
    except (ValueError, ArithmeticError):
        return math.nan

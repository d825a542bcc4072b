"""What is between the molecules of a system: its scores, and the red line of overlap."""

import math

import numpy as np

from cgsim.evaluate.observables.between import Between, distances, looked_at
from cgsim.evaluate.observables.observable import Scores
from cgsim.evaluate.observables.table import OBSERVABLES
from cgsim.evaluate.problems import Problem
from cgsim.evaluate.scores.comparison import MoleculeScore
from cgsim.evaluate.scores.crossing import Crossing
from cgsim.evaluate.scores.red_lines import FEWEST_FRAMES, LEAST_SHARE, collision_limit
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.species import Box


def score_box(
    reference: Box, other: Box, *, scoring: Scoring, rng: np.random.Generator
) -> MoleculeScore:
    """Score what is between molecules; a score that cannot be computed is absent, with the reason.

    Nothing is said of the size or the clock of a box.
    """
    scores: Scores = {}
    problems: list[Problem] = []
    for observable in OBSERVABLES.values():
        if isinstance(observable, Between):
            try:
                scores |= observable.compare_boxes(reference, other, scoring, rng)
            except (ValueError, ArithmeticError) as error:
                problems.append(Problem.of(observable.label, error))
    return MoleculeScore(
        name=reference.name,
        n_beads=reference.n_beads,
        n_frames=other.n_frames,
        duration=other.duration,
        duration_reference=reference.duration,
        n_effective=math.nan,
        n_effective_reference=math.nan,
        scores=scores,
        problems=tuple(problems),
    )


def find_overlaps(reference: Box, other: Box) -> list[Crossing]:
    """Replicas that were stopped, and those whose molecules come nearer than any do in MD."""
    found = [
        Crossing("stopped", other.name, stop.replica, step=stop.step, note=stop.reason)
        for stop in other.origin.stops
    ]
    if reference.n_frames < FEWEST_FRAMES:
        return found
    longest = looked_at(reference)
    known, own = (distances(box, longest, 1) for box in (reference, other))
    nearest = np.sort(known.closest)
    if not 0 < nearest[0] < math.inf:
        return found
    limit, needed = collision_limit(nearest, len(own.closest))
    if (own.closest < limit).sum() < needed:
        return found
    for replica in np.unique(own.frame[:, 0]):
        here = own.frame[:, 0] == replica
        closest = own.closest[here]
        bad = closest < limit
        if bad.mean() > LEAST_SHARE:
            frame = int(own.frame[here][bad.argmax(), 1])
            found.append(
                Crossing(
                    "overlap",
                    other.name,
                    int(replica),
                    frame=frame,
                    time=frame * other.frame_interval,
                    value=float(closest.min()),
                    limit=limit,
                    share=float(bad.mean()),
                )
            )
    return found

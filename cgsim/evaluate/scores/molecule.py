"""Score one molecule: every observable of two ensembles, with bootstrap errors over blocks."""

import numpy as np

from cgsim.evaluate.observables.counted import Counted, count_frames
from cgsim.evaluate.observables.observable import Sample, Scores
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.table import OBSERVABLES
from cgsim.evaluate.scores.comparison import MoleculeScore
from cgsim.evaluate.scoring import Scoring


def score_molecule(
    reference: Profile, other: Profile, *, scoring: Scoring, rng: np.random.Generator
) -> MoleculeScore:
    """Score an ensemble against the reference ensemble of the same molecule."""
    first, second = (
        Sample(profile, n_bootstrap=scoring.n_bootstrap, rng=rng) for profile in (reference, other)
    )
    observables = list(OBSERVABLES.values())
    counted = [observable for observable in observables if isinstance(observable, Counted)]
    count_frames(first, second, counted, scoring)
    scores: Scores = {}
    for observable in observables:
        scores |= observable.score(first, second, scoring)
    return MoleculeScore(
        name=reference.ensemble.name,
        n_beads=reference.ensemble.n_beads,
        n_frames=other.ensemble.n_frames,
        duration=other.ensemble.duration,
        duration_reference=reference.ensemble.duration,
        n_effective=other.rg_squared.n_known,
        n_effective_reference=reference.rg_squared.n_known,
        scores=scores,
    )

"""Two halves of the reference as the floor, where nobody made a second MD run."""

from collections.abc import Sequence
from dataclasses import replace

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.scores.compare import compare, row_random
from cgsim.evaluate.scores.comparison import Comparison, Score
from cgsim.evaluate.scores.headline import concluded
from cgsim.evaluate.scores.summary import summarise
from cgsim.evaluate.yardsticks import HALVES

_FEWEST_FRAMES = 4  # of a reference that can be halved


def with_halves(comparison: Comparison, reference: Sequence[Ensemble]) -> Comparison:
    """The comparison with a row of one half of the reference against the other.

    Both halves are shorter than the reference, so that the row is further from ideal than a second
    MD run would be. It is left out if one molecule has too few frames.
    """
    halves = [halved(ensemble) for ensemble in reference]
    if any(pair is None for pair in halves):
        return comparison
    first, second = zip(*(pair for pair in halves if pair is not None), strict=True)
    scored = compare(first, second, scoring=comparison.scoring, seed=comparison.seed).learned
    random = row_random(comparison.seed, HALVES)
    n_bootstrap = comparison.scoring.n_bootstrap
    row = Score(scored.molecules, summarise(scored.molecules, n_bootstrap=n_bootstrap, rng=random))
    return concluded(replace(comparison, yardsticks={**comparison.yardsticks, HALVES: row}))


def halved(ensemble: Ensemble) -> tuple[Ensemble, Ensemble] | None:
    """Two halves of an ensemble, of about as many frames; None if there are too few.

    Several replicas are shared among the halves, which are then independent of each other; a
    single one, or one much longer than the others, is cut in the middle.
    """
    if ensemble.n_frames < _FEWEST_FRAMES:
        return None
    ordered = sorted(range(ensemble.n_replicas), key=lambda own: -len(ensemble.xyz[own]))
    sides: tuple[list[tuple[int, slice]], list[tuple[int, slice]]] = ([], [])
    lengths = [0, 0]
    for replica in ordered:
        shorter = lengths.index(min(lengths))
        sides[shorter].append((replica, slice(None)))
        lengths[shorter] += len(ensemble.xyz[replica])
    if min(lengths) < max(lengths) / 2:
        cut = {replica: len(ensemble.xyz[replica]) // 2 for replica in ordered}
        sides = (
            [(replica, slice(n)) for replica, n in cut.items() if n],
            [(replica, slice(n, None)) for replica, n in cut.items()],
        )
    first, second = (ensemble.part(side) for side in sides)
    return first, second

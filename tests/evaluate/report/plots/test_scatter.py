"""Points of the figures with one mark per molecule."""

import numpy as np

from cgsim.evaluate import Scoring, compare
from cgsim.evaluate.observables.table import RELAXATION
from cgsim.evaluate.report.plots import plot_relaxation_times
from tests.evaluate.processes import of_rg_squared, ornstein_uhlenbeck


def test_times_that_are_not_resolved_stand_at_their_bound() -> None:
    rng = np.random.default_rng(0)
    lengths = {"both": (9000, 9000), "learned": (9000, 40), "reference": (40, 9000), "no": (40, 40)}
    rows = [
        [of_rg_squared(name, ornstein_uhlenbeck(10.0, n[side], rng)) for name, n in lengths.items()]
        for side in range(2)
    ]
    comparison = compare(*rows, scoring=Scoring(n_bootstrap=2))
    scores = {row.name: row.scores for row in comparison.learned.molecules}
    (axis,) = plot_relaxation_times(RELAXATION, comparison).axes
    drawn = {container[0].get_marker(): container[0].get_data() for container in axis.containers}
    expected = {
        "o": (scores["both"]["relaxation_reference"].value, scores["both"]["relaxation"].value),
        "^": (
            scores["learned"]["relaxation_reference"].value,
            scores["learned"]["relaxation"].lower_bound,
        ),
        ">": (
            scores["reference"]["relaxation_reference"].lower_bound,
            scores["reference"]["relaxation"].value,
        ),
    }
    assert drawn.keys() == expected.keys()
    for marker, point in expected.items():
        where = np.array(point, dtype=float)
        np.testing.assert_allclose(np.ravel(drawn[marker]), where)
        low, high = axis.get_xlim()
        assert low < where.min()
        assert where.max() < high

"""Single steps are judged on frames that the propagators to beat have not seen."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.calibration import REFERENCES, Scores, score_all, summary
from cgsim.data.scales import measure
from cgsim.evaluate.scores.calibration import coverage
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY, random_chain

CALM, LIVELY = 0.002, 0.006  # nm, steps of the first and of the second half
N_HALF = 200
INSIDE = 0.178  # of steps three times wider than predicted, inside the interval of 50 %


def wanderer(seed: int) -> MappedTrajectory:
    """Every bead walks at random, three times as far in the second half."""
    made = random_chain(5, n_frames=1, seed=0, max_atoms=1)
    widths = np.repeat([CALM, LIVELY], N_HALF)[:, None, None]
    steps = widths * np.random.default_rng(seed).normal(size=(2 * N_HALF, 5, 3))
    return replace(made, pos=(made.pos[0] + steps.cumsum(axis=0)).astype(np.float32))


@pytest.fixture(scope="module")
def scores() -> dict[str, Scores]:
    replicas = [wanderer(1), wanderer(2)]
    simulator = Simulator(
        TINY,
        atom_types=sorted(set(replicas[0].atom_type)),
        scales=measure(replicas, stride=1),
    ).eval()
    return score_all(simulator, [replicas], n_windows=60, n_samples=40, seed=0)


def test_fitted_on_the_first_half_scored_on_the_second(scores: dict[str, Scores]) -> None:
    """Fitted and scored on the same half, whichever, a propagator would be calibrated."""
    for label in ("random walk", "VAR"):
        inside = coverage(scores[label].pit["component"])[0.5].value
        assert inside == pytest.approx(INSIDE, abs=0.06), label


def test_all_are_scored_on_the_same_steps(scores: dict[str, Scores]) -> None:
    """Not to move is off by the steps themselves, which are those of the second half."""
    still = scores["no-op"]
    assert still.configuration.shape == (2 * 60,)
    expected = LIVELY * np.sqrt(15)
    assert still.configuration.mean() == pytest.approx(expected, rel=0.05)
    assert {own.configuration.shape for own in scores.values()} == {(120,)}
    assert list(scores) == ["simulator", "without refinement", *REFERENCES]


def test_skill_is_against_each_of_those_to_beat(scores: dict[str, Scores]) -> None:
    found = summary(scores)
    for label in REFERENCES:
        assert found[label]["skill_configuration"][label]["value"] == 0.0
    walk = scores["random walk"].configuration.mean()
    still = scores["no-op"].configuration.mean()
    skill = found["random walk"]["skill_configuration"]["no-op"]["value"]
    assert skill == pytest.approx(1 - walk / still)

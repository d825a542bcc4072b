"""What is said of scores, in plain words."""

import math
from dataclasses import replace

import pytest

from cgsim.evaluate import Comparison, Estimate, Score, Scoring
from cgsim.evaluate.scores.verdict import Grade, Verdict, conclusion, judge


def rows(learned: Estimate, *, name: str = "js_pair", **yardsticks: Estimate) -> Comparison:
    """A comparison of a single score."""
    scores = {key: Score((), {name: own}) for key, own in yardsticks.items()}
    return Comparison(Score((), {name: learned}), Scoring(), seed=0, yardsticks=scores)


def verdict(comparison: Comparison) -> Verdict:
    (found,) = judge(comparison)
    return found


@pytest.mark.parametrize(
    ("distance", "grade"),
    [
        (-9.0, Grade.GOOD),
        (0.0, Grade.GOOD),
        (1.9, Grade.GOOD),
        (2.1, Grade.FAIR),
        (5.9, Grade.FAIR),
        (6.1, Grade.POOR),
    ],
)
def test_agreement_is_within_two_standard_errors_of_both(distance: float, grade: Grade) -> None:
    """Standard errors of the difference are 0.05; from 0.6 on it is twice as far from ideal."""
    learned = Estimate(0.3 + 0.05 * distance, 0.04)
    assert verdict(rows(learned, floor=Estimate(0.3, 0.03))).grade is grade


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        ("js_pair", 0.2, 0.3),
        ("r2_rg", 0.9, 0.8),
        ("median_relaxation_ratio", 0.9, 1.2),
        ("median_relaxation_ratio", 1.2, 0.8),
        ("n_unresolved", 1.0, 3.0),
    ],
)
def test_the_nearer_to_ideal_beats_the_other(name: str, better: float, worse: float) -> None:
    for learned, other, beats in ((better, worse, True), (worse, better, False)):
        comparison = rows(Estimate(learned, 0.01), name=name, md_equal_time=Estimate(other, 0.01))
        assert verdict(comparison).beats_equal_time is beats
        assert f"MD of equal wall-clock does worse in {int(beats)} of 1 scores." in conclusion(
            comparison
        )


@pytest.mark.parametrize(
    ("ratio", "error", "grade"),
    [
        (2.0, 0.2, Grade.POOR),  # log 0.69 ± 0.1
        (0.5, 0.05, Grade.POOR),
        (2.0, 0.9, Grade.UNKNOWN),  # 0.69 ± 0.45
        (0.1, 0.3, Grade.UNKNOWN),  # -2.3 ± 3
        (1.02, 0.1, Grade.GOOD),
    ],
)
def test_errors_of_ratios_are_relative(ratio: float, error: float, grade: Grade) -> None:
    floor = Estimate(1.05, 0.01)
    found = rows(Estimate(ratio, error), name="median_relaxation_ratio", floor=floor)
    assert verdict(found).grade is grade


def test_a_second_run_is_the_floor_rather_than_halves() -> None:
    learned, floor, halves = (Estimate(value, 0.01) for value in (0.5, 0.1, 0.5))
    both = rows(learned, floor=floor, halves=halves)
    assert verdict(both).grade is Grade.POOR
    assert "a second, independent MD run" in conclusion(both)
    assert verdict(rows(learned, halves=halves)).grade is Grade.GOOD


def test_what_is_not_known_beats_nothing() -> None:
    known, unknown = Estimate(0.3, 0.1), Estimate(math.nan, math.nan)
    for learned, other in ((known, unknown), (unknown, known)):
        assert verdict(rows(learned, md_equal_time=other)).beats_equal_time is None
        assert verdict(rows(learned, floor=other)).grade is Grade.UNKNOWN
    assert verdict(rows(known)).beats_equal_time is None


def test_a_score_that_a_yardstick_lacks_is_not_judged() -> None:
    comparison = rows(Estimate(0.3, 0.1))
    other = {key: Score((), {"js_rg": Estimate(0.1, 0.1)}) for key in ("floor", "md_equal_time")}
    found = verdict(replace(comparison, yardsticks=other))
    assert found.metric.name == "js_pair"
    assert (found.grade, found.beats_equal_time) == (Grade.UNKNOWN, None)


def test_poor_scores_are_named() -> None:
    poor = rows(Estimate(0.9, 0.01), floor=Estimate(0.1, 0.01))
    assert "1 further than that (JS distance of pair distances)" in conclusion(poor)
    good = rows(Estimate(0.1, 0.01), floor=Estimate(0.1, 0.01))
    assert "1 of 1 scores cannot be told from it" in conclusion(good)


def test_verdict_knows_wrong_from_right(comparison: Comparison) -> None:
    grades = {verdict.metric.name: verdict.grade for verdict in judge(comparison)}
    assert grades["mape_rg"] is Grade.POOR
    assert grades["js_bond"] is Grade.POOR
    assert grades["n_unresolved"] in (Grade.GOOD, Grade.UNKNOWN)
    assert "second, independent MD run" in conclusion(comparison)
    floor_as_learned = replace(comparison, learned=comparison.yardsticks["floor"])
    assert {verdict.grade for verdict in judge(floor_as_learned)} <= {Grade.GOOD, Grade.UNKNOWN}
    alone = replace(comparison, yardsticks={})
    assert {verdict.grade for verdict in judge(alone)} == {Grade.UNKNOWN}
    assert "cannot be judged" in conclusion(alone)


def test_wide_error_bars_are_not_taken_for_agreement(comparison: Comparison) -> None:
    floor = comparison.yardsticks["floor"]
    wide = replace(floor, summary={**floor.summary, "r2_relaxation": Estimate(0.1, 0.4)})
    verdicts = judge(replace(comparison, learned=wide, yardsticks={"floor": wide}))
    grades = {verdict.metric.name: verdict.grade for verdict in verdicts}
    assert grades["r2_relaxation"] is Grade.UNKNOWN
    assert grades["js_bond"] is Grade.GOOD


@pytest.mark.parametrize(
    ("name", "learned", "floor", "grade"),
    [
        # Nothing is learnt of a distance between 0 and 1 that is known within 0.7, or of a size
        # that is known to a third.
        ("js_rg", Estimate(0.1, 0.7), Estimate(0.1, 0.02), Grade.UNKNOWN),
        ("js_bond", Estimate(0.1, 0.02), Estimate(0.1, 0.7), Grade.UNKNOWN),
        ("rmse_contact", Estimate(0.04, 0.67), Estimate(0.1, 0.01), Grade.UNKNOWN),
        ("mape_rg", Estimate(2.0, 17.0), Estimate(1.5, 1.0), Grade.UNKNOWN),
        # Nor beside two MD runs that have nothing in common.
        ("js_rg", Estimate(0.8, 0.1), Estimate(1.0, 0.0), Grade.UNKNOWN),
        ("mape_rg", Estimate(30.0, 3.0), Estimate(35.0, 3.0), Grade.UNKNOWN),
        # What is usual is judged as before, and what is plainly worse is so beside any floor.
        ("js_rg", Estimate(0.1, 0.02), Estimate(0.1, 0.02), Grade.GOOD),
        ("mape_rg", Estimate(3.0, 2.0), Estimate(2.0, 1.0), Grade.GOOD),
        ("js_rg", Estimate(0.95, 0.01), Estimate(0.6, 0.01), Grade.FAIR),
        ("mape_rg", Estimate(90.0, 12.0), Estimate(2.0, 1.0), Grade.POOR),
    ],
)
def test_so_few_data_that_nothing_could_be_seen_are_no_agreement(
    name: str, learned: Estimate, floor: Estimate, grade: Grade
) -> None:
    assert verdict(rows(learned, name=name, floor=floor)).grade is grade

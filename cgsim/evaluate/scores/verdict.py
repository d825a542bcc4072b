"""In plain words: each score against a second MD run and against MD of equal wall-clock."""

import math
from dataclasses import dataclass
from enum import StrEnum

from cgsim.evaluate.observables.observable import Metric
from cgsim.evaluate.observables.table import metrics
from cgsim.evaluate.scores.comparison import Comparison
from cgsim.evaluate.statistics.estimate import Estimate
from cgsim.evaluate.yardsticks import HALVES

_MAX_NAMED = 3

# Standard errors of 1 − r² and of |log ratio| beyond which "no difference seen" means nothing.
_WIDEST = {"correlation": 0.2, "ratio": 0.4}

# The yardsticks that a verdict is about.
_FLOOR, _EQUAL_TIME = "floor", "md_equal_time"


def floor_of(comparison: Comparison) -> str | None:
    """Key of the row that is as good as MD: a second run, or else halves of the reference."""
    return next((key for key in (_FLOOR, HALVES) if key in comparison.yardsticks), None)


class Grade(StrEnum):
    """How far a score is from that of a second, independent MD run."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    UNKNOWN = "unknown"


#: What each grade means, for the legend of a table or report.
GRADE_MEANING = {
    Grade.GOOD: "not distinguishable from a second MD run (two standard errors)",
    Grade.FAIR: "worse than a second MD run, at most twice as far from ideal",
    Grade.POOR: "more than twice as far from ideal as a second MD run",
    Grade.UNKNOWN: "not judged: no second MD run, not determined, or error bars too wide to tell",
}


@dataclass(frozen=True)
class Verdict:
    """One metric of the learned simulator, judged.

    Parameters
    ----------
    metric
        Which.
    grade
        Against the second MD run.
    beats_equal_time
        Whether it is nearer to ideal than MD of equal wall-clock; None if that is not known.
    """

    metric: Metric
    grade: Grade
    beats_equal_time: bool | None


def judge(comparison: Comparison) -> list[Verdict]:
    """Judge every metric that the learned row has."""
    return [
        _judge_metric(metric, comparison)
        for metric in metrics()
        if metric.name in comparison.learned.summary
    ]


def grade_meaning(comparison: Comparison) -> dict[Grade, str]:
    """What each grade means beside the floor of this comparison."""
    if floor_of(comparison) != HALVES:
        return dict(GRADE_MEANING)
    other = "one half of the reference from the other"
    return {
        Grade.GOOD: f"not further from MD than {other} (two standard errors)",
        Grade.FAIR: f"further from MD than {other}, at most twice",
        Grade.POOR: f"more than twice as far from MD as {other}",
        Grade.UNKNOWN: "not judged: not determined, or error bars too wide to tell",
    }


def _judge_metric(metric: Metric, comparison: Comparison) -> Verdict:
    learned = deficit(metric, comparison.learned.summary[metric.name])
    floor, other = (
        _deficit_of_row(metric, comparison, key) for key in (floor_of(comparison), _EQUAL_TIME)
    )
    grade, beats = Grade.UNKNOWN, None
    if floor is not None:
        grade = _grade(learned, floor, too_wide=_WIDEST.get(metric.kind, metric.widest))
    if other is not None and math.isfinite(learned.value) and math.isfinite(other.value):
        beats = learned.value < other.value
    return Verdict(metric, grade, beats)


def _deficit_of_row(metric: Metric, comparison: Comparison, key: str | None) -> Estimate | None:
    score = None if key is None else comparison.yardsticks.get(key)
    if score is None or metric.name not in score.summary:
        return None
    return deficit(metric, score.summary[metric.name])


def deficit(metric: Metric, estimate: Estimate) -> Estimate:
    """How far a score is from ideal, 0 or more: 1 − r², |log ratio|, or the error itself."""
    if metric.kind == "correlation":
        return Estimate(1 - estimate.value, estimate.error)
    if metric.kind == "ratio":
        if not estimate.value > 0:
            return Estimate(math.nan, math.nan)
        return Estimate(abs(math.log(estimate.value)), estimate.error / estimate.value)
    return estimate


def _grade(learned: Estimate, floor: Estimate, *, too_wide: float) -> Grade:
    if not (math.isfinite(learned.value) and math.isfinite(floor.value)):
        return Grade.UNKNOWN
    errors = [e if math.isfinite(e) else 0.0 for e in (learned.error, floor.error)]
    distinguishable = learned.value - floor.value > 2 * math.hypot(*errors)
    twice_as_far = learned.value > 2 * floor.value
    if not distinguishable:
        # Two MD runs that far apart would let anything pass.
        undecided = twice_as_far or max(errors) > too_wide or floor.value > 2 * too_wide
        return Grade.UNKNOWN if undecided else Grade.GOOD
    return Grade.POOR if twice_as_far else Grade.FAIR


def conclusion(comparison: Comparison) -> str:
    """Two or three sentences that say how good the learned simulator is, and against what."""
    verdicts = judge(comparison)
    n_molecules = len(comparison.learned.molecules)
    sentences = [_against_floor(verdicts, comparison)]
    known = [
        verdict.beats_equal_time for verdict in verdicts if verdict.beats_equal_time is not None
    ]
    if known:
        sentences.append(
            f"MD of equal wall-clock does worse in {sum(known)} of {len(known)} scores."
        )
    elif _EQUAL_TIME not in comparison.yardsticks:
        sentences.append("No MD of equal wall-clock was given.")
    if n_molecules < 10:
        noun = "molecule" if n_molecules == 1 else "molecules"
        sentences.append(
            f"All this rests on {n_molecules} {noun}: take correlations over molecules lightly."
        )
    return " ".join(sentences)


def _against_floor(verdicts: list[Verdict], comparison: Comparison) -> str:
    floor = floor_of(comparison)
    if floor is None:
        return "No second MD run was given, so the scores cannot be judged against MD itself."
    by_grade = {grade: [v.metric.label for v in verdicts if v.grade is grade] for grade in Grade}
    n_judged = len(verdicts) - len(by_grade[Grade.UNKNOWN])
    name = "a second MD run" if floor == _FLOOR else "two halves of the reference"
    if not n_judged:
        return f"The error bars are too wide to judge any score against {name}."
    good, fair, poor = (len(by_grade[grade]) for grade in (Grade.GOOD, Grade.FAIR, Grade.POOR))
    if floor == _FLOOR:
        text = (
            f"Judged against a second, independent MD run: {good} of {n_judged} scores cannot be "
            f"told from it, {fair} up to twice as far from ideal, {poor} further than that"
        )
    else:
        text = (
            "No second MD run was given; judged against two halves of the reference, which is "
            f"lenient: {good} of {n_judged} scores are not further from MD than one half from the "
            f"other, {fair} up to twice as far, {poor} further than that"
        )
    if 0 < poor <= _MAX_NAMED:
        return f"{text} ({', '.join(by_grade[Grade.POOR])})."
    return f"{text}."

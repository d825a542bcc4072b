"""The headline cards of a report: a number, what it says in plain language, and its yardsticks."""

import math
from dataclasses import dataclass

from cgsim.evaluate.report.table import format_metric
from cgsim.evaluate.scores.comparison import Comparison
from cgsim.evaluate.scores.verdict import Grade, judge
from cgsim.evaluate.yardsticks import LEARNED

_CARDS = (
    ("Size", "mape_rg", "How far the mean radius of gyration is off, on average over molecules."),
    ("Size, across molecules", "r2_rg", "How well it tells small molecules from large ones (r²)."),
    (
        "Pace",
        "median_relaxation_ratio",
        "Relaxation time of Rg² relative to MD: 1 is right, less is too fast.",
    ),
    (
        "Pace, across molecules",
        "r2_log_relaxation",
        "How well it tells slow molecules from fast ones (r² of log times).",
    ),
    ("Shape", "js_pair", "Distance of the distributions of bead distances: 0 same, 1 disjoint."),
    ("Size distribution", "js_rg", "Distance of the distributions of Rg: 0 same, 1 disjoint."),
    ("Bonds", "js_bond", "Distance of the distributions of bond lengths: 0 same, 1 disjoint."),
    (
        "Between molecules",
        "js_between",
        "Distance of the radial distributions: 0 is the same.",
    ),
    (
        "Stability",
        "collisions_per_million",
        "Beads that run into each other, per million frames; {n_frames:,} frames were searched.",
    ),
)


_MOST = 6
_SPARE = ("js_bond", "js_rg")  # left out first where there are more


@dataclass(frozen=True)
class Card:
    """One headline score; `yardsticks` are the other rows of the comparison."""

    title: str
    value: str
    error: str
    unit: str
    sentence: str
    grade: Grade
    yardsticks: tuple[tuple[str, str], ...]


def make_cards(comparison: Comparison) -> list[Card]:
    """The headline cards of a comparison, of those scores that it has."""
    verdicts = {verdict.metric.name: verdict for verdict in judge(comparison)}
    n_frames = sum(row.n_frames for row in comparison.learned.molecules)
    cards = []
    chosen = [own for own in _CARDS if own[1] in verdicts and _is_known(comparison, own[1])]
    # What is nearly always there comes last, and stands in for what one molecule does not have.
    left_out = [own for own in _SPARE if own in [name for _, name, _ in chosen]]
    surplus = set(left_out[: max(0, len(chosen) - _MOST)])
    for title, name, sentence in (own for own in chosen if own[1] not in surplus):
        metric = verdicts[name].metric
        texts = {label: format_metric(metric, score) for label, score in comparison.rows.items()}
        value, _, error = texts.pop(LEARNED).partition(" ± ")
        cards.append(
            Card(
                title=title,
                value=value,
                error=error,
                unit=metric.unit,
                sentence=sentence.format(n_frames=n_frames),
                grade=verdicts[name].grade,
                yardsticks=tuple((label, text) for label, text in texts.items() if text),
            )
        )
    return cards


def _is_known(comparison: Comparison, name: str) -> bool:
    """Whether there is a number, or a bound: of one molecule there are no correlations."""
    own = comparison.learned.summary[name]
    return math.isfinite(own.value) or own.is_bound

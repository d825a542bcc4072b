"""The headline cards of a report: a number, what it says in plain language, and its yardsticks."""

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
    (
        "Stability",
        "collisions_per_million",
        "Beads that run into each other, per million frames; {n_frames:,} frames were searched.",
    ),
)


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
    for title, name, sentence in _CARDS:
        if name not in verdicts:
            continue
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

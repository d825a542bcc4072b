"""Compare a roll-out with reference MD and write the verdict: terminal table, JSON, report page."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.problems import Problem, attempt
from cgsim.evaluate.report.table import headline_text, summary_table
from cgsim.evaluate.scores.compare import compare
from cgsim.evaluate.scores.comparison import Comparison
from cgsim.evaluate.scores.halves import with_halves
from cgsim.evaluate.scores.verdict import floor_of
from cgsim.evaluate.yardsticks import LEARNED, YARDSTICKS
from cgsim.io import write_atomic_json

#: What a report could not show, with the exceptions; there only if there was any.
NOT_SHOWN = "report_not_shown.json"


@dataclass(frozen=True)
class Rows:
    """The ensembles of one comparison.

    Attributes
    ----------
    reference
        MD, as long as can be had.
    learned
        Roll-outs of the same molecules.
    yardsticks
        What puts them in proportion, by key of `YARDSTICKS`.
    """

    reference: Sequence[Ensemble]
    learned: Sequence[Ensemble]
    yardsticks: Mapping[str, Sequence[Ensemble]] = field(default_factory=dict)

    @property
    def scored(self) -> dict[str, Sequence[Ensemble]]:
        """All rows but the reference by key, in the order of the table."""
        given = {key: self.yardsticks[key] for key in YARDSTICKS if key in self.yardsticks}
        return {LEARNED: self.learned} | given


def score(rows: Rows) -> Comparison:
    """Compare the rows (see `cgsim.evaluate.scores.compare`).

    Without a second MD run, two halves of the reference are the floor.
    """
    comparison = compare(rows.reference, rows.learned, yardsticks=rows.yardsticks)
    if floor_of(comparison) is not None:
        return comparison
    problems: list[Problem] = []
    halves = attempt(
        "halves of the reference", lambda: with_halves(comparison, rows.reference), problems
    )
    if halves is not None:
        return halves
    return replace(comparison, notes=(*comparison.notes, *(f"{own}." for own in problems)))


def print_scores(comparison: Comparison) -> None:
    """The result in one sentence, and the summary as a table in the terminal."""
    console = Console()
    console.print(headline_text(comparison))
    console.print(summary_table(comparison))
    for note in comparison.notes:
        console.print(note, highlight=False, markup=False)


def judge_rollout(
    rows: Rows,
    directory: str | Path,
    *,
    title: str,
    lead: str = "",
    run: str | Path | None = None,
    provenance: dict[str, Any] | None = None,
) -> Comparison:
    """Score the rows, print the table, and write ``metrics.json`` and ``report.html``.

    What the report cannot show is kept with its exceptions in ``report_not_shown.json``.

    Parameters
    ----------
    run
        Training directory, for the loss curve.
    provenance
        Shown at the end of the report.
    """
    from cgsim.evaluate.report.page import write_report

    # Before the scores, which take long: a wrong folder is told at once.
    training = None if run is None else read_training_curve(run)
    comparison = score(rows)
    directory = Path(directory)
    write_atomic_json(directory / "metrics.json", comparison.to_dict())
    not_shown = write_report(
        directory / "report.html",
        comparison,
        reference=rows.reference,
        learned=rows.learned,
        title=title,
        lead=lead,
        training=training,
        provenance=provenance,
    )
    kept = directory / NOT_SHOWN
    if not_shown or kept.exists():
        write_atomic_json(kept, [problem.to_dict() for problem in not_shown])
    print_scores(comparison)
    return comparison


def read_training_curve(run: str | Path) -> Any:
    """The negative log-likelihood over the steps of a training directory (a `TrainingCurve`).

    Raises
    ------
    FileNotFoundError
        If the directory holds no ``metrics.csv``.
    """
    from cgsim.evaluate.report.plots import TrainingCurve

    with open(Path(run) / "metrics.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))

    def column(name: str) -> np.ndarray:
        return np.array([float(line.get(name) or "nan") for line in lines])

    return TrainingCurve(
        step=column("step"),
        train=column("train_nll"),
        validation=column("validation_nll"),
        label="NLL (nats per degree of freedom)",
    )

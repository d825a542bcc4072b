"""Tables in the terminal, and how numbers are written."""

import math

import pytest
from rich.console import Console

from cgsim.evaluate import OBSERVABLES, Comparison, Estimate, metrics
from cgsim.evaluate.report.table import format_estimate, molecule_table, summary_table


def test_tables_show_every_score(comparison: Comparison) -> None:
    console = Console(width=160, record=True)
    console.print(summary_table(comparison))
    console.print(molecule_table(comparison.learned))
    text = console.export_text()
    others = {own.name for row in ("between", "folded") for own in OBSERVABLES[row].metrics}
    for metric in metrics():  # those of boxes and folds are not of chains
        assert (metric.label in text) == (metric.name not in others)
    assert all(row.name in text for row in comparison.learned.molecules)
    assert "MD, equal wall-clock" in text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.9123, 0.0341, "0.912 ± 0.034"),
        (0.127, 0.00997, "0.127 ± 0.010"),
        (17510.2, 3432.0, "17,510 ± 3,432"),
        (0.0, 0.0, "0 ± 0"),
        (2.5, math.nan, "2.5"),
        (math.nan, 1.0, "–"),
    ],
)
def test_numbers_are_rounded_by_their_error(value: float, error: float, text: str) -> None:
    assert format_estimate(Estimate(value, error)) == text


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (357.9, None, "> 350"),
        (0.0419, None, "> 0.041"),
        (12_345.0, None, "> 12,000"),
        (None, 0.3611, "< 0.37"),
        (0.81, 1.44, "0.81 to 1.5"),
        (350.0, None, "> 350"),
        (None, 0.37, "< 0.37"),
    ],
)
def test_bounds_are_rounded_so_that_they_hold(
    lower: float | None, upper: float | None, text: str
) -> None:
    bound = Estimate(math.nan, math.nan, lower_bound=lower, upper_bound=upper)
    assert format_estimate(bound) == text

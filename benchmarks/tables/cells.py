"""Cells and rows of Markdown tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cgsim.evaluate import Estimate
from cgsim.evaluate.report.table import format_estimate

Numbers = Mapping[str, Any]
MISSING = "*Not measured yet.*"


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def number(value: float | None, pattern: str = ".3g") -> str:
    """One number; "–" if it is not known; large ones in full, and without decimals."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else format(value, pattern)


def estimate(value: float | None, error: float | None) -> str:
    """Value ± standard error, rounded by the error."""
    known = [math.nan if x is None else float(x) for x in (value, error)]
    return format_estimate(Estimate(*known))


def of_estimate(given: Numbers) -> str:
    """An estimate that is stored as value and error."""
    bounds = {name: given[name] for name in ("lower_bound", "upper_bound") if name in given}
    known = [math.nan if given[name] is None else float(given[name]) for name in ("value", "error")]
    return format_estimate(Estimate(*known, **bounds))


def percent(given: Numbers) -> str:
    """Such an estimate of a share, in percent."""
    return f"{100 * given['value']:.1f} ± {100 * given['error']:.1f}"


def score_cell(scores: Numbers, column: str) -> str:
    """One score with its error where there is one, or its bound; "–" where there is no score."""
    if bounded := scores.get("bounds", {}).get(column):
        return of_estimate(bounded)
    value = scores.get(column)
    if isinstance(value, Mapping):
        return number(value["value"], ".4f")
    error = scores.get("errors", {}).get(column)
    return number(value) if error is None else estimate(value, error)

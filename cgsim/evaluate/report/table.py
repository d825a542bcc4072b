"""Terminal tables of a comparison, and the formatting of numbers that reports share."""

import math
from collections.abc import Callable

from rich.table import Table
from rich.text import Text

from cgsim.evaluate.observables.observable import Metric
from cgsim.evaluate.observables.table import OBSERVABLES
from cgsim.evaluate.scores.comparison import Comparison, Score
from cgsim.evaluate.scores.verdict import Grade, floor_of, judge
from cgsim.evaluate.species import BETWEEN
from cgsim.evaluate.statistics.estimate import Estimate
from cgsim.evaluate.yardsticks import HALVES

_ROUNDING = 1e-12  # of a value: an error bar below it is none
_STYLE = {Grade.GOOD: "green", Grade.FAIR: "yellow", Grade.POOR: "red", Grade.UNKNOWN: ""}


def format_estimate(estimate: Estimate) -> str:
    """Value ± standard error, to two digits of the error: "0.912 ± 0.034"; "–" if unknown.

    What is only bounded reads "> 350", "< 0.4" or "0.8 to 1.4".
    """
    if estimate.is_bound:
        return _format_bounds(estimate.lower_bound, estimate.upper_bound)
    if not math.isfinite(estimate.value):
        return "–"
    if not math.isfinite(estimate.error):
        return f"{estimate.value:,.3g}"
    if estimate.error <= _ROUNDING * abs(estimate.value):
        return f"{estimate.value:,.4g} ± 0"
    rounded = float(f"{estimate.error:.1e}")
    n_decimals = max(0, min(6, 1 - math.floor(math.log10(rounded))))
    return f"{estimate.value:,.{n_decimals}f} ± {estimate.error:,.{n_decimals}f}"


def _format_bounds(lower: float | None, upper: float | None) -> str:
    """Two digits, rounded outwards: what is printed still holds."""
    if upper is None:
        return "–" if lower is None else f"> {_two_digits(lower, math.floor)}"
    if lower is None:
        return f"< {_two_digits(upper, math.ceil)}"
    return f"{_two_digits(lower, math.floor)} to {_two_digits(upper, math.ceil)}"


def _two_digits(value: float, rounded: Callable[[float], int]) -> str:
    if value <= 0:
        return f"{value:g}"
    n_decimals = 1 - math.floor(math.log10(value))
    number = rounded(round(value * 10.0**n_decimals, 6)) / 10.0**n_decimals
    return f"{number:,.{max(0, n_decimals)}f}"


def format_count(estimate: Estimate) -> str:
    """A whole number of molecules, without error bar; "–" if unknown."""
    return f"{estimate.value:.0f}" if math.isfinite(estimate.value) else "–"


def format_number(value: float) -> str:
    """A whole number; "–" if unknown."""
    return f"{value:,.0f}" if math.isfinite(value) else "–"


def format_metric(metric: Metric, score: Score) -> str:
    """A summary score in the form that suits the metric; nothing if it was not scored."""
    estimate = score.summary.get(metric.name)
    if estimate is None:
        return ""
    return format_count(estimate) if metric.kind == "count" else format_estimate(estimate)


def metric_label(metric: Metric) -> str:
    """Human name with the unit."""
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label


def headline_text(comparison: Comparison) -> Text:
    """What came out, in one sentence; a red line in red."""
    return Text(comparison.headline, style="bold red" if comparison.red_lines else "bold")


def summary_table(comparison: Comparison) -> Table:
    """One line per metric, one column per row of the comparison, graded by colour."""
    rows = comparison.learned.molecules
    n_molecules = sum(not row.name.endswith(f": {BETWEEN}") for row in rows)
    table = Table(
        title=f"against reference MD, {n_molecules} molecule{'s' if n_molecules != 1 else ''}",
        caption=_caption(comparison),
    )
    table.add_column("score")
    for label in comparison.rows:
        table.add_column(label, justify="right")
    for verdict in judge(comparison):
        cells = [Text(format_metric(verdict.metric, score)) for score in comparison.rows.values()]
        cells[0].stylize(_STYLE[verdict.grade])
        table.add_row(metric_label(verdict.metric), *cells)
    return table


def _caption(comparison: Comparison) -> str:
    numbers = "± standard error; > or <: not resolved, a bound"
    if floor_of(comparison) == HALVES:
        return (
            f"{numbers}; green: not further from MD than one half of the reference from the other, "
            "yellow: up to twice, red: more than twice as far"
        )
    return (
        f"{numbers}; green: not distinguishable from a second MD run, yellow: up to twice, red: "
        "more than twice as far from ideal"
    )


def molecule_columns(score: Score) -> dict[str, str]:
    """Heads of a table of molecules by name of the score below, of all that were scored."""
    return {
        name: head
        for observable in OBSERVABLES.values()
        for name, head in observable.columns.items()
        if any(name in molecule.scores for molecule in score.molecules)
    }


def molecule_table(score: Score) -> Table:
    """One line per molecule, what was measured beside the reference."""
    table = Table(title="per molecule")
    table.add_column("molecule")
    columns = molecule_columns(score)
    for head in columns.values():
        table.add_column(head, justify="right")
    for row in score.molecules:
        estimates = (row.scores.get(name) for name in columns)
        table.add_row(row.name, *("" if own is None else format_estimate(own) for own in estimates))
    return table

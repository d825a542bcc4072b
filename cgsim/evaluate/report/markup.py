"""Pieces of HTML for the report. Every string that comes from outside is escaped here."""

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from matplotlib.figure import Figure

from cgsim.evaluate.report.cards import Card
from cgsim.evaluate.report.plots.style import style
from cgsim.evaluate.report.table import (
    format_estimate,
    format_metric,
    format_number,
    metric_label,
    molecule_columns,
)
from cgsim.evaluate.scores.comparison import Comparison, Score
from cgsim.evaluate.scores.crossing import Crossing
from cgsim.evaluate.scores.red_lines import RED_LINES
from cgsim.evaluate.scores.verdict import grade_meaning, judge
from cgsim.io import write_atomic_text


def asset(name: str) -> str:
    """Text of a file in `assets/`."""
    return files("cgsim.evaluate.report").joinpath("assets", name).read_text(encoding="utf-8")


def write_page(
    path: str | Path,
    *,
    kicker: str,
    title: str,
    lead: str,
    sections: str,
    footer: str,
    top: str = "",
    scripts: str = "",
) -> None:
    """Write a page of the look of all reports; it appears only when it is complete.

    All is HTML already: the words above the title, the title, what follows it (`lead` a paragraph,
    `top` below it in the header), the body, and scripts at the end.
    """
    page = Template(asset("report.html")).substitute(
        kicker=kicker,
        title=title,
        lead=lead,
        top=top,
        css=asset("report.css"),
        sections=sections,
        footer=footer,
        scripts=scripts,
    )
    write_atomic_text(path, page)


def kicker(text: str, *, above: str = "") -> str:
    """The words above a title, and what is HTML already above them."""
    return f'{above}<p class="kicker">{escape(text)}</p>'


def section(heading: str, text: str, body: str) -> str:
    """A heading, a paragraph of plain text if there is one, and what is HTML already."""
    paragraph = f"<p>{escape(text)}</p>" if text else ""
    return f"<section><h2>{escape(heading)}</h2>{paragraph}{body}</section>"


def absent(reason: object) -> str:
    """In place of a figure that cannot be made."""
    return f"<p>Not shown: {escape(str(reason))}.</p>"


def inline_script(code: str) -> str:
    """A script element that cannot be closed from inside."""
    safe = code.replace("</script", r"<\/script")
    return f"<script>{safe}</script>"


def inline_json(element_id: str, data: object) -> str:
    """A JSON element for a script to read."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", r"<\/")
    return f'<script type="application/json" id="{element_id}">{text}</script>'


def plot(figure: Figure, caption: str, *, alt: str, css_class: str = "") -> str:
    """A figure as an SVG image inside the page."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure class="plot {css_class}"><img alt="{escape(alt)}" '
        f'src="data:image/svg+xml;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def card(content: Card) -> str:
    """A headline card."""
    error = f" <small>± {escape(content.error)}</small>" if content.error else ""
    unit = f" <small>{escape(content.unit)}</small>" if content.unit else ""
    yardsticks = "".join(
        f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in content.yardsticks
    )
    return (
        f'<article class="card {content.grade}"><h3>{escape(content.title)}</h3>'
        f'<div class="value">{escape(content.value)}{error}{unit}</div>'
        f"<p>{escape(content.sentence)}</p>"
        + (f"<dl>{yardsticks}</dl>" if yardsticks else "")
        + "</article>"
    )


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways on a narrow screen; cells are HTML already."""
    columns = "".join(f"<th>{escape(label)}</th>" for label in head)
    rows = "".join(f"<tr>{''.join(cells)}</tr>" for cells in body)
    return (
        f'<div class="scroll"><table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


def summary_table(comparison: Comparison) -> str:
    """All scores of all rows, with the grade of the learned one, and the legend of grades."""
    body = []
    for verdict in judge(comparison):
        metric = verdict.metric
        label = escape(metric_label(metric))
        cells = [f'<th><i class="dot {verdict.grade}" title="{verdict.grade}"></i>{label}</th>']
        for k, score in enumerate(comparison.rows.values()):
            text = escape(format_metric(metric, score))
            cells.append(f'<td class="main">{text}</td>' if k == 0 else f"<td>{text}</td>")
        body.append(cells)
    legend = "".join(
        f'<li><i class="dot {grade}"></i>{escape(meaning)}</li>'
        for grade, meaning in grade_meaning(comparison).items()
    )
    return table(["score", *comparison.rows], body) + f'<ul class="legend">{legend}</ul>'


def molecule_table(score: Score) -> str:
    """One line per molecule of the learned row."""
    columns = molecule_columns(score)
    head = ("molecule", "beads", "frames", *columns.values(), "independent samples")
    body = []
    for row in score.molecules:
        estimates = (row.scores.get(name) for name in columns)
        texts = [
            f"{row.n_beads}",
            f"{row.n_frames:,}",
            *("" if own is None else format_estimate(own) for own in estimates),
            f"{format_number(row.n_effective)} / {format_number(row.n_effective_reference)}",
        ]
        body.append([f"<th>{escape(row.name)}</th>", *(f"<td>{escape(t)}</td>" for t in texts)])
    return table(head, body)


def red_line_table(crossings: Sequence[Crossing]) -> str:
    """One line per replica that crossed a red line."""
    head = ("red line", "molecule", "replica", "first at", "worst value", "limit", "of its frames")
    body = []
    for own in crossings:
        when = "" if own.frame is None else f"frame {own.frame:,} ({own.time or 0.0:,.4g} ps)"
        texts = (
            own.molecule,
            f"{own.replica}",
            when or (f"step {own.step:,}" if own.step is not None else ""),
            "" if own.value is None else f"{own.value:,.3g}",
            "" if own.limit is None else f"{own.limit:,.3g}",
            "" if own.share is None else f"{100 * own.share:.3g} %",
        )
        title = RED_LINES[own.red_line].definition if own.red_line in RED_LINES else ""
        name = f'<th title="{escape(title)}">{escape(own.red_line.replace("_", " "))}</th>'
        body.append([name, *(f"<td>{escape(text)}</td>" for text in texts)])
    rows = {own.red_line for own in crossings} & set(RED_LINES)
    items = "".join(
        f"<dt>{escape(row.name.replace('_', ' '))}</dt><dd>{escape(row.definition)}</dd>"
        for row in RED_LINES.values()
        if row.name in rows
    )
    return table(head, body) + f'<dl class="definitions">{items}</dl>'


def definitions(comparison: Comparison) -> str:
    """What every score means, with the bins and cutoffs that were used."""
    scoring = comparison.scoring
    cutoff = scoring.contact_cutoff
    values = {
        "{n_bins}": f"{scoring.n_bins}",
        "{collision_cutoff}": f"{scoring.collision_cutoff:g}",
        "{contact_cutoff}": (
            "1.5 times the mean bond length of the reference"
            if cutoff is None
            else f"{cutoff:g} nm"
        ),
    }
    items = []
    for verdict in judge(comparison):
        text = verdict.metric.definition
        for key, value in values.items():
            text = text.replace(key, value)
        items.append(f"<dt>{escape(metric_label(verdict.metric))}</dt><dd>{escape(text)}</dd>")
    return f'<dl class="definitions">{"".join(items)}</dl>'


def provenance(entries: Mapping[str, object]) -> str:
    """A list of names and values; nested mappings are flattened."""
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _flatten(entries)
    )
    return f'<dl class="definitions provenance">{items}</dl>'


def _flatten(entries: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in entries.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name} · ")
        else:
            yield f"{prefix}{name}", f"{value:g}" if isinstance(value, float) else str(value)

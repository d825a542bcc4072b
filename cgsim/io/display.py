"""How objects show themselves: a title and a few facts, as text and as HTML for notebooks."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from itertools import islice
from typing import Any

from cgsim.units import PS_PER_NS

Facts = Mapping[str, object]
"""What there is to say, by what it is about; None is left out."""

MAX_LINES = 10
MAX_WIDTH = 100
_PS_PER_UNIT = {"ms": 1e6 * PS_PER_NS, "µs": 1e3 * PS_PER_NS, "ns": PS_PER_NS}


def as_text(title: str, facts: Facts) -> str:
    """A title and a line for every fact, `MAX_LINES` in all and none longer than `MAX_WIDTH`."""
    rows = _rows(facts)
    width = max((len(label) for label in rows), default=0)
    lines = [title, *(f"  {label:{width}}  {text}" for label, text in rows.items())]
    return "\n".join(_cut(line.rstrip()) for line in lines)


def as_html(title: str, facts: Facts) -> str:
    """The same as a table, for ``_repr_html_``."""
    cells = (
        f"<tr><th style='text-align:left'>{escape(label)}</th>"
        f"<td style='text-align:left'>{escape(_cut(text))}</td></tr>"
        for label, text in _rows(facts).items()
    )
    head = f"<caption style='text-align:left'><b>{escape(_cut(title))}</b></caption>"
    return f"<table>{head}{''.join(cells)}</table>"


def shown(facts: Callable[[Any], Facts]) -> tuple[Callable[[Any], str], Callable[[Any], str]]:
    """``__repr__`` and ``_repr_html_`` of a class: its name, that of the object, and the facts.

    ``__repr__, _repr_html_ = shown(facts)`` in the body of a class.
    """

    def text(self: Any) -> str:
        return as_text(_title(self), facts(self))

    def html(self: Any) -> str:
        return as_html(_title(self), facts(self))

    return text, html


def comma_list(names: Iterable[str], most: int = 8) -> str:
    """Names with commas; of many the first ones."""
    names = list(names)
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left:,} more" if left > 0 else "")


def duration(time: float) -> str:
    """A time in ps, in the unit in which it is read best: ``12 ns``."""
    for unit, size in _PS_PER_UNIT.items():
        if time >= size:
            return f"{time / size:.4g} {unit}"
    return f"{time:.4g} ps"


def frames(n_frames: int, frame_interval: float) -> str:
    """How many frames, how far apart, and how long that is."""
    every = f"one every {duration(frame_interval)}"
    return f"{n_frames:,}, {every} ({duration(n_frames * frame_interval)})"


def _title(thing: object) -> str:
    name = getattr(thing, "name", None)
    return type(thing).__name__ + ("" if name is None else f" {name!r}")


def _rows(facts: Facts) -> dict[str, str]:
    """The facts that are there in one line each, with a last line for those that find no room."""
    rows = {label: " ".join(str(fact).split()) for label, fact in facts.items() if fact is not None}
    most = MAX_LINES - 1
    if len(rows) <= most:
        return rows
    return dict(islice(rows.items(), most - 1)) | {"…": f"and {len(rows) - most + 1} more"}


def _cut(line: str) -> str:
    return line if len(line) <= MAX_WIDTH else f"{line[: MAX_WIDTH - 1]}…"

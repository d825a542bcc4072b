"""Tables of figures in the documentation say what made them, or are listed with a reason."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.record import RESULTS
from benchmarks.results import ROOT, sections_of
from benchmarks.tables.__main__ import TABLES

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MARKED = re.compile(r"^<!-- table: (\w+) -->$.*?^<!-- end -->$", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
TABLE = re.compile(r"(?:^ *\|.*\|\n)+", re.MULTILINE)
NOT_FIGURES = re.compile(r"`[^`]*`|\[[^\]]*\]\([^)]*\)")
FIGURE = re.compile(r"^[~<>≤≥]? ?[-+−±]?\d")
FIGURES = re.compile(r"<!-- figures: (\w+) -->(.*?)<!-- end figures -->", re.DOTALL)
ESTIMATE = re.compile(r"(\d+\.?\d*) ± (\d+\.?\d*)")

#: Page -> how many tables of figures without a mark it has, and why.
UNMARKED = {
    "docs/api/checkpoint.md": (1, "how many peptides and ns the packaged weights were trained on"),
    "docs/design.md": (2, "floors of the layers; notes of one short training behind a choice"),
    "docs/glossary.md": (1, "+1 and −1 of a handedness are no figures"),
    "docs/performance.md": (1, "what the cost lines of jobs rest on: no command compares them yet"),
    "docs/peptide_trials.md": (15, "trainings with settings that are gone; the page says so"),
    "docs/scaling.md": (1, "313 jobs of 32 copies is arithmetic, 10⁴ molecules over 32"),
}


def tables_of_figures(text: str) -> list[str]:
    """Heads of the tables, outside marks and code, that have a cell which begins with a number."""
    plain = FENCED.sub("", MARKED.sub("", text))
    heads = []
    for table in TABLE.findall(plain + "\n"):
        head, *rows = table.splitlines()
        cells = [
            NOT_FIGURES.sub("", cell).strip() for row in rows[1:] for cell in row.split("|")[1:-1]
        ]
        if any(FIGURE.match(cell) for cell in cells):
            heads.append(head.strip())
    return heads


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_table_of_figures_is_marked_or_listed(page: Path) -> None:
    heads = tables_of_figures(page.read_text(encoding="utf-8"))
    allowed, _ = UNMARKED.get(str(page.relative_to(ROOT)), (0, ""))
    assert len(heads) == allowed, (
        f"{heads}: put it between <!-- table: NAME --> and <!-- end -->, with a row of TABLES in "
        "benchmarks/tables, or list the page here with the reason"
    )


def test_what_has_no_mark_is_found() -> None:
    table = "| a | b |\n|---|---|\n| x | 1.5 ± 0.1 |\n"
    assert tables_of_figures(table) == ["| a | b |"]
    assert tables_of_figures(f"<!-- table: exact -->\n{table}<!-- end -->") == []
    assert tables_of_figures(f"```\n{table}```\n") == []
    assert tables_of_figures("| a | b |\n|---|---|\n| x | `3` of them |\n") == []
    assert tables_of_figures(table.replace("1.5", "−0.5")) == ["| a | b |"]


def test_every_marked_table_has_a_result_and_a_command() -> None:
    sources = {
        own.name: own.command
        for file in RESULTS.glob("*.json")
        for own in sections_of({"name": file.stem} | json.loads(file.read_text(encoding="utf-8")))
    }
    missing = {name for name, (source, _) in TABLES.items() if not sources.get(source)}
    # For a GPU, not yet run: the page says "not measured yet" in their place.
    assert missing <= {"polymer_paper", "polymer_paper_targets"}


def test_every_mark_is_that_of_one_table() -> None:
    marks = Counter(
        name for page in PAGES for name in MARKED.findall(page.read_text(encoding="utf-8"))
    )
    assert marks == Counter(list(TABLES))


def numbers_in(value: object) -> list[float]:
    """All numbers of a result, at any depth."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for own in value for number in numbers_in(own)]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return [float(value)] if is_number else []  # type: ignore[arg-type]


def test_estimates_of_marked_sentences_are_in_their_result() -> None:
    found = 0
    for page in PAGES:
        for name, text in FIGURES.findall(page.read_text(encoding="utf-8")):
            result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
            numbers = numbers_in(result["metrics"])
            for estimate in ESTIMATE.findall(text):
                for shown in estimate:
                    decimals = len(shown.partition(".")[2])
                    close = [x for x in numbers if round(x, decimals) == float(shown)]
                    assert close, f"{page}: {shown} is not in {name}.json"
                found += 1
    assert found, "no sentence is marked"

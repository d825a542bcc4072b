"""Files of the repository that pages and docstrings name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = [file for part in ("cgsim", "benchmarks") for file in sorted((ROOT / part).rglob("*.py"))]
NAMED = re.compile(r"(?<![\w./-])(?:cgsim|benchmarks|tests|docs|examples)/[\w./-]*\w/?")

#: Written by a benchmark that has not been run where it can be.
RESULTS = ("benchmarks/results/", "docs/images/")
NOT_YET = {"benchmarks/results/polymer_paper.json", "docs/images/polymer_paper.png"}


def missing(text: str) -> set[str]:
    """Paths in a text that are not there; words in capitals, as in NAME.json, stand for any."""
    named = {path for path in NAMED.findall(text) if not re.search(r"NAME|DEVICE", path)}
    return {path for path in named if not (ROOT / path).exists()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_files_that_are_there(page: Path) -> None:
    assert missing(page.read_text(encoding="utf-8")) - NOT_YET == set()


@pytest.mark.parametrize("part", ["cgsim", "benchmarks"])
def test_code_names_files_that_are_there(part: str) -> None:
    files = [file for file in CODE if file.is_relative_to(ROOT / part)]
    found = {str(file): missing(file.read_text(encoding="utf-8")) for file in files}
    # What a benchmark writes is not there before it has been run once.
    kept = {
        name: {path for path in paths if not path.startswith(RESULTS)}
        for name, paths in found.items()
    }
    assert {name: paths for name, paths in kept.items() if paths} == {}


def test_what_is_not_there_is_found() -> None:
    text = "see `cgsim/no_such_file.py`, `cgsim/units.py` and tests/test_paths.py"
    assert missing(text) == {"cgsim/no_such_file.py"}

"""The documentation covers the package: each module is on a page, each page in the menu."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNDOCUMENTED = {"__init__", "cli", "version"}


def test_every_part_is_on_an_api_page() -> None:
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    documented = set(re.findall(r"^::: cgsim\.(\w+)", pages, re.MULTILINE))
    entries = [*(ROOT / "cgsim").glob("*.py"), *(ROOT / "cgsim").glob("*/__init__.py")]
    parts = {file.parent.name if file.stem == "__init__" else file.stem for file in entries}
    assert parts - {"cgsim"} - UNDOCUMENTED == documented


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert pages == set(re.findall(r"[\w/]+\.md", menu))

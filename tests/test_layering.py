"""The architecture, held: imports go one way through the package, and its parts stay small."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cgsim"

# Bottom to top. A part imports from lower floors only; parts of one floor are siblings and do not
# import each other.
FLOORS = (
    {"units", "version", "config", "hardware"},
    {"io", "nn"},
    {"mapping", "md"},
    {"data", "evaluate"},
    {"model", "backmapping"},
    {"training", "rollout", "baselines", "testing"},
    {"cluster"},
    {"cli"},
)

# Third-party packages that a part must do without.
FORBIDDEN = {
    "evaluate": {"torch", "torch_geometric", "e3nn", "lightning", "openmm"},
    "mapping": {"torch", "torch_geometric", "e3nn", "lightning", "openmm"},
    "md": {"torch", "torch_geometric", "e3nn", "lightning"},
    "backmapping": {"torch", "torch_geometric", "e3nn", "lightning"},
    "io": {"torch", "torch_geometric", "e3nn", "lightning", "openmm"},
}

MAX_ENTRIES = 20
MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(file: Path) -> str:
    """Return the name of the module or folder directly under cgsim/ that holds a file."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(file: Path) -> str:
    """Return the dotted name of a file's module."""
    path = file.relative_to(PACKAGE.parent).with_suffix("")
    return ".".join(path.parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in FILES}


def imported_modules(file: Path) -> set[str]:
    """Return the absolute names of all modules a file imports, at the top or inside functions."""
    parents = ("cgsim", *file.relative_to(PACKAGE).parts[:-1])
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            prefix = parents[: len(parents) - node.level + 1] if node.level else ()
            module = ".".join((*prefix, *([node.module] if node.module else [])))
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def imported_files(file: Path) -> set[str]:
    """Return the modules of cgsim that a file imports, or takes names from."""
    names = {name for name in imported_modules(file) if name.startswith("cgsim.")}
    modules = {name if name in MODULES else name.rpartition(".")[0] for name in names}
    return modules - {module_of(file), "cgsim"}


def test_the_listing_is_short() -> None:
    listed = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(listed - {"py.typed"}) <= MAX_ENTRIES


def test_every_part_has_a_floor() -> None:
    assert {part_of(file) for file in FILES} - {"__init__"} == set().union(*FLOORS)


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_imports_go_down(floor: int) -> None:
    below = set().union(*FLOORS[:floor])
    for file in (path for path in FILES if part_of(path) in FLOORS[floor]):
        parts = {name.split(".")[1] for name in imported_files(file)} - {part_of(file)}
        assert parts <= below, f"{module_of(file)} imports {sorted(parts - below)}"


def test_no_files_import_each_other_in_a_circle() -> None:
    remaining = {name: imported_files(file) for name, file in MODULES.items() if name != "cgsim"}
    while free := {name for name, needs in remaining.items() if not needs & remaining.keys()}:
        for name in free:
            del remaining[name]
    assert not remaining, f"in a circle, or above one: {sorted(remaining)}"


@pytest.mark.parametrize("part", sorted(FORBIDDEN))
def test_parts_do_without_packages(part: str) -> None:
    files = [path for path in FILES if part_of(path) == part]
    assert files
    for file in files:
        packages = {name.split(".")[0] for name in imported_modules(file)}
        assert not packages & FORBIDDEN[part], file.relative_to(PACKAGE.parent)


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_are_small(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and node.body[1:] else node.body
            n_lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
            assert n_lines <= MAX_FUNCTION_LINES, f"{node.name}: {n_lines} lines"

"""The architecture, held: imports go one way through the package, and its parts stay small."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cgsim"

# Bottom to top. A module imports from lower rows only; modules of one row are siblings and do not
# import each other. A new module gets a place here.
LAYERS = (
    (
        "units",
        "version",
        "threads",
        "parser",
        "compilation",
        "superposition",
        "memory",
        "environments",
        "onednn",
    ),
    ("config", "dictionaries", "io"),
    ("nn", "mapping"),
    ("data",),
    ("cutouts",),
    ("store", "sampling", "statistics", "embedding", "noise", "integrators", "exact", "steps"),
    ("elastic", "forms", "refinement"),
    ("dynamics",),
    ("score", "state", "windows"),
    ("denoising",),
    ("simulator",),
    ("checkpoint", "testing", "baselines", "compiled", "compiled_loss", "starts"),
    ("reporters", "batches", "accumulation", "pretrained"),
    ("optimisation",),
    ("one_step", "rollout", "training"),
    ("ancestor",),
    ("arguments", "finetuning", "guidance", "pulling", "quickstart", "restore"),
    ("cluster",),
    ("cli",),
)

# Beside the layers: what each may import. The last three layers may import them all.
BESIDE = {
    "md": {"units", "io"},
    "evaluate": {"units", "io"},
    "ensembles": {"data", "store", "evaluate"},
    "judgement": {"io", "evaluate"},
    "backmapping": {"superposition", "io", "mapping", "md", "evaluate"},
}

# Third-party packages that a part must do without.
FORBIDDEN = {
    "evaluate": {"torch", "torch_geometric", "e3nn", "lightning", "openmm"},
    "md": {"torch", "torch_geometric", "e3nn", "lightning"},
    "backmapping": {"torch", "torch_geometric", "e3nn", "lightning"},
    "io": {"torch", "torch_geometric", "e3nn", "lightning", "openmm"},
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(file: Path) -> str:
    """Return the name of the module or folder directly under cgsim/ that holds a file."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def allowed_imports() -> dict[str, set[str]]:
    """Return for each part of the package the other parts it may import."""
    allowed = {name: set(imports) for name, imports in BESIDE.items()}
    below: set[str] = set()
    for layer in LAYERS:
        allowed |= {name: set(below) for name in layer}
        below |= set(layer)
    for name in (name for layer in LAYERS[-3:] for name in layer):
        allowed[name] |= set(BESIDE)
    return allowed


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


def imported_parts(file: Path) -> set[str]:
    """Return the parts of cgsim that a file imports; a name taken from cgsim itself counts too."""
    names = {name for name in imported_modules(file) if name.startswith("cgsim.")}
    return {name.split(".")[1] for name in names} - {part_of(file)}


@pytest.mark.parametrize("part", sorted({part_of(path) for path in FILES} - {"__init__"}))
def test_imports_go_one_way(part: str) -> None:
    allowed = allowed_imports()
    assert part in allowed, f"give cgsim/{part} a row in LAYERS or BESIDE"
    for file in (path for path in FILES if part_of(path) == part):
        upward = imported_parts(file) - allowed[part]
        assert not upward, f"{file.relative_to(PACKAGE.parent)} imports {sorted(upward)}"


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

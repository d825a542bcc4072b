"""`import cgsim` stays light: the heavy packages load with the modules that need them."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("lightning", "openmm", "matplotlib", "deeptime", "tensorboard", "distributed", "torch")
LAZY = ("cgsim", "cgsim.cluster", "cgsim.io", "cgsim.mapping", "cgsim.md")


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Return the names of the modules that `import cgsim` loads in a fresh interpreter."""
    code = "import sys, cgsim; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_the_package(loaded: set[str]) -> None:
    assert "cgsim" in loaded


@pytest.mark.parametrize("package", HEAVY)
def test_import_leaves_heavy_packages_alone(loaded: set[str], package: str) -> None:
    assert package not in loaded


@pytest.mark.parametrize("name", LAZY)
def test_public_names_exist(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__all__, f"{name}.__all__ lists the public names"
    missing = [public for public in package.__all__ if not hasattr(package, public)]
    assert not missing
    with pytest.raises(AttributeError, match=f"'{name}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize("name", LAZY)
def test_dir_shows_the_public_names_only(name: str) -> None:
    package = importlib.import_module(name)
    assert dir(package) == sorted(package.__all__)


@pytest.mark.parametrize("name", LAZY)
def test_type_checkers_see_what_is_imported_on_first_use(name: str) -> None:
    package = importlib.import_module(name)
    source = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    (block,) = (node for node in source.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(seen) == set(package.__all__) - {"__version__"}
    for public, module in seen.items():
        home = importlib.import_module(str(module))
        assert getattr(home, public) is getattr(package, public)

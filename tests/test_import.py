"""`import cgsim` stays light: the heavy packages load with the modules that need them."""

import subprocess
import sys

import pytest

HEAVY = ("lightning", "openmm", "matplotlib", "deeptime", "tensorboard", "distributed")


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


def test_public_names_exist() -> None:
    import cgsim

    assert cgsim.__all__, "cgsim.__all__ lists the public names"
    missing = [name for name in cgsim.__all__ if not hasattr(cgsim, name)]
    assert not missing

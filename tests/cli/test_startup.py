"""Help is there at once: nothing heavy is imported before a command runs."""

import subprocess
import sys

import pytest

from cgsim.cli.command_line import COMMANDS, GROUPS

HEAVY = {
    "dask",
    "deeptime",
    "distributed",
    "e3nn",
    "lightning",
    "matplotlib",
    "mdtraj",
    "openmm",
    "scipy",
    "torch",
    "torch_geometric",
}
ASKED = ["--version", "--help", *(f"{name} --help" for name in (*GROUPS, *COMMANDS)), "trian"]
SCRIPT = """
import sys
from cgsim.cli.command_line import main
try:
    main()
finally:
    print("modules:", *sys.modules)
"""


@pytest.mark.parametrize("asked", ASKED)
def test_nothing_heavy_is_imported(asked: str) -> None:
    call = [sys.executable, "-c", SCRIPT, *asked.split()]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == (2 if asked == "trian" else 0), done.stderr
    modules = set(done.stdout.rpartition("modules:")[2].split())
    assert "cgsim.cli.command_line" in modules
    assert not HEAVY & modules


def test_a_command_is_imported_when_it_is_called() -> None:
    call = [sys.executable, "-c", SCRIPT, "map", "--help"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    modules = set(done.stdout.rpartition("modules:")[2].split())
    others = {f"cgsim.cli.{module}" for name, module in COMMANDS.items() if name != "map"}
    assert "cgsim.cli.map" in modules
    assert not others & modules

"""The public names of the judge are there, imported when they are used."""

import importlib
import subprocess
import sys

import pytest

import cgsim.evaluate


def test_all_names_are_there() -> None:
    assert set(cgsim.evaluate.__all__) <= set(dir(cgsim.evaluate))
    for name in cgsim.evaluate.__all__:
        assert getattr(cgsim.evaluate, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = importlib.import_module("cgsim.evaluate").nothing


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, cgsim.evaluate; print({'numpy', 'scipy', 'torch'} & sys.modules.keys())"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"

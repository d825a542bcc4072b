"""Packaged weights mean what they meant when they were published: stored answers of each."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import cgsim

SCRIPT = Path(__file__).parent / "stored" / "make_pretrained.py"
# In float32 sums in another order, of another processor or version of torch, are seen; in float64
# they are far below what any change of a constant does.
TOLERANCES = {"float32": 1e-3, "float64": 1e-8}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("make_pretrained", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", cgsim.pretrained_names())
def test_answers_are_those_that_were_stored(name: str, dtype: str, script: ModuleType) -> None:
    stored = json.loads(script.file_of(name).read_text(encoding="utf-8"))
    found = script.answers(name, script.system_of(stored), script.DTYPES[dtype])
    expected = stored["answers"][dtype]
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        scale = np.abs(values).max()
        error = np.abs(np.subtract(found[key], values)).max()
        assert error <= TOLERANCES[dtype] * scale, key

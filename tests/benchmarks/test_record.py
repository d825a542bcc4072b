"""The record beside a figure: complete, valid JSON, written whole or not at all."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.record import environment, write_result


def test_environment_is_json_and_complete() -> None:
    record = environment(7, 2, "cpu")
    assert json.loads(json.dumps(record)) == record
    assert (record["seed"], record["n_threads"], record["device"]) == (7, 2, "cpu")
    assert {"commit", "dirty", "date", "cpu"} <= record.keys()
    assert record["versions"]["torch"]


def test_result_has_the_command_and_the_numbers(tmp_path: Path) -> None:
    metrics = {"r2": np.float64(0.5), "per_chain": np.array([1.0, math.nan]), "n_chains": 2}
    path = write_result("toy", "run toy", metrics, wall_clock=1.5, seed=3, directory=tmp_path)
    result = json.loads(path.read_text())
    assert path == tmp_path / "toy.json"
    assert list(result) == ["name", "command", "metrics", "environment"]
    assert result["metrics"] == {"r2": 0.5, "per_chain": [1.0, None], "n_chains": 2}
    assert result["environment"]["wall_clock_seconds"] == 1.5
    assert result["environment"]["seed"] == 3


def test_failed_write_keeps_the_old_result(tmp_path: Path) -> None:
    path = write_result("toy", "run toy", {"x": 1}, wall_clock=1.0, directory=tmp_path)
    before = path.read_text()
    with pytest.raises(TypeError):
        write_result("toy", "run toy", {"x": object()}, wall_clock=1.0, directory=tmp_path)
    assert path.read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["toy.json"]

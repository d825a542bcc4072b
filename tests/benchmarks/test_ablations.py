"""The ablations: rows that differ in one choice each."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks import ablations
from benchmarks.ablations import FLOOR, MAIN, Row, baseline, cell, is_done, make, plain, rows
from benchmarks.polymers.runs import Data
from cgsim.config import TrainingConfig
from cgsim.testing.systems import TINY

NOWHERE = Data([], [], [], [])


def test_every_row_differs_from_the_main_one_and_from_the_others() -> None:
    found = rows()
    assert next(iter(found)) == MAIN
    assert FLOOR not in found
    settings = [json.dumps(row.settings, sort_keys=True) for row in found.values()]
    assert len(set(settings)) == len(settings)
    assert {row.training.n_steps for row in found.values()} == {ablations.N_STEPS}
    for name, row in found.items():
        seed = 0 if not name.startswith("main-seed") else int(name[-1])
        assert row.training.seed == seed


def test_rows_are_named_by_what_they_change() -> None:
    found = rows()
    main = found[MAIN]
    for k in (1, 4, 8, 16):
        assert found[f"history-{k}"] == replace(main, model=replace(main.model, history=k))
    for n in (1, 4, 16):
        changed = replace(main.training, stride=n)
        assert found[f"stride-{n}"] == replace(main, training=changed)
    for n in (0, 1, 5, 20):
        assert found[f"evaluations-{n}"] == replace(main, n_evaluations=n)
    assert found["noise-independent"].model.dynamics.noise == "independent"


def test_baselines_are_simulators() -> None:
    for row in rows().values():
        if row.baseline:
            assert baseline(row.baseline).__name__ == row.baseline


def test_weights_of_the_main_row_come_first(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="make that one first"):
        make(rows()["evaluations-5"], "evaluations-5", NOWHERE, tmp_path)


def test_a_row_is_done_only_with_its_own_settings(tmp_path: Path) -> None:
    row, file = Row(TINY, TrainingConfig()), tmp_path / "scores.json"
    assert not is_done(file, row)
    file.write_text(json.dumps({"settings": row.settings}))
    assert is_done(file, row)
    assert not is_done(file, replace(row, training=TrainingConfig(n_steps=1)))
    assert row.settings["model"] == json.loads(json.dumps(asdict(TINY)))


def test_unknown_numbers_are_null_and_a_dash() -> None:
    assert plain({"a": float("nan"), "b": [float("inf"), 1.5]}) == {"a": None, "b": [None, 1.5]}
    scores = {"nll": {"value": 1.25, "error": 0.1}, "r2_rg": None, "rollout_speed": 4321.0}
    shown = [cell(scores, name) for name in ("nll", "r2_rg", "failures", "rollout_speed")]
    assert shown == ["1.25", "–", "–", "4,321"]

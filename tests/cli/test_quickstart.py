"""The whole path in one call, with the smallest sizes, twice."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cgsim.cli.quickstart_config import QuickstartConfig
from cgsim.cli.quickstart_run import run_quickstart
from cgsim.config import TrainingConfig
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY

SIZES = QuickstartConfig(n_train=2, train_duration=30.0, n_test=2, test_duration=30.0)
TRAINING = TrainingConfig(stride=2, n_steps=4, batch_size=4, steps_per_epoch=4)


def test_it_runs_through_and_skips_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgsim.cli.quickstart_run.PolymerRun", short_equilibration)
    first = run_quickstart(tmp_path, sizes=SIZES, model=TINY, training=TRAINING)
    assert (tmp_path / "report.html").stat().st_size > 10_000
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics == first.to_dict()
    for row in ("learned", "floor", "md_equal_time"):
        assert len(metrics[row]["molecules"]) == SIZES.n_test
    # The second MD run is another one than that which all are compared with.
    for molecule in metrics["floor"]["molecules"]:
        assert molecule["js_rg"]["value"] > 0
        assert molecule["rg"]["value"] != molecule["rg_reference"]["value"]
    references = [metrics[row]["molecules"][0]["rg_reference"] for row in ("learned", "floor")]
    assert references[0]["value"] == references[1]["value"]
    made = sorted((tmp_path / "rollout").glob("*.xtc"))
    assert len(made) >= SIZES.n_test

    def never(*arguments: Any) -> None:
        raise RuntimeError("computed again")

    kept = [*made, *(tmp_path / "md").glob("*.xtc"), tmp_path / "model" / "simulator.safetensors"]
    before = {path: path.read_bytes() for path in kept}
    monkeypatch.setattr(Simulator, "step", never)
    monkeypatch.setattr(Simulator, "loss", never)
    monkeypatch.setattr("cgsim.md.polymer_system.MergedChains.advance", never)
    again = run_quickstart(tmp_path, sizes=SIZES, model=TINY, training=TRAINING)
    assert again.to_dict() == first.to_dict()
    assert {path: path.read_bytes() for path in kept} == before


def test_other_settings_in_the_same_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "run.json").write_text("{}")
    monkeypatch.setattr("cgsim.cli.quickstart_run.PolymerRun", short_equilibration)
    sizes = replace(SIZES, train_duration=10.0)
    with pytest.raises(ValueError, match="model holds a run with other settings"):
        run_quickstart(tmp_path, sizes=sizes, model=TINY, training=TRAINING)
    assert (tmp_path / "model" / "run.json").read_text() == "{}"


def short_equilibration(**settings: Any) -> Any:
    from cgsim.md import PolymerRun

    return PolymerRun(**settings | {"equilibration": 1.0, "platform": "Reference"})

"""From ensembles to a verdict: table, JSON and report page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cgsim.evaluate.judge import Rows, judge_rollout, print_scores, read_training_curve, score
from cgsim.evaluate.sources import ensembles_of
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.systems import random_chain

METRICS = """\
epoch,learning_rate,step,train_nll,validation_loss,validation_nll
0,0.001,9,1.5,,
0,,9,,2.5,1.25
1,0.002,19,1.0,,
1,,19,,2.0,0.75
"""


def run_of(chain: int, run: int) -> MappedTrajectory:
    """The same chain, whatever the run, and frames of this run."""
    first, other = (
        random_chain(6, n_frames=60, seed=seed, name=f"c{chain}", max_atoms=1)
        for seed in (chain, 10 * run + chain)
    )
    return replace(first, pos=other.pos)


def rows(*, seed: int = 1) -> Rows:
    """Reference, learned and floor runs of two chains: samples of one and the same model."""
    runs = [ensembles_of(run_of(chain, run) for chain in range(2)) for run in (0, seed, 2)]
    return Rows(runs[0], runs[1], {"floor": runs[2], "md_equal_time": runs[2]})


def test_a_run_is_judged_into_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "model"
    run.mkdir()
    (run / "metrics.csv").write_text(METRICS)
    comparison = judge_rollout(
        rows(), tmp_path / "out", title="A <title>", run=run, provenance={"seed": 17}
    )
    stored = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert stored == comparison.to_dict()
    assert {entry["name"] for entry in stored["learned"]["molecules"]} == {"c0", "c1"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "A &lt;title&gt;" in page
    assert "<title>A <title>" not in page
    assert "second MD run" in capsys.readouterr().out


def test_rows_are_scored_for_what_they_are() -> None:
    given = rows()
    assert given.scored == {"learned": given.learned, **given.yardsticks}
    assert list(given.scored) == ["learned", "floor", "md_equal_time"]
    assert given.scored["learned"] is not given.reference


def test_a_run_compared_with_itself_has_no_distance() -> None:
    same, other = (score(rows(seed=seed)).learned.summary for seed in (0, 1))
    for name in ("js_rg", "js_bond", "js_pair", "emd_rg"):
        assert same[name].value < 1e-6
        assert other[name].value > 1e-3


def test_scores_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(score(rows()))
    printed = capsys.readouterr().out
    assert "learned" in printed


def test_the_training_curve_is_read(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRICS)
    curve = read_training_curve(tmp_path)
    np.testing.assert_array_equal(curve.step, [9, 9, 19, 19])
    np.testing.assert_array_equal(curve.train, [1.5, np.nan, 1.0, np.nan])
    np.testing.assert_array_equal(curve.validation, [np.nan, 1.25, np.nan, 0.75])


def test_a_folder_without_a_training_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"metrics\.csv"):
        read_training_curve(tmp_path)

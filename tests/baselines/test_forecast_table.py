"""The table of forecasters: held-out frames, resume, bad input."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cgsim.baselines.forecast import ForecastConfig, fit_forecaster
from cgsim.baselines.forecast_table import (
    forecast_grid,
    forecast_rmsd,
    forecast_table,
    split_in_time,
)
from cgsim.testing.systems import random_chain

GRID = [
    ForecastConfig("static", history=1, lead=3),
    ForecastConfig("linear", decomposed=True, history=2, lead=3, n_steps=5),
]


def test_no_frame_that_is_seen_was_trained_on() -> None:
    split = split_in_time(1000, reach=15, fraction=0.3, n_targets=40)
    assert split.n_train == 700
    first_seen = split.targets[0] - 15 + 1
    assert first_seen - (split.n_train - 1) == 15 + 1
    assert split.targets[-1] == 999
    assert len(split.targets) == 40
    assert (np.diff(split.targets) > 0).all()


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="100 frames: 80 to train on and 20 held out"):
        split_in_time(100, reach=11)
    assert split_in_time(100, reach=10).targets.tolist() == [99]


def test_rmsd_of_the_static_forecast() -> None:
    """Beads that move by (3, 4, 0) nm in a frame are off by 5 nm times the lead."""
    chain = random_chain(4, n_frames=30)
    pos = chain.pos[:1] + np.arange(30)[:, None, None] * np.array([3.0, 4.0, 0.0])
    moving = replace(chain, pos=pos.astype(np.float32))
    forecaster = fit_forecaster(moving, ForecastConfig("static", history=2, lead=3), seed=0)
    found = forecast_rmsd(forecaster, moving, np.array([4, 17, 29]))
    np.testing.assert_allclose(found, 15.0, rtol=1e-5)
    with pytest.raises(ValueError, match="frames 3 to 29 cannot be forecast"):
        forecast_rmsd(forecaster, moving, np.array([3, 29]))


def test_grid_has_every_setting_once() -> None:
    grid = list(forecast_grid())
    assert len(grid) == len(set(grid)) == 5 * (1 + 4 * 3 * 2)
    assert {config.lead for config in grid if config.kind == "static"} == {1, 5, 15, 60, 120}


def test_rows_are_made_once(tmp_path: Path) -> None:
    chain = random_chain(4, n_frames=80)
    rows = forecast_table(chain, tmp_path, grid=GRID, seed=1)
    assert [row["config"]["kind"] for row in rows] == ["static", "linear"]
    assert rows[0]["above_static"] == {"value": 0.0, "error": 0.0}
    static, linear = (row["rmsd"]["mean"] for row in rows)
    assert rows[1]["above_static"]["value"] == pytest.approx(linear - static)
    quantiles = list(rows[1]["rmsd"]["quantiles"].values())
    assert quantiles == sorted(quantiles)
    times = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert len(times) == 2
    assert forecast_table(chain, tmp_path, grid=GRID, seed=1) == rows
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == times
    with pytest.raises(ValueError, match="made from other data or settings"):
        forecast_table(chain, tmp_path, grid=GRID, seed=2)

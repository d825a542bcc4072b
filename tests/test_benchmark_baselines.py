"""The benchmark of the baselines: claims about tables made by hand, arrays that are made once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.baselines import cached, claims, main


def row(kind: str, lead: int, mean: float, **config: Any) -> dict[str, Any]:
    settings = {"kind": kind, "lead": lead, "history": 5, "decomposed": False} | config
    above = {"value": mean - 1.0, "error": 0.1}  # the static one has 1.0 everywhere
    return {"config": settings, "rmsd": {"mean": mean}, "above_static": above}


def test_claims_that_hold() -> None:
    found = claims(
        [row("static", 1, 1.0), row("lstm", 1, 1.5), row("lstm", 5, 0.9), row("lstm", 15, 0.5)]
    )
    assert found["static wins at leads 1 and 5"]  # 0.9 is within two standard errors
    assert found["LSTM beats static from lead 15 on"]
    assert not found["LSTM never beats static"]


def test_claims_that_do_not_hold() -> None:
    found = claims(
        [row("gru", 5, 0.5), row("lstm", 15, 0.5), row("lstm", 60, 0.95), row("lstm", 60, 2.0)]
    )
    assert not found["static wins at leads 1 and 5"]
    assert not found["LSTM beats static from lead 15 on"]
    assert np.isnan(found["fraction in which history 10 beats 1"])


def test_settings_are_compared_in_pairs() -> None:
    found = claims(
        [
            row("gru", 1, 1.0, history=1),
            row("gru", 1, 0.9, history=10),
            row("lstm", 1, 1.0, history=1),
            row("lstm", 1, 1.1, history=10),
            row("lstm", 1, 1.0, decomposed=True, history=10),
        ]
    )
    assert found["fraction in which history 10 beats 1"] == 0.5
    assert found["fraction in which decomposition helps"] == 1.0


def test_arrays_are_made_once_for_the_same_settings(tmp_path: Path) -> None:
    def never() -> np.ndarray:
        raise AssertionError("made twice")

    made = cached(tmp_path / "states", {"seed": 0}, lambda: np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(cached(tmp_path / "states", {"seed": 0}, never), made)
    other = cached(tmp_path / "states", {"seed": 1}, lambda: np.ones((1, 1), dtype=int))
    assert other.shape == (1, 1)


def test_forecasts_need_data() -> None:
    with pytest.raises(SystemExit, match="--data"):
        main(["--only", "forecast"])

"""The tables of the documentation are those of the results."""

import json
import math
from pathlib import Path

import pytest

from benchmarks.tables.__main__ import MISSING, PAGES, TABLES, rewrite
from benchmarks.tables.cells import estimate, markdown_table, number, of_estimate, score_cell
from benchmarks.tables.error_bars import share
from benchmarks.tables.fidelity import (
    ABLATED,
    ablation_table,
    exact_table,
    seed_table,
    target_table,
)
from benchmarks.tables.speed import job_table, worker_table

CASE = {
    "system": "double_well",
    "timestep": 0.3,
    "noise": "correlated",
    "score": True,
    "entropy_rate": 0.93739,
    "excess_nll": 0.0128,
    "excess_nll_error": 0.00066,
    "relaxation_ratio": [0.7, None],
    "rg2_mean_ratio": 0.873,
    "rg2_variance_ratio": None,
}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_a_committed_page_agrees_with_the_committed_results(file: Path) -> None:
    page = file.read_text(encoding="utf-8")
    assert rewrite(page) == page, "run `python -m benchmarks.tables`"


def test_the_pages_have_every_table_once() -> None:
    page = "\n".join(file.read_text(encoding="utf-8") for file in PAGES)
    assert {name: page.count(f"<!-- table: {name} -->") for name in TABLES} == dict.fromkeys(
        TABLES, 1
    )
    assert page.count("<!-- end -->") == len(TABLES)


def test_blocks_are_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = "before\n\n<!-- table: exact -->\nold\n<!-- end -->\n\nafter <!-- end -->\n"
    missing = rewrite(page, tmp_path)
    assert missing == page.replace("old", f"\n{MISSING}\n")
    result = {"command": "make it", "metrics": {"cases": [CASE]}}
    (tmp_path / "exact.json").write_text(json.dumps(result))
    made = rewrite(missing, tmp_path)
    assert exact_table(result["metrics"]) in made  # type: ignore[arg-type]
    assert "`make it`" in made
    assert "old" not in made
    assert MISSING not in made
    assert rewrite(made, tmp_path) == made
    (tmp_path / "exact.json").write_text(json.dumps(result | {"command": "make it\nmake more"}))
    assert "`make it`\n\n`make more`" in rewrite(made, tmp_path)


def test_an_unknown_block_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no table is called 'speed'"):
        rewrite("<!-- table: speed -->\n<!-- end -->", tmp_path)


def test_a_table_is_markdown() -> None:
    assert markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_numbers() -> None:
    assert [number(x) for x in (0.12345, 58203.3, None, math.nan, 0)] == [
        "0.123",
        "58,203",
        "–",
        "–",
        "0",
    ]
    assert estimate(0.9123, 0.0341) == "0.912 ± 0.034"
    assert estimate(None, None) == "–"
    assert estimate(2.5, None) == "2.5"


def test_exact_rows() -> None:
    assert exact_table({"cases": [CASE]}).splitlines()[-1] == (
        "| double well | 0.3 | correlated | on | 0.9374 | 0.01280 ± 0.00066 | 0.70 – | 0.873 | – |"
    )


def test_targets_that_fail_stand_out() -> None:
    target = {"value": 0.9, "target": "≥ 0.97", "holds": False}
    table = target_table({"targets": {"r2_rg": target, "other": target | {"holds": True}}})
    assert table.splitlines()[2:] == [
        "| r2 rg | 0.9 | ≥ 0.97 | **no** |",
        "| other | 0.9 | ≥ 0.97 | yes |",
    ]


def test_seeds_end_with_their_mean() -> None:
    seeds = [{"seed": seed, "r2_rg": value} for seed, value in ((0, 0.9), (1, 1.0))]
    spread = {"r2_rg": {"mean": 0.95, "deviation": 0.07}}
    both = seed_table({"seeds": seeds, "spread": spread}).splitlines()
    assert both[0] == "| seed | r² Rg |"
    assert both[2:] == ["| 0 | 0.9 |", "| 1 | 1 |", "| mean ± deviation | 0.950 ± 0.070 |"]
    alone = seed_table({"seeds": seeds[:1], "spread": spread}).splitlines()
    assert alone[2:] == ["| 0 | 0.9 |"]


def test_ablations_show_what_there_is() -> None:
    scores = {
        "timestep": 5.0,
        "nll": {"value": 1.23456, "error": 0.01},
        "r2_rg": 0.9,
        "errors": {"r2_rg": 0.05},
        "failures": 2,
    }
    line = ablation_table({"rows": {"history-1": scores}}).splitlines()[-1]
    cells = line.strip("| ").split(" | ")
    assert cells[:4] == ["history 1", "5", "1.2346", "0.900 ± 0.050"]
    assert cells[2 + list(ABLATED).index("failures")] == "2"
    assert cells.count("–") == len(ABLATED) - 3


def test_workers_are_compared_with_one() -> None:
    rates = {"this process alone": 90.0, "1": 50.0, "2": 95.0}
    metrics = {
        "md_ps_per_second": rates,
        "rollout_chain_steps_per_second": {name: 10 * rate for name, rate in rates.items()},
        "by_number_of_jobs": {"10000": {"milliseconds_per_job": 1.5, "kilobytes_per_job": 4.0}},
    }
    *_, two = worker_table(metrics).splitlines()
    assert two == "| two workers | 95 (1.90) | 950 (1.90) |"
    *_, jobs = job_table(metrics).splitlines()
    assert jobs == "| 10,000 | 1.5 | 4 |"


def test_cells_of_bounds_are_bounds() -> None:
    bound = {"value": None, "error": None, "lower_bound": 350.0}
    assert of_estimate(bound) == "> 350"
    row = {"pace": None, "errors": {"pace": None}, "bounds": {"pace": bound}, "size": 1.25}
    assert score_cell(row, "pace") == "> 350"
    assert score_cell(row, "size") == "1.25"


def test_shares_of_what_was_said() -> None:
    def count(values: int, covered: int, bounds: int = 0, held: int = 0) -> dict[str, int]:
        return {"values": values, "covered": covered, "bounds": bounds, "held": held}

    assert share([count(80, 76), count(20, 20)]) == "96"
    assert share([count(50, 45, 30, 30), count(0, 0, 20, 19)]) == "94 (50)"
    assert share([count(0, 0)]) == "–"

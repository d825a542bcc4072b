"""The tables of the page on proteins, from results as they are written."""

from typing import Any

from benchmarks.ablations import plain
from benchmarks.peptides.finetune import verdict
from benchmarks.peptides.scores import SUMMARY, summary_of
from benchmarks.tables.peptides import (
    KINETICS,
    SIZES,
    finetune_table,
    lag_table,
    one_step_table,
    peptide_table,
    timescale_table,
    verdict_table,
)


def row(ratio: float | None, js_tic0: float) -> dict[str, Any]:
    """A row of two peptides that differ in nothing but their names."""
    rest = dict.fromkeys(SUMMARY.keys() - {"timescale_error"}, 0.1)
    own = {
        "timescale_ratio": ratio,
        "js_tic0": js_tic0,
        "timescale": 40.0,
        "timescale_standard_error": 3.0,
        "timescale_reference": 80.0,
    }
    return summary_of([rest | own | {"name": name} for name in ("SGL", "SGV")])


def cells(line: str) -> list[str]:
    return line.strip("| ").split(" | ")


def test_every_kinetic_score_of_the_summary_is_shown() -> None:
    assert KINETICS.keys() == SUMMARY.keys()


def peptide_metrics() -> dict[str, Any]:
    sizes: dict[str, Any] = dict.fromkeys(SIZES, 0.5) | {"errors": dict.fromkeys(SIZES, 0.1)}
    rows = {"learned": row(0.5, 0.3), "floor": row(1.2, 0.1), "md_equal_time": row(None, 0.9)}
    return plain({"rows": rows, "sizes": dict.fromkeys(rows, sizes)})


def test_rows_become_columns() -> None:
    lines = peptide_table(peptide_metrics()).splitlines()
    assert cells(lines[0])[1:] == ["learned", "second MD run", "MD, equal wall-clock"]
    by_score = {cells(line)[0]: cells(line)[1:] for line in lines[2:]}
    assert by_score["timescale within ×1.5 of MD"] == ["0 of 2", "2 of 2", "0 of 2"]
    means = [float(cell.split(" ")[0]) for cell in by_score["JS distance of TIC0"]]
    assert means == [0.3, 0.1, 0.9]
    assert by_score["slowest implied timescale / MD"][2] == "–"  # not resolved
    assert by_score["JS distance of Rg"] == ["0.50 ± 0.10"] * 3


def test_timescales_stand_beside_those_of_md() -> None:
    lines = timescale_table(peptide_metrics()).splitlines()
    assert [cells(line)[0] for line in lines[2:]] == ["SGL", "SGV"]
    assert cells(lines[2])[1:] == ["80", *["40.0 ± 3.0"] * 2, "0.3", "0.1"]


def test_lag_times_become_columns() -> None:
    md, learned = {"SGL": [20.0, 40.0], "SGV": [None, 30.0]}, {"SGL": [10.0, 15.0]}
    found = {"lag_times": [5.0, 10.0], "md": md, "learned": learned}
    lines = lag_table({"slowest_by_lag_time": found}).splitlines()
    assert cells(lines[0])[2:] == ["lag 5 ps", "lag 10 ps"]
    assert [cells(line) for line in lines[2:]] == [
        ["SGL", "MD", "20", "40"],
        ["SGL", "learned", "10", "15"],
        ["SGV", "MD", "–", "30"],
    ]


def test_one_step() -> None:
    known = {"value": 0.2, "error": 0.01}
    own = {"energy_score_configuration": known, "skill_configuration": {"VAR": known}}
    lines = one_step_table({"one_step": {"simulator": own}}).splitlines()
    assert lines[0] == "| propagator | energy score (nm) | skill to VAR |"
    assert lines[2] == "| simulator | 0.200 ± 0.010 | 0.200 ± 0.010 |"


def test_fractions_and_verdicts() -> None:
    rows = {"finetuned": row(0.9, 0.1), "scratch": row(0.3, 0.2), "md": row(None, 0.05)}
    fraction = {
        "rows": rows,
        "verdict": verdict(rows),
        "change_of_nll": {"new": -0.123, "old": 0.04},
        "duration": 500.0,
    }
    metrics = plain({"zero_shot": row(0.4, 0.4), "fractions": {"5 %": fraction}})
    lines = [cells(line) for line in finetune_table(metrics).splitlines()[2:]]
    assert [line[:2] for line in lines] == [
        ["–", "zero-shot"],
        ["5 %, 500 ps", "fine-tuned"],
        ["5 %, 500 ps", "trained on it alone"],
        ["5 %, 500 ps", "that MD itself"],
    ]
    assert [line[-1] for line in lines] == ["0 of 2", "2 of 2", "0 of 2", "0 of 2"]
    counted = cells(verdict_table(metrics).splitlines()[-1])
    # TIC0 against scratch and MD, the timescale likewise, within 1.5, and the NLL
    assert counted == ["5 %", "2 of 2", "0 of 2", "2 of 2", "2 of 2", "2 of 2", "-0.123", "+0.040"]

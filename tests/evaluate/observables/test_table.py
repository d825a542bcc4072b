"""A new observable is one row: it appears everywhere, and changes nothing of the others."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from cgsim.evaluate import (
    OBSERVABLES,
    Comparison,
    Distribution,
    Drift,
    Ensemble,
    Frames,
    MoleculeScore,
    Relaxation,
    Scalar,
    Scoring,
    add_observable,
    compare,
    metrics,
)
from cgsim.evaluate.observables.observable import with_errors
from cgsim.evaluate.observables.structure import end_to_end
from cgsim.evaluate.report.page import write_report
from cgsim.evaluate.report.table import metric_label, molecule_table, summary_table
from cgsim.evaluate.statistics.distributions import js_distance_of_samples
from tests.evaluate.processes import noisy_chain, of_rg_squared, ornstein_uhlenbeck

SCORING = Scoring(n_bootstrap=40)


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    """Leave the table as it was."""
    before = dict(OBSERVABLES)
    yield
    OBSERVABLES.clear()
    OBSERVABLES.update(before)


def ends_apart(frames: Frames) -> np.ndarray:
    return end_to_end(frames.xyz)


def bend(frames: Frames) -> np.ndarray:
    """Cosine of every angle of a chain, [n_frames, n_angles]."""
    bonds = np.diff(frames.xyz, axis=1)
    bonds = bonds / np.linalg.norm(bonds, axis=-1, keepdims=True)
    return np.einsum("fbc,fbc->fb", bonds[:, :-1], bonds[:, 1:])


ENDS = Scalar(
    "ends",
    "end-to-end distance",
    "nm",
    measure=ends_apart,
    definition="Between the first and the last bead, {n_bins} or {not a field}.",
)
BEND = Distribution("bend", "bond angles", measure=bend, definition="cosines of bond angles")


def chains(seed: int, *, scale: float = 1.0) -> list[Ensemble]:
    sizes = (("short", 4), ("middle", 7), ("long", 11))
    return [noisy_chain(name, n_beads, seed=seed + n_beads, scale=scale) for name, n_beads in sizes]


def made() -> Comparison:
    return compare(
        chains(0), chains(50, scale=1.2), yardsticks={"floor": chains(100)}, scoring=SCORING
    )


def distances(ensemble: Ensemble) -> np.ndarray:
    return np.concatenate([end_to_end(xyz) for xyz in ensemble.xyz])


def test_a_row_at_run_time_is_scored_as_it_should() -> None:
    for row in (ENDS, Relaxation.of(ENDS), BEND):
        add_observable(row)
    comparison = made()
    for k, molecule in enumerate(comparison.learned.molecules):
        first, second = distances(chains(0)[k]), distances(chains(50, scale=1.2)[k])
        assert molecule["ends"].value == pytest.approx(second.mean())
        assert molecule["ends_reference"].value == pytest.approx(first.mean())
        assert molecule["mae_ends"].value == pytest.approx(abs(second.mean() - first.mean()))
        expected = js_distance_of_samples(first, second, n_bins=SCORING.n_bins)
        assert molecule["js_ends"].value == pytest.approx(expected, abs=1e-3)
        assert molecule["ends"].error > 0
        ratio = molecule["relaxation_ends"].value / molecule["relaxation_ends_reference"].value
        assert molecule["relaxation_ends_ratio"].value == pytest.approx(ratio)
    summary = comparison.learned.summary
    assert summary["r2_ends"].value > 0.9
    assert 0.5 < summary["median_relaxation_ratio_ends"].value < 2.0
    assert 0.0 < summary["js_bend"].value < 0.5


def test_errors_are_inflated_by_the_factor_that_is_given() -> None:
    replicates = {"x": np.array([2.7, 3.3] * 50), "shifted": np.array([3.1, 3.7] * 50)}
    values = {name: np.array([3.0]) for name in replicates}
    for inflation in (1.0, 2.5):
        found = with_errors(values, replicates, inflation=inflation)
        assert found["x"].value == 3.0
        assert found["x"].error == pytest.approx(0.3 * inflation)
        assert found["shifted"].error == pytest.approx(0.5 * inflation)


def test_a_new_row_changes_no_number_of_the_others() -> None:
    before = made().to_dict()
    # In front, so that whatever it draws comes first.
    rest = dict(OBSERVABLES)
    OBSERVABLES.clear()
    for row in (Relaxation.of(ENDS), BEND, ENDS):
        add_observable(row)
    OBSERVABLES.update(rest)
    after = made().to_dict()
    for key in ("learned", "floor"):
        assert before[key]["summary"].items() <= after[key]["summary"].items()
        for old, new in zip(before[key]["molecules"], after[key]["molecules"], strict=True):
            assert old.items() <= new.items()
    add_observable(Scalar("x", "x", measure=lambda frames: frames.xyz[:, -1, 0]))
    OBSERVABLES.update({name: OBSERVABLES.pop(name) for name in reversed(list(OBSERVABLES))})
    more = made().to_dict()["learned"]
    assert after["learned"]["summary"].items() <= more["summary"].items()
    assert after["learned"]["molecules"][0].items() <= more["molecules"][0].items()


def test_a_new_row_is_in_tables_json_and_report(tmp_path: Path) -> None:
    for row in (ENDS, Relaxation.of(ENDS), Drift("drift_ends", "ends", measure=ends_apart), BEND):
        add_observable(row)
    comparison = made()
    own = [metric for metric in metrics() if "end" in metric.name]  # of the ends, and the bend
    assert len(own) == 5 + 5 + 1 + 1

    stored = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert {metric.name for metric in own} <= stored["learned"]["summary"].keys()
    assert stored["metrics"]["mae_ends"] == "nm"
    assert Comparison.from_dict(stored).to_dict() == stored

    console = Console(width=500, record=True)
    console.print(summary_table(comparison))
    console.print(molecule_table(comparison.learned))
    text = console.export_text()
    page = report(comparison, tmp_path)
    for metric in own:
        assert metric_label(metric) in text
        assert metric_label(metric).replace("'", "&#x27;") in page
    assert "end-to-end distance (nm)" in text
    assert "JS bond angles" in text
    assert "<th>end-to-end distance (nm)</th>" in page
    assert f"Between the first and the last bead, {SCORING.n_bins} or {{not a field}}." in page
    for caption in (
        "Mean end-to-end distance, one point per molecule.",
        "Relaxation time of end-to-end distance, one point per molecule.",
        "Distribution of end-to-end distance.",
        "End-to-end distance over time",
        "Autocorrelation of end-to-end distance.",
        "Distribution of cosines of bond angles.",
    ):
        assert page.count(f"<figcaption>{caption}") == 1


def report(comparison: Comparison, folder: Path) -> str:
    path = folder / "report.html"
    learned = chains(50, scale=1.2)
    write_report(path, comparison, reference=chains(0), learned=learned, title="t")
    return path.read_text(encoding="utf-8")


def test_rows_can_be_taken_out_and_what_was_scored_before_is_kept(tmp_path: Path) -> None:
    whole = made()
    for name in OBSERVABLES.keys() - {"bond", "contact"}:
        del OBSERVABLES[name]
    comparison = made()
    assert set(comparison.learned.summary) == {"js_bond", "rmse_contact"}
    few, all_ = (own.to_dict()["learned"]["molecules"][0] for own in (comparison, whole))
    assert few.items() <= all_.items()
    # A file of yesterday knows more than the table of today: that is kept, and not shown.
    again = Comparison.from_dict(whole.to_dict())
    assert again.to_dict()["learned"] == whole.to_dict()["learned"]
    page = report(again, tmp_path)
    assert "JS distance of bond lengths" in page
    assert "JS distance of pair distances" not in page


def test_error_bars_rest_on_the_relaxation_of_the_observable_itself() -> None:
    """Rg is fast here, the height of the molecule slow: its error bar must know that."""

    def height(frames: Frames) -> np.ndarray:
        return frames.xyz[:, 0, 2]

    add_observable(Scalar("height", "height", "nm", measure=height))
    rng = np.random.default_rng(0)
    slow = ornstein_uhlenbeck(400.0, 4000, rng, n_series=60)
    fast = ornstein_uhlenbeck(1.0, 4000, rng, n_series=60)
    rows: list[MoleculeScore] = []
    for height_of_run, series in zip(slow, fast, strict=True):
        run = of_rg_squared("m", [series])
        xyz = run.xyz[0] + np.array([0.0, 0.0, 1.0]) * height_of_run[:, None, None]
        run = replace(run, xyz=(xyz,))
        rows += compare([run], [run], scoring=Scoring(n_bootstrap=60)).learned.molecules
    # Four blocks of 2.5 relaxation times see 0.77 of it, the twenty that Rg allows 0.49. An error
    # from so few is half of a 95 % interval, which is more than the spread of the values.
    for name, most in (("height", 1.8), ("rg", 1.3)):
        stated = np.array([row[name].error for row in rows])
        values = np.array([row[name].value for row in rows])
        truth = 0.0 if name == "height" else values.mean()
        assert 0.9 < np.median(stated) / values.std() < most
        assert np.mean(np.abs(values - truth) < 2 * stated) > 0.85


def test_bins_of_its_own() -> None:
    add_observable(replace(ENDS, bins=7))
    row = made().learned.molecules[2]
    samples = distances(chains(0)[2]), distances(chains(50, scale=1.2)[2])
    assert row["js_ends"].value == pytest.approx(
        js_distance_of_samples(*samples, n_bins=7), abs=1e-3
    )
    assert "in 7 equal bins" in next(m for m in metrics() if m.name == "js_ends").definition


def test_names_are_taken_once() -> None:
    add_observable(ENDS)
    add_observable(ENDS)
    with pytest.raises(ValueError, match=r"an observable 'ends' already"):
        add_observable(replace(ENDS, label="another"))
    with pytest.raises(
        ValueError, match=r"observable 'other': there are metrics .*n_unresolved already"
    ):
        add_observable(Relaxation("other", "Rg", "nm", measure=ends_apart))
    assert "other" not in OBSERVABLES


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (lambda frames: frames.xyz[:, 0], r"\[150\], got shape \[150, 3\]"),
        (lambda frames: 0 * frames.rg[:, None], r"\[150\], got shape \[150, 1\]"),
        (lambda frames: frames.rg * math.nan, "with NaN"),
    ],
)
def test_a_measure_that_is_no_number_per_frame_is_named(measure: Any, said: str) -> None:
    add_observable(Scalar("odd", "odd", measure=measure))
    with pytest.raises(
        ValueError, match=f"short: <lambda> must give one finite number per frame, .*{said}"
    ):
        made()


def test_metrics_are_in_a_steady_order_counts_last() -> None:
    assert [metric.name for metric in metrics()] == [
        "r2_rg",
        "mape_rg",
        "mae_rg",
        "emd_rg",
        "js_rg",
        "r2_relaxation",
        "r2_log_relaxation",
        "median_relaxation_ratio",
        "median_integrated_ratio",
        "js_bond",
        "js_pair",
        "rmse_contact",
        "collisions_per_million",
        "drift_rg",
        "js_between",
        "mape_q",
        "mae_q",
        "emd_q",
        "js_q",
        "mape_q_soft",
        "mae_q_soft",
        "emd_q_soft",
        "js_q_soft",
        "mape_rmsd",
        "mae_rmsd",
        "emd_rmsd",
        "js_rmsd",
        "r_rmsf",
        "rmsf_ratio",
        "n_unresolved",
    ]

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from cgsim.evaluate import Comparison, Ensemble, Estimate, Scoring, compare
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.evaluate.report.table import format_estimate, molecule_table, summary_table
from cgsim.evaluate.scores.comparison import MoleculeScore
from cgsim.evaluate.scores.metrics import METRICS
from cgsim.evaluate.scores.verdict import Grade, conclusion, judge
from cgsim.evaluate.statistics.distributions import js_distance_of_samples

MakeChain = Callable[..., Ensemble]
SIZES = (0.8, 1.0, 1.3, 1.6)
SCORING = Scoring(n_bootstrap=60)


def chains(
    make_chain: MakeChain, seed: int, *, n_frames: int = 400, scale: float = 1.0
) -> list[Ensemble]:
    return [
        make_chain(f"chain-{k}", bond=scale * size, rate=1 / size, n_frames=n_frames, seed=seed + k)
        for k, size in enumerate(SIZES)
    ]


@pytest.fixture(scope="module")
def reference(make_chain: MakeChain) -> list[Ensemble]:
    return chains(make_chain, 0)


@pytest.fixture(scope="module")
def comparison(make_chain: MakeChain, reference: list[Ensemble]) -> Comparison:
    return compare(
        reference,
        chains(make_chain, 100, scale=1.5),
        floor=chains(make_chain, 200),
        md_equal_time=chains(make_chain, 300, n_frames=12),
        md_10x_shorter=chains(make_chain, 200, n_frames=40),
        scoring=SCORING,
    )


def moved(ensemble: Ensemble) -> Ensemble:
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    return replace(ensemble, xyz=tuple(xyz @ turn + [3.0, -2.0, 8.0] for xyz in ensemble.xyz))


def scaled(ensemble: Ensemble, factor: float) -> Ensemble:
    return replace(ensemble, xyz=tuple(factor * xyz for xyz in ensemble.xyz))


def test_a_moved_copy_is_perfect(reference: list[Ensemble]) -> None:
    learned = [moved(ensemble) for ensemble in reference]
    score = compare(reference, learned, scoring=SCORING).learned
    summary = {name: estimate.value for name, estimate in score.summary.items()}
    for name in ("r2_rg", "r2_relaxation", "r2_log_relaxation"):
        assert summary[name] == pytest.approx(1.0)
    for name in ("median_relaxation_ratio", "median_integrated_ratio"):
        assert summary[name] == pytest.approx(1.0)
    for name in ("mae_rg", "mape_rg", "emd_rg", "n_unresolved"):
        assert summary[name] == pytest.approx(0.0, abs=1e-9)
    for name in ("js_rg", "js_bond", "js_pair", "rmse_contact"):
        # A value on a bin edge may change its bin by rounding.
        assert summary[name] == pytest.approx(0.0, abs=0.02)


def test_a_scaled_copy_has_known_scores(reference: list[Ensemble]) -> None:
    learned = [scaled(ensemble, 1.25) for ensemble in reference]
    summary = compare(reference, learned, scoring=SCORING).learned.summary
    assert summary["r2_rg"].value == pytest.approx(1.0)
    assert summary["mape_rg"].value == pytest.approx(25.0)
    means = [np.mean([radius_of_gyration(x, e.bead_mass).mean() for x in e.xyz]) for e in reference]
    assert summary["mae_rg"].value == pytest.approx(0.25 * np.mean(means))
    # Scaling moves the whole distribution up: the mover's distance is the shift of the mean.
    assert summary["emd_rg"].value == pytest.approx(0.25 * np.mean(means))
    assert summary["median_relaxation_ratio"].value == pytest.approx(1.0)


def test_js_of_a_molecule_is_that_of_its_samples(reference: list[Ensemble]) -> None:
    learned = [scaled(ensemble, 1.1) for ensemble in reference]
    row = compare(reference, learned, scoring=SCORING).learned.molecules[2]
    samples = [
        np.concatenate([radius_of_gyration(x, e.bead_mass) for x in e.xyz])
        for e in (reference[2], learned[2])
    ]
    assert row.js_rg.value == pytest.approx(js_distance_of_samples(*samples), abs=1e-3)


def test_half_the_frame_interval_is_half_the_relaxation_time(reference: list[Ensemble]) -> None:
    learned = [replace(ensemble, frame_interval=0.5) for ensemble in reference]
    summary = compare(reference, learned, scoring=SCORING).learned.summary
    assert summary["median_relaxation_ratio"].value == pytest.approx(0.5)
    assert summary["r2_log_relaxation"].value == pytest.approx(1.0)


def test_collisions_are_per_million_frames() -> None:
    still = np.zeros((50, 3, 3))
    still[:, :, 0] = [0.0, 1.0, 2.0]
    crash = still.copy()
    crash[10:15, 2, 0] = 1.01  # on its bonded neighbour
    fields = {"frame_interval": 1.0, "bead_mass": np.ones(3), "edge_index": [[0, 1], [1, 2]]}
    ensembles = [Ensemble("x", (xyz,), **fields) for xyz in (still, crash)]  # type: ignore[arg-type]
    score = compare(ensembles[:1], ensembles[1:], scoring=SCORING).learned
    assert score.summary["collisions_per_million"].value == pytest.approx(1e6 * 5 / 50)


def test_drift_is_last_tenth_less_first(make_chain: MakeChain) -> None:
    chain = make_chain(n_frames=100, n_replicas=1)
    growing = replace(chain, xyz=(chain.xyz[0][:1] * np.linspace(1, 2, 100)[:, None, None],))
    row = compare([chain], [growing], scoring=SCORING).learned.molecules[0]
    start = radius_of_gyration(chain.xyz[0][:1], chain.bead_mass)[0]
    assert row.drift_rg.value == pytest.approx(start * 90 / 99)


def test_error_bars_cover_the_truth(make_chain: MakeChain) -> None:
    """Mean Rg of many independent runs spreads by the error bar that each run states."""
    rows: list[MoleculeScore] = []
    fixed = make_chain(n_frames=50, seed=999)
    for seed in range(25):
        run = make_chain(n_frames=600, n_replicas=1, seed=seed)
        rows += compare([fixed], [run], scoring=SCORING).learned.molecules
    spread = np.std([row.rg.value for row in rows], ddof=1)
    stated = np.sqrt(np.mean([row.rg.error**2 for row in rows]))
    assert 0.6 < stated / spread < 1.6
    drifts = np.array([row.drift_rg.value / row.drift_rg.error for row in rows])
    assert 0.5 < drifts.std() < 1.6


def test_verdict_knows_wrong_from_right(comparison: Comparison) -> None:
    grades = {verdict.metric.name: verdict.grade for verdict in judge(comparison)}
    assert grades["mape_rg"] is Grade.POOR
    assert grades["js_bond"] is Grade.POOR
    assert grades["n_unresolved"] in (Grade.GOOD, Grade.UNKNOWN)
    assert "second, independent MD run" in conclusion(comparison)
    assert comparison.floor is not None
    floor_as_learned = replace(comparison, learned=comparison.floor)
    assert {verdict.grade for verdict in judge(floor_as_learned)} <= {Grade.GOOD, Grade.UNKNOWN}
    alone = replace(comparison, floor=None, md_equal_time=None)
    assert {verdict.grade for verdict in judge(alone)} == {Grade.UNKNOWN}
    assert "cannot be judged" in conclusion(alone)


def test_wide_error_bars_are_not_taken_for_agreement(comparison: Comparison) -> None:
    assert comparison.floor is not None
    wide = dict(comparison.floor.summary) | {"r2_relaxation": Estimate(0.1, 0.4)}
    floor = replace(comparison.floor, summary=wide)
    verdicts = judge(replace(comparison, learned=floor, floor=floor))
    grades = {verdict.metric.name: verdict.grade for verdict in verdicts}
    assert grades["r2_relaxation"] is Grade.UNKNOWN
    assert grades["js_bond"] is Grade.GOOD


def test_comparison_survives_json(comparison: Comparison) -> None:
    data = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    again = Comparison.from_dict(data)
    assert again.to_dict() == comparison.to_dict()
    assert list(again.rows) == [
        "learned",
        "second MD run",
        "MD, equal wall-clock",
        "MD, 10x shorter",
    ]
    assert isinstance(again.learned.molecules[0], MoleculeScore)
    assert set(again.learned.summary) == {metric.name for metric in METRICS}
    assert math.isnan(
        Comparison.from_dict(json.loads(json.dumps(_with_unknown(data))))
        .learned.summary["r2_rg"]
        .value
    )


def test_a_comparison_of_fewer_rows_is_read(comparison: Comparison) -> None:
    data = comparison.to_dict()
    del data["md_10x_shorter"]  # as written by cgsim 0.1.0
    again = Comparison.from_dict(data)
    assert again.md_10x_shorter is None
    assert again.to_dict() == data | {"md_10x_shorter": None}


def _with_unknown(data: dict) -> dict:
    data["learned"]["summary"]["r2_rg"] = {"value": None, "error": None}
    return data


def test_foreign_and_damaged_json_is_refused(comparison: Comparison) -> None:
    with pytest.raises(ValueError, match="not a comparison"):
        Comparison.from_dict({"loss": 1.0})
    data = comparison.to_dict()
    del data["learned"]["summary"]["js_rg"]
    with pytest.raises(ValueError, match="js_rg"):
        Comparison.from_dict(data)


def test_same_seed_same_numbers(reference: list[Ensemble], comparison: Comparison) -> None:
    learned = [scaled(ensemble, 1.1) for ensemble in reference]
    first = compare(reference, learned, scoring=SCORING, seed=3)
    second = compare(reference, learned, floor=learned, scoring=SCORING, seed=3)
    assert first.to_dict()["learned"] == second.to_dict()["learned"]
    other = compare(reference, learned, scoring=SCORING, seed=4)
    assert other.learned.summary["js_rg"].value == first.learned.summary["js_rg"].value
    assert other.learned.summary["js_rg"].error != first.learned.summary["js_rg"].error


def test_very_short_runs_are_unresolved_not_hidden(
    make_chain: MakeChain, reference: list[Ensemble]
) -> None:
    for n_frames in (1, 2, 3):
        learned = chains(make_chain, 500, n_frames=n_frames)
        score = compare(reference, learned, scoring=SCORING).learned
        assert math.isfinite(score.summary["mae_rg"].value)
        if n_frames == 1:
            assert score.summary["n_unresolved"].value == len(SIZES)
            assert math.isnan(score.summary["median_relaxation_ratio"].value)
            assert not score.molecules[0].resolved


def test_molecules_without_bonds_or_pairs() -> None:
    xyz = np.random.default_rng(0).normal(size=(60, 2, 3))
    gas = Ensemble("gas", (xyz,), 1.0, np.ones(2), np.empty((2, 0)))
    dimer = Ensemble("dimer", (xyz,), 1.0, np.ones(2), np.array([[0], [1]]))
    no_bonds = compare([gas], [gas], scoring=SCORING).learned.molecules[0]
    no_pairs = compare([dimer], [dimer], scoring=SCORING).learned.molecules[0]
    assert math.isnan(no_bonds.js_bond.value)
    assert math.isnan(no_bonds.rmse_contact.value)
    assert no_bonds.js_pair.value == pytest.approx(0.0, abs=1e-6)
    assert math.isnan(no_pairs.js_pair.value)
    assert no_pairs.js_bond.value == pytest.approx(0.0, abs=1e-6)


def test_rows_must_hold_the_same_molecules(
    make_chain: MakeChain, reference: list[Ensemble]
) -> None:
    with pytest.raises(ValueError, match="learned has molecules"):
        compare(reference, reference[1:])
    with pytest.raises(ValueError, match="floor: chain-0 has 5 beads, the reference 8"):
        compare(reference[:1], reference[:1], floor=[make_chain("chain-0", n_beads=5)])
    ring = replace(reference[0], edge_index=np.array([[0, 7], [1, 0]]))
    with pytest.raises(ValueError, match="chain-0 has other bonds"):
        compare(reference[:1], [ring])
    with pytest.raises(ValueError, match="each name once"):
        compare([*reference, reference[0]], reference)


def test_tables_show_every_score(comparison: Comparison) -> None:
    console = Console(width=160, record=True)
    console.print(summary_table(comparison))
    console.print(molecule_table(comparison.learned))
    text = console.export_text()
    assert all(metric.label in text for metric in METRICS)
    assert all(row.name in text for row in comparison.learned.molecules)
    assert "MD, equal wall-clock" in text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.9123, 0.0341, "0.912 ± 0.034"),
        (0.127, 0.00997, "0.127 ± 0.010"),
        (17510.2, 3432.0, "17,510 ± 3,432"),
        (0.0, 0.0, "0 ± 0"),
        (2.5, math.nan, "2.5"),
        (math.nan, 1.0, "–"),
    ],
)
def test_numbers_are_rounded_by_their_error(value: float, error: float, text: str) -> None:
    assert format_estimate(Estimate(value, error)) == text

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Ensemble, MoleculeScore, Scoring, compare
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.evaluate.scores.compare import row_random
from cgsim.evaluate.statistics.distributions import js_distance_of_samples
from cgsim.evaluate.yardsticks import HALVES, LEARNED, YARDSTICKS
from tests.evaluate.processes import integrated_time, of_rg_squared, ornstein_uhlenbeck

MakeChain = Callable[..., Ensemble]
MakeChains = Callable[..., list[Ensemble]]
SCORING = Scoring(n_bootstrap=60)


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
    assert row["js_rg"].value == pytest.approx(js_distance_of_samples(*samples), abs=1e-3)


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
    assert row["drift_rg"].value == pytest.approx(start * 90 / 99)


def test_error_bars_cover_the_truth(make_chain: MakeChain) -> None:
    """Mean Rg of many independent runs spreads by the error bar that each run states."""
    rows: list[MoleculeScore] = []
    fixed = make_chain(n_frames=50, seed=999)
    for seed in range(25):
        run = make_chain(n_frames=600, n_replicas=1, seed=seed)
        rows += compare([fixed], [run], scoring=SCORING).learned.molecules
    spread = np.std([row["rg"].value for row in rows], ddof=1)
    stated = np.sqrt(np.mean([row["rg"].error ** 2 for row in rows]))
    assert 0.6 < stated / spread < 1.6
    drifts = np.array([row["drift_rg"].value / row["drift_rg"].error for row in rows])
    assert 0.5 < drifts.std() < 1.6


def test_samples_and_lengths_are_of_each_side() -> None:
    """Relaxation times of 4 and 10 ps, whatever the frame interval."""
    rng = np.random.default_rng(0)
    slow = of_rg_squared("m", ornstein_uhlenbeck(20.0, 40_000, rng), frame_interval=0.5)
    fast = of_rg_squared("m", ornstein_uhlenbeck(2.0, 10_000, rng), frame_interval=2.0)
    (row,) = compare([slow], [fast], scoring=SCORING).learned.molecules
    assert (row.n_frames, row.duration, row.duration_reference) == (10_000, 20_000.0, 20_000.0)
    assert row.n_effective_reference == pytest.approx(20_000 / (2 * 10.0), rel=0.15)
    assert row.n_effective == pytest.approx(10_000 / (2 * integrated_time(2.0)), rel=0.15)
    assert row["relaxation_reference"].value == pytest.approx(10.0, rel=0.15)
    assert row["relaxation"].value == pytest.approx(4.0, rel=0.15)
    assert row["relaxation_ratio"].value == pytest.approx(0.4, rel=0.2)
    assert row["integrated_ratio"].value == pytest.approx(0.4, rel=0.2)


def test_error_bars_of_relaxation_times_are_the_spread_of_independent_runs() -> None:
    rng = np.random.default_rng(1)
    fixed = of_rg_squared("m", ornstein_uhlenbeck(5.0, 1000, rng))
    rows: list[MoleculeScore] = []
    for series in ornstein_uhlenbeck(5.0, 4000, rng, n_series=40):
        run = of_rg_squared("m", [series])
        rows += compare([fixed], [run], scoring=SCORING).learned.molecules
    for name in ("relaxation", "integrated"):
        stated = np.sqrt(np.mean([row[name].error ** 2 for row in rows]))
        assert 0.6 < stated / np.std([row[name].value for row in rows]) < 1.5


def test_same_seed_same_numbers(reference: list[Ensemble]) -> None:
    learned = [scaled(ensemble, 1.1) for ensemble in reference]
    first = compare(reference, learned, scoring=SCORING, seed=3)
    second = compare(reference, learned, yardsticks={"floor": learned}, scoring=SCORING, seed=3)
    assert first.to_dict()["learned"] == second.to_dict()["learned"]
    other = compare(reference, learned, scoring=SCORING, seed=4)
    assert other.learned.summary["js_rg"].value == first.learned.summary["js_rg"].value
    assert other.learned.summary["js_rg"].error != first.learned.summary["js_rg"].error


def test_very_short_runs_are_unresolved_not_hidden(
    make_chains: MakeChains, reference: list[Ensemble]
) -> None:
    for n_frames in (1, 2, 3):
        learned = make_chains(500, n_frames=n_frames)
        score = compare(reference, learned, scoring=SCORING).learned
        assert math.isfinite(score.summary["mae_rg"].value)
        if n_frames == 1:
            assert score.summary["n_unresolved"].value == len(reference)
            assert math.isnan(score.summary["median_relaxation_ratio"].value)
            assert not score.molecules[0].resolved


def test_molecules_without_bonds_or_pairs() -> None:
    xyz = np.random.default_rng(0).normal(size=(60, 2, 3))
    gas = Ensemble("gas", (xyz,), 1.0, np.ones(2), np.empty((2, 0)))
    dimer = Ensemble("dimer", (xyz,), 1.0, np.ones(2), np.array([[0], [1]]))
    no_bonds = compare([gas], [gas], scoring=SCORING).learned.molecules[0]
    no_pairs = compare([dimer], [dimer], scoring=SCORING).learned.molecules[0]
    assert set(no_bonds.scores) == {  # two molecules of one bead each
        "js_between",
        "closest_between",
        "closest_between_reference",
    }
    assert no_bonds["js_between"].value == pytest.approx(0.0, abs=1e-6)
    assert math.isnan(no_pairs["js_pair"].value)
    assert no_pairs["js_bond"].value == pytest.approx(0.0, abs=1e-6)


def test_rows_must_hold_the_same_molecules(
    make_chain: MakeChain, reference: list[Ensemble]
) -> None:
    with pytest.raises(ValueError, match="learned has molecules"):
        compare(reference, reference[1:])
    with pytest.raises(ValueError, match="floor: chain-0 has 5 beads, the reference 8"):
        compare(
            reference[:1], reference[:1], yardsticks={"floor": [make_chain("chain-0", n_beads=5)]}
        )
    ring = replace(reference[0], edge_index=np.array([[0, 7], [1, 0]]))
    with pytest.raises(ValueError, match="chain-0 has other bonds"):
        compare(reference[:1], [ring])
    with pytest.raises(ValueError, match="each name once"):
        compare([*reference, reference[0]], reference)


def test_rows_have_random_numbers_of_their_own() -> None:
    keys = (LEARNED, *YARDSTICKS, HALVES)
    drawn = {float(row_random(seed, key).random()) for key in keys for seed in (0, 1)}
    assert len(drawn) == 2 * len(keys)
    assert row_random(1, LEARNED).random() == row_random(1, LEARNED).random()


def test_molecules_are_paired_by_name_whatever_their_order(
    make_chains: MakeChains, reference: list[Ensemble]
) -> None:
    learned = make_chains(50, n_frames=200)
    first, second = (
        compare(reference, own, scoring=SCORING).learned.molecules
        for own in (learned, learned[::-1])
    )
    assert [own.name for own in first] == [own.name for own in reference]
    for row, other, chain in zip(first, second, learned, strict=True):
        assert repr(row.scores) == repr(other.scores)
        mean = np.mean([radius_of_gyration(xyz, chain.bead_mass).mean() for xyz in chain.xyz])
        assert row["rg"].value == pytest.approx(mean)

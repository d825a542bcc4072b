"""The polymer benchmark: what is measured, what must hold, and what it is compared with."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from benchmarks.polymers import __main__ as polymers
from benchmarks.polymers import runs as polymer_runs
from benchmarks.polymers.picture import spread_by_size
from benchmarks.polymers.runs import (
    SIZES,
    Data,
    PolymerSizes,
    is_slow,
    md_speed,
    prepare,
    train,
    training_seconds,
    trial_sizes,
)
from benchmarks.polymers.scores import (
    MIN_FRAMES,
    equal_time,
    held_out_nll,
    molecule_rows,
    n_relaxation_times,
    only,
    relaxation_error,
    row_metrics,
    scored_names,
    spread,
    targets,
)
from cgsim.config import TrainingConfig
from cgsim.data.scales import Scales, measure
from cgsim.evaluate import Comparison, Estimate, MoleculeScore
from cgsim.evaluate.judge import Rows, score
from cgsim.evaluate.observables.table import OBSERVABLES
from cgsim.evaluate.observables.table import metrics as all_metrics
from cgsim.io import write_atomic_json
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md import PolymerRun
from cgsim.model.loss import reduced_acceleration
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import Rollout
from cgsim.testing.systems import TINY, random_chain

GOOD: dict[str, Any] = {
    "r2_rg": 0.98,
    "mape_rg": 3.0,
    "r2_log_relaxation": 0.95,
    "median_relaxation_ratio": 1.0,
    "relaxation_error": 0.1,
    "failures": 0,
    "collisions_per_million": 0.0,
    "js_rg": 0.15,
    "js_rg_floor": 0.11,
    "md_equal_time": {
        "r2_rg": 0.9,
        "mape_rg": 4.0,
        "r2_log_relaxation": 0.5,
        "relaxation_error": math.inf,
    },
}


def chain(name: str, *, seed: int, n_frames: int = 80, scale: float = 1.0) -> MappedTrajectory:
    """Seeds that differ by tens are runs of one molecule."""
    molecule, run = (
        random_chain(6, n_frames=n_frames, seed=own, name=name, max_atoms=1)
        for own in (seed % 10, seed)
    )
    return replace(molecule, pos=scale * np.asarray(run.pos))


@pytest.fixture(scope="module")
def data() -> Data:
    names = ("a", "b", "c")
    runs = [
        [chain(name, seed=10 * run + k, scale=1 + k) for k, name in enumerate(names)]
        for run in range(2)
    ]
    return Data(train=[], validation=[], reference=runs[0], floor=runs[1])


@pytest.fixture(scope="module")
def comparison(data: Data) -> Comparison:
    learned = data.test_ensembles()[1]
    return score(polymers.make_rows(data, learned, affordable=20.0 * learned[0].frame_interval))


def with_score(molecule: MoleculeScore, name: str, value: float) -> MoleculeScore:
    return replace(molecule, scores={**molecule.scores, name: Estimate(value, 0.1)})


def test_equal_time_shares_the_speed_among_the_chains() -> None:
    # 100 s x 50,000 steps/s x 0.01 ps = 50,000 ps for 20 chains
    assert equal_time(100.0, chain_steps_per_second=50_000.0, n_chains=20) == pytest.approx(2500.0)


def test_md_of_equal_wall_clock_is_what_all_chains_together_got(
    tmp_path: Path, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """12,000 chain-steps of 0.01 ps in 10 s at 1,200 chain-steps/s: 120 ps, shared by three."""
    scales = measure(data.reference, stride=1)
    names = sorted({name for own in data.reference for name in own.atom_type})
    simulator = Simulator(TINY, atom_types=names, scales=scales)
    judged: list[Rows] = []

    def judge(rows: Rows, *_arguments: object, **_more: object) -> Comparison:
        judged.append(rows)
        return score(rows)

    made = Rollout([], [], [], seconds=10.0, n_steps=40)
    monkeypatch.setattr(polymers, "train", lambda *_arguments, **_more: simulator)
    monkeypatch.setattr(polymers, "roll_out_beside", lambda *_arguments, **_more: made)
    monkeypatch.setattr(polymers, "read_ensembles", lambda _paths: data.test_ensembles()[1])
    monkeypatch.setattr(polymers, "md_speed", lambda *_arguments: 1200.0)
    monkeypatch.setattr(polymers, "judge_rollout", judge)
    sizes = replace(SIZES["mini"], n_test=3)
    found = polymers.run_seed(sizes, data, tmp_path, model=TINY, training=TrainingConfig())
    (rows,) = judged
    assert sum(own.duration for own in rows.yardsticks["md_equal_time"]) == pytest.approx(120.0)
    assert found.metrics["equal_time"] == pytest.approx(40.0)
    # The floor is as long as the roll-out, and no part of the reference.
    for reference, floor in zip(rows.reference, rows.yardsticks["floor"], strict=True):
        assert floor.name == reference.name
        assert floor.duration == reference.duration
        assert not np.array_equal(floor.xyz[0], reference.xyz[0])


def test_all_targets_hold_for_good_numbers() -> None:
    assert {name for name, target in targets(GOOD).items() if not target["holds"]} == set()


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        ({"r2_rg": 0.96}, {"r2_rg"}),
        ({"mape_rg": 5.1}, {"mape_rg", "mape_rg_better_than_equal_time"}),
        ({"median_relaxation_ratio": 0.84}, {"median_relaxation_ratio"}),
        ({"median_relaxation_ratio": 1.19}, {"median_relaxation_ratio"}),
        ({"failures": 1}, {"failures"}),
        ({"collisions_per_million": 2.0}, {"collisions_per_million"}),
        ({"js_rg": 0.17}, {"js_rg"}),
        ({"r2_rg": math.nan}, {"r2_rg", "r2_rg_better_than_equal_time"}),
        ({"relaxation_error": math.inf}, {"relaxation_error_better_than_equal_time"}),
    ],
)
def test_each_target_fails_by_its_own_number(change: dict[str, float], fails: set[str]) -> None:
    found = targets(GOOD | change)
    assert {name for name, target in found.items() if not target["holds"]} == fails


def test_targets_say_what_is_wanted() -> None:
    found = targets(GOOD)
    assert found["r2_rg"]["target"] == "≥ 0.97"
    assert found["median_relaxation_ratio"]["target"] == "0.85 to 1.18"
    assert found["js_rg"]["target"] == "≤ 0.165"
    assert found["mape_rg_better_than_equal_time"]["target"] == "< 4"
    assert found["r2_rg_better_than_equal_time"]["target"] == "> 0.9"


def test_md_too_short_to_know_is_beaten_by_whoever_knows() -> None:
    name = "r2_log_relaxation"
    short = GOOD["md_equal_time"] | {name: math.nan}
    for value, holds in ((0.1, True), (math.nan, False)):
        found = targets(GOOD | {name: value, "md_equal_time": short})
        assert found[f"{name}_better_than_equal_time"]["holds"] is holds
    assert found[f"{name}_better_than_equal_time"]["target"] == "any that is known"


def test_an_unresolved_time_is_infinitely_wrong(comparison: Comparison) -> None:
    molecule = comparison.learned.molecules[0]
    ratios = (2.0, 0.5, math.nan)
    rows = [with_score(molecule, "relaxation_ratio", ratio) for ratio in ratios]
    assert relaxation_error(rows[:2]).value == pytest.approx(math.log(2))
    assert relaxation_error(rows).value == pytest.approx(math.log(2))
    assert relaxation_error(rows[1:]).value == math.inf
    assert math.isnan(relaxation_error(rows[1:]).error)


def test_rows_become_flat_numbers(comparison: Comparison) -> None:
    metrics = polymers.seed_metrics(comparison)
    of_others = {"js_between"} | {metric.name for metric in OBSERVABLES["folded"].metrics}
    assert {metric.name for metric in all_metrics()} - of_others <= metrics.keys()
    # The learned row is the second run: equal to the floor, and nothing but it.
    assert metrics["js_rg"] == metrics["js_rg_floor"] == metrics["floor"]["js_rg"]
    assert metrics["r2_rg"] == comparison.learned.summary["r2_rg"].value
    assert metrics["errors"]["mape_rg"] == comparison.learned.summary["mape_rg"].error > 0
    assert metrics["md_equal_time"] == row_metrics(comparison.yardsticks["md_equal_time"])


def test_shorter_md_is_a_part_of_the_second_run(data: Data, comparison: Comparison) -> None:
    n_frames = {
        key: {row.n_frames for row in score.molecules} for key, score in comparison.scores.items()
    }
    assert n_frames == {
        "learned": {80},
        "floor": {80},
        "md_equal_time": {20},
        "md_10x_shorter": {8},
    }


def test_what_is_learned_is_scored_as_long_as_its_md(data: Data) -> None:
    """All chains are rolled out as long as the slowest one is simulated."""
    learned = [
        replace(own, xyz=(np.tile(own.xyz[0], (3, 1, 1)),)) for own in data.test_ensembles()[1]
    ]
    rows = polymers.make_rows(data, learned, affordable=10.0)
    for own, reference in zip(rows.learned, rows.reference, strict=True):
        assert own.duration == reference.duration


def test_what_exploded_at_once_is_left_out(data: Data) -> None:
    learned = data.test_ensembles()[1]
    first = learned[0].xyz[0]
    brief = replace(learned[0], xyz=(first[: MIN_FRAMES - 1],))
    assert scored_names([brief, *learned[1:]]) == {"b", "c"}
    rows = polymers.make_rows(data, [brief, *learned[1:]], affordable=10.0)
    assert [ensemble.name for ensemble in rows.reference] == ["b", "c"]
    assert only(learned, {"c"}) == [learned[2]]
    with pytest.raises(SystemExit, match="exploded"):
        polymers.make_rows(data, [brief], affordable=10.0)


def test_the_length_of_a_reference_is_in_its_relaxation_times(comparison: Comparison) -> None:
    molecule = comparison.learned.molecules[0]
    known = with_score(molecule, "relaxation_reference", 4.0)
    assert n_relaxation_times(replace(known, duration_reference=500.0)) == 125.0
    unknown = with_score(molecule, "relaxation_reference", math.nan)
    assert n_relaxation_times(unknown) == 0.0
    assert [row["name"] for row in molecule_rows(comparison)] == ["a", "b", "c"]


def test_seeds_are_summarised(comparison: Comparison) -> None:
    rows = [{"x": 1.0}, {"x": 3.0}]
    found = spread(rows, ["x"])["x"]
    assert found == {"mean": 2.0, "deviation": pytest.approx(math.sqrt(2))}
    seeds = [polymers.seed_metrics(comparison) | {"seed": seed, "failures": 0} for seed in (3, 4)]
    metrics = polymers.result(seeds, comparison)
    assert [own["seed"] for own in metrics["seeds"]] == [3, 4]
    assert metrics["r2_rg"] == seeds[0]["r2_rg"]
    assert metrics["spread"]["r2_rg"] == {"mean": seeds[0]["r2_rg"], "deviation": 0.0}
    assert metrics["targets"]["failures"]["holds"]


def test_the_nll_counts_nm_and_not_the_scale_of_the_network(data: Data) -> None:
    """An untrained simulator is a Gaussian of its scale: the exact density is known."""
    trajectory = data.reference[0]
    scales = Scales(
        timestep=trajectory.frame_interval,
        frame_interval=trajectory.frame_interval,
        length_scale=1.0,
        step_scale=0.3,
        mass_scale=1.0,
    )
    simulator = Simulator(TINY, atom_types=sorted(set(trajectory.atom_type)), scales=scales)
    batch = simulator.windows([trajectory])[list(range(len(simulator.windows([trajectory]))))]
    field = simulator.predict(batch).acceleration
    target = reduced_acceleration(simulator, batch.pos, batch.next_pos)
    expected = -float(field.log_prob(target).detach().sum()) / (3 * len(target)) + math.log(0.3)
    found = held_out_nll(simulator, [trajectory, trajectory])
    assert found.value == pytest.approx(expected, rel=1e-5)
    assert found.error == pytest.approx(0.0, abs=1e-6)


def test_the_chains_shown_go_from_small_to_large(data: Data, comparison: Comparison) -> None:
    reference, floor = data.test_ensembles()
    sides = spread_by_size(comparison, reference[::-1], floor)
    assert [[ensemble.name for ensemble in side] for side in sides] == [["a", "b", "c"]] * 2


def test_cost_counts_every_step() -> None:
    sizes = PolymerSizes(
        "tiny",
        n_train=2,
        n_validation=1,
        n_test=4,
        atoms_per_bead=10,
        train_md=PolymerRun(duration=30.0, equilibration=10.0),
        test_md=PolymerRun(duration=50.0, equilibration=0.0, n_replicas=2),
        slow_duration=90.0,
    )
    assert sizes.n_md_steps == 100 * (3 * 40 + 4 * 2 * 50)


def test_a_trial_is_short_and_of_the_same_chains() -> None:
    for sizes in SIZES.values():
        tried = trial_sizes(sizes)
        assert tried.n_md_steps < 1e-2 * sizes.n_md_steps
        assert tried.chains("I") == sizes.chains("I")[:3]
        assert tried.test_md.frame_interval == sizes.test_md.frame_interval
        stride = polymers.TRAINING[sizes.size].stride
        assert tried.test_md.n_frames // stride >= MIN_FRAMES


TINY_SIZES = PolymerSizes(
    "tiny",
    n_train=1,
    n_validation=1,
    n_test=1,
    atoms_per_bead=10,
    train_md=PolymerRun(duration=12.0, equilibration=1.0, platform="Reference"),
    test_md=PolymerRun(duration=12.0, equilibration=1.0, n_replicas=2, platform="Reference"),
    slow_duration=12.0,
)


def test_data_are_made_once_and_slow_chains_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = prepare(TINY_SIZES, tmp_path)
    names = [trajectory.name for trajectory in (*data.train, *data.validation)]
    assert names == [chain.name for chain in TINY_SIZES.chains("I")]
    assert data.reference[0].name == data.floor[0].name == "tiny-II-s0-000"
    assert not np.array_equal(data.reference[0].pos, data.floor[0].pos)
    assert data.reference[0].n_beads == 6
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert len(made) == 4
    again = prepare(TINY_SIZES, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")} == made
    np.testing.assert_array_equal(again.floor[0].pos, data.floor[0].pos)
    monkeypatch.setattr(polymer_runs, "is_slow", lambda replicas: replicas[0].n_frames < 14)
    extended = prepare(replace(TINY_SIZES, slow_duration=14.0), tmp_path)
    assert (extended.train[0].n_frames, extended.reference[0].n_frames) == (12, 14)
    np.testing.assert_array_equal(extended.floor[0].pos[:12], data.floor[0].pos)


@pytest.mark.parametrize(("memory", "slow"), [(0.5, False), (0.99, True), (1.0, True)])
def test_a_chain_is_slow_if_its_md_is_short_beside_its_relaxation(
    memory: float, slow: bool
) -> None:
    """A dimer whose length relaxes in 1 / -log(memory) frames; 1 is a random walk."""
    random = np.random.default_rng(0)
    length = 5.0 + 0.1 * lfilter([1.0], [1.0, -memory], random.normal(size=2000))
    pos = np.zeros((2000, 2, 3), dtype=np.float32)
    pos[:, 1, 0] = length
    dimer = replace(random_chain(2, n_frames=2), pos=pos, frame_interval=2.0)
    assert is_slow([dimer, dimer]) is slow


def test_training_is_timed_once(tmp_path: Path, data: Data) -> None:
    own = replace(data, train=data.reference[:2], validation=data.reference[2:])
    training = TrainingConfig(n_steps=2, batch_size=4, steps_per_epoch=2)
    assert training_seconds(tmp_path / "model") == 0.0
    train(own, tmp_path / "model", model=TINY, training=training)
    seconds = training_seconds(tmp_path / "model")
    assert seconds > 0.0
    train(own, tmp_path / "model", model=TINY, training=training)
    assert training_seconds(tmp_path / "model") == seconds


def test_the_time_before_an_interruption_counts(tmp_path: Path, data: Data) -> None:
    own = replace(data, train=data.reference[:2], validation=data.reference[2:])
    training = TrainingConfig(n_steps=2, batch_size=4, steps_per_epoch=2)
    write_atomic_json(tmp_path / "model" / "timing.json", {"training_seconds": 1000.0})
    train(own, tmp_path / "model", model=TINY, training=training)
    assert 1000.0 < training_seconds(tmp_path / "model") < 2000.0


def test_md_speed_is_the_fastest_known(
    tmp_path: Path, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "md").mkdir()
    (tmp_path / "md" / "a.json").write_text(
        '{"provenance": {"chain_steps_per_second": 500.0}, "parameters": {"timestep": 0.01}}'
    )
    measured = tmp_path / "md_speed.json"
    monkeypatch.setattr(polymer_runs, "BEST_SETUPS", measured)

    def speed() -> float:
        return md_speed(TINY_SIZES, data.reference, tmp_path)

    assert speed() == pytest.approx(500.0)
    content = '{"metrics": {"chain_steps_per_second": {"%s": {"one": 400.0, "two": 700.0}}}}'
    measured.write_text(content % "tiny")
    assert speed() == pytest.approx(700.0)
    measured.write_text(content % "mini")
    assert speed() == pytest.approx(500.0)

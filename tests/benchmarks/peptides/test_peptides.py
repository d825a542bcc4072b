"""The peptide benchmarks: what MD is read, how roll-outs are kept, what is scored and counted."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.ablations import plain
from benchmarks.peptides import __main__ as peptides
from benchmarks.peptides import runs as peptide_runs
from benchmarks.peptides.runs import (
    DEVELOPMENT,
    TRAIN,
    UNSEEN,
    Panel,
    RolledOut,
    joined,
    md_speed,
    n_frames_of,
    prepare,
    roll_out,
)
from benchmarks.peptides.scores import (
    LAG_TIME,
    SUMMARY,
    Ruler,
    better,
    n_within,
    over_pieces,
    ruler_of,
    score_of,
    score_row,
    slowest_by_lag,
    summary_of,
    unknown_row,
)
from benchmarks.polymers.runs import Data
from cgsim.data.scales import measure
from cgsim.evaluate import Ensemble
from cgsim.io import append_frames, read_json, write_atomic_json
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md import Peptide, PeptideRun, build_peptide
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY, random_chain


def hopping(name: str, *, seed: int, n_frames: int = 6000, rate: float = 0.02) -> MappedTrajectory:
    """Beads in a row, the last one hopping between two places at a rate per frame of 2 ps."""
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.random(n_frames) < rate) % 2
    pos = np.zeros((n_frames, 5, 3))
    pos[:, :, 0] = 0.4 * np.arange(5)
    pos[:, -1, 1] = np.where(state, 0.4, -0.1)
    pos += 0.03 * rng.normal(size=pos.shape)
    made = random_chain(5, n_frames=2, seed=0, name=name, max_atoms=1)
    return replace(made, pos=pos.astype(np.float32))


@pytest.fixture(scope="module")
def data() -> Data:
    names = ("a", "b")
    runs = [[hopping(name, seed=10 * run + k) for k, name in enumerate(names)] for run in range(2)]
    return Data(train=[], validation=[], reference=runs[0], floor=runs[1])


@pytest.fixture(scope="module")
def ruler(data: Data) -> Ruler:
    return ruler_of(joined(data.reference[0], data.floor[0]))


def first(ensemble: Ensemble, n_frames: int) -> Ensemble:
    return replace(ensemble, xyz=tuple(xyz[:n_frames] for xyz in ensemble.xyz))


def test_the_slow_motion_is_found(ruler: Ruler, data: Data) -> None:
    row = score_row(ruler, joined(data.floor[0]), n_bootstrap=10)
    # two states left at 0.01 / ps each: they relax at twice that rate
    assert row["timescale_reference"] == pytest.approx(50.0, rel=0.25)
    assert row["timescale"] == pytest.approx(50.0, rel=0.25)
    assert row["timescale_ratio"] == pytest.approx(1.0, abs=0.25)
    assert row["js_tic0"] < 0.15
    assert row["chapman_kolmogorov"] < 0.05
    assert sum(row["populations"]) == pytest.approx(1.0)
    assert row["duration"] == 12_000.0


def test_without_memory_the_timescale_is_the_same_at_every_lag_time(
    ruler: Ruler, data: Data
) -> None:
    found = slowest_by_lag(ruler, joined(data.floor[0]), lag_times=(4.0, 8.0, 20.0))
    assert found == pytest.approx([50.0] * 3, rel=0.25)


def test_lags_shorter_than_the_frames_are_unknown(ruler: Ruler, data: Data) -> None:
    ensemble = joined(data.floor[0])
    coarse = replace(
        ensemble,
        xyz=tuple(xyz[::5] for xyz in ensemble.xyz),
        frame_interval=5 * ensemble.frame_interval,
    )
    short, long = slowest_by_lag(ruler, coarse, lag_times=(ensemble.frame_interval, 20.0))
    assert math.isnan(short)
    assert long == pytest.approx(50.0, rel=0.25)


def test_another_rate_is_seen(ruler: Ruler) -> None:
    fast = joined(hopping("a", seed=3, rate=0.06))
    row = score_row(ruler, fast, n_bootstrap=10)
    assert row["timescale_ratio"] == pytest.approx(1 / 3, rel=0.3)
    for name in ("relaxation_ratio", "integrated_ratio"):  # known to about a third
        assert row[name] == pytest.approx(1 / 3, rel=0.6)
    assert score_of(row, "timescale_error") == pytest.approx(-math.log(row["timescale_ratio"]))
    assert n_within([row]) == 0
    assert n_within([row], factor=5.0) == 1


def test_what_is_shorter_than_the_lag_has_distributions_alone(ruler: Ruler, data: Data) -> None:
    n_frames = round(LAG_TIME / data.reference[0].frame_interval)
    brief = first(joined(data.reference[0]), n_frames)
    row = score_row(ruler, brief)
    assert row.keys() >= SUMMARY.keys() - {"timescale_error"}
    assert 0.3 < row["js_tic0"] <= 1.0
    assert 0.0 < row["js_states"] <= 1.0
    assert math.isnan(row["timescale_ratio"])
    assert score_of(row, "timescale_error") == math.inf
    several = replace(brief, xyz=brief.xyz * 5)  # none of which is long enough
    assert math.isnan(score_row(ruler, several)["timescale_ratio"])


def test_a_reference_has_as_many_states_as_can_be_told_apart(ruler: Ruler) -> None:
    assert 2 <= ruler.n_states <= 4
    assert ruler.reference.n_replicas == 2


def row(name: str, ratio: float | None, js_tic0: float = 0.2) -> dict[str, Any]:
    known = dict.fromkeys(SUMMARY.keys() - {"timescale_error"}, 0.1)
    return known | {"name": name, "timescale_ratio": ratio, "js_tic0": js_tic0}


def test_an_unknown_timescale_is_worst() -> None:
    rows = [row("a", 1.2), row("b", None), row("c", 0.5)]
    others = [row("c", 0.9), row("a", math.nan), row("b", 4.0)]  # in another order
    assert better(rows, others, "timescale_error") == {"a"}
    assert better(others, rows, "timescale_error") == {"b", "c"}
    assert better([row("a", None)], [row("a", None)], "timescale_error") == set()


def test_an_exploded_peptide_is_worst() -> None:
    exploded = unknown_row("a")
    assert better([exploded], [row("a", 9.0)], "js_tic0") == set()
    assert better([row("a", 9.0)], [exploded], "js_tic0") == {"a"}


def test_summaries_over_peptides() -> None:
    found = summary_of([row("a", 1.0, 0.1), row("b", 2.0, 0.2), row("c", None, 0.6)])
    assert found["js_tic0"] == pytest.approx(0.3)
    assert found["timescale_ratio"] == pytest.approx(1.5)  # of those that are known
    assert found["timescale_error"] == pytest.approx(math.log(2))
    assert found["errors"]["js_tic0"] > 0
    assert found["n_within"] == 1
    lost = summary_of([unknown_row("a"), unknown_row("b")])
    assert math.isnan(lost["js_tic0"])
    assert lost["timescale_error"] == math.inf
    assert plain(lost)["timescale_error"] is None


def test_pieces_of_a_peptide_are_summed_up_as_peptides_are() -> None:
    own = over_pieces([row("a", 0.5, 0.1), row("a", 4.0, 0.3), row("a", None, 0.2)])
    assert own["name"] == "a"
    assert own["js_tic0"] == pytest.approx(0.2)
    assert own["timescale_ratio"] == pytest.approx(2.25)
    assert own["timescale_error"] == pytest.approx(math.log(4))  # one factor 2, one 4, one unknown
    assert score_of(own, "timescale_error") == own["timescale_error"]
    assert len(own["pieces"]) == 3
    lost = over_pieces([row("a", 0.5, 0.1), row("a", 0.5, math.nan)])
    assert better([lost], [row("a", 0.5, 0.9)], "js_tic0") == set()


def test_rows_of_the_comparison(data: Data) -> None:
    learned = data.test_ensembles()[1]
    rows = peptides.make_rows(data, learned[:1], affordable=1200.0)
    assert [own.name for own in rows.reference] == ["a"]
    assert [rows.yardsticks[key][0].duration for key in ("md_equal_time", "md_10x_shorter")] == [
        1200.0,
        1200.0,
    ]
    scored = peptides.kinetics(rows, peptides.rulers_of(rows))
    assert list(scored) == ["learned", "floor", "md_equal_time", "md_10x_shorter"]
    # the learned row is the second run, thus the floor
    assert scored["learned"]["peptides"][0]["js_tic0"] == scored["floor"]["peptides"][0]["js_tic0"]
    assert scored["md_10x_shorter"]["js_tic0"] > scored["floor"]["js_tic0"]
    with pytest.raises(SystemExit, match="exploded"):
        peptides.make_rows(data, [], affordable=1.0)


def test_md_of_equal_wall_clock_is_shared_among_the_peptides(data: Data) -> None:
    """60 s at 40 ps/s are 2,400 ps, however many peptides there are."""
    learned = data.test_ensembles()[1]
    rolled = RolledOut(learned, seconds=60.0, n_failures=0)
    affordable = peptides.affordable_md(data, rolled, 40.0)
    rows = peptides.make_rows(data, learned, affordable=affordable)
    durations = [own.duration for own in rows.yardsticks["md_equal_time"]]
    assert len(durations) == 2
    assert sum(durations) == pytest.approx(2400.0)


def test_panels_do_not_overlap() -> None:
    assert len({*TRAIN, *UNSEEN, *DEVELOPMENT}) == len(TRAIN) + 5 + 5 == 6**3
    assert Panel(3.0, 10.0).options == "--train-duration 3 --unseen-duration 10"
    assert Panel(3.0, 10.0).md(2.0, n_replicas=2).n_frames == 2000


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instead of MD: jittered copies of the structure; says for whom it was asked."""
    asked: list[str] = []

    def generate(made: Sequence[Peptide], directory: Path, run: PeptideRun) -> None:
        rng = np.random.default_rng(0)
        for peptide in made:
            asked.append(peptide.name)
            directory.mkdir(parents=True, exist_ok=True)
            peptide.to_mdtraj().save_pdb(str(directory / f"{peptide.name}.pdb"))
            files = [directory / f"{peptide.name}-r{index}.xtc" for index in range(run.n_replicas)]
            for file in files:
                file.unlink(missing_ok=True)
                noise = 0.01 * rng.normal(size=(run.n_frames, peptide.n_atoms, 3))
                time = run.frame_interval * (1 + np.arange(run.n_frames))
                append_frames(file, peptide.xyz + noise, time=time)
            write_atomic_json(
                directory / f"{peptide.name}.json",
                {
                    "frame_interval": run.frame_interval,
                    "temperature": run.temperature,
                    "n_frames": {file.name: run.n_frames for file in files},
                    "provenance": {"chain_steps_per_second": 1000.0},
                    "parameters": {"timestep": 0.004},
                },
            )

    monkeypatch.setattr(peptide_runs, "generate_peptides", generate)
    monkeypatch.setattr(peptide_runs, "TRAIN", ("AG", "GA"))
    return asked


def test_md_is_made_once_and_then_only_read(simulated: list[str], tmp_path: Path) -> None:
    found = prepare(Panel(0.04, 0.02), tmp_path, ["SG"])
    assert simulated == ["AG", "GA", "SG"]
    assert [own.n_frames for own in (*found.train, *found.validation)] == [36, 36, 4, 4]
    assert [own.name for own in (*found.reference, *found.floor)] == ["SG", "SG"]
    assert found.reference[0].n_frames == 20
    assert not np.array_equal(found.reference[0].pos, found.floor[0].pos)
    assert found.reference[0].n_beads == 4  # two residues and their caps
    assert found.reference[0].temperature == 350.0
    assert md_speed(tmp_path) == pytest.approx(4.0)
    shorter = prepare(Panel(0.02, 0.01), tmp_path, ["SG"])
    assert simulated == ["AG", "GA", "SG"]
    np.testing.assert_array_equal(shorter.reference[0].pos, found.reference[0].pos[:10])
    centres = np.einsum("n,fnc->fc", shorter.reference[0].bead_mass, shorter.reference[0].pos)
    np.testing.assert_allclose(centres, 0.0, atol=1e-3)  # rigid motion is taken out


def test_longer_md_is_asked_for_and_mapped_again(simulated: list[str], tmp_path: Path) -> None:
    prepare(Panel(0.02, 0.01), tmp_path, ["SG"])
    longer = prepare(Panel(0.02, 0.03), tmp_path, ["SG"])
    assert simulated == ["AG", "GA", "SG", "SG"]
    assert longer.reference[0].n_frames == 30


def test_frames_that_the_json_does_not_know_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "AG-r0.xtc"
    assert n_frames_of(file) == 0
    peptide = build_peptide("AG", name="AG")
    append_frames(file, np.stack([peptide.xyz] * 3), time=np.arange(3.0))
    assert n_frames_of(file) == 0
    write_atomic_json(tmp_path / "AG.json", {"n_frames": {"AG-r0.xtc": 2}})
    assert n_frames_of(file) == 2


def untrained(trajectories: Sequence[MappedTrajectory]) -> Simulator:
    return Simulator(
        TINY, atom_types=("A", "B", "C"), scales=measure(trajectories, stride=1)
    ).eval()


def test_a_roll_out_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chains = [
        random_chain(n_beads, n_frames=30, seed=n_beads, name=name, max_atoms=1)
        for name, n_beads in (("long", 6), ("short", 5), ("other", 6))
    ]
    simulator = untrained(chains)
    duration = 40 * simulator.timestep
    rolled = roll_out(simulator, chains, duration, n_replicas=4, folder=tmp_path)
    assert [own.name for own in rolled.ensembles] == ["long", "short", "other"]
    assert {xyz.shape for own in rolled.ensembles for xyz in own.xyz} == {(10, 6, 3), (10, 5, 3)}
    assert (rolled.n_failures, rolled.ensembles[0].n_replicas) == (0, 4)

    def never(*arguments: Any) -> None:
        raise RuntimeError("stepped again")

    monkeypatch.setattr(Simulator, "step", never)
    again = roll_out(simulator, chains, duration, n_replicas=4, folder=tmp_path)
    assert again.seconds == rolled.seconds
    np.testing.assert_array_equal(again.ensembles[1].xyz[3], rolled.ensembles[1].xyz[3])


def test_replicas_that_exploded_are_left_out(tmp_path: Path) -> None:
    chains = [
        random_chain(5, n_frames=30, seed=seed, name=name, max_atoms=1)
        for seed, name in enumerate(("a", "b"))
    ]
    simulator = untrained(chains)
    roll_out(simulator, chains, 20 * simulator.timestep, n_replicas=2, folder=tmp_path)
    note = tmp_path / "rollout.json"
    kept = read_json(note)
    kept["beads-5"]["failures"] = [["a", 0], ["b", 0], ["b", 1]]
    write_atomic_json(note, kept)
    rolled = roll_out(simulator, chains, 20 * simulator.timestep, n_replicas=2, folder=tmp_path)
    assert rolled.n_failures == 3
    assert [(own.name, own.n_replicas) for own in rolled.ensembles] == [("a", 1)]

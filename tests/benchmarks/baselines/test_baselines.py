"""The benchmark of the baselines: claims about tables made by hand, arrays that are made once."""

import json
import os
from argparse import Namespace
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from benchmarks.baselines.__main__ import command, main
from benchmarks.baselines.dihedral import N_STATES, basin_of_bin, dihedral_states, phi_bins
from benchmarks.baselines.forecast import claims, with_earlier
from benchmarks.baselines.language_model import QUICK, cached, dihedral
from benchmarks.baselines.picture import plot
from benchmarks.baselines.rollout import (
    judge,
    newest_simulator,
    peptide_data,
    polymer_data,
    rg_alone,
    scores_of,
)
from benchmarks.baselines.rows import (
    PUBLISHED,
    ROWS,
    Budget,
    Made,
    Row,
    System,
    Task,
    as_they_lie,
    draw_values,
    fit_autoregression,
    n_sound_frames,
    propagated,
)
from benchmarks.polymers.runs import SIZES, Data
from benchmarks.tables.baselines import (
    claim_table,
    dihedral_table,
    forecast_data_table,
    forecast_table,
    language_table,
    rollout_table,
)
from benchmarks.tables.cells import MISSING
from cgsim.baselines import PlainDynamics
from cgsim.baselines.forecast import ForecastConfig
from cgsim.baselines.linear import LinearPropagator
from cgsim.data.scales import measure
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.sources import ensembles_of
from cgsim.io import append_frames
from cgsim.mapping.store import save_mapped
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md import PolymerRun, build_peptide
from cgsim.model.networks import with_networks
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import random_chain


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


def test_bins_of_phi_go_around_and_fall_into_basins(tmp_path: Path) -> None:
    bins, basin = phi_bins(), basin_of_bin()
    assert bins.n_states == len(basin) == N_STATES
    angles = np.array([-179.0, -60.0, -1.0, 1.0, 60.0, 125.0, 127.0, 179.0])
    assert basin[bins(angles)].tolist() == [1, 1, 1, 0, 0, 0, 1, 1]
    with pytest.raises(SystemExit, match=r"A-r0\.xtc"):
        dihedral_states(tmp_path / "A.pdb")


def test_a_dihedral_angle_is_read_from_md_and_learned(tmp_path: Path) -> None:
    topology = peptide_md(tmp_path)
    series, interval = dihedral_states(topology)
    assert interval == 2.0
    assert basin_of_bin()[series[0]].tolist() == [1, 0] * 100
    found = dihedral(topology, replace(QUICK, n_chains=4, n_sampled=400), seed=0)
    assert found["duration"] == 4 * 200 * 2.0
    assert found["reference"]["populations"].tolist() == pytest.approx([0.5, 0.5], abs=0.01)
    assert found["reference"]["residence_times"].tolist() == pytest.approx([2.0, 2.0])
    assert found["js_bins"]["trained_on"] == pytest.approx(0.0, abs=1e-6)
    assert len(found["bin_populations"]["learned"]) == N_STATES


def peptide_md(folder: Path) -> Path:
    """Four replicas of capped alanine whose phi alternates between -60 and 60 degrees."""
    right, left = (
        build_peptide("A", name="A", dihedrals=(angle, 45.0)).to_mdtraj() for angle in (-60, 60)
    )
    right.save_pdb(folder / "A.pdb")
    frames = np.concatenate([right.xyz, left.xyz] * 100)
    for replica in range(4):
        append_frames(folder / f"A-r{replica}.xtc", frames, time=2.0 * np.arange(200))
    return folder / "A.pdb"


def test_forecasts_need_data() -> None:
    with pytest.raises(SystemExit, match="--data"):
        main(["--only", "forecast"])


def test_forecasts_stand_beside_those_of_earlier_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = [ForecastConfig(kind, history=1, lead=1) for kind in ("static", "linear")]
    monkeypatch.setattr("benchmarks.baselines.forecast.forecast_grid", lambda: grid)
    folders = [save_mapped(md(name, n_frames=60), tmp_path / f"{name}.cg") for name in "ab"]
    output = tmp_path / "output"

    def made(folder: Path, *words: str) -> dict[str, Any]:
        options = ["--only", "forecast", "--quick", "--output", str(output)]
        main([*options, "--data", str(folder), *words])
        return dict(json.loads((output / "baselines.json").read_text())["metrics"]["forecast"])

    start = "python -m benchmarks.baselines --only forecast --data"
    first = made(folders[0], "--as-is")
    assert first["command"] == f"{start} {folders[0]} --as-is --quick"
    both = made(folders[1])
    assert both["trajectories"]["a"] == first["trajectories"]["a"]
    assert both["trajectories"]["a"]["command"] == first["command"]
    assert both["command"].splitlines() == [first["command"], f"{start} {folders[1]} --quick"]
    assert [both["trajectories"][name]["superposed"] for name in "ab"] == [False, True]
    again = made(folders[0])  # other frames under the same name: another table, no stored rows
    assert again["command"].count("--as-is") == 0
    assert list(again["trajectories"]) == ["a", "b"]
    assert again["trajectories"]["a"]["rows"] != first["trajectories"]["a"]["rows"]


def test_nothing_comes_before_the_first_forecast() -> None:
    now = {"trajectories": {"a": {"command": "make a"}}}
    assert with_earlier(now, None) == now | {"command": "make a"}


# ---------------------------------------------------------------- roll-outs


def md(name: str, *, n_frames: int = 400, seed: int = 0, spacing: float = 0.5) -> MappedTrajectory:
    """Beads on independent springs to places in a row, a frame every 1 ps."""
    chain = random_chain(n_beads=4, n_frames=n_frames, seed=0, name=name)
    random = np.random.default_rng(seed)
    moved = np.zeros((n_frames, 4, 3))
    for frame in range(1, n_frames):
        moved[frame] = 0.9 * moved[frame - 1] + 0.02 * random.normal(size=(4, 3))
    places = np.arange(4)[:, None] * [spacing, 0.0, 0.0]
    return replace(chain, pos=(places + moved).astype(np.float32), frame_interval=1.0)


def task(folder: Path) -> Task:
    reference = [md("a", seed=1), md("b", seed=2)]
    floor = [md("a", seed=3), md("b", seed=4)]
    data = Data([md("c", seed=5)], [], reference, floor)
    budget = Budget(n_steps=100, n_network=1, n_recurrent=5, n_language=2)
    return Task(System("springs", data, stride=2), budget, folder, 0)


@pytest.mark.parametrize("name", ["var", "var-own-md", "lstm", "language-model", "second-md-run"])
def test_rows_go_on_with_every_molecule(tmp_path: Path, name: str) -> None:
    own = task(tmp_path)
    made = ROWS[name].make(own)
    assert [ensemble.name for ensemble in made.learned] == ["a", "b"]
    for ensemble in made.learned:
        assert ensemble.duration == pytest.approx(own.duration)
    scores = judge(own.system.data, made)
    assert scores["n_scored"] == 2
    assert len(scores["molecules"]) == 2
    assert (scores["js_bond"] is None) == (name == "language-model")


def test_an_autoregression_knows_a_linear_system(tmp_path: Path) -> None:
    reference, floor = ([md("a", n_frames=3000, seed=seed, spacing=0.0)] for seed in (0, 1))
    data = Data([], [], reference, floor)
    own = replace(task(tmp_path), system=System("springs", data, stride=2))
    own = replace(own, budget=replace(own.budget, n_steps=1500))
    scores = judge(data, ROWS["var-own-md"].make(own))
    assert scores["failures"] == 0
    assert scores["mape_rg"] < 6
    assert scores["median_relaxation_ratio"] == pytest.approx(1.0, abs=0.4)
    with pytest.raises(ValueError, match="one size"):
        fit_autoregression([md("a"), random_chain(n_beads=5, n_frames=50)], 2)


def test_what_explodes_is_cut_and_counted(tmp_path: Path) -> None:
    grow = LinearPropagator(np.array([3.0 * np.eye(4)]), np.zeros((4, 4)), timestep=2.0)
    own = task(tmp_path)
    made = propagated(own, [(own.system.data.reference, grow)])
    assert made.n_failures == 2
    assert all(ensemble.n_frames < 5 for ensemble in made.learned)
    scores = judge(own.system.data, made)
    assert scores["n_scored"] == 0
    assert scores["failures"] == 2


def test_frames_count_until_a_bond_is_too_long() -> None:
    frames = np.zeros((6, 2, 3))
    frames[:, 1, 0] = [1, 2, 3, 1, np.nan, 1]
    bond = np.array([[0], [1]])
    assert n_sound_frames(frames, bond, longest_bond=2.5) == 2
    assert n_sound_frames(frames[3:], bond, longest_bond=2.5) == 1
    assert n_sound_frames(frames[:2], bond, longest_bond=2.5) == 2
    assert n_sound_frames(frames[2:], bond, longest_bond=2.5) == 0
    assert n_sound_frames(frames[:0], bond, longest_bond=2.5) == 0


def test_propagators_start_from_the_frames_as_they_lie() -> None:
    shapes = replace(md("a"), recipe={"method": "calpha", "rigid_motion": False})
    rows = np.array([0, 2, 4])
    np.testing.assert_array_equal(as_they_lie(shapes).at(rows), shapes.pos[rows])
    assert np.abs(shapes.at(rows) - shapes.pos[rows]).max() > 1e-3


def test_rg_alone_is_scored_like_the_structure() -> None:
    (ensemble,) = ensembles_of([md("a")])
    alone = rg_alone(ensemble)
    np.testing.assert_allclose(Profile(alone).rg[0], Profile(ensemble).rg[0], rtol=1e-6)
    assert alone.name == "a"
    assert alone.frame_interval == ensemble.frame_interval


def test_drawn_values_are_those_seen_in_the_state() -> None:
    known = np.array([1.0, 1.1, 3.0])
    states = np.array([0, 0, 2])
    drawn = draw_values(np.array([2, 0, 0, 3]), states, known, random=np.random.default_rng(0))
    assert drawn[0] == drawn[3] == 3.0  # state 3 was never seen: the nearest one
    assert set(drawn[1:3]) <= {1.0, 1.1}


def test_the_published_network_has_its_size() -> None:
    own = md("a")
    scales = measure([own], stride=1)
    model = with_networks(PUBLISHED, PlainDynamics)
    simulator = Simulator(model, atom_types=sorted({*own.atom_type}), scales=scales)
    n_parameters = sum(weights.numel() for weights in simulator.parameters())
    assert n_parameters == pytest.approx(1.57e6, rel=0.1)


def test_md_of_polymers_is_read_and_never_made(tmp_path: Path) -> None:
    sizes = replace(
        SIZES["mini"],
        n_train=1,
        n_validation=1,
        n_test=1,
        train_md=PolymerRun(duration=20.0),
        test_md=PolymerRun(duration=30.0, n_replicas=2),
    )
    with pytest.raises(SystemExit, match="3 others are missing"):
        polymer_data(sizes, tmp_path)
    assert not list(tmp_path.iterdir())
    for kind, n_replicas in (("I", 1), ("II", 2)):
        for chain, replica in product(sizes.chains(kind), range(n_replicas)):
            folder = tmp_path / "mapped" / f"{chain.name}-r{replica}.cg"
            save_mapped(md(chain.name, n_frames=30), folder)
    data = polymer_data(sizes, tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.reference)] == [1, 1, 1]
    assert data.train[0].n_frames == 20
    assert data.floor[0].n_frames == 30


def test_a_peptide_needs_replicas() -> None:
    replicas = [md("a", seed=seed) for seed in range(3)]
    data = peptide_data(replicas)
    assert [own.n_frames for own in (*data.train, *data.validation)] == [360, 360, 40, 40]
    np.testing.assert_array_equal(data.validation[1].pos, replicas[1].pos[360:])
    assert data.reference == [replicas[2]]
    assert data.floor == [replicas[1]]
    for wrong in (replicas[:1], [*replicas, md("b")]):
        with pytest.raises(SystemExit, match="replicas of one peptide"):
            peptide_data(wrong)


def test_the_newest_simulator_is_taken(tmp_path: Path) -> None:
    assert newest_simulator(tmp_path) is None
    for index, age in ((0, 200), (1, 100)):
        file = tmp_path / f"model-{index}" / "simulator.safetensors"
        file.parent.mkdir()
        file.touch()
        os.utime(file, (1e9 - age, 1e9 - age))
    assert newest_simulator(tmp_path) == tmp_path / "model-1" / "simulator.safetensors"


def test_a_row_is_made_once_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, calls = task(tmp_path), []

    def make(given: Task) -> Made:
        calls.append(given)
        return ROWS["var"].make(own)

    monkeypatch.setattr(
        "benchmarks.baselines.rollout.ROWS", {"var": Row("VAR, training molecules", make)}
    )
    options = Namespace(seed=0, output=tmp_path)
    first = scores_of("var", own.system, own.budget, options)
    again = scores_of("var", own.system, own.budget, options)
    assert len(calls) == 1
    assert again["js_rg"] == first["js_rg"]
    scores_of("var", own.system, own.budget, Namespace(seed=1, output=tmp_path))
    assert len(calls) == 2  # another seed, another row
    systems = {"springs": {"rows": {"var": again}}}
    assert "| springs | VAR, training molecules |" in rollout_table({"systems": systems})
    size, time, bars = plot(systems).axes
    assert size.get_title(loc="left") == "Size"
    assert len(size.lines) == 3  # two molecules and the identity
    (bar,) = bars.patches
    assert isinstance(bar, Rectangle)
    assert bar.get_height() == pytest.approx(again["js_rg"])
    assert time.get_title(loc="left") == "Kinetics"


# ---------------------------------------------------------------- tables


def test_forecasts_are_a_line_each_and_bold_where_static_loses() -> None:
    rows = [
        row(kind, lead, mean) | {"origin": {"name": "adk"}}
        for kind, lead, mean in (("static", 1, 1.0), ("static", 5, 1.0), ("gru", 5, 0.5))
    ]
    metrics = {"trajectories": {"adk": {"rows": rows, "claims": claims(rows)}}}
    table = forecast_table(metrics).splitlines()
    assert table[0].endswith("| lead 1 | lead 5 |")
    assert table[2] == "| adk | static | – | – | 1.0000 | 1.0000 |"
    assert table[3] == "| adk | gru | whole | 5 | – | **0.5000** |"
    assert "| static wins at leads 1 and 5 | no |" in claim_table(metrics)


def test_the_length_of_what_is_forecast_is_shown() -> None:
    origin = {"name": "adk", "n_frames": 1500, "n_beads": 214, "n_targets": 41}
    own = {"rows": [{"origin": origin}], "frame_interval": 0.012, "n_steps": 300}
    metrics = {"trajectories": {"adk": own | {"superposed": True}}}
    (line,) = forecast_data_table(metrics).splitlines()[2:]
    assert line == "| adk | 214 | 1,500 | 0.012 | 18 | 41 | 300 | superposed |"


def test_states_are_a_line_each() -> None:
    side = {
        "populations": [0.25] * 4,
        "population_errors": [0.01] * 4,
        "residence_times": [100.0] * 4,
        "residence_time_errors": [1.0] * 4,
        "rates": [[0.0005] * 4] * 4,
        "rate_errors": [[0.0001] * 4] * 4,
        "path_entropy": 0.01,
        "path_entropy_error": 0.001,
    }
    ratio = [[None] * 4 for _ in range(4)]
    ratio[0][2] = 1.0  # type: ignore[call-overload]
    wells = {
        "exact_populations": [0.25] * 4,
        "trained_on": side,
        "reference": side,
        "learned": side,
        "comparison": {"rate_ratio": ratio},
    }
    lines = language_table({"four_wells": wells}).splitlines()
    assert len(lines) == 2 + 4 + 4 + 1 + 1
    assert "| population of B | 0.2500 | 0.250 ± 0.010 |" in lines[3]
    assert lines[6].startswith("| residence in A | 1,402 | 100.0 ± 1.0 |")
    assert any(line.startswith("| rate A → C (10⁻⁴) | 6.8 | 5.0 ± 1.0 |") for line in lines)
    assert dihedral_table({"four_wells": wells}) == MISSING
    basins = wells | {"basins": ["left", "rest"], "js_bins": {"trained_on": 0.1, "learned": 0.2}}
    lines = dihedral_table({"dihedral": basins}).splitlines()
    assert len(lines) == 2 + 2 + 2 + 1 + 1
    assert lines[4].startswith("| residence in left (ps) | – | 100.0 ± 1.0 |")
    assert lines[-1].endswith("| 0.1 | 0 | 0.2 |")


def test_commands_say_what_makes_a_section_again() -> None:
    options = Namespace(
        data=[Path("a.cg")],
        as_is=True,
        quick=False,
        dihedral=Path("A.pdb"),
        peptide=Path("p"),
        peptide_stride=3,
    )
    start = "python -m benchmarks.baselines --only"
    assert command("rollout", options) == f"{start} rollout --peptide p --peptide-stride 3"
    assert command("language_model", options) == f"{start} language_model --dihedral A.pdb"

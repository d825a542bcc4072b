"""Roll-outs: exact in memory and in files, restarted exactly, and guarded against explosions."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
import torch
from safetensors import safe_open

import cgsim
from cgsim.data.scales import measure
from cgsim.io import load_molecule
from cgsim.mapping.store import save_mapped
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import save_simulator
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.rollout.simulate import Rollout, roll_out_beside, simulate
from cgsim.rollout.starts import choose_starts
from cgsim.testing.systems import ATOM_TYPES, TINY, random_chain

XTC_ROUNDING = 6e-4  # nm
CHAINS = [random_chain(6, n_frames=30, seed=seed, name=f"c{seed}") for seed in range(2)]
CELL = np.diag([4.0, 5.0, 6.0]).astype(np.float32)


def make_simulator(*, seed: int = 0, history: int = 2, stride: int = 1) -> Simulator:
    """A simulator as it is before training: already sensible."""
    torch.manual_seed(seed)
    config = replace(TINY, history=history)
    scales = measure(CHAINS, stride=stride)
    return Simulator(config, atom_types=ATOM_TYPES, scales=scales).eval()


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return make_simulator()


@pytest.fixture
def short_flushes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write every three recorded frames."""
    monkeypatch.setattr("cgsim.rollout.simulate.FLUSH_EVERY", 3)


def frames(rollout: Rollout) -> list[np.ndarray]:
    """What was recorded of every system, from memory or from files."""
    if rollout.trajectories:
        return [np.asarray(trajectory.pos) for trajectory in rollout.trajectories]
    return [read(path).xyz for path in rollout.files]


def read(path: Path) -> mdtraj.Trajectory:
    topology = path.with_name(path.name.rpartition("-r")[0] + ".psf")
    return mdtraj.load(str(path), top=str(topology))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def corrupt_from(
    step: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    system: int,
    damage: Callable[[torch.Tensor], Any],
) -> None:
    """From one step on, damage the positions [n_beads, 3] of one system, in place."""
    original, steps = Simulator.step, iter(range(1, 10**6))

    def faulty(self: Simulator, state: State) -> State:
        state = original(self, state)
        if next(steps) >= step:
            pos = state.pos.clone()
            beads = (state.batch == system).nonzero()[:, 0]
            now = pos[beads, -1].clone()
            damage(now)
            pos[beads, -1] = now
            state = replace(state, pos=pos)
        return state

    monkeypatch.setattr(Simulator, "step", faulty)


# ------------------------------------------------------------------ what comes out


def test_the_seed_decides_everything(simulator: Simulator) -> None:
    first, again, other = (
        simulate(simulator, CHAINS, 8, n_replicas=2, seed=seed) for seed in (3, 3, 4)
    )
    for a, b, c in zip(frames(first), frames(again), frames(other), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 1e-3


def test_one_trajectory_per_molecule_and_replica(simulator: Simulator) -> None:
    long = random_chain(9, n_frames=20, seed=5, name="long")
    rollout = simulate(simulator, [CHAINS[0], long], 6, n_replicas=3, every=2)
    assert [trajectory.name for trajectory in rollout.trajectories] == ["c0"] * 3 + ["long"] * 3
    assert [trajectory.pos.shape for trajectory in rollout.trajectories] == (
        [(3, 6, 3)] * 3 + [(3, 9, 3)] * 3
    )
    assert rollout.trajectories[0].frame_interval == 2 * simulator.timestep
    assert rollout.n_steps == 6
    assert not rollout.failures
    first, second, _ = (np.diff(trajectory.pos, axis=0) for trajectory in rollout.trajectories[:3])
    assert np.abs(first - second).max() > 1e-3


def test_every_records_a_subset_of_the_same_frames(simulator: Simulator) -> None:
    (all_frames,) = frames(simulate(simulator, CHAINS[0], 9))
    (third,) = frames(simulate(simulator, CHAINS[0], 9, every=3))
    np.testing.assert_array_equal(third, all_frames[2::3])


@pytest.mark.parametrize(("suffix", "tolerance"), [("", XTC_ROUNDING), ("*.dcd", 1e-5)])
def test_files_hold_what_memory_holds(
    simulator: Simulator, tmp_path: Path, suffix: str, tolerance: float, short_flushes: None
) -> None:
    memory = simulate(simulator, CHAINS, 7, n_replicas=2)
    files = simulate(simulator, CHAINS, 7, n_replicas=2, output=tmp_path / "run" / suffix)
    extension = suffix.removeprefix("*") or ".xtc"
    assert [path.name for path in files.files] == [
        f"c{chain}-r{replica}{extension}" for chain in range(2) for replica in range(2)
    ]
    assert files.trajectories == []
    for expected, found in zip(frames(memory), frames(files), strict=True):
        np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0)


def test_files_open_elsewhere_with_times_bonds_and_masses(
    simulator: Simulator, tmp_path: Path, short_flushes: None
) -> None:
    simulate(simulator, CHAINS[0], 10, every=2, output=tmp_path)
    trajectory = read(tmp_path / "c0-r0.xtc")
    np.testing.assert_allclose(trajectory.time, 2 * simulator.timestep * np.arange(1, 6))
    bonds = {(bond[0].index, bond[1].index) for bond in trajectory.topology.bonds}
    assert bonds == set(map(tuple, CHAINS[0].edge_index.T.tolist()))
    beads = load_molecule(tmp_path / "c0.psf")
    np.testing.assert_allclose(beads.atom_mass, CHAINS[0].bead_mass, atol=1e-4)
    assert mdtraj.load(str(tmp_path / "c0.pdb")).n_atoms == 6
    about = json.loads((tmp_path / "c0.json").read_text())
    assert about["frame_interval"] == 2 * simulator.timestep
    assert about["units"]["length"] == "nm"


def test_another_sampler_does_not_go_on(simulator: Simulator, tmp_path: Path) -> None:
    simulate(simulator, CHAINS, 2, output=tmp_path)
    other = simulator.sampled_by(replace(simulator.sampler, n_evaluations=0))
    with pytest.raises(ValueError, match=r"other settings \(sampler\)"):
        simulate(other, CHAINS, 4, output=tmp_path)
    assert simulate(simulator, CHAINS, 4, output=tmp_path).n_steps == 4


def test_a_periodic_system_keeps_its_cell(simulator: Simulator, tmp_path: Path) -> None:
    periodic = replace(CHAINS[0], cell=np.repeat(CELL[None], 30, axis=0))
    memory = simulate(simulator, periodic, 4)
    files = simulate(simulator, periodic, 4, output=tmp_path)
    (trajectory,) = memory.trajectories
    assert trajectory.cell is not None
    np.testing.assert_array_equal(trajectory.cell, np.repeat(CELL[None], 4, axis=0))
    on_disk = read(files.files[0])
    np.testing.assert_allclose(on_disk.unitcell_vectors, trajectory.cell, atol=1e-4)
    np.testing.assert_allclose(on_disk.xyz, trajectory.pos, atol=XTC_ROUNDING)


def test_memory_stays_bounded(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_flushes: None
) -> None:
    from cgsim.rollout.reporters import FileReporter

    held: list[tuple[int, int]] = []
    flush = FileReporter.flush

    def spy(self: FileReporter, restart: Any) -> None:
        before = max(map(len, self.frames))
        flush(self, restart)
        held.append((before, max(map(len, self.frames))))

    monkeypatch.setattr(FileReporter, "flush", spy)
    simulate(simulator, CHAINS, 10, output=tmp_path)
    assert held == [(0, 0), (3, 0), (3, 0), (3, 0), (1, 0)]


# ------------------------------------------------------------------ starts


def test_one_frame_starts_at_rest(simulator: Simulator) -> None:
    single = CHAINS[0].frames(4, 5)
    (chosen,) = choose_starts(simulator, [single], n_replicas=1, seed=0)
    np.testing.assert_array_equal(chosen.pos, np.repeat(single.pos, 2, axis=0))
    (trajectory,) = simulate(simulator, single, 3).trajectories
    assert np.isfinite(trajectory.pos).all()
    assert trajectory.pos.shape == (3, 6, 3)


def test_too_few_frames_for_the_history_start_at_rest() -> None:
    simulator = make_simulator(history=4)
    short = CHAINS[0].frames(0, 3)
    (chosen,) = choose_starts(simulator, [short], n_replicas=1, seed=0)
    assert chosen.pos.shape == (4, 6, 3)
    assert (np.diff(chosen.pos, axis=0) == 0).all()
    assert (chosen.pos[0] == short.pos).all(axis=(1, 2)).any()
    assert simulate(simulator, short, 3).trajectories[0].n_frames == 3


def test_a_history_is_frames_one_step_apart() -> None:
    simulator = make_simulator(history=3, stride=2)
    for chosen in choose_starts(simulator, [CHAINS[0]], n_replicas=5, seed=1):
        rows = [
            int(np.flatnonzero((CHAINS[0].pos == frame).all(axis=(1, 2)))[0])
            for frame in chosen.pos
        ]
        assert np.diff(rows).tolist() == [2, 2]


@pytest.mark.parametrize("stride", [1, 2])
def test_beside_md_the_roll_out_starts_from_its_first_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    """A simulator that does not move stays where it was put."""
    simulator = make_simulator(stride=stride)
    monkeypatch.setattr(Simulator, "step", lambda _simulator, state: state)
    for seed in range(4):
        output = tmp_path / str(seed)
        made = roll_out_beside(simulator, CHAINS, 3 * simulator.timestep, seed=seed, output=output)
        assert made.n_steps == 3
        for chain, pos in zip(CHAINS, frames(made), strict=True):
            first = np.asarray(chain.pos[: 2 * stride])
            apart = np.abs(pos[0] - first).max(axis=(1, 2))
            assert apart.min() < XTC_ROUNDING


def test_nothing_to_start_from(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        simulate(simulator, [], 3)
    with pytest.raises(ValueError, match="at least one frame"):
        simulate(simulator, CHAINS[0].frames(3, 3), 3)


def test_an_atom_type_never_seen_is_named(simulator: Simulator, tmp_path: Path) -> None:
    strange = replace(CHAINS[0], atom_type=("Xe", *CHAINS[0].atom_type[1:]))
    with pytest.raises(ValueError, match="c0: atom type 'Xe' was never seen"):
        simulate(simulator, strange, 3, output=tmp_path / "out")


def test_two_molecules_of_one_name_are_refused(simulator: Simulator) -> None:
    other = random_chain(6, seed=9, name="c0")
    with pytest.raises(ValueError, match="c0: two different molecules"):
        simulate(simulator, [CHAINS[0], other], 3)


def test_cells_in_some_systems_only_are_refused(simulator: Simulator) -> None:
    periodic = replace(CHAINS[1], cell=np.repeat(CELL[None], 30, axis=0))
    with pytest.raises(ValueError, match="some systems have a periodic cell"):
        simulate(simulator, [CHAINS[0], periodic], 3)


@pytest.mark.parametrize("name", ["n_steps", "n_replicas", "every"])
def test_numbers_must_be_positive(simulator: Simulator, name: str) -> None:
    settings: dict[str, Any] = {"n_steps": 3, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        simulate(simulator, CHAINS[0], **settings)


# ------------------------------------------------------------------ restarts


@pytest.mark.parametrize("suffix", ["", "*.dcd"])
def test_extending_continues_exactly(
    simulator: Simulator, tmp_path: Path, suffix: str, short_flushes: None
) -> None:
    settings: dict[str, Any] = {"n_replicas": 2, "every": 2}
    whole = simulate(simulator, CHAINS, 21, output=tmp_path / "whole" / suffix, **settings)
    for n_steps in (7, 8, 21):
        parts = simulate(simulator, CHAINS, n_steps, output=tmp_path / "parts" / suffix, **settings)
    assert parts.n_steps == 21
    for expected, found in zip(whole.files, parts.files, strict=True):
        assert expected.read_bytes() == found.read_bytes()
        assert read(found).n_frames == 10


def test_a_finished_one_returns_at_once(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = simulate(simulator, CHAINS, 5, output=tmp_path)
    before = snapshot(tmp_path)

    def never(self: Simulator, state: State) -> State:
        raise RuntimeError("stepped")

    monkeypatch.setattr(Simulator, "step", never)
    again = simulate(simulator, CHAINS, 5, output=tmp_path)
    assert snapshot(tmp_path) == before
    assert (again.n_steps, again.files, again.seconds) == (5, done.files, done.seconds)
    with pytest.raises(RuntimeError, match="stepped"):
        simulate(simulator, CHAINS, 6, output=tmp_path)


@pytest.mark.parametrize("suffix", ["", "*.dcd"])
@pytest.mark.parametrize("damage", ["garbage", "cut frame"])
def test_what_was_written_after_the_restart_point_is_made_again(
    simulator: Simulator, tmp_path: Path, suffix: str, damage: str, short_flushes: None
) -> None:
    whole = simulate(simulator, CHAINS, 12, output=tmp_path / "whole" / suffix)
    parts = simulate(simulator, CHAINS, 6, output=tmp_path / "parts" / suffix)
    later = whole.files[0].read_bytes()
    size = parts.files[0].stat().st_size
    tail = b"\x00garbage" * 9 if damage == "garbage" else later[size : size + 50]
    with open(parts.files[0], "ab") as file:
        file.write(tail)
    parts = simulate(simulator, CHAINS, 12, output=tmp_path / "parts" / suffix)
    for expected, found in zip(whole.files, parts.files, strict=True):
        assert expected.read_bytes() == found.read_bytes()


KILLED = """
import sys, time
import torch
torch.set_num_threads(1)
import cgsim.rollout.simulate, cgsim.rollout.compiled
from cgsim import load_mapped, load_simulator
from cgsim.model.simulator import Simulator
cgsim.rollout.simulate.FLUSH_EVERY = 3
cgsim.rollout.compiled.WORTH = float("inf")
step = Simulator.step
Simulator.step = lambda self, state: (time.sleep(0.02), step(self, state))[1]
start = [load_mapped(folder) for folder in sys.argv[2:4]]
cgsim.rollout.simulate.simulate(load_simulator(sys.argv[1]), start, 10**6, output=sys.argv[4])
"""


def test_a_killed_process_is_continued_exactly(
    simulator: Simulator, tmp_path: Path, short_flushes: None
) -> None:
    model = save_simulator(simulator, tmp_path / "model.safetensors")
    folders = [save_mapped(chain, tmp_path / f"{chain.name}.cg") for chain in CHAINS]
    arguments = [sys.executable, "-c", KILLED, *map(str, (model, *folders, tmp_path / "out"))]
    root = str(Path(cgsim.__file__).parents[1])
    process = subprocess.Popen(
        arguments, env=os.environ | {"PYTHONPATH": root}, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while steps_done(tmp_path / "out") < 6:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    n_steps = steps_done(tmp_path / "out") + 5
    found = simulate(simulator, CHAINS, n_steps, output=tmp_path / "out")
    expected = simulate(simulator, CHAINS, n_steps, output=tmp_path / "whole")
    for a, b in zip(found.files, expected.files, strict=True):
        assert a.read_bytes() == b.read_bytes()
        assert read(a).n_frames == n_steps


def steps_done(folder: Path) -> int:
    restart = folder / "restart.safetensors"
    if not restart.exists():
        return 0
    with safe_open(str(restart), framework="pt") as file:
        return int(json.loads(file.metadata()["restart"])["step"])


def test_interrupted_before_the_first_write(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Simulator, state: State) -> State:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Simulator, "step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            simulate(simulator, CHAINS[0], 4, output=tmp_path)
    (found,) = frames(simulate(simulator, CHAINS[0], 4, output=tmp_path))
    (expected,) = frames(simulate(simulator, CHAINS[0], 4))
    np.testing.assert_allclose(found, expected, atol=XTC_ROUNDING)


def test_a_full_disk_loses_nothing(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_flushes: None
) -> None:
    from cgsim.rollout.reporters import append_frames

    calls = iter(range(10**6))

    def full(*args: Any, **kwargs: Any) -> None:
        if next(calls) >= 3:  # the second system of the second write
            raise OSError(28, "No space left on device", str(args[0]))
        append_frames(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("cgsim.rollout.reporters.append_frames", full)
        with pytest.raises(OSError, match=r"No space left on device.*c1-r0\.xtc"):
            simulate(simulator, CHAINS, 9, output=tmp_path / "out")
    assert read(tmp_path / "out" / "c1-r0.xtc").n_frames == 3
    found = simulate(simulator, CHAINS, 9, output=tmp_path / "out")
    expected = simulate(simulator, CHAINS, 9, output=tmp_path / "whole")
    for a, b in zip(found.files, expected.files, strict=True):
        assert a.read_bytes() == b.read_bytes()


OTHERS: dict[str, Callable[[Simulator, Path], Any]] = {
    "every": lambda simulator, out: simulate(simulator, CHAINS, 9, every=2, output=out),
    "seed": lambda simulator, out: simulate(simulator, CHAINS, 9, seed=1, output=out),
    "molecules": lambda simulator, out: simulate(simulator, CHAINS[0], 9, output=out),
    "simulator": lambda _, out: simulate(make_simulator(seed=1), CHAINS, 9, output=out),
    "start": lambda simulator, out: simulate(
        simulator, [chain.frames(0, 9) for chain in CHAINS], 9, output=out
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_roll_out_is_not_overwritten(
    simulator: Simulator, tmp_path: Path, what: str
) -> None:
    simulate(simulator, CHAINS, 4, output=tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=rf"{tmp_path.name}.*{what}.*choose another directory"):
        OTHERS[what](simulator, tmp_path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["c0-r0.xtc", "c0.pdb", "c1.psf", "c0.json"])
def test_files_of_the_user_are_not_overwritten(
    simulator: Simulator, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(ValueError, match=name):
        simulate(simulator, CHAINS, 4, output=tmp_path)
    assert snapshot(tmp_path) == {name: b"precious"}


# ------------------------------------------------------------------ the guard


def not_a_number(pos: torch.Tensor) -> None:
    pos[2] = torch.nan


def explode(pos: torch.Tensor) -> None:
    pos *= 100


def fly_away(pos: torch.Tensor) -> None:
    pos += 1e7


@pytest.mark.parametrize("damage", [not_a_number, explode, fly_away])
def test_a_bad_replica_stops_alone(
    simulator: Simulator,
    tmp_path: Path,
    damage: Callable[[torch.Tensor], None],
    monkeypatch: pytest.MonkeyPatch,
    short_flushes: None,
) -> None:
    clean = frames(simulate(simulator, CHAINS, 9, n_replicas=2))
    corrupt_from(5, monkeypatch, system=1, damage=damage)
    with pytest.warns(UserWarning, match="c0, replica 1: stopped at step 5") as caught:
        rollout = simulate(simulator, CHAINS, 9, n_replicas=2, output=tmp_path)
    assert len(caught) == 1
    (failure,) = rollout.failures
    assert (failure.name, failure.replica, failure.step) == ("c0", 1, 5)
    found = frames(rollout)
    assert [len(pos) for pos in found] == [9, 4, 9, 9]
    for expected, pos in zip(clean, found, strict=True):
        np.testing.assert_allclose(pos, expected[: len(pos)], atol=XTC_ROUNDING)


def test_failures_survive_a_restart(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        corrupt_from(3, patch, system=0, damage=not_a_number)
        with pytest.warns(UserWarning, match="c0, replica 0: stopped at step 3"):
            first = simulate(simulator, CHAINS, 6, output=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        later = simulate(simulator, CHAINS, 10, output=tmp_path)
    assert later.failures == first.failures
    assert [len(pos) for pos in frames(later)] == [2, 10]


def test_a_replica_bad_from_the_first_step_has_no_file(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrupt_from(1, monkeypatch, system=0, damage=not_a_number)
    with pytest.warns(UserWarning, match="stopped at step 1"):
        rollout = simulate(simulator, CHAINS, 4, output=tmp_path)
    assert [path.name for path in rollout.files] == ["c1-r0.xtc"]


def test_beads_without_bonds_are_guarded_too(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ion = free_bead()
    corrupt_from(2, monkeypatch, system=0, damage=fly_away)
    with pytest.warns(UserWarning, match="ion, replica 0: stopped at step 2"):
        rollout = simulate(simulator, [ion, CHAINS[0]], 4)
    assert [len(pos) for pos in frames(rollout)] == [1, 4]


def free_bead() -> MappedTrajectory:
    return replace(
        random_chain(1, n_frames=5, max_atoms=1, name="ion"),
        pos=np.zeros((5, 1, 3), dtype=np.float32),
    )

"""Roll-outs of propagators: exact maps, files and restarts as of simulators, and the guard."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

from cgsim.baselines.linear import LinearPropagator
from cgsim.baselines.recurrent import RecurrentConfig, fit_recurrent
from cgsim.baselines.regression import random_walk
from cgsim.io import load_molecule
from cgsim.mapping.store import save_mapped
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.rollout.simulate import Rollout, simulate
from cgsim.rollout.starts import read_starts
from cgsim.testing.systems import random_chain
from tests.model.drift import Drift

XTC_ROUNDING = 6e-4  # nm
CHAINS = [random_chain(6, n_frames=30, seed=seed, name=f"c{seed}") for seed in range(2)]
STEP = CHAINS[0].frame_interval


def map_of(coefficients: np.ndarray, *, noise: float = 0.0) -> LinearPropagator:
    n_beads = coefficients.shape[1]
    return LinearPropagator(coefficients, noise**2 * np.eye(n_beads), timestep=STEP)


def molecule(pos: np.ndarray, name: str = "m") -> MappedTrajectory:
    """Frames [n_frames, n_beads, 3], a step apart."""
    return replace(random_chain(pos.shape[1], n_frames=2, name=name), pos=pos.astype(np.float32))


@pytest.fixture
def walk() -> LinearPropagator:
    """A random walk of six beads that remembers its last step a little."""
    coefficients = np.stack([1.3 * np.eye(6), -0.3 * np.eye(6)])
    return LinearPropagator(coefficients, 1e-4 * np.eye(6), timestep=STEP, length_scale=0.4)


@pytest.fixture
def short_flushes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write every three recorded frames."""
    monkeypatch.setattr("cgsim.rollout.simulate.FLUSH_EVERY", 3)


def read(path: Path) -> np.ndarray:
    topology = path.with_name(path.name.rpartition("-r")[0] + ".psf")
    return np.asarray(mdtraj.load(str(path), top=str(topology)).xyz)


def frames(rollout: Rollout) -> list[np.ndarray]:
    """What was recorded of every system, from memory or from files."""
    if rollout.trajectories:
        return [np.asarray(own.pos) for own in rollout.trajectories]
    return [read(path) for path in rollout.files]


# ------------------------------------------------------------------ what comes out


def test_a_linear_map_without_noise_is_iterated_exactly() -> None:
    shrink = map_of(np.array([0.5 * np.eye(2)]))
    start = molecule(np.array([[[1.0, 0, 0], [-1.0, 0, 0]]]))  # centred, so x' = x / 2
    (found,) = frames(simulate(shrink, start, 3))
    np.testing.assert_allclose(found[:, 0, 0], [0.5, 0.25, 0.125])
    np.testing.assert_array_equal(found[:, 1], -found[:, 0])


def test_the_history_moves_on() -> None:
    """x' = x + (x - y), with y the frame before: at constant velocity."""
    inert = map_of(np.stack([2 * np.eye(1), -np.eye(1)]))
    start = molecule(np.array([[[0.0, 0, 0]], [[1.0, 2.0, 0]]]))
    (found,) = frames(simulate(inert, start, 4))
    np.testing.assert_allclose(found[:, 0], np.arange(2, 6)[:, None] * [1.0, 2.0, 0])


def test_it_starts_from_frames_a_step_apart() -> None:
    """Of frames at half the time step, the last and the one two before."""
    inert = replace(map_of(np.stack([2 * np.eye(1), -np.eye(1)])), timestep=2 * STEP)
    pos = np.array([0.0, 5.0, 1.0])[:, None, None] * np.ones((3, 1, 3))
    (found,) = frames(simulate(inert, molecule(pos), 2))
    np.testing.assert_allclose(found[:, 0, 0], [2.0, 3.0])


def test_noise_differs_between_steps_and_systems_and_repeats_with_the_seed() -> None:
    random = np.random.default_rng(0)
    history = random.normal(size=(500, 3, 1, 3))
    moved = history[:, :, 0] + random.normal(size=(500, 3, 3))
    propagator = random_walk(history, moved, timestep=STEP)
    starts = [molecule(history[index, :, 0][None], name=f"m{index}") for index in range(2)]
    found = np.stack(frames(simulate(propagator, starts, 400, seed=0)))
    again = np.stack(frames(simulate(propagator, starts, 400, seed=0)))
    other = np.stack(frames(simulate(propagator, starts, 400, seed=1)))
    np.testing.assert_array_equal(found, again)
    assert np.abs(found - other).min() > 0
    steps = np.diff(found, axis=1)
    np.testing.assert_allclose(steps.std(axis=(0, 1)), 1.0, atol=0.15)
    assert abs((steps[:, 1:] * steps[:, :-1]).mean()) < 0.05
    assert abs((steps[0] * steps[1]).mean()) < 0.05


def test_molecules_of_many_sizes_are_rolled_out_at_once() -> None:
    """One call for all systems of a size; every bead stays with its molecule."""
    sizes = (4, 6, 4, 1)
    starts = [
        molecule(np.full((1, n_beads, 3), index), name=f"m{index}")
        for index, n_beads in enumerate(sizes)
    ]
    found = simulate(Drift(np.array([0.5, 0.0, 0.0]), STEP), starts, 2, n_replicas=2)
    assert [own.n_beads for own in found.trajectories] == [4, 4, 6, 6, 4, 4, 1, 1]
    for index, own in enumerate(found.trajectories):
        start = index // 2
        expected = np.broadcast_to([start + 1.0, start, start], (own.n_beads, 3))
        np.testing.assert_array_equal(own.pos[-1], expected)


def test_files_hold_what_memory_holds(walk: LinearPropagator, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"n_replicas": 2, "every": 2, "seed": 3}
    memory = simulate(walk, CHAINS, 10, **settings)
    files = simulate(walk, CHAINS, 10, output=tmp_path, **settings)
    assert [path.name for path in files.files] == [
        "c0-r0.xtc",
        "c0-r1.xtc",
        "c1-r0.xtc",
        "c1-r1.xtc",
    ]
    for expected, found in zip(frames(memory), frames(files), strict=True):
        np.testing.assert_allclose(found, expected, atol=XTC_ROUNDING, rtol=0)
    assert memory.trajectories[0].frame_interval == 2 * STEP
    beads = load_molecule(tmp_path / "c0.psf")
    np.testing.assert_allclose(beads.atom_mass, CHAINS[0].bead_mass, atol=1e-4)


# ------------------------------------------------------------------ restarts


@pytest.mark.parametrize("suffix", ["", "*.dcd"])
def test_extending_continues_exactly(
    walk: LinearPropagator, tmp_path: Path, suffix: str, short_flushes: None
) -> None:
    whole = simulate(walk, CHAINS, 21, n_replicas=2, output=tmp_path / "whole" / suffix)
    for n_steps in (1, 7, 21):
        parts = simulate(walk, CHAINS, n_steps, n_replicas=2, output=tmp_path / "parts" / suffix)
    assert parts.n_steps == 21
    for expected, found in zip(whole.files, parts.files, strict=True):
        assert expected.read_bytes() == found.read_bytes()


def test_a_network_continues_exactly(tmp_path: Path) -> None:
    config = RecurrentConfig(history=3, n_units=4, n_steps=3)
    propagator = fit_recurrent(CHAINS, config, stride=1, seed=0)
    whole = simulate(propagator, CHAINS, 9, output=tmp_path / "whole")
    for n_steps in (4, 9):
        parts = simulate(propagator, CHAINS, n_steps, output=tmp_path / "parts")
    for expected, found in zip(whole.files, parts.files, strict=True):
        assert expected.read_bytes() == found.read_bytes()


def test_an_interrupted_one_is_continued_exactly(
    walk: LinearPropagator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    short_flushes: None,
) -> None:
    """Stopped between two writes: what was not written is made again."""
    step, calls = LinearPropagator.step, iter(range(1, 10**6))

    def interrupted(
        self: LinearPropagator, history: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        if next(calls) == 8:
            raise KeyboardInterrupt
        return step(self, history, random)

    with monkeypatch.context() as patch:
        patch.setattr(LinearPropagator, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            simulate(walk, CHAINS, 12, output=tmp_path / "out")
    assert len(read(tmp_path / "out" / "c0-r0.xtc")) == 6
    found = simulate(walk, CHAINS, 12, output=tmp_path / "out")
    expected = simulate(walk, CHAINS, 12, output=tmp_path / "whole")
    for a, b in zip(found.files, expected.files, strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_that_of_another_propagator_is_not_overwritten(
    walk: LinearPropagator, tmp_path: Path
) -> None:
    simulate(walk, CHAINS, 4, output=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    others = (
        replace(walk, covariance=2 * walk.covariance),
        replace(walk, length_scale=0.5),
        map_of(walk.coefficients, noise=0.01),
    )
    for other in others:
        with pytest.raises(ValueError, match=r"simulator.*choose another directory"):
            simulate(other, CHAINS, 8, output=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# ------------------------------------------------------------------ the guard


def test_what_explodes_stops_alone(tmp_path: Path) -> None:
    """Twice as large every step: bonds of 1 nm pass 10 * 0.5 nm at the third."""
    grow = replace(map_of(np.array([2.0 * np.eye(2)])), length_scale=0.5)
    large = molecule(np.array([[[0.5, 0, 0], [-0.5, 0, 0]]]), name="large")
    small = molecule(np.array([[[0.05, 0, 0], [-0.05, 0, 0]]]), name="small")
    with pytest.warns(UserWarning, match="large, replica 0: stopped at step 3"):
        rollout = simulate(grow, [large, small], 5, output=tmp_path)
    assert [len(own) for own in frames(rollout)] == [2, 5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = simulate(grow, [large, small], 5, output=tmp_path)
    assert again.failures == rollout.failures


def test_bonds_are_not_guarded_where_their_length_is_not_known() -> None:
    grow = map_of(np.array([10.0 * np.eye(2)]))
    start = molecule(np.array([[[0.5, 0, 0], [-0.5, 0, 0]]]))
    with pytest.warns(UserWarning, match="m, replica 0: stopped at step 6"):
        rollout = simulate(grow, start, 400)  # 5e5 nm
    assert len(frames(rollout)[0]) == 5


# ------------------------------------------------------------------ propagators of a user


class Wrong(Drift):
    """Forgets the systems."""

    def step(self, history: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return history[0, :, -1]


def test_what_it_returns_is_checked() -> None:
    with pytest.raises(ValueError, match=r"Wrong\.step returned \(6, 3\) for 2 systems"):
        simulate(Wrong(np.zeros(3)), CHAINS, 2)


@pytest.mark.parametrize(
    ("name", "value"), [("timestep", 0.0), ("timestep", np.nan), ("history", 0)]
)
def test_scales_are_checked(name: str, value: float, tmp_path: Path) -> None:
    drift = replace(Drift(np.zeros(3)), **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"{name} of a Drift must be positive, got {value}"):
        simulate(drift, CHAINS, 2, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_number_of_beads_is_named(walk: LinearPropagator) -> None:
    with pytest.raises(ValueError, match=r"long: 9 beads.*fitted to molecules of 6"):
        simulate(walk, [CHAINS[0], random_chain(9, n_frames=5, name="long")], 3)


def test_it_starts_from_mapped_trajectories_only(walk: LinearPropagator, tmp_path: Path) -> None:
    folder = save_mapped(CHAINS[0], tmp_path / "c0.cg")
    (found,) = read_starts([folder], walk)
    np.testing.assert_array_equal(found.pos, CHAINS[0].pos)
    (tmp_path / "c0.pdb").write_text("ATOM\n")
    with pytest.raises(ValueError, match=r"c0\.pdb: a propagator starts from frames of beads"):
        read_starts([folder, tmp_path / "c0.pdb"], walk)

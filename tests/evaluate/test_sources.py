"""Trajectories of any origin, gathered molecule by molecule."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

from cgsim.evaluate.origin import Stop
from cgsim.evaluate.sources import ensembles_of, read_ensembles
from cgsim.io import append_frames
from cgsim.mapping.store import save_mapped
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.rollout import simulate
from cgsim.rollout.reporters import FileReporter
from cgsim.testing.systems import random_chain
from tests.rollout.test_reporters import restart

LONG = random_chain(5, n_frames=9, seed=0, name="long")
SHORT = random_chain(3, n_frames=7, seed=1, name="short")


def write_rollout(folder: Path, suffix: str = "") -> None:
    """Two replicas of LONG and one of SHORT, as a roll-out writes them."""
    systems = [LONG, LONG.frames(2, 9), SHORT]
    reporter = FileReporter(systems, 1.0, output=folder / suffix)
    reporter.flush(restart(0))
    for path, system in zip(reporter.paths, systems, strict=True):
        append_frames(path, system.pos, time=np.arange(1.0, system.n_frames + 1))


def test_trajectories_of_one_name_are_replicas() -> None:
    long, short = ensembles_of([LONG, SHORT, LONG.frames(0, 4)])
    assert (long.name, short.name) == ("long", "short")
    assert [len(xyz) for xyz in long.xyz] == [9, 4]
    assert [len(xyz) for xyz in short.xyz] == [7]
    np.testing.assert_array_equal(long.xyz[0], LONG.pos)
    np.testing.assert_array_equal(long.bead_mass, LONG.bead_mass)
    np.testing.assert_array_equal(long.edge_index, LONG.edge_index)
    assert long.frame_interval == LONG.frame_interval


@pytest.mark.parametrize(
    "other",
    [replace(LONG, frame_interval=2 * LONG.frame_interval), replace(SHORT, name="long")],
    ids=["time", "beads"],
)
def test_replicas_that_differ_are_refused(other: MappedTrajectory) -> None:
    with pytest.raises(ValueError, match=r"long: .*cannot be replicas of one molecule"):
        ensembles_of([LONG, other])


@pytest.mark.parametrize(("suffix", "tolerance"), [("", 6e-4), ("*.dcd", 1e-5)])
def test_a_roll_out_is_read_back(tmp_path: Path, suffix: str, tolerance: float) -> None:
    write_rollout(tmp_path, suffix)
    long, short = read_ensembles([tmp_path])
    assert (long.name, short.name) == ("long", "short")
    assert [len(xyz) for xyz in long.xyz] == [9, 7]
    assert long.frame_interval == short.frame_interval == 1.0
    np.testing.assert_allclose(long.xyz[0], LONG.pos, atol=tolerance)
    np.testing.assert_allclose(short.xyz[0], SHORT.pos, atol=tolerance)
    np.testing.assert_allclose(long.bead_mass, LONG.bead_mass, atol=1e-4)
    np.testing.assert_array_equal(long.edge_index, LONG.edge_index)


def test_mapped_folders_alone_or_together_are_read(tmp_path: Path) -> None:
    save_mapped(LONG, tmp_path / "first.cg")
    save_mapped(LONG.frames(0, 5), tmp_path / "second.cg")
    save_mapped(SHORT, tmp_path / "third.cg")
    together = read_ensembles([tmp_path])
    assert [(e.name, [len(xyz) for xyz in e.xyz]) for e in together] == [
        ("long", [9, 5]),
        ("short", [7]),
    ]
    (one,) = read_ensembles([tmp_path / "second.cg"])
    np.testing.assert_array_equal(one.xyz[0], LONG.pos[:5])


def test_what_is_missing_or_foreign_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_ensembles([tmp_path / "nowhere"])
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(ValueError, match=f"{path.name}: holds neither"):
            read_ensembles([path])


def test_a_roll_out_without_its_structure_is_named(tmp_path: Path) -> None:
    write_rollout(tmp_path)
    (tmp_path / "short.psf").unlink()
    with pytest.raises(FileNotFoundError, match=r"short\.psf"):
        read_ensembles([tmp_path])


def test_two_molecules_of_one_name_are_not_pooled() -> None:
    one, other = (random_chain(6, seed=seed, name="protein") for seed in (0, 1))
    with pytest.raises(ValueError, match="protein: two different molecules are of this name"):
        ensembles_of([one, other])


def rolled(folder: Path, *, n_frames: int = 9, **changes: Any) -> Path:
    """One replica of LONG, with what a roll-out notes."""
    system = replace(LONG, temperature=310.0)
    reporter = FileReporter([system], 1.0, output=folder)
    reporter.flush(restart(0, **changes))
    if n_frames:
        append_frames(reporter.paths[0], LONG.pos[:n_frames], time=np.arange(1.0, n_frames + 1))
    return folder


def test_what_a_roll_out_noted_is_read(tmp_path: Path) -> None:
    noted = [
        {"name": "long", "replica": 0, "step": 10, "reason": "a bond of 9 nm"},
        {"name": "other", "replica": 0, "step": 3, "reason": "a bond"},
    ]
    (long,) = read_ensembles([rolled(tmp_path, failures=noted)])
    assert long.origin.stops == (Stop(0, 10, "a bond of 9 nm"),)
    assert long.origin.temperature == 310.0
    assert long.origin.recipe == LONG.recipe
    assert long.origin.periodic is False
    assert long.origin.atoms == {kind: LONG.atom_type.count(kind) for kind in set(LONG.atom_type)}


def test_a_roll_out_that_recorded_nothing_says_where_it_stopped(tmp_path: Path) -> None:
    noted = [{"name": "long", "replica": 0, "step": 4, "reason": "a bond of 9 nm"}]
    with pytest.raises(ValueError, match=r"stopped at step 4 \(a bond of 9 nm\), before its first"):
        read_ensembles([rolled(tmp_path, n_frames=0, failures=noted)])
    empty = LONG.frames(0, 0)
    failure = simulate.Failure("long", 0, 4, "a bond of 9 nm")
    with pytest.raises(ValueError, match="long: the roll-out was stopped at step 4"):
        ensembles_of([empty], failures=[failure])
    (long,) = ensembles_of([empty, LONG], failures=[failure])
    assert (long.n_replicas, long.origin.stops) == (1, (Stop(0, 4, "a bond of 9 nm"),))


def test_frames_at_other_times_than_noted_are_refused(tmp_path: Path) -> None:
    rolled(tmp_path)
    file = tmp_path / "long.json"
    file.write_text(file.read_text().replace('"frame_interval": 1.0', '"frame_interval": 5.0'))
    with pytest.raises(ValueError, match=r"long-r0\.xtc: its frames are 1 ps apart, .*5 ps"):
        read_ensembles([tmp_path])


def test_a_roll_out_ends_before_its_first_frame_that_is_not_finite(tmp_path: Path) -> None:
    reporter = FileReporter([LONG], 1.0, output=tmp_path / "*.dcd")
    reporter.flush(restart(0, failures=[]))
    pos = np.array(LONG.pos)
    pos[6:, 2] = np.nan
    with mdtraj.formats.DCDTrajectoryFile(str(reporter.paths[0]), "w") as file:
        file.write(10 * pos)
    (long,) = read_ensembles([tmp_path])
    np.testing.assert_allclose(long.xyz[0], LONG.pos[:6], atol=1e-5)
    (stop,) = long.origin.stops
    assert (stop.replica, stop.step) == (0, 7)

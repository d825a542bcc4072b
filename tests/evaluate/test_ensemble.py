from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

from cgsim.evaluate import Ensemble
from cgsim.evaluate.ensemble import first_part
from cgsim.io import append_frames, write_atomic_json

FIELDS: dict[str, Any] = {
    "name": "trimer",
    "xyz": (np.zeros((4, 3, 3)),),
    "frame_interval": 2.0,
    "bead_mass": np.ones(3),
    "edge_index": np.array([[0, 1], [1, 2]]),
}


def test_counts_and_duration() -> None:
    ensemble = Ensemble(**FIELDS | {"xyz": (np.zeros((4, 3, 3)), np.zeros((6, 3, 3)))})
    assert (ensemble.n_replicas, ensemble.n_frames, ensemble.n_beads) == (2, 10, 3)
    assert ensemble.duration == 20.0


@pytest.mark.parametrize(("duration", "n_frames"), [(8.0, 4), (9.1, 5), (1.0, 2), (999.0, 6)])
def test_a_first_part_is_the_beginning_of_every_replica(duration: float, n_frames: int) -> None:
    xyz = np.random.default_rng(0).normal(size=(2, 6, 3, 3))
    part = first_part(Ensemble(**FIELDS | {"xyz": tuple(xyz)}), duration)
    assert part.n_replicas == 2
    for own, whole in zip(part.xyz, xyz, strict=True):
        np.testing.assert_array_equal(own, whole[:n_frames])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("xyz", (), "at least one replica"),
        ("xyz", (np.zeros((4, 2, 3)),), r"replica 0 .*\(4, 2, 3\)"),
        ("xyz", (np.zeros((0, 3, 3)),), "at least one frame"),
        ("frame_interval", 0.0, "frame_interval"),
        ("bead_mass", np.array([1.0, 0.0, 1.0]), "bead_mass"),
        ("edge_index", np.array([[0], [3]]), r"outside 0\.\.2"),
        ("edge_index", np.array([0, 1]), r"\[2, n_bonds\]"),
    ],
)
def test_bad_input_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ensemble(**FIELDS | {field: value})


def test_a_frame_that_is_not_finite_is_named() -> None:
    xyz = np.zeros((4, 3, 3))
    xyz[2, 1, 0] = np.nan
    with pytest.raises(ValueError, match="replica 0 is not finite from frame 2"):
        Ensemble(**FIELDS | {"xyz": (xyz,)})


@pytest.fixture
def trimer_files(tmp_path: Path) -> tuple[list[Path], Path, np.ndarray]:
    topology = mdtraj.Topology()
    residue = topology.add_residue("TRI", topology.add_chain())
    atoms = [topology.add_atom("B1", mdtraj.element.virtual_site, residue) for _ in range(3)]
    topology.add_bond(atoms[0], atoms[1])
    topology.add_bond(atoms[1], atoms[2])
    xyz = np.random.default_rng(0).normal(size=(2, 5, 3, 3)).astype(np.float32)
    structure = tmp_path / "trimer.pdb"
    mdtraj.Trajectory(xyz[0, :1], topology).save_pdb(structure)
    files = [tmp_path / f"trimer-r{k}.xtc" for k in range(2)]
    for file, positions in zip(files, xyz, strict=True):
        append_frames(file, positions, time=0.5 * np.arange(5))
    write_atomic_json(tmp_path / "trimer.json", {"masses": {"B1": 7.0}, "frame_interval": 0.5})
    return files, structure, xyz


def test_files_are_replicas(trimer_files: tuple[list[Path], Path, np.ndarray]) -> None:
    files, structure, xyz = trimer_files
    ensemble = Ensemble.from_files(files, structure)
    assert ensemble.name == "trimer"
    assert ensemble.frame_interval == 0.5
    assert ensemble.edge_index.tolist() == [[0, 1], [1, 2]]
    assert ensemble.bead_mass.tolist() == [7.0, 7.0, 7.0]
    np.testing.assert_allclose(np.stack(ensemble.xyz), xyz, atol=1e-3)


def test_files_are_mapped_while_they_are_read(
    trimer_files: tuple[list[Path], Path, np.ndarray],
) -> None:
    class FirstTwoAndLast:
        bead_mass = np.array([2.0, 1.0])
        edge_index = np.array([[0], [1]])

        def __call__(self, xyz: np.ndarray) -> np.ndarray:
            return np.stack([xyz[:, :2].mean(axis=1), xyz[:, 2]], axis=1)

    files, structure, xyz = trimer_files
    ensemble = Ensemble.from_files(files[1:], structure, mapping=FirstTwoAndLast(), name="dimer")
    assert (ensemble.name, ensemble.n_beads) == ("dimer", 2)
    np.testing.assert_allclose(ensemble.xyz[0][:, 0], xyz[1][:, :2].mean(axis=1), atol=2e-3)


def test_no_files_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises((ValueError, FileNotFoundError)):
        Ensemble.from_files([], tmp_path / "none.pdb")
    with pytest.raises(FileNotFoundError, match=r"gone\.xtc"):
        Ensemble.from_files([tmp_path / "gone.xtc"], tmp_path / "none.pdb")

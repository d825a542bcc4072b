"""Files whole or not at all, and sidecars."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from cgsim.io import (
    append_frames,
    atomic_path,
    iter_frames,
    load_molecule,
    read_json,
    read_sidecar,
    write_atomic_json,
    write_atomic_text,
)
from cgsim.units import UNITS
from tests.io.systems import chain_bonds, molecule_of, random_walk, save


def test_atomic_write_keeps_the_old_file_when_the_writer_fails(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    write_atomic_text(path, "old")

    def write_half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_path_keeps_the_extension_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "frames.npy"
    with atomic_path(path) as temporary:
        np.save(temporary, np.arange(3))
        assert not path.exists()
    assert np.load(path).tolist() == [0, 1, 2]


def test_json_round_trip_of_numpy_and_paths(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomic_json(path, {"x": np.arange(2), "y": np.float64(0.1), "p": Path("b.xtc")})
    assert read_json(path) == {"x": [0, 1], "y": 0.1, "p": "b.xtc"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_json_refuses_what_json_has_not(tmp_path: Path, value: object) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(ValueError, match=r"a\.json"):
        write_atomic_json(path, {"x": value})
    assert not path.exists()


def test_sidecar_is_found_by_stem_then_without_the_replica(tmp_path: Path) -> None:
    write_atomic_json(tmp_path / "chain.json", {"frame_interval": 1.0})
    assert read_sidecar(tmp_path / "chain.pdb")["frame_interval"] == 1.0
    assert read_sidecar(tmp_path / "chain-r12.xtc")["frame_interval"] == 1.0
    assert read_sidecar(tmp_path / "chain.pdb.gz")["frame_interval"] == 1.0
    write_atomic_json(tmp_path / "chain-r12.json", {"frame_interval": 2.0})
    assert read_sidecar(tmp_path / "chain-r12.xtc")["frame_interval"] == 2.0
    assert read_sidecar(tmp_path / "other.xtc") == {}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "empty"),
        ("{", "JSON"),
        ("[1]", "object"),
        ('{"frame_interval": 0}', "frame_interval"),
        ('{"frame_interval": "1 ps"}', "frame_interval"),
        ('{"frame_interval": true}', "frame_interval"),
        ('{"frame_interval": NaN}', "frame_interval"),
        ('{"temperature": -300}', "temperature"),
        ('{"masses": {"B1": -1}}', "B1"),
        ('{"masses": 3}', "masses"),
        ('{"masses": [1, null]}', "mass of 1"),
        (json.dumps({"units": UNITS | {"length": "angstrom"}}), "angstrom"),
        ('{"units": "nm"}', "units"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_bad_sidecars_are_named(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "chain.json").write_text(content)
    with pytest.raises(ValueError, match=f"chain.json.*{fault}"):
        read_sidecar(tmp_path / "chain.xtc")


@pytest.mark.parametrize("extension", ["xtc", "dcd"])
def test_trajectories_in_folders_of_any_name(tmp_path: Path, extension: str) -> None:
    """MDTraj takes names of ASCII letters only."""
    folder = tmp_path / "größe 日本"
    folder.mkdir()
    path = folder / f"Läufe.{extension}"
    molecule, walk = molecule_of(chain_bonds(12), 12), random_walk(6, 12)
    for part in (walk[:3], walk[3:]):
        first = 0 if part is walk[:3] else 3
        append_frames(path, part, time=first + np.arange(3.0))
    (frames,) = iter_frames(path, molecule, frame_interval=1.0)
    np.testing.assert_allclose(frames.xyz, walk, atol=2e-3)
    assert [own.name for own in folder.iterdir()] == [path.name]


@pytest.mark.parametrize("extension", ["XTC", "PDB", "GRO", "Xyz", "NC", "pdb.GZ"])
def test_extensions_in_capitals(tmp_path: Path, extension: str) -> None:
    molecule, walk = molecule_of(chain_bonds(12), 12), random_walk(3, 12)
    lower = save(tmp_path / f"walk.{extension.lower()}", molecule.topology, walk)
    upper = lower.rename(tmp_path / f"Walk.{extension}")
    (frames,) = iter_frames(upper, molecule, frame_interval=1.0)
    np.testing.assert_allclose(frames.xyz, walk, atol=2e-3)
    if extension in ("PDB", "GRO", "pdb.GZ"):
        assert load_molecule(upper, masses={"POL": 1.0}, bonds="chain").n_atoms == 12


def test_errors_name_the_file_and_no_copy_of_it(tmp_path: Path) -> None:
    path = tmp_path / "Läufe.XTC"
    path.write_bytes(b"no trajectory")
    with pytest.raises(ValueError, match=re.escape(str(path))):
        list(iter_frames(path, molecule_of(chain_bonds(12), 12), frame_interval=1.0))

"""Mapped trajectories on disk: the same as in memory, whole or not at all, and nobody else's."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

from cgsim.io import Molecule, molecule_from_topology, write_atomic_json
from cgsim.mapping import Mapping, build_mapping, chunks, map_residues, map_user, store
from cgsim.mapping.store import load_mapped, map_to_folder, map_trajectory, save_mapped
from cgsim.mapping.superposition import Superposition
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.systems import random_chain
from tests.io.systems import molecule_of

N_ATOMS, N_FRAMES = 6, 1203  # more than two chunks


@pytest.fixture
def molecule() -> Molecule:
    """A chain of six carbon atoms."""
    topology = mdtraj.Topology()
    residue = topology.add_residue("CHN", topology.add_chain())
    atoms = [topology.add_atom(f"C{i}", mdtraj.element.carbon, residue) for i in range(N_ATOMS)]
    for first, second in pairwise(atoms):
        topology.add_bond(first, second)
    return molecule_from_topology(topology, name="hexane")


@pytest.fixture
def mapping(molecule: Molecule) -> Mapping:
    return map_user(molecule, [0, 0, 1, 1, 1, 2])


def write_xtc(path: Path, molecule: Molecule, *, box: float | None = None) -> Path:
    """A chain that diffuses, a frame every 2 ps; wrapped into a cubic box of that edge."""
    random = np.random.default_rng(0)
    drift = random.normal(scale=0.05, size=(N_FRAMES, 1, 3)).cumsum(axis=0)
    shape = np.linspace(0, 0.75, N_ATOMS)[:, None] * np.array([1.0, 0, 0])
    xyz = drift + shape + random.normal(scale=0.01, size=(N_FRAMES, N_ATOMS, 3))
    cell: dict[str, np.ndarray] = {}
    if box is not None:
        xyz = xyz % box
        cell = {
            "unitcell_lengths": np.full((N_FRAMES, 3), box),
            "unitcell_angles": np.full((N_FRAMES, 3), 90.0),
        }
    time = 2.0 * np.arange(N_FRAMES)
    mdtraj.Trajectory(xyz, molecule.topology, time=time, **cell).save_xtc(str(path))
    return path


def assert_same(found: MappedTrajectory, expected: MappedTrajectory) -> None:
    for field in fields(MappedTrajectory):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(b, np.ndarray):
            assert np.array_equal(a, b), field.name
        else:
            assert a == b, field.name


@pytest.mark.parametrize("box", [None, 2.0])
def test_folder_equals_memory(
    tmp_path: Path, molecule: Molecule, mapping: Mapping, box: float | None
) -> None:
    file = write_xtc(tmp_path / "run.xtc", molecule, box=box)
    expected = map_trajectory(file, molecule, mapping)
    found = map_to_folder(file, molecule, mapping, folder=tmp_path / "hexane.cg")
    assert_same(found, expected)
    assert found.pos.shape == (N_FRAMES, 3, 3)
    assert found.frame_interval == 2.0
    assert found.name == "hexane"
    assert (found.cell is None) == (box is None)
    assert isinstance(found.pos, np.memmap)
    assert_same(load_mapped(tmp_path / "hexane.cg"), expected)
    assert not list((tmp_path / "hexane.cg").glob("*.raw"))
    beads = mdtraj.load(str(tmp_path / "hexane.cg" / "beads.pdb"))
    np.testing.assert_allclose(beads.xyz[0], expected.pos[0], atol=1e-3)
    assert (tmp_path / "hexane.cg" / "beads.psf").exists()


def test_positions_are_unwrapped_centres_of_mass(
    tmp_path: Path, molecule: Molecule, mapping: Mapping
) -> None:
    """A molecule that leaves its box many times moves as it does without one."""
    free = map_trajectory(write_xtc(tmp_path / "free.xtc", molecule), molecule, mapping)
    boxed = map_trajectory(write_xtc(tmp_path / "box.xtc", molecule, box=2.0), molecule, mapping)
    assert np.abs(free.pos).max() > 2.0
    shift = boxed.pos - free.pos
    np.testing.assert_allclose(shift, np.broadcast_to(shift[:1, :1], shift.shape), atol=0.003)
    xyz = mdtraj.load(str(tmp_path / "free.xtc"), top=molecule.topology).xyz
    beads = [xyz[:, [0, 1]], xyz[:, [2, 3, 4]], xyz[:, [5]]]
    expected = np.stack([bead.mean(axis=1) for bead in beads], axis=1)
    np.testing.assert_allclose(free.pos, expected, atol=1e-5)


def test_several_files_and_names(tmp_path: Path, molecule: Molecule, mapping: Mapping) -> None:
    whole = mdtraj.load(str(write_xtc(tmp_path / "run.xtc", molecule)), top=molecule.topology)
    parts = [tmp_path / "a.xtc", tmp_path / "b.xtc"]
    whole[:700].save_xtc(str(parts[0]))
    whole[700:].save_xtc(str(parts[1]))
    expected = map_trajectory(tmp_path / "run.xtc", molecule, mapping, name="mine")
    found = map_to_folder(parts, molecule, mapping, folder=tmp_path / "x.cg", name="mine")
    assert_same(found, expected)
    assert found.name == "mine"


@pytest.mark.parametrize("has_cell", [True, False])
def test_save_and_load(tmp_path: Path, has_cell: bool) -> None:
    cell = np.tile(5 * np.eye(3, dtype=np.float32), (12, 1, 1)) if has_cell else None
    chain = MappedTrajectory(**{**vars(random_chain()), "cell": cell})
    folder = save_mapped(chain, tmp_path / "deep" / "chain.cg")
    assert_same(load_mapped(folder), chain)
    assert json.loads((folder / "system.json").read_text())["units"]["length"] == "nm"


def test_the_temperature_is_kept_where_it_is_known(tmp_path: Path) -> None:
    chain = replace(random_chain(), temperature=300.0)
    assert load_mapped(save_mapped(chain, tmp_path / "a.cg")).temperature == 300.0
    assert load_mapped(save_mapped(random_chain(), tmp_path / "b.cg")).temperature is None


def test_the_temperature_of_the_run_is_read(
    tmp_path: Path, molecule: Molecule, mapping: Mapping
) -> None:
    """It stands in the JSON beside the trajectory: what is learnt, tuned and judged goes by it."""
    file = write_xtc(tmp_path / "run.xtc", molecule)
    assert map_trajectory(file, molecule, mapping).temperature is None
    write_atomic_json(tmp_path / "run.json", {"temperature": 350.0})
    assert map_trajectory(file, molecule, mapping).temperature == 350.0
    found = map_to_folder(file, molecule, mapping, folder=tmp_path / "hexane.cg")
    assert found.temperature == 350.0


def test_existing_folder_is_replaced_whole(tmp_path: Path) -> None:
    """Even by frames that are read from it; what the old one held besides is gone."""
    folder = save_mapped(random_chain(n_frames=12), tmp_path / "chain.cg")
    np.save(folder / "cell.npy", np.zeros((12, 3, 3)))
    chain = load_mapped(folder)
    part = MappedTrajectory(**{**vars(chain.frames(2, 7)), "cell": None})
    save_mapped(part, folder, overwrite=True)
    assert np.array_equal(load_mapped(folder).pos, random_chain(n_frames=12).pos[2:7])
    assert load_mapped(folder).cell is None
    assert [path.name for path in tmp_path.iterdir()] == ["chain.cg"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("exists", [True, False])
def test_interrupted_mapping_leaves_what_was_there(
    tmp_path: Path,
    molecule: Molecule,
    mapping: Mapping,
    monkeypatch: pytest.MonkeyPatch,
    exists: bool,
    error: type[BaseException],
) -> None:
    file = write_xtc(tmp_path / "run.xtc", molecule)
    folder = tmp_path / "chain.cg"
    if exists:
        save_mapped(random_chain(), folder)
    original = chunks.mapped_chunks

    def interrupted(*arguments: Any) -> Iterator[Any]:
        yield next(original(*arguments))
        raise error("stop")

    monkeypatch.setattr(chunks, "mapped_chunks", interrupted)
    with pytest.raises(error, match="stop"):
        map_to_folder(file, molecule, mapping, folder=folder, overwrite=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == (["chain.cg", "run.xtc"] if exists else ["run.xtc"])
    if exists:
        assert_same(load_mapped(folder), random_chain())


def test_failing_rename_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_mapped(random_chain(), tmp_path / "chain.cg")
    replace = store.os.replace

    def failing(source: Path, target: Path) -> None:
        if target == folder and ".old." not in source.name:
            raise OSError("disk full")
        replace(source, target)

    monkeypatch.setattr(store.os, "replace", failing)
    with pytest.raises(OSError, match="disk full"):
        save_mapped(random_chain(3), folder, overwrite=True)
    monkeypatch.undo()
    assert_same(load_mapped(folder), random_chain())
    assert [path.name for path in tmp_path.iterdir()] == ["chain.cg"]


@pytest.mark.parametrize("how", ["folder", "file"])
def test_what_is_no_mapped_trajectory_is_never_replaced(tmp_path: Path, how: str) -> None:
    target = tmp_path / "thesis"
    keep = target / "chapter.tex" if how == "folder" else target
    keep.parent.mkdir(exist_ok=True)
    keep.write_text("years of work")
    with pytest.raises(ValueError, match=r"thesis exists and is not a mapped trajectory"):
        save_mapped(random_chain(), target, overwrite=True)
    assert keep.read_text() == "years of work"


def test_nothing_is_replaced_without_being_asked(
    tmp_path: Path, molecule: Molecule, mapping: Mapping
) -> None:
    file, folder = write_xtc(tmp_path / "run.xtc", molecule), tmp_path / "chain.cg"
    save_mapped(random_chain(), folder)
    with pytest.raises(ValueError, match=r"chain\.cg is there already: .*overwrite=True"):
        save_mapped(random_chain(3), folder)
    with pytest.raises(ValueError, match=r"chain\.cg is there already"):
        map_to_folder(file, molecule, mapping, folder=folder)
    assert_same(load_mapped(folder), random_chain())
    empty = tmp_path / "empty.cg"
    empty.mkdir()
    assert load_mapped(save_mapped(random_chain(), empty)).n_beads == random_chain().n_beads


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.cg: no such folder"):
        load_mapped(tmp_path / "none.cg")


def test_foreign_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"system\.json"):
        load_mapped(tmp_path)
    (tmp_path / "system.json").write_text('{"format": "something else"}')
    with pytest.raises(ValueError, match=r"system\.json: not a 'cgsim mapped trajectory 1'"):
        load_mapped(tmp_path)


def damage_header(folder: Path, **changes: Any) -> None:
    header = json.loads((folder / "system.json").read_text()) | changes
    kept = {key: value for key, value in header.items() if value is not None}
    (folder / "system.json").write_text(json.dumps(kept))


@pytest.mark.parametrize(
    "changes",
    [
        {"bead_mass": None},
        {"edge_index": [[0, 1, 2]]},
        {"edge_index": [[10**30], [0]]},
        {"bead_mass": "x"},
        {"bead_name": [1]},
    ],
)
def test_damaged_header(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = save_mapped(random_chain(), tmp_path / "chain.cg")
    damage_header(folder, **changes)
    with pytest.raises(ValueError, match=r"system\.json: incomplete or damaged"):
        load_mapped(folder)


def test_truncated_positions(tmp_path: Path) -> None:
    folder = save_mapped(random_chain(), tmp_path / "chain.cg")
    content = (folder / "pos.npy").read_bytes()
    for size in (len(content) - 5, 40, 0):
        (folder / "pos.npy").write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"pos\.npy: truncated or not a NumPy array"):
            load_mapped(folder)


def test_damaged_positions(tmp_path: Path) -> None:
    folder = save_mapped(random_chain(), tmp_path / "chain.cg")
    content = (folder / "pos.npy").read_bytes()
    for before, after in (
        (b"3), }", b"3 , }"),
        (b"'shape'", b"'shape\n"),
        (b"{'descr", b"['descr"),
    ):
        assert before in content
        (folder / "pos.npy").write_bytes(content.replace(before, after, 1))
        with pytest.raises(ValueError, match=r"pos\.npy: truncated or not a NumPy array"):
            load_mapped(folder)


@pytest.mark.parametrize(
    ("field", "shape", "message"),
    [
        ("pos", (12, 5, 3), r"pos\.npy: shape \[12, 5, 3\], expected \[12, 6, 3\]"),
        ("pos", (12, 18), r"pos\.npy: shape \[12, 18\]"),
        ("pos", (), r"pos\.npy: shape \[\]"),
        ("cell", (11, 3, 3), r"cell\.npy: shape \[11, 3, 3\], expected \[12, 3, 3\]"),
    ],
)
def test_files_that_disagree(
    tmp_path: Path, field: str, shape: tuple[int, ...], message: str
) -> None:
    folder = save_mapped(random_chain(6, n_frames=12), tmp_path / "chain.cg")
    np.save(folder / f"{field}.npy", np.zeros(shape, dtype=np.float32))
    with pytest.raises(ValueError, match=message):
        load_mapped(folder)


def test_pickled_positions_are_not_read(tmp_path: Path) -> None:
    folder = save_mapped(random_chain(), tmp_path / "chain.cg")
    np.save(folder / "pos.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"pos\.npy"):
        load_mapped(folder)


def test_mistakes_in_the_trajectory_are_named(
    tmp_path: Path, molecule: Molecule, mapping: Mapping
) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.xtc"):
        map_to_folder(tmp_path / "none.xtc", molecule, mapping, folder=tmp_path / "x.cg")
    file = write_xtc(tmp_path / "run.xtc", molecule)
    whole = file.read_bytes()
    file.write_bytes(whole.replace((1995).to_bytes(4, "big"), bytes(4)))
    with pytest.raises(ValueError, match=r"run\.xtc"):
        map_to_folder(file, molecule, mapping, folder=tmp_path / "x.cg")
    file.write_bytes(whole[:30])
    with pytest.raises(ValueError, match=r"run\.xtc: frame 0 is cut off"):
        map_to_folder(file, molecule, mapping, folder=tmp_path / "x.cg")
    assert [path.name for path in tmp_path.iterdir()] == ["run.xtc"]


def test_rigid_motion_is_taken_out_chunk_by_chunk(
    molecule: Molecule, mapping: Mapping, tmp_path: Path
) -> None:
    file = write_xtc(tmp_path / "chain.xtc", molecule)
    kept = map_trajectory(file, molecule, mapping)
    still = map_trajectory(file, molecule, mapping.without_rigid_motion())
    expected = Superposition(mapping.bead_mass)(map_trajectory(file, molecule, mapping).pos)
    np.testing.assert_allclose(still.pos, expected, atol=1e-5)
    assert (
        np.square(np.diff(still.pos, axis=0)).mean() < np.square(np.diff(kept.pos, axis=0)).mean()
    )
    rebuilt = build_mapping(molecule, still.recipe)
    assert not rebuilt.keeps_rigid_motion
    stored = map_to_folder(file, molecule, rebuilt, folder=tmp_path / "chain.cg")
    assert_same(stored, still)


def test_rigid_motion_in_a_cell_is_refused(
    molecule: Molecule, mapping: Mapping, tmp_path: Path
) -> None:
    file = write_xtc(tmp_path / "chain.xtc", molecule, box=5.0)
    with pytest.raises(ValueError, match="hexane: the trajectory has a periodic cell"):
        map_trajectory(file, molecule, mapping.without_rigid_motion())


def _box_of_beads(path: Path, *, fluctuation: float) -> tuple[Molecule, np.ndarray, np.ndarray]:
    """Free particles that drift through a cell of 2 nm that fluctuates, wrapped as engines do."""
    molecule = molecule_of([(0, 1)], 5)
    rng = np.random.default_rng(1)
    sides = 2.0 * (1 + fluctuation * rng.normal(size=400).clip(-2, 2))
    place, frames = rng.random((5, 3)), []
    place[1] = place[0] + 0.1
    for side in sides:  # the same steps of both bonded ones
        step = np.repeat(rng.normal(size=(4, 3), scale=0.05) + 0.05, [2, 1, 1, 1], axis=0)
        place = place + step / side
        frames.append((place - np.floor(place)) * side)
    xyz = np.array(frames)
    trajectory = mdtraj.Trajectory(xyz, molecule.topology, time=np.arange(400.0))
    trajectory.unitcell_vectors = sides[:, None, None] * np.eye(3)
    trajectory.save(str(path))
    return molecule, xyz, sides


def test_windows_in_a_cell_that_fluctuates(tmp_path: Path) -> None:
    """The present frame has true neighbours, and the next one is where the displacement leads."""
    file = tmp_path / "box.trr"
    molecule, xyz, sides = _box_of_beads(file, fluctuation=0.01)
    mapping = map_residues(molecule)
    in_memory = map_trajectory(file, molecule, mapping)
    on_disk = map_to_folder(file, molecule, mapping, folder=tmp_path / "box.cg")
    assert sorted(path.name for path in (tmp_path / "box.cg").iterdir()) == [
        "beads.pdb", "beads.psf", "cell.npy", "drift.npy", "pos.npy", "system.json",
    ]  # fmt: skip
    assert np.abs(in_memory.pos[-1] - in_memory.pos[0]).min() > 4 * sides.max()
    free = slice(2, None)  # of particles alone the displacement is the file's minimum image
    rows = np.arange(399)[:, None] + [0, 1]
    for mapped in (in_memory, on_disk, on_disk.frames(0, 400)):
        windows = mapped.at(rows, current=0)
        n_cells = (windows[:, 0] - xyz[:-1]) / sides[:-1, None, None]
        np.testing.assert_allclose(n_cells, np.rint(n_cells), atol=1e-5)
        moved = xyz[1:] - xyz[:-1]
        moved -= sides[1:, None, None] * np.rint(moved / sides[1:, None, None])
        np.testing.assert_allclose(
            (windows[:, 1] - windows[:, 0])[:, free], moved[:, free], atol=1e-5
        )
        np.testing.assert_allclose(np.diff(mapped.pos, axis=0)[:, free], moved[:, free], atol=1e-5)
    assert on_disk.drift is not None
    again = load_mapped(save_mapped(on_disk.frames(100, 200), tmp_path / "part.cg"))
    np.testing.assert_array_equal(again.drift, on_disk.drift[100:200])
    (tmp_path / "part.cg" / "drift.npy").write_bytes(
        (tmp_path / "part.cg" / "cell.npy").read_bytes()
    )
    with pytest.raises(ValueError, match=r"drift\.npy: shape"):
        load_mapped(tmp_path / "part.cg")


def test_constant_cells_need_no_drift(tmp_path: Path) -> None:
    file = tmp_path / "box.trr"
    molecule, _, _ = _box_of_beads(file, fluctuation=0.0)
    assert map_trajectory(file, molecule, map_residues(molecule)).drift is None
    folder = tmp_path / "box.cg"
    assert map_to_folder(file, molecule, map_residues(molecule), folder=folder).drift is None
    assert not (folder / "drift.npy").exists()


def test_a_structure_file_that_is_not_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a.pdb: no such file$"):
        load_mapped(tmp_path / "a.pdb")
    with pytest.raises(FileNotFoundError, match=r"a.cg: no such folder of a mapped trajectory"):
        load_mapped(tmp_path / "a.cg")

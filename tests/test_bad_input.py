"""Bad input gets one clear line on the command line, names the culprit, and loses nothing."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mdtraj
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cgsim.cli import command_line as cli
from cgsim.config import ModelConfig
from cgsim.data.scales import measure
from cgsim.io import append_frames
from cgsim.io.records import to_dict
from cgsim.mapping.store import load_mapped, save_mapped
from cgsim.model.checkpoint import save_simulator
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import ATOM_TYPES, TINY, random_chain
from tests.io.systems import bead_topology_of, chain_bonds, random_walk
from tests.io.systems import save as save_trajectory

N_ATOMS = 12
TRAINING = {"n_steps": 2, "batch_size": 2, "steps_per_epoch": 2}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A good topology (a.pdb, with masses in a.json) and trajectory (a-r0.xtc)."""
    write_topology(tmp_path / "a.pdb", chain_bonds(N_ATOMS))
    write_frames(tmp_path / "a-r0.xtc", random_walk(20, N_ATOMS))
    return tmp_path


def write_topology(path: Path, bonds: list[tuple[int, int]], *, n_atoms: int = N_ATOMS) -> None:
    topology = bead_topology_of(bonds, n_atoms, names=("B1", "S1"))
    save_trajectory(path, topology, random_walk(1, n_atoms))
    about = {"masses": {"B1": 1.0, "S1": 2.0}}
    path.with_suffix(".json").write_text(json.dumps(about))


def write_frames(path: Path, xyz: np.ndarray, *, interval: float = 1.0) -> None:
    append_frames(path, xyz, time=interval * np.arange(len(xyz)))


def says(capsys: pytest.CaptureFixture[str], keep: Path, *arguments: object, code: int = 1) -> str:
    """The error line of a command, which must leave all files in a folder as they are."""
    before = contents(keep)
    capsys.readouterr()
    if code == 2:
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        assert caught.value.code == 2
        said = capsys.readouterr().err
    else:
        assert cli.main([str(argument) for argument in arguments]) == code
        (said,) = (line for line in capsys.readouterr().err.splitlines() if "error:" in line)
    assert "Traceback" not in said
    assert {path: contents(keep)[path] for path in before} == before
    return said


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# ------------------------------------------------------------------ map


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def without_a_whole_frame(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def corrupt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 80] = b"\xff" * 80
    path.write_bytes(content)


def not_a_number(path: Path) -> None:
    xyz = random_walk(6, N_ATOMS)
    xyz[3, 2] = np.nan
    path.unlink()
    with mdtraj.formats.XTCTrajectoryFile(str(path), "w") as file:
        file.write(xyz.astype(np.float32), time=np.arange(6.0), step=np.arange(6))


def one_frame(path: Path) -> None:
    path.unlink()
    write_frames(path, random_walk(1, N_ATOMS))


def other_atoms(path: Path) -> None:
    path.unlink()
    write_frames(path, random_walk(5, N_ATOMS + 1))


def uneven_times(path: Path) -> None:
    path.unlink()
    append_frames(path, random_walk(4, N_ATOMS), time=np.array([0.0, 1.0, 2.0, 7.0]))


def cell_in_some_frames(path: Path) -> None:
    path.unlink()
    xyz, box = random_walk(4, N_ATOMS).astype(np.float32), np.repeat(5 * np.eye(3)[None], 4, axis=0)
    box[2] = 0
    with mdtraj.formats.XTCTrajectoryFile(str(path), "w") as file:
        file.write(xyz, time=np.arange(4.0), step=np.arange(4), box=box.astype(np.float32))


TRAJECTORIES: dict[Callable[[Path], object], str] = {
    Path.unlink: "no such file",
    lambda path: path.write_bytes(b""): "empty",
    lambda path: path.write_bytes(b"not a trajectory"): "truncated|no XTC|corrupt",
    without_a_whole_frame: "frame 0 is cut off: the file is truncated",
    corrupt: "corrupt|cut off|truncated",
    not_a_number: "frame 3|not finite",
    one_frame: "time between frames is unknown",
    other_atoms: "13 atoms.* 12",
    uneven_times: "from frame 2 to 3",
    cell_in_some_frames: "frame 2 has no periodic cell",
}


@pytest.mark.parametrize("damage", TRAJECTORIES, ids=lambda damage: damage.__name__)
def test_bad_trajectories(
    files: Path, damage: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(files / "a-r0.xtc")
    line = says(
        capsys, files, "map", files / "a.pdb", files / "a-r0.xtc", "--output", files / "out"
    )
    assert "a-r0.xtc" in line
    assert re.search(TRAJECTORIES[damage], line), line
    assert not list(files.rglob("*.cg"))


def test_a_bad_second_trajectory_leaves_the_first_mapped(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_frames(files / "a-r1.xtc", random_walk(5, N_ATOMS))
    corrupt(files / "a-r1.xtc")
    data = (files / "a-r0.xtc", files / "a-r1.xtc")
    line = says(capsys, files, "map", files / "a.pdb", *data, "--output", files / "out")
    assert "a-r1.xtc" in line
    assert [folder.name for folder in (files / "out").iterdir()] == ["a-r0.cg"]
    assert load_mapped(files / "out" / "a-r0.cg").n_frames == 20


def test_a_trajectory_of_a_killed_run_is_mapped_up_to_its_last_whole_frame(files: Path) -> None:
    truncated(files / "a-r0.xtc")
    command = ("map", files / "a.pdb", files / "a-r0.xtc", "--output", files / "out")
    with pytest.warns(UserWarning, match=r"a-r0.xtc: frame 19 is cut off.* 19 whole frames"):
        assert cli.main([str(part) for part in command]) == 0
    assert load_mapped(files / "out" / "a-r0.cg").n_frames == 19


@pytest.mark.parametrize(
    ("bonds", "complaint"),
    [([], "no bonds"), (chain_bonds(N_ATOMS - 1), None)],
    ids=["none", "all but one"],
)
def test_atoms_without_bonds(
    files: Path,
    bonds: list[tuple[int, int]],
    complaint: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_topology(files / "a.pdb", bonds)
    command = ("map", files / "a.pdb", files / "a-r0.xtc", "--output", files / "out")
    if complaint is None:  # a free particle in a residue of its own is a molecule
        assert cli.main([str(part) for part in command]) == 0
        return
    line = says(capsys, files, *command)
    assert "a.pdb" in line
    assert complaint in line


@pytest.mark.parametrize("content", [b"", b"ATOM nonsense", b"END\n"])
def test_bad_topologies(files: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "a.pdb").write_bytes(content)
    line = says(
        capsys, files, "map", files / "a.pdb", files / "a-r0.xtc", "--output", files / "out"
    )
    assert "a.pdb" in line


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ([0] * 11, "11 atoms, the molecule has 12"),
        ([[0, 1], [1, *range(2, 12)]], "atom 1 is in bead 0 and in bead 1"),
        ([[0, 1], [], [*range(2, 12)]], "bead 1 has no atoms"),
        ([[*range(11)]], "atom 11 is in no bead"),
        ([0] * 11 + [2], "1"),
        ("one", "one"),
        (None, "NoneType"),
    ],
)
def test_bad_mappings(
    files: Path, assignment: object, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "beads.json").write_text(json.dumps(assignment))
    command = ("map", files / "a.pdb", files / "a-r0.xtc", "--output", files / "out")
    line = says(capsys, files, *command, "--method", "user", "--assignment", files / "beads.json")
    assert "beads.json" in line
    assert complaint in line or assignment == "one"
    assert "--assignment" in says(capsys, files, *command, "--method", "user")


def test_a_full_disk_keeps_the_earlier_mapping(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("map", files / "a.pdb", files / "a-r0.xtc", "--output", files / "out")
    assert cli.main([str(part) for part in command]) == 0

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "pos.raw")

    assert "is there already" in says(capsys, files, *command)
    monkeypatch.setattr("cgsim.mapping.store._append", full)
    again = (*command, "--overwrite")
    assert "No space left on device" in says(capsys, files, *again)
    assert [folder.name for folder in (files / "out").iterdir()] == ["a-r0.cg"]
    assert load_mapped(files / "out" / "a-r0.cg").n_frames == 20


# ------------------------------------------------------------------ train


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    settings = {"model": to_dict(TINY), "training": TRAINING, "hardware": {"accelerator": "cpu"}}
    path.write_text(json.dumps(settings))
    return path


def test_too_few_frames(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = save_mapped(random_chain(4, n_frames=30, name="long"), tmp_path / "long.cg")
    for n_frames in (0, 1, 2):  # a window is two frames and the next
        short = random_chain(4, n_frames=5, name="short").frames(0, n_frames)
        folder = save_mapped(short, tmp_path / "short.cg", overwrite=True)
        data = ("train", long, folder, "--config", config, "--output", tmp_path / "out")
        assert "short" in says(capsys, tmp_path, *data, "--validation", long)
    assert not (tmp_path / "out").exists()


def test_two_frame_intervals(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = replace(random_chain(4, n_frames=30, name="one"), frame_interval=1.0)
    other = replace(chain, name="two", frame_interval=2.5)
    folders = [save_mapped(system, tmp_path / f"{system.name}.cg") for system in (chain, other)]
    line = says(capsys, tmp_path, "train", *folders, "--config", config, "--output", tmp_path / "o")
    assert "one has 1 ps, two has 2.5 ps" in line
    assert not (tmp_path / "o").exists()


def test_cells_in_some_systems_only(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = random_chain(4, n_frames=30, name="one")
    cell = np.repeat(4 * np.eye(3)[None], 30, axis=0).astype(np.float32)
    folders = [
        save_mapped(chain, tmp_path / "one.cg"),
        save_mapped(replace(chain, name="two", cell=cell), tmp_path / "two.cg"),
    ]
    line = says(
        capsys, tmp_path, "train", *folders, "--config", config, "--output", tmp_path / "out",
        "--training.batch_size", 32,
    )  # fmt: skip
    assert "some systems have a periodic cell and others none" in line


@pytest.mark.parametrize("file", ["pos.npy", "system.json"])
@pytest.mark.parametrize("damage", [truncated, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_mapped_trajectory(
    tmp_path: Path,
    config: Path,
    file: str,
    damage: Callable[[Path], object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = save_mapped(random_chain(4, n_frames=30), tmp_path / "one.cg")
    damage(folder / file)
    line = says(capsys, tmp_path, "train", folder, "--config", config, "--output", tmp_path / "out")
    assert file in line or "one.cg" in line
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------ roll out


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, Path]:
    """A simulator and a start that fits."""
    chain = random_chain(6, n_frames=12, name="chain")
    torch.manual_seed(0)
    simulator = Simulator(TINY, atom_types=ATOM_TYPES, scales=measure([chain], stride=1))
    model = save_simulator(simulator, tmp_path / "model.safetensors")
    return model, save_mapped(chain, tmp_path / "chain.cg")


def rollout(model: Path, start: Path) -> tuple[object, ...]:
    return "rollout", model, start, "--n_steps", 4, "--output", model.parent / "out"


def test_a_bead_type_never_seen(
    trained: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model, start = trained
    chain = load_mapped(start)
    strange = replace(chain, name="strange", atom_type=("Q9", *chain.atom_type[1:]))
    folder = save_mapped(strange, start.with_name("strange.cg"))
    line = says(capsys, model.parent, *rollout(model, folder))
    assert "strange: atom type 'Q9' was never seen in training; known types: A, B, C" in line


def test_a_checkpoint_of_another_number_of_history_frames(
    trained: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model, start = trained
    with safe_open(str(model), framework="pt") as file:
        header = json.loads(file.metadata()["cgsim"])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header["model"]["history"] = 5
    save_file(weights, str(model), metadata={"cgsim": json.dumps(header)})
    line = says(capsys, model.parent, *rollout(model, start))
    assert "model.safetensors" in line
    assert "do not fit the configuration" in line


@pytest.mark.parametrize("damage", [truncated, lambda path: path.write_bytes(b"PK\x03\x04pickle")])
def test_a_damaged_checkpoint(
    trained: tuple[Path, Path],
    damage: Callable[[Path], object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, start = trained
    damage(model)
    line = says(capsys, model.parent, *rollout(model, start))
    assert "model.safetensors: truncated, or not a safetensors file" in line


def test_a_full_disk_in_a_roll_out(
    trained: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, start = trained
    assert cli.main([str(part) for part in rollout(model, start)]) == 0

    def full(path: Path, *arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    command = [*rollout(model, start)]
    command[command.index(4)] = 9
    with monkeypatch.context() as patch:
        patch.setattr("cgsim.rollout.reporters.append_frames", full)
        line = says(capsys, model.parent, *command)
    assert "No space left on device" in line
    assert "chain-r0.xtc" in line
    assert cli.main([str(part) for part in command]) == 0


def test_no_frame_to_start_from(
    trained: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model, start = trained
    empty = save_mapped(load_mapped(start).frames(0, 0), start.with_name("empty.cg"))
    line = says(capsys, model.parent, *rollout(model, empty))
    assert "every start needs at least one frame" in line


def test_unknown_keys_and_wrong_types(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("train", tmp_path, "--output", tmp_path / "out")
    assert "n_stps" in says(capsys, tmp_path, *command, "--training.n_stps", 3, code=2)
    assert "n_steps" in says(capsys, tmp_path, *command, "--training.n_steps", "many", code=2)
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"model": to_dict(ModelConfig()) | {"histroy": 3}}))
    assert "histroy" in says(capsys, tmp_path, *command, "--config", path, code=2)
    path.write_text("model: [")
    assert "config" in says(capsys, tmp_path, *command, "--config", path, code=2)

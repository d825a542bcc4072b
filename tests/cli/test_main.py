"""The command line: the whole path on a tiny polymer, and its answers to mistakes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mdtraj
import numpy as np
import pytest

import cgsim
from cgsim.cli import command_line as cli
from cgsim.cluster import Cluster
from cgsim.config import ModelConfig
from cgsim.mapping.store import load_mapped, save_mapped
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.testing.systems import random_chain
from cgsim.training.module import TrainingModule

COMMANDS = [
    "md polymers",
    "md peptide",
    "md steered",
    "md protein",
    "map",
    "train",
    "finetune",
    "baseline",
    "rollout",
    "backmap",
    "evaluate",
    "report",
    "quickstart",
]
CONFIG = """\
model:
  history: 2
  embedding: {n_channels: 4, n_layers: 1}
  graph: {n_hops: 2, n_radial: 4}
  dynamics:
    n_channels: 4
    n_layers: 1
  score: {n_channels: 4, n_layers: 1}
training: {n_steps: 4, batch_size: 4, steps_per_epoch: 4}
hardware: {accelerator: cpu}
"""


def run(*arguments: object) -> None:
    """A command that must succeed."""
    assert cli.main([str(argument) for argument in arguments]) == 0


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line a command with bad input says."""
    capsys.readouterr()
    assert cli.main([str(argument) for argument in arguments]) == 1
    said = capsys.readouterr().err
    (line,) = (line for line in said.splitlines() if "cgsim: error:" in line)
    assert "Traceback" not in said
    return line


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the parser says of a command that is wrong."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole path, command by command, up to the roll-out."""
    folder = tmp_path_factory.mktemp("path")
    md = ("md", "polymers", folder / "md", "--n_chains", 2, "--run.duration", 4)
    more = {"frame_interval": 0.1, "equilibration": 0, "n_replicas": 2, "platform": "Reference"}
    run(*md, *(part for key, value in more.items() for part in (f"--run.{key}", value)))
    for structure in sorted((folder / "md").glob("*.pdb")):
        files = sorted((folder / "md").glob(f"{structure.stem}-r*.xtc"))
        run("map", structure, *files, "--output", folder / "mapped")
    (folder / "config.yaml").write_text(CONFIG)
    mapped = sorted((folder / "mapped").iterdir())
    train = ("train", *mapped[:2], "--output", folder / "model", "--validation", *mapped[2:])
    run(*train, "--config", folder / "config.yaml", "--training.stride", 2, "--model.history", 3)
    rollout = ("rollout", folder / "model" / "simulator.safetensors", mapped[0], mapped[2])
    run(*rollout, "--n_steps", 12, "--output", folder / "rollout", "--n_replicas", 2, "--every", 2)
    return folder


def test_each_command_leaves_what_it_says(path: Path) -> None:
    mapped = sorted((path / "mapped").iterdir())
    assert len(mapped) == 4
    assert all(folder.suffix == ".cg" for folder in mapped)
    system = load_mapped(mapped[0])
    assert (system.n_beads, system.n_frames, system.frame_interval) == (6, 40, 0.1)
    assert system.recipe == {"method": "metis", "atoms_per_bead": 10.0}
    assert mdtraj.load(str(mapped[0] / "beads.pdb")).n_atoms == 6
    simulator = cgsim.load_simulator(path / "model" / "simulator.safetensors")
    assert simulator.config.history == 3  # of the command line, over the file
    assert simulator.config.dynamics.n_channels == 4  # of the file
    assert simulator.config.dynamics.lmax == ModelConfig().dynamics.lmax  # of neither
    assert simulator.timestep == pytest.approx(0.2)
    assert len(list((path / "rollout").glob("*.xtc"))) == 4
    (first, _) = cgsim.read_ensembles([path / "rollout"])
    assert [len(xyz) for xyz in first.xyz] == [6, 6]
    assert first.frame_interval == pytest.approx(0.4)


def test_the_same_command_goes_on(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = sorted((path / "mapped").iterdir())
    rollout = ("rollout", path / "model" / "simulator.safetensors", start[0], "--every", 3)
    for n_steps in (3, 9):
        run(*rollout, "--n_steps", n_steps, "--output", path / "longer")
    assert "9 steps" in capsys.readouterr().out
    (ensemble,) = cgsim.read_ensembles([path / "longer"])
    assert [len(xyz) for xyz in ensemble.xyz] == [3]


def test_a_roll_out_is_scored_and_reported(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (path / "mapped", path / "rollout")
    run("evaluate", *rows, "--output", path / "scores.json")
    assert "JS distance" in capsys.readouterr().out
    run("report", *rows, "--output", path / "report", "--run", path / "model", "--title", "Mine")
    assert "Mine" in (path / "report" / "report.html").read_text()
    scores = json.loads((path / "scores.json").read_text())
    assert scores == json.loads((path / "report" / "metrics.json").read_text())
    assert len(scores["learned"]["molecules"]) == 2


def test_a_second_run_and_dcd_files(path: Path) -> None:
    mapped = sorted((path / "mapped").iterdir())
    simulator = path / "model" / "simulator.safetensors"
    run("rollout", simulator, mapped[0], "--n_steps", 6, "--output", path / "dcd" / "*.dcd")
    assert [file.suffix for file in (path / "dcd").glob("*-r0.*")] == [".dcd"]
    rows = ("evaluate", mapped[0], path / "dcd", "--floor", mapped[1], "--output")
    run(*rows, path / "floor.json")
    assert json.loads((path / "floor.json").read_text())["floor"] is not None


def test_mapping_as_the_user_says(path: Path, tmp_path: Path) -> None:
    structure = sorted((path / "md").glob("*.pdb"))[0]
    (trajectory, *_) = sorted((path / "md").glob(f"{structure.stem}-r*.xtc"))
    assignment = np.repeat(np.arange(12), 5)
    (tmp_path / "beads.json").write_text(json.dumps(assignment.tolist()))
    command = ("map", structure, trajectory, "--output", tmp_path / "out", "--method", "user")
    run(*command, "--assignment", tmp_path / "beads.json")
    mapped = load_mapped(tmp_path / "out" / f"{trajectory.stem}.cg")
    np.testing.assert_array_equal(mapped.bead_index, assignment)


@pytest.mark.parametrize("method", ["residues", "atoms"])
def test_other_mappings(path: Path, tmp_path: Path, method: str) -> None:
    structure = sorted((path / "md").glob("*.pdb"))[0]
    (trajectory, *_) = sorted((path / "md").glob(f"{structure.stem}-r*.xtc"))
    run("map", structure, trajectory, "--output", tmp_path, "--method", method)
    assert load_mapped(tmp_path / f"{trajectory.stem}.cg").recipe == {"method": method}
    still = ("--method", method, "--without_rigid_motion", "--output", tmp_path / "still")
    run("map", structure, trajectory, *still)
    mapped = load_mapped(tmp_path / "still" / f"{trajectory.stem}.cg")
    assert mapped.recipe == {"method": method, "rigid_motion": False}
    centre = np.average(mapped.pos, axis=1, weights=mapped.bead_mass)
    np.testing.assert_allclose(centre, 0.0, atol=1e-4)


def test_no_score_network(tmp_path: Path) -> None:
    folder = save_mapped(random_chain(4, n_frames=40), tmp_path / "a.cg")
    (tmp_path / "config.yaml").write_text(CONFIG)
    command = ("train", folder, "--output", tmp_path / "out", "--config", tmp_path / "config.yaml")
    run(*command, "--model.score", "null")
    assert cgsim.load_simulator(tmp_path / "out" / "simulator.safetensors").score is None


# ------------------------------------------------------------------ help and usage


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("trian", "train"),
        ("roll_out", "rollout"),
        ("md polymer", "md polymers"),
        ("md peptides", "md peptide"),
        ("polymers", "md polymers"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(
    wrong: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = usage_error(capsys, *wrong.split(), "--output", "out")
    assert f"no command '{wrong}': did you mean '{meant}'?" in said


def test_a_name_like_no_other_is_answered_with_all(capsys: pytest.CaptureFixture[str]) -> None:
    said = usage_error(capsys, "fly").partition("error:")[2]
    assert "no command 'fly'" in said
    assert all(command in said for command in COMMANDS)


def test_a_config_file_may_stand_before_the_command(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "all.yaml").write_text(f"evaluate: {{output: {tmp_path / 'scores.json'}}}")
    run("--config", tmp_path / "all.yaml", "evaluate", path / "mapped", path / "rollout")
    assert (tmp_path / "scores.json").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*command.split(), "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert f"Example: cgsim {command}" in said


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert all(command.split()[0] in said for command in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert cgsim.__version__ in capsys.readouterr().out


WRONG = [
    ([], "subcommand"),
    (["fly"], "fly"),
    (["train", "a.cg"], "output"),
    (["train", "--output", "out"], "data"),
    (["train", "a.cg", "--output", "out", "--training.strde", "3"], "--training.strde"),
    (["train", "a.cg", "--output", "out", "--training.stride", "two"], "training.stride"),
    (["train", "a.cg", "--output", "out", "--training.stride", "1.5"], "training.stride"),
    (["train", "a.cg", "--output", "out", "--training.keep", "white"], "keep"),
    (["rollout", "m.safetensors", "a.cg", "--n_steps", "many", "--output", "out"], "n_steps"),
    (["rollout", "m.safetensors", "a.cg", "--output", "out"], "n_steps"),
    (["map", "a.pdb", "a.xtc", "--output", "out", "--method", "magic"], "method"),
    (["md", "polymers", "out", "--duration", "1", "--kind", "III"], "kind"),
]


@pytest.mark.parametrize(("arguments", "culprit"), WRONG)
def test_wrong_usage_names_the_culprit(
    arguments: list[str],
    culprit: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert culprit in usage_error(capsys, *arguments).partition("error:")[2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "culprit"),
    [
        ("training: {strde: 2}", "strde"),
        ("training: {stride: two}", "stride"),
        ("model: {dynamics: {n_chanels: 4}}", "n_chanels"),
        ("model: {score: {n_layers: few}}", "n_layers"),
        ("trainig: {stride: 1}", "trainig"),
    ],
)
def test_config_files_are_checked(
    content: str, culprit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(content)
    command = ("train", "a.cg", "--output", tmp_path / "out", "--config", tmp_path / "config.yaml")
    assert culprit in usage_error(capsys, *command)
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------ exit codes


def test_ctrl_c_is_130(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingModule, "training_step", interrupt)
    folder = save_mapped(random_chain(4, n_frames=40), tmp_path / "a.cg")
    (tmp_path / "config.yaml").write_text(CONFIG)
    command = ("train", folder, "--output", tmp_path / "out", "--config", tmp_path / "config.yaml")
    assert cli.main([str(part) for part in command]) == 130
    said = capsys.readouterr().err
    assert "the same command goes on from here" in said
    assert "Traceback" not in said


def test_missing_inputs_are_named_in_one_line(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere, out = tmp_path / "nowhere", ("--output", tmp_path / "out")
    mapped, simulator = path / "mapped", path / "model" / "simulator.safetensors"
    commands: list[tuple[object, ...]] = [
        ("train", nowhere, *out),
        ("train", mapped, "--validation", nowhere, *out),
        ("rollout", nowhere, mapped, "--n_steps", 3, *out),
        ("rollout", simulator, nowhere, "--n_steps", 3, *out),
        ("evaluate", nowhere, path / "rollout", *out),
        ("evaluate", mapped, nowhere, *out),
        ("report", mapped, path / "rollout", "--floor", nowhere, *out),
        ("map", nowhere, nowhere, *out),
    ]
    for command in commands:
        assert "nowhere" in fails(capsys, *command)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_holds_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    said = fails(capsys, "train", tmp_path / "empty", "--output", tmp_path / "out")
    assert "empty: holds no mapped trajectories" in said


def test_a_device_that_is_not_there(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    command = ("rollout", path / "model" / "simulator.safetensors", path / "mapped")
    more = ("--n_steps", 3, "--output", tmp_path / "out", "--device", "cuda")
    assert "no CUDA device" in fails(capsys, *command, *more)


def test_a_stopped_replica_is_told(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    step = Simulator.step

    def explode(self: Simulator, state: State) -> State:
        state = step(self, state)
        return replace(state, pos=state.pos * 1e4)

    monkeypatch.setattr(Simulator, "step", explode)
    command = (
        "rollout",
        path / "model" / "simulator.safetensors",
        next((path / "mapped").iterdir()),
    )
    with pytest.warns(UserWarning, match="stopped at step 1"):
        run(*command, "--n_steps", 3, "--output", tmp_path / "out")
    assert "replica 0: stopped at step 1" in capsys.readouterr().out


# ------------------------------------------------------------------ workers


@pytest.mark.parametrize(
    ("command", "function", "arguments"),
    [
        ("md polymers", "md.generate_shared", ("out", "--run.duration", "1")),
        ("md peptide", "md.generate_shared", ("o", "--run.duration", "1", "--sequence", "A")),
        ("rollout", "rollout.roll_out", ("m", "a.cg", "--n_steps", "3", "--output", "out")),
        ("evaluate", "scores.score_paths", ("mapped", "learned")),
    ],
)
def test_work_is_shared_when_asked(
    command: str, function: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(*_arguments: object, cluster: Cluster, **_more: object) -> None:
        asked.append((cluster.scheduler, cluster.workers, cluster.molecules_per_job))
        raise ValueError("seen")

    monkeypatch.setattr(f"cgsim.cluster.{function}", spy)
    call = [*command.split(), *arguments]
    assert cli.main([*call, "--workers", "3", "--molecules_per_job", "5"]) == 1
    assert cli.main([*call, "--scheduler", "tcp://host:8786"]) == 1
    assert cli.main([*call, "--cluster.workers=4"]) == 1
    assert asked == [
        (None, 3, 5),
        ("tcp://host:8786", None, None),
        (None, 4, None),
    ]


def test_many_molecules_are_shared_among_cores(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spy(*_arguments: object, **_more: object) -> None:
        raise ValueError("shared")

    for function in ("md.generate_shared", "rollout.roll_out", "scores.score_paths"):
        monkeypatch.setattr(f"cgsim.cluster.{function}", spy)
    monkeypatch.setattr("cgsim.cluster.portions.MANY_MOLECULES", 1)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    simulator, mapped = path / "model" / "simulator.safetensors", path / "mapped"
    out = ("--output", tmp_path / "out")
    for command in (
        ("md", "polymers", tmp_path / "out", "--run.duration", 1),
        ("rollout", simulator, mapped, "--n_steps", 3, *out),
        ("evaluate", mapped, path / "rollout", *out),
    ):
        assert cli.main([str(word) for word in command]) == 1
    assert list(tmp_path.iterdir()) == []
    # What one process has begun it goes on with.
    folders = sorted(mapped.iterdir())
    begun = ("rollout", simulator, folders[0], folders[2], "--output", path / "rollout")
    run(*begun, "--n_steps", 12, "--n_replicas", 2, "--every", 2)


def test_one_process_needs_nothing_of_the_cluster(path: Path, tmp_path: Path) -> None:
    md = ("md", "polymers", tmp_path / "md", "--n_chains", 1, "--run.duration", 0.1)
    short = {"frame_interval": 0.1, "equilibration": 0, "platform": "Reference"}
    rollout = ("rollout", path / "model" / "simulator.safetensors", path / "mapped")
    commands = [
        [*md, *(part for key, value in short.items() for part in (f"--run.{key}", value))],
        [*rollout, "--n_steps", 2, "--output", tmp_path / "rollout"],
        ["evaluate", path / "mapped", path / "rollout", "--output", tmp_path / "scores.json"],
    ]
    script = (
        "import json, sys; from cgsim.cli.command_line import main\n"
        "codes = [main(words) for words in json.loads(sys.argv[1])]\n"
        "print(json.dumps([codes, sorted(sys.modules)]))"
    )
    words = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", script, words], capture_output=True, text=True, check=True
    )
    codes, modules = json.loads(done.stdout.splitlines()[-1])
    assert codes == [0, 0, 0]
    assert not {"dask", "distributed"} & set(modules)
    cluster = {name for name in modules if name.startswith("cgsim.cluster.")}
    assert cluster == {"cgsim.cluster.portions"}  # the options


def test_a_shared_roll_out_is_not_gone_on_with_by_one_process(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / ".claims").mkdir(parents=True)
    command = ("rollout", path / "model" / "simulator.safetensors", path / "mapped")
    said = fails(capsys, *command, "--n_steps", 3, "--output", tmp_path / "out")
    assert "shared among workers: give --workers or --scheduler" in said


def test_workers_or_a_scheduler(capsys: pytest.CaptureFixture[str]) -> None:
    call = ("md", "polymers", "out", "--run.duration", "1", "--workers")
    assert "workers must be at least 1" in fails(capsys, *call, "0")
    assert "not both" in fails(capsys, *call, "2", "--scheduler", "tcp://host:8786")


# ------------------------------------------------------------------ peptides


def test_md_peptide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = ("--run.duration", 0.04, "--run.frame_interval", 0.02, "--run.equilibration", 0)
    run("md", "peptide", tmp_path, "--sequence", "G,A", *short, "--run.platform", "CPU")
    for name in "GA":
        file = str(tmp_path / f"{name}-r0.xtc")
        assert len(mdtraj.load(file, top=str(tmp_path / f"{name}.pdb"))) == 2
    assert "X2" in fails(capsys, "md", "peptide", tmp_path, "--sequence", "GX", *short)
    missing = tmp_path / "none.pdb"
    assert "none.pdb" in fails(capsys, "md", "peptide", tmp_path, "--pdb", missing, *short)
    assert "--sequence" in fails(capsys, "md", "peptide", tmp_path, *short)

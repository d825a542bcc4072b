"""Fine-tuning: it learns the new, ends no worse than it began, and mixes nothing that differs."""

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
import torch

import cgsim
from cgsim.baselines import CompositionEmbedding
from cgsim.cli import command_line as cli
from cgsim.config import FinetuningConfig, Hardware, TrainingConfig
from cgsim.mapping.store import save_mapped
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import load_provenance, load_simulator
from cgsim.model.networks import with_networks
from cgsim.model.simulator import Simulator
from cgsim.testing.exact import rouse_chain
from cgsim.testing.systems import TINY, random_simulator
from cgsim.training.finetune import FinetuningReport, load_report
from cgsim.training.fit import fit
from cgsim.training.module import TrainingModule
from cgsim.training.parent import with_atom_types
from cgsim.training.trainer import validation_nll

INTERVAL = 0.2  # ps
MODEL = replace(TINY, score=None)
CPU = Hardware(accelerator="cpu")
SHORT = FinetuningConfig(
    n_steps=30, batch_size=8, learning_rate=1e-2, steps_per_epoch=10, patience=5
)
OLD = replace(rouse_chain(5).trajectory(300, INTERVAL, seed=0), name="old")
NEW = replace(rouse_chain(5, spring=8.0).trajectory(150, INTERVAL, seed=1), name="new")
TEST = replace(rouse_chain(5, spring=8.0).trajectory(150, INTERVAL, seed=2), name="test")


@pytest.fixture(scope="module", autouse=True)
def _brief_validations() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cgsim.training.trainer.N_VALIDATION_BATCHES", 3)
        yield


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulator of the old chain."""
    folder = tmp_path_factory.mktemp("old")
    training = TrainingConfig(
        n_steps=60,
        batch_size=16,
        learning_rate=2e-2,
        n_warmup=5,
        ema_decay=0.9,
        history_noise=0.07,
    )
    fit([OLD], folder, model=MODEL, training=training, hardware=CPU)
    return folder / "simulator.safetensors"


def tune(
    checkpoint: Path | Simulator,
    directory: Path,
    data: Sequence[MappedTrajectory] = (NEW,),
    finetuning: FinetuningConfig = SHORT,
    **more: Any,
) -> Simulator:
    return cgsim.finetune(checkpoint, data, directory, finetuning=finetuning, hardware=CPU, **more)


def nll(simulator: Simulator, trajectory: MappedTrajectory) -> float:
    module = TrainingModule(simulator, TrainingConfig(batch_size=32))
    return validation_nll(module, simulator.windows([trajectory]))


def assert_same_weights(found: Simulator, expected: Simulator) -> None:
    theirs = dict(expected.named_parameters())
    for name, value in found.named_parameters():
        assert torch.equal(value, theirs[name]), name


def n_validations(directory: Path) -> int:
    with open(directory / "metrics.csv", newline="") as file:
        return sum(bool(line["validation_nll"]) for line in csv.DictReader(file))


@pytest.fixture(scope="module")
def tuned(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a fine-tuning that was never interrupted."""
    directory = tmp_path_factory.mktemp("tuned")
    tune(checkpoint, directory)
    return directory


# ------------------------------------------------------------------ learning and forgetting


def test_it_learns_the_new_system(checkpoint: Path, tuned: Path) -> None:
    before = load_simulator(checkpoint)
    after = load_simulator(tuned / "simulator.safetensors")
    assert nll(after, TEST) < nll(before, TEST) - 0.05
    assert after.scales == before.scales
    assert after.recipe == NEW.recipe
    report = load_report(tuned)
    assert report.new.difference < -0.05
    assert report.old is None
    assert report.best_step in (10, 20, 30)


def test_replay_keeps_the_old_system(checkpoint: Path, tuned: Path, tmp_path: Path) -> None:
    before = nll(load_simulator(checkpoint), OLD)
    forgetful = nll(load_simulator(tuned / "simulator.safetensors"), OLD) - before
    kept = nll(tune(checkpoint, tmp_path, replay=[OLD]), OLD) - before
    assert forgetful > 0.02
    assert kept < forgetful / 2
    report = load_report(tmp_path)
    assert report.new.difference < -0.05
    assert report.old is not None
    assert report.old.difference < forgetful / 2


def test_the_last_weights_may_be_kept(checkpoint: Path, tmp_path: Path) -> None:
    tune(checkpoint, tmp_path, finetuning=replace(SHORT, keep="last", patience=3))
    assert load_report(tmp_path).best_step == SHORT.n_steps
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    found = load_simulator(tmp_path / "simulator.safetensors")
    for name, value in found.named_parameters():
        assert torch.equal(value, last[f"simulator.{name}"]), name


def test_a_run_from_before_weights_could_be_chosen_is_known_again(
    checkpoint: Path, tuned: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "older"
    shutil.copytree(tuned, directory)
    settings = json.loads((directory / "run.json").read_text())
    assert settings["finetuning"].pop("keep") == "best"
    (directory / "run.json").write_text(json.dumps(settings))
    expected = load_simulator(tuned / "simulator.safetensors")
    assert_same_weights(tune(checkpoint, directory), expected)


def test_without_learning_nothing_changes(checkpoint: Path, tmp_path: Path) -> None:
    found = tune(checkpoint, tmp_path, finetuning=replace(SHORT, learning_rate=0.0))
    assert_same_weights(found, load_simulator(checkpoint))
    report = load_report(tmp_path)
    assert report.best_step == 0
    assert report.new.difference == 0


def test_it_never_ends_worse_and_stops_early(checkpoint: Path, tmp_path: Path) -> None:
    wild = replace(SHORT, learning_rate=0.3, n_steps=90, patience=2)
    found = tune(checkpoint, tmp_path, [OLD.frames(0, 60)], wild)
    assert_same_weights(found, load_simulator(checkpoint))
    assert n_validations(tmp_path) == 2
    assert load_report(tmp_path).best_step == 0


def test_the_noise_on_past_frames_stays_that_which_the_simulator_knows(
    checkpoint: Path, tuned: Path, tmp_path: Path
) -> None:
    brief, again, unknown = replace(SHORT, n_steps=1), tmp_path / "again", tmp_path / "unknown"
    loaded = tune(tuned / "simulator.safetensors", again, finetuning=brief)
    tune(loaded, unknown, finetuning=brief)
    default = TrainingConfig().history_noise
    for directory, expected in ((tuned, 0.07), (again, 0.07), (unknown, default)):
        training = load_provenance(directory / "simulator.safetensors").training
        assert training["history_noise"] == expected


def test_validation_data_of_the_user_decide(checkpoint: Path, tmp_path: Path) -> None:
    """New data to learn from, old data to stop by: nothing that is learnt is any good."""
    fast = replace(SHORT, learning_rate=5e-2)
    found = tune(checkpoint, tmp_path, finetuning=fast, validation=[OLD])
    assert_same_weights(found, load_simulator(checkpoint))


def test_the_given_simulator_is_not_touched(checkpoint: Path, tmp_path: Path) -> None:
    given = load_simulator(checkpoint)
    found = tune(given, tmp_path)
    assert_same_weights(given, load_simulator(checkpoint))
    with pytest.raises(AssertionError):
        assert_same_weights(found, given)


# ------------------------------------------------------------------ interruptions


def interrupt_before(step: int, patch: pytest.MonkeyPatch) -> None:
    original = TrainingModule.training_step

    def limited(self: TrainingModule, *args: Any) -> torch.Tensor:
        if self.global_step + 1 == step:
            raise KeyboardInterrupt
        return original(self, *args)

    patch.setattr(TrainingModule, "training_step", limited)


def test_an_interrupted_run_ends_as_if_it_had_not_been(
    checkpoint: Path, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_before(14, patch)
        with pytest.raises(KeyboardInterrupt):
            tune(checkpoint, tmp_path)
    assert not (tmp_path / "simulator.safetensors").exists()
    found = tune(checkpoint, tmp_path)
    assert_same_weights(found, load_simulator(tuned / "simulator.safetensors"))
    assert load_report(tmp_path) == load_report(tuned)


def test_a_run_killed_after_it_stopped_does_not_go_on(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = replace(SHORT, learning_rate=0.3, n_steps=90, patience=2)
    data = [OLD.frames(0, 60)]
    expected = tune(checkpoint, tmp_path, data, wild)
    (tmp_path / "simulator.safetensors").unlink()
    interrupt_before(21, monkeypatch)
    assert_same_weights(tune(checkpoint, tmp_path, data, wild), expected)
    assert n_validations(tmp_path) == 2


def test_another_run_is_not_overwritten(checkpoint: Path, tuned: Path) -> None:
    before = {path.name: path.read_bytes() for path in tuned.iterdir()}
    assert_same_weights(tune(checkpoint, tuned), load_simulator(tuned / "simulator.safetensors"))
    others: list[dict[str, Any]] = [
        {"finetuning": replace(SHORT, seed=1)},
        {"data": [NEW.frames(0, 140)]},
        {"replay": [OLD]},
        {"validation": [TEST]},
    ]
    for other in others:
        with pytest.raises(ValueError, match="holds a run with other settings or data"):
            tune(checkpoint, tuned, **other)
    with pytest.raises(ValueError, match="holds a run with other settings or data"):
        tune(random_simulator([OLD]), tuned, [replace(NEW, atom_type=("A",) * 5)])
    assert {path.name: path.read_bytes() for path in tuned.iterdir()} == before


def test_a_lone_checkpoint_is_not_taken_for_the_result(checkpoint: Path, tmp_path: Path) -> None:
    lone = tmp_path / "simulator.safetensors"
    lone.write_bytes(checkpoint.read_bytes())
    with pytest.raises(ValueError, match=r"holds a simulator\.safetensors without the run\.json"):
        tune(lone, tmp_path)
    assert lone.read_bytes() == checkpoint.read_bytes()


# ------------------------------------------------------------------ atom types


def test_new_atom_types_begin_as_the_mean_and_change_nothing_old() -> None:
    chain = replace(OLD, atom_type=("A", "B", "C", "A", "B"))
    simulator = random_simulator([chain])
    wider = with_atom_types(simulator, ["Z", "B", "X"])
    assert wider.atom_types == ("A", "B", "C", "X", "Z")
    rows = simulator.embedding.types.weight
    torch.testing.assert_close(wider.embedding.types.weight[:3], rows, rtol=0, atol=0)
    for new in wider.embedding.types.weight[3:]:
        torch.testing.assert_close(new, rows.mean(dim=0))
    assert nll(wider, chain) == nll(simulator, chain)


def test_new_atom_types_are_learnt(checkpoint: Path, tmp_path: Path) -> None:
    (known,) = set(OLD.atom_type)
    labelled = replace(NEW, atom_type=("new", *NEW.atom_type[1:]))
    found = tune(checkpoint, tmp_path, [labelled])
    assert found.atom_types == (known, "new")
    assert load_report(tmp_path).new.difference < -0.05
    untrained = with_atom_types(load_simulator(checkpoint), ["new"])
    assert nll(found, labelled) < nll(untrained, labelled) - 0.05


def test_types_that_are_in_no_new_trajectory_stay_unknown(checkpoint: Path, tmp_path: Path) -> None:
    strange = replace(OLD, atom_type=("strange", *OLD.atom_type[1:]))
    others: list[dict[str, Any]] = [{"validation": [strange]}, {"replay": [strange]}]
    for more in others:
        with pytest.raises(ValueError, match="'strange' was never seen in training"):
            tune(checkpoint, tmp_path, **more)
    assert list(tmp_path.iterdir()) == []


def test_a_network_without_rows_of_types_says_so() -> None:
    model = with_networks(MODEL, CompositionEmbedding)
    scales = random_simulator([OLD]).scales
    simulator = Simulator(model, atom_types=("A", "B"), scales=scales)
    with pytest.raises(ValueError, match="CompositionEmbedding cannot learn new atom types"):
        with_atom_types(simulator, ["C"])
    assert_same_weights(with_atom_types(simulator, ["A"]), simulator)


# ------------------------------------------------------------------ data that differ


def test_another_frame_interval_gives_the_same_windows(checkpoint: Path, tmp_path: Path) -> None:
    """Frames twice as dense are taken two apart; replayed ones stay as they are."""
    dense = replace(NEW, pos=np.repeat(NEW.pos, 2, axis=0), frame_interval=INTERVAL / 2)
    found = tune(checkpoint, tmp_path, [dense], replay=[OLD])
    assert found.timestep == pytest.approx(INTERVAL)
    assert load_report(tmp_path).new.difference < -0.05
    assert load_provenance(tmp_path / "simulator.safetensors").training["stride"] == 2


METIS = {"method": "metis", "atoms_per_bead": 2}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "interval": (
        {"data": [replace(NEW, frame_interval=0.15)]},
        r"steps by 0\.2 ps, .* frame interval of the data, 0\.15 ps",
    ),
    "longer interval": ({"data": [replace(NEW, frame_interval=0.4)]}, r"0\.2 ps, .* 0\.4 ps"),
    "replay interval": ({"replay": [replace(OLD, frame_interval=0.3)]}, r"0\.2 ps, .* 0\.3 ps"),
    "mapping": ({"data": [replace(NEW, recipe=METIS)]}, "new was mapped by .*metis.* simulator by"),
    "replay mapping": ({"replay": [replace(OLD, recipe=METIS)]}, "old was mapped by .*metis"),
    "temperatures": (
        {"data": [replace(NEW, temperature=300.0), replace(TEST, temperature=310.0)]},
        "new is at 300 K, test at 310 K",
    ),
    "replay temperature": (
        {"data": [replace(NEW, temperature=300.0)], "replay": [replace(OLD, temperature=310.0)]},
        "new is at 300 K, old at 310 K",
    ),
    "nothing": ({"data": []}, "no trajectories"),
    "short": ({"data": [NEW.frames(0, 10)]}, "new: its last 2 frames are held out"),
    "short replay": ({"replay": [OLD.frames(0, 10)]}, "old: its last 2 frames are held out"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_data_claim_no_directory(checkpoint: Path, tmp_path: Path, what: str) -> None:
    more, message = BAD[what]
    with pytest.raises(ValueError, match=message):
        tune(checkpoint, tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tune(tmp_path / "nowhere.safetensors", tmp_path / "out")


@pytest.mark.parametrize(
    "field", ["n_steps", "batch_size", "patience", "replay_share", "validation_fraction"]
)
def test_settings_out_of_range_are_named(field: str) -> None:
    setting: dict[str, Any] = {field: 0}
    with pytest.raises(ValueError, match=field):
        FinetuningConfig(**setting)


def test_unlike_data_are_told(checkpoint: Path, tmp_path: Path) -> None:
    fast = rouse_chain(5, thermal_energy=9.0).trajectory(60, INTERVAL, seed=0)
    brief = replace(SHORT, n_steps=1)
    with pytest.warns(UserWarning, match=r"move (2\.9|3|3\.1) times as far"):
        tune(checkpoint, tmp_path / "fast", [fast], brief)
    at_300 = replace(NEW, temperature=300.0)
    tune(checkpoint, tmp_path / "300", [at_300], brief)
    tuned = tmp_path / "300" / "simulator.safetensors"
    with pytest.warns(UserWarning, match="trained at 300 K, the new trajectories are at 350 K"):
        tune(tuned, tmp_path / "350", [replace(NEW, temperature=350.0)], brief)


def test_a_checkpoint_names_its_ancestor_and_data(checkpoint: Path, tmp_path: Path) -> None:
    tune(checkpoint, tmp_path, finetuning=replace(SHORT, n_steps=1), replay=[OLD])
    data = load_provenance(tmp_path / "simulator.safetensors").data
    assert [entry["name"] for entry in data["trajectories"]] == ["new"]
    assert [entry["name"] for entry in data["replay"]] == ["old"]
    assert data["ancestor"]["file"] == "simulator.safetensors"
    assert data["ancestor"]["data"] == load_provenance(checkpoint).data
    assert len(data["ancestor"]["weights"]) == 64


# ------------------------------------------------------------------ command line


def test_the_command_maps_tunes_and_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object) -> int:
        return cli.main([str(argument) for argument in arguments])

    md = ("md", "polymers", tmp_path / "md", "--n_chains", 1, "--run.n_replicas", 2)
    options = {"duration": 4, "frame_interval": 0.1, "equilibration": 0, "platform": "Reference"}
    assert run(*md, *(part for k, v in options.items() for part in (f"--run.{k}", v))) == 0
    first, second = sorted((tmp_path / "md").glob("*.xtc"))
    (structure,) = (tmp_path / "md").glob("*.pdb")
    molecule = cgsim.load_molecule(structure)
    mapped = cgsim.map_trajectory(first, molecule, cgsim.map_metis(molecule, atoms_per_bead=10))
    assert mapped.temperature == pytest.approx(120.27, abs=0.01)
    folder = save_mapped(mapped, tmp_path / "old.cg")
    training = TrainingConfig(n_steps=2, batch_size=4)
    fit([mapped], tmp_path / "model", model=MODEL, training=training, hardware=CPU)
    command = ("finetune", tmp_path / "model" / "simulator.safetensors", second)
    brief = ("--finetuning.n_steps", 2, "--hardware.accelerator", "cpu")
    assert run(*command, "--output", tmp_path / "none", *brief) == 1
    assert "--topology" in capsys.readouterr().err
    bad = mdtraj.load(str(second), top=str(structure))
    bad.xyz[20:] += 50.0
    bad.save(str(tmp_path / "bad.xtc"))
    with_jump = (*command[:2], tmp_path / "bad.xtc", "--topology", structure)
    assert run(*with_jump, "--output", tmp_path / "none", *brief) == 1
    assert "bad.xtc: frame 20: the molecule of" in capsys.readouterr().err
    allowed = (*with_jump, "--allow", "jumps", "--output", tmp_path / "jumped", *brief)
    assert run(*allowed) == 0
    with_map = (*command, "--topology", structure, "--output", tmp_path / "tuned", *brief)
    assert run(*with_map, "--replay", folder) == 0
    said = capsys.readouterr().out
    assert "before" in said
    assert "old" in said
    report = load_report(tmp_path / "tuned")
    assert isinstance(report, FinetuningReport)
    assert f"{report.new.before:.4f}" in said
    assert load_simulator(tmp_path / "tuned" / "simulator.safetensors").recipe == mapped.recipe
    assert not (tmp_path / "none").exists()

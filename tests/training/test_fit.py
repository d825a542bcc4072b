"""Training: it learns, it can be killed at any time, and it never mixes two runs."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback

import cgsim
from cgsim.baselines import CompositionEmbedding
from cgsim.config import Hardware, ModelConfig, TrainingConfig
from cgsim.data.augmentation import NO_AUGMENTATION, Augmentation
from cgsim.data.cutouts import CutoutDataset
from cgsim.data.graphs import CGData
from cgsim.data.windows import WindowDataset
from cgsim.io.records import to_dict
from cgsim.mapping.store import save_mapped
from cgsim.mapping.trajectory import MappedTrajectory, split_by_molecule
from cgsim.model.checkpoint import load_provenance, load_simulator
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY, random_chain, random_simulator
from cgsim.training.fit import fit, training_windows
from cgsim.training.module import TrainingModule, moving_average

CHAINS = [
    replace(random_chain(6, n_frames=80, seed=seed, name=f"c{seed}"), frame_interval=1.0)
    for seed in range(2)
]
SHORT = TrainingConfig(
    n_steps=9, batch_size=4, learning_rate=5e-3, n_warmup=2, ema_decay=0.8, steps_per_epoch=3
)
CPU = Hardware(accelerator="cpu")
ROOT = str(Path(cgsim.__file__).parents[1])


def weights(simulator: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in simulator.named_parameters()}


def assert_same_weights(found: torch.nn.Module, expected: dict[str, torch.Tensor]) -> None:
    for name, value in found.named_parameters():
        assert torch.equal(value, expected[name]), name


def train(
    directory: Path,
    data: Sequence[MappedTrajectory] = CHAINS,
    training: TrainingConfig = SHORT,
    **settings: Any,
) -> Simulator:
    return fit(data, directory, model=TINY, training=training, hardware=CPU, **settings)


def interrupt_before(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C instead of an optimiser step, counted from 1."""
    original = TrainingModule.training_step

    def limited(self: TrainingModule, *args: Any) -> torch.Tensor:
        if self.global_step + 1 == step:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(TrainingModule, "training_step", limited)


def watch(method: str, monkeypatch: pytest.MonkeyPatch, action: Callable[..., None]) -> None:
    """Call `action` with the module whenever Lightning calls one of its hooks."""
    monkeypatch.setattr(TrainingModule, method, lambda self, *args: action(self), raising=False)


def log(directory: Path) -> list[dict[str, str]]:
    with open(directory / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was never interrupted."""
    directory = tmp_path_factory.mktemp("finished")
    train(directory)
    return directory


@pytest.fixture
def uninterrupted(finished: Path) -> dict[str, torch.Tensor]:
    return weights(load_simulator(finished / "simulator.safetensors"))


# ------------------------------------------------------------------ learning


def test_the_loss_falls_on_a_system_that_can_be_learnt(tmp_path: Path) -> None:
    """Beads that all move on by the same vector at every step: exactly predictable."""
    random = np.random.default_rng(0)
    start = random.normal(size=(1, 6, 3)).cumsum(axis=1) * 0.2
    drift = np.arange(60)[:, None, None] * np.array([0.03, 0.01, -0.02])
    noise = 1e-3 * random.normal(size=(60, 6, 3))
    ballistic = replace(CHAINS[0], pos=(start + drift + noise).astype(np.float32))
    training = replace(SHORT, n_steps=80, steps_per_epoch=40, batch_size=16, learning_rate=0.02)
    simulator = train(tmp_path, [ballistic], training)
    untrained = Simulator(TINY, atom_types=simulator.atom_types, scales=simulator.scales).eval()

    def loss(model: Simulator) -> float:
        batch = model.windows([ballistic])[list(range(50))]
        with torch.no_grad():
            return float(model.loss(batch, generator=torch.Generator().manual_seed(0))["nll"])

    assert loss(simulator) < loss(untrained) - 0.5
    assert not simulator.training


def test_the_average_of_the_weights_is_what_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[dict[str, torch.Tensor]] = []
    watch("on_train_batch_end", monkeypatch, lambda m: visited.append(weights(m.simulator)))
    simulator = train(tmp_path, training=replace(SHORT, n_steps=5, steps_per_epoch=5))
    assert len(visited) == 5
    average = visited[0]
    for n, now in enumerate(visited[1:], start=1):
        decay = min(0.8, (1 + n) / (10 + n))
        average = {name: decay * average[name] + (1 - decay) * now[name] for name in now}
    for name, value in simulator.named_parameters():
        torch.testing.assert_close(value, average[name])
    assert any(not torch.equal(average[name], visited[-1][name]) for name in average)


def test_training_perturbs_and_validation_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Simulator.loss
    seen: dict[bool, set[Any]] = {True: set(), False: set()}

    def noting(self: Simulator, batch: Any, *, generator: Any, augmentation: Any = None) -> Any:
        seen[self.training].add(augmentation)
        return original(
            self, batch, generator=generator, augmentation=augmentation or NO_AUGMENTATION
        )

    monkeypatch.setattr(Simulator, "loss", noting)
    config = replace(SHORT, history_noise=0.2, embedding_dropout=0.3, time_reversal=0.4)
    train(tmp_path / "run", training=config)
    assert seen == {True: {Augmentation(0.2, 0.3, 0.4)}, False: {None}}


@pytest.mark.parametrize(("keep", "kept", "other"), [("best", 1, 2), ("last", 2, 1)])
def test_the_epoch_that_is_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keep: Literal["best", "last"],
    kept: int,
    other: int,
) -> None:
    scores = [3.0, 1.0, 2.0]
    validated: list[dict[str, torch.Tensor]] = []

    def validate(self: TrainingModule, *args: Any) -> None:
        if len(validated) <= self.current_epoch:
            validated.append(weights(self.simulator))
        self.log("validation_nll", torch.tensor(scores[self.current_epoch]), batch_size=1)

    monkeypatch.setattr(TrainingModule, "validation_step", validate)
    simulator = train(tmp_path, training=replace(SHORT, keep=keep))
    assert len(validated) == 3
    assert_same_weights(simulator, validated[kept])
    with pytest.raises(AssertionError):
        assert_same_weights(simulator, validated[other])


@pytest.mark.parametrize(("n_steps", "expected"), [(2, [2]), (4, [2, 4])])
def test_the_last_steps_are_validated_too(
    tmp_path: Path, n_steps: int, expected: list[int]
) -> None:
    train(tmp_path, training=replace(SHORT, n_steps=n_steps))
    validated = [int(line["step"]) + 1 for line in log(tmp_path) if line["validation_nll"]]
    assert validated == expected


def test_large_systems_are_learnt_from_cut_outs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the longer chain; in training and in validation; the loss falls."""
    sizes: list[set[int]] = []
    original = Simulator.loss

    def watched(self: Simulator, batch: CGData, **options: Any) -> dict[str, torch.Tensor]:
        sizes.append(set(torch.bincount(batch.batch).tolist()))
        assert ("core" in batch) == (25 in sizes[-1])
        return original(self, batch, **options)

    monkeypatch.setattr(Simulator, "loss", watched)
    chains = [random_chain(n, n_frames=60, seed=n, name=str(n)) for n in (20, 40)]
    training = replace(SHORT, n_window_beads=25)
    simulator = train(tmp_path, chains, training)
    assert set().union(*sizes) == {20, 25}
    assert simulator.dtype == torch.float32
    assert json.loads((tmp_path / "run.json").read_text())["training"]["n_window_beads"] == 25


def test_thickness_of_the_shell() -> None:
    simulator = random_simulator(CHAINS)
    found = training_windows(simulator, CHAINS, n_beads=4)
    assert isinstance(found, CutoutDataset)
    assert found.shell == 3 * simulator.cutoff  # two convolutions
    assert isinstance(training_windows(simulator, CHAINS, n_beads=None), WindowDataset)


def test_a_run_from_before_cut_outs_is_known_again(finished: Path, tmp_path: Path) -> None:
    directory = tmp_path / "older"
    shutil.copytree(finished, directory)
    settings = json.loads((directory / "run.json").read_text())
    assert settings["training"].pop("n_window_beads", 0) is None
    assert settings["training"].pop("n_cycles") == 1
    assert settings["model"].pop("networks")
    sampler = settings["model"].pop("sampler")
    score = settings["model"]["score"]
    score |= {"start_level": sampler["sigma_max"], "n_evaluations": sampler["n_evaluations"]}
    score |= {"spacing": score.pop("rho"), "order": 1}
    (directory / "run.json").write_text(json.dumps(settings))
    before = weights(load_simulator(directory / "simulator.safetensors"))
    assert_same_weights(train(directory), before)
    with pytest.raises(ValueError, match="other settings"):
        train(directory, CHAINS, replace(SHORT, n_window_beads=3))


def test_logs_and_provenance_are_there(finished: Path) -> None:
    lines = log(finished)
    for column in ("train_nll", "train_score", "validation_nll", "validation_loss"):
        values = [float(line[column]) for line in lines if line[column]]
        assert len(values) == 3
        assert np.isfinite(values).all()
    assert [path for path in finished.iterdir() if path.name.startswith("events.out.tfevents")]
    about = load_provenance(finished / "simulator.safetensors")
    assert about.recipe == CHAINS[0].recipe
    assert about.training["n_steps"] == 9
    assert [entry["name"] for entry in about.data["trajectories"]] == ["c0", "c1"]


def test_a_simulator_without_score_network_trains(tmp_path: Path) -> None:
    model = replace(TINY, score=None)
    simulator = fit(CHAINS, tmp_path, model=model, training=replace(SHORT, n_steps=3), hardware=CPU)
    assert simulator.score is None
    assert "train_score" not in log(tmp_path)[0]


def test_molecules_of_any_size_are_mixed_and_held_out(tmp_path: Path) -> None:
    sizes = [random_chain(n, n_frames=40, seed=n, name=f"n{n}") for n in (3, 5, 8, 11)]
    learn, held_out = split_by_molecule(sizes, fraction=0.25, seed=0)
    simulator = train(tmp_path, learn, replace(SHORT, n_steps=3), validation=held_out)
    assert simulator.atom_types == ("A", "B", "C")
    assert len(log(tmp_path)) == 2


# ------------------------------------------------------------------ interruptions


@pytest.mark.parametrize("step", [2, 4, 8])
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    tmp_path: Path,
    step: int,
    uninterrupted: dict[str, torch.Tensor],
    finished: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        interrupt_before(step, patch)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not (tmp_path / "simulator.safetensors").exists()
    steps: list[int] = []
    watch("on_train_batch_start", monkeypatch, lambda m: steps.append(m.global_step))
    assert_same_weights(train(tmp_path), uninterrupted)
    assert steps[0] == (step - 1) // 3 * 3
    assert log(tmp_path) == log(finished)


def test_a_killed_command_ends_as_if_it_had_not_been(tmp_path: Path, finished: Path) -> None:
    data = [save_mapped(chain, tmp_path / f"{chain.name}.cg") for chain in CHAINS]
    slow = (
        "import time, torch\n"
        "torch.set_num_threads(1)\n"
        "from cgsim.training.trainer import TrainingModule\n"
        "step = TrainingModule.training_step\n"
        "TrainingModule.training_step = lambda *a: (time.sleep(0.3), step(*a))[1]\n"
    )
    process = subprocess.Popen(
        command(tmp_path, slow, data), env=environment(), stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out" / "last.ckpt").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.3)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "out" / "simulator.safetensors").exists()
    simulator = train(tmp_path / "out")
    assert_same_weights(simulator, weights(load_simulator(finished / "simulator.safetensors")))
    assert log(tmp_path / "out") == log(finished)


def command(folder: Path, preamble: str, data: Sequence[Path]) -> list[str]:
    """`cgsim train` as a script, as installed, with the settings of this file."""
    script = folder / "cgsim_script.py"
    call = "raise SystemExit(main())"
    script.write_text(f"{preamble}from cgsim.cli import main\n{call}\n")
    arguments = [sys.executable, str(script), "train", *map(str, data)]
    arguments += ["--output", str(folder / "out"), "--hardware.accelerator", "cpu"]
    for part, config in (("model", TINY), ("training", SHORT)):
        for key, value in flat(config).items():
            arguments += [f"--{part}.{key}", "null" if value is None else str(value)]
    return arguments


def flat(config: Any) -> dict[str, Any]:
    """Fields of a config by dotted name."""
    fields: dict[str, Any] = {}
    for key, value in vars(config).items():
        nested = flat(value) if hasattr(value, "__dataclass_fields__") else None
        fields |= {key: value} if nested is None else {f"{key}.{k}": v for k, v in nested.items()}
    return fields


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1"}


IN_PARALLEL = """
import json
import sys
from pathlib import Path

import lightning.pytorch as lightning
import torch

torch.set_num_threads(1)
import cgsim

HERE = Path(__file__).parent


class Recorder(lightning.Callback):
    def on_train_batch_end(self, trainer, module, *_):
        with open(HERE / f"rank{trainer.global_rank}.txt", "a") as file:
            print(float(trainer.callback_metrics["train_nll"]), seeds.pop(), file=file)


seeds, loss = [], cgsim.Simulator.loss


def watched(self, batch, *, generator, **options):
    if self.training:
        seeds.append(generator.initial_seed())
    return loss(self, batch, generator=generator, **options)


cgsim.Simulator.loss = watched
cgsim.fit(
    [cgsim.load_mapped(folder) for folder in sorted(HERE.glob("*.cg"))],
    HERE / "out",
    hardware={"accelerator": "cpu", "n_devices": 2},
    trainer={"callbacks": Recorder()},
    **json.loads((HERE / "settings.json").read_text()),
)
"""


def test_two_processes_train_like_one_with_twice_the_batch(tmp_path: Path) -> None:
    """Without noise, which every process draws for itself."""
    for chain in CHAINS:
        save_mapped(chain, tmp_path / f"{chain.name}.cg")
    model, short = replace(TINY, score=None), replace(SHORT, history_noise=0.0)
    settings = {"model": to_dict(model), "training": to_dict(short)}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    script = tmp_path / "in_parallel.py"
    script.write_text(IN_PARALLEL)
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [(tmp_path / f"rank{rank}.txt").read_text().split() for rank in range(2)]
    two = np.mean([[float(nll) for nll in own[::2]] for own in lines], axis=0)
    seeds = {int(seed) for own in lines for seed in own[1::2]}
    assert len(seeds) == 2 * SHORT.n_steps  # no noise is drawn twice

    one: list[float] = []

    class Recorder(Callback):
        def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
            one.append(float(trainer.callback_metrics["train_nll"]))

    doubled = replace(short, batch_size=2 * SHORT.batch_size)
    simulator = fit(
        CHAINS,
        tmp_path / "one",
        model=model,
        training=doubled,
        hardware=CPU,
        trainer={"callbacks": Recorder()},
    )

    assert len(one) == SHORT.n_steps
    assert np.ptp(one) > 1e-3  # there is a curve
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-4)
    expected = weights(load_simulator(tmp_path / "out" / "simulator.safetensors"))
    for name, value in simulator.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name], rtol=1e-2, atol=1e-3)
    assert len(log(tmp_path / "out")) == len(log(tmp_path / "one"))


def test_a_finished_run_goes_on_with_more_cycles(finished: Path, tmp_path: Path) -> None:
    directory, twice = tmp_path / "run", replace(SHORT, n_cycles=2)
    shutil.copytree(finished, directory)
    longer = train(directory, training=twice)
    at_once = train(tmp_path / "at-once", training=twice)
    assert_same_weights(longer, weights(at_once))
    rates = [float(line["learning_rate"]) for line in log(directory) if line["learning_rate"]]
    assert len(set(rates[:3])) == 3
    assert rates[3:] == pytest.approx(rates[:3])
    assert load_provenance(directory / "simulator.safetensors").training["n_cycles"] == 2
    assert_same_weights(train(directory, training=twice), weights(longer))
    with pytest.raises(ValueError, match="holds a run of 2 cycles, not of 1"):
        train(directory)


def test_a_run_that_goes_on_can_be_interrupted(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, twice = tmp_path / "run", replace(SHORT, n_cycles=2)
    shutil.copytree(finished, directory)
    with monkeypatch.context() as patch:
        interrupt_before(14, patch)
        with pytest.raises(KeyboardInterrupt):
            train(directory, training=twice)
    assert_same_weights(
        train(directory, training=twice), weights(train(tmp_path / "at-once", training=twice))
    )


def test_a_finished_run_is_not_repeated(
    finished: Path, uninterrupted: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_before(1, monkeypatch)
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    assert_same_weights(train(finished), uninterrupted)
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_what_another_run_has_otherwise_is_named(finished: Path) -> None:
    with pytest.raises(ValueError, match=r"\(training\.batch_size was 4, now 3; see run\.json\)"):
        train(finished, CHAINS, replace(SHORT, batch_size=3))
    with pytest.raises(ValueError, match=r"\(data\.trajectories; see run\.json\)"):
        train(finished, CHAINS[:1])


OTHER_RUNS: dict[str, Callable[[Path], Any]] = {
    "training": lambda out: train(out, training=replace(SHORT, seed=1)),
    "history": lambda out: fit(
        CHAINS, out, model=replace(TINY, history=3), training=SHORT, hardware=CPU
    ),
    "data": lambda out: train(out, CHAINS[:1]),
    "frames": lambda out: train(out, [chain.frames(0, 70) for chain in CHAINS]),
    "validation": lambda out: train(out, validation=CHAINS[:1]),
    "network": lambda out: train(out, network=CompositionEmbedding),
}


@pytest.mark.parametrize("what", OTHER_RUNS)
def test_another_run_is_not_overwritten(finished: Path, what: str) -> None:
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    with pytest.raises(ValueError, match="holds a run with other settings or data"):
        OTHER_RUNS[what](finished)
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_resume_points_are_loaded_without_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_before(4, patch)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    calls: list[Any] = []
    load = torch.load

    def spy(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs.get("weights_only"))
        return load(*args, **kwargs)

    monkeypatch.setattr(torch, "load", spy)
    train(tmp_path)
    assert len(calls) >= 2
    assert all(value is True for value in calls)


class Bomb:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("damage", ["cut", "pickle"])
def test_a_damaged_resume_point_is_named_and_kept(tmp_path: Path, damage: str) -> None:
    last = tmp_path / "last.ckpt"
    if damage == "cut":
        torch.save({"global_step": 3, "state": torch.zeros(1000)}, last)
        last.write_bytes(last.read_bytes()[:-500])
    else:
        torch.save({"global_step": Bomb(tmp_path / "exploded")}, last)
    before = last.read_bytes()
    with pytest.raises(ValueError, match=r"last\.ckpt: damaged"):
        train(tmp_path)
    assert last.read_bytes() == before
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("spoilt", ["loss", "precision"])
def test_a_training_that_diverges_says_so_and_keeps_what_was_good(
    tmp_path: Path, spoilt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifth, before_step = 4, TrainingModule.training_step

    def spoil(self: TrainingModule, *args: Any) -> torch.Tensor:
        if self.global_step == fifth:
            if spoilt == "loss":
                with torch.no_grad():
                    next(self.simulator.dynamics.parameters()).fill_(torch.nan)
            else:
                self.loss = lambda *_, **__: torch.linalg.eigh(torch.full((3, 3), torch.nan))
        return before_step(self, *args)

    monkeypatch.setattr(TrainingModule, "training_step", spoil)
    with pytest.raises(ArithmeticError, match=r"step 5 is not a number.*less than 0\.005"):
        train(tmp_path)
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert kept["global_step"] == SHORT.steps_per_epoch
    assert all(bool(value.isfinite().all()) for value in kept["state_dict"].values())
    assert not (tmp_path / "simulator.safetensors").exists()


# ------------------------------------------------------------------ bad data


def test_bad_data_claims_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frame intervals differ: c0 has 1 ps, c1 has 2 ps"):
        train(tmp_path, [CHAINS[0], replace(CHAINS[1], frame_interval=2.0)])
    with pytest.raises(ValueError, match="no trajectories"):
        train(tmp_path, [])
    with pytest.raises(ValueError, match="c1: 2 frames"):
        train(tmp_path, [CHAINS[0], CHAINS[1].frames(0, 2)], validation=CHAINS[:1])
    with pytest.raises(ValueError, match="c1: 1 frames"):
        train(tmp_path, [CHAINS[0], CHAINS[1].frames(0, 1)], validation=CHAINS[:1])
    assert list(tmp_path.iterdir()) == []


def test_validation_data_must_be_alike_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frame intervals differ: c0 has 1 ps, c1 has 2 ps"):
        train(tmp_path, CHAINS[:1], validation=[replace(CHAINS[1], frame_interval=2.0)])
    with pytest.raises(ValueError, match="c1: 2 frames"):
        train(tmp_path, CHAINS[:1], validation=[CHAINS[1].frames(0, 2)])


def test_mappings_must_be_alike(tmp_path: Path) -> None:
    metis = [
        replace(chain, recipe={"method": "metis", "atoms_per_bead": number})
        for chain, number in zip(CHAINS, (2, 3), strict=True)
    ]
    for data in (metis, [CHAINS[0], metis[1]], [metis[0], CHAINS[1]]):
        with pytest.raises(
            ValueError, match=r"c0 was mapped by .*, c1 by .*: map all of them alike"
        ):
            train(tmp_path, data)


def test_hardware_that_is_not_there_is_named(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ValueError, match="cuda"):
        fit(CHAINS, tmp_path, model=TINY, training=SHORT, hardware=Hardware(accelerator="cuda"))


def test_a_history_of_no_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="history must be at least 1"):
        fit(CHAINS, tmp_path, model=ModelConfig(history=0), training=SHORT, hardware=CPU)


def test_moving_average() -> None:
    """Exponential with a ramp: the first value counts for all until others have come."""
    average = moving_average(0.6)
    mean = torch.tensor(1.0)
    for n, value in enumerate((4.0, -2.0, 3.0, 8.0, 1.0, 5.0, 2.0, 9.0, 7.0, 6.0, 0.0, 3.0)):
        decay = min(0.6, (1 + n) / (10 + n))
        expected = decay * mean + (1 - decay) * value
        average([mean], [torch.tensor(value)], torch.tensor(n))
        torch.testing.assert_close(mean, expected)

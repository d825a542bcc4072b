"""The training loop as the user chooses it, and what each of its settings does to the weights."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import Logger
from torch.optim.lr_scheduler import ConstantLR, OneCycleLR, ReduceLROnPlateau

import cgsim
from cgsim.cli import command_line as cli
from cgsim.config import TrainingConfig
from cgsim.mapping.store import save_mapped
from cgsim.model.checkpoint import load_provenance, load_simulator
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY, random_chain
from cgsim.training.module import TrainingModule
from cgsim.version import __version__

CHAINS = [
    replace(random_chain(6, n_frames=80, seed=seed, name=f"c{seed}"), frame_interval=1.0)
    for seed in range(2)
]
SHORT = TrainingConfig(
    n_steps=6, batch_size=4, learning_rate=5e-3, n_warmup=1, ema_decay=0.8, steps_per_epoch=3
)
SMALL = replace(TINY, score=None, dynamics=replace(TINY.dynamics, n_layers=1, noise="independent"))
DEFAULTS: dict[str, Any] = {"model": SMALL, "hardware": {"accelerator": "cpu"}}
Weights = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def _brief_validations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgsim.training.trainer.N_VALIDATION_BATCHES", 2)


def train(directory: Path, training: TrainingConfig = SHORT, **settings: Any) -> Simulator:
    return cgsim.fit(CHAINS, directory, training=training, **DEFAULTS | settings)


def weights(module: torch.nn.Module) -> Weights:
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def distance(first: Weights, second: Weights) -> float:
    return sum(float((first[name] - second[name]).square().sum()) for name in first) ** 0.5


def assert_same_weights(first: torch.nn.Module, second: torch.nn.Module) -> None:
    assert distance(weights(first), weights(second)) == 0


class Watcher(Callback):
    """Weights before and after every batch, losses, and learning rates."""

    def __init__(self) -> None:
        self.before: list[Weights] = []
        self.after: list[Weights] = []
        self.losses: list[dict[str, float]] = []
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Any, module: Any, *_: Any) -> None:
        self.before.append(weights(module.simulator))
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        self.after.append(weights(module.simulator))
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.losses.append(logged | {"loss": float(outputs["loss"])})


def log(directory: Path) -> list[dict[str, str]]:
    with open(directory / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def sgd(parameters: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=1.0)


def constant(optimizer: torch.optim.Optimizer, n_steps: int) -> Any:
    return ConstantLR(optimizer, factor=1.0)


def one_cycle(optimizer: torch.optim.Optimizer, n_steps: int) -> Any:
    return OneCycleLR(optimizer, max_lr=0.01, total_steps=n_steps)


def interrupt_before(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original = TrainingModule.training_step

    def limited(self: TrainingModule, *args: Any) -> torch.Tensor:
        if self.global_step + 1 == step:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(TrainingModule, "training_step", limited)


# ------------------------------------------------------------------ what settings do


@pytest.mark.parametrize("clip", [1e-3, 1e-2])
def test_gradients_are_clipped(clip: float, tmp_path: Path) -> None:
    """Steps of plain descent at a rate of 1 are the gradients; unclipped ones are far longer."""
    watcher = Watcher()
    trainer = {"optimizer": sgd, "scheduler": constant, "callbacks": watcher}
    train(tmp_path, replace(SHORT, clip=clip), trainer=trainer)
    lengths = [distance(*step) for step in zip(watcher.before, watcher.after, strict=True)]
    assert len(lengths) == SHORT.n_steps
    np.testing.assert_allclose(lengths, clip, rtol=1e-3)


def test_weights_decay_as_configured(tmp_path: Path) -> None:
    """Decoupled: beside the same step of Adam a share ``rate x decay`` of every weight is lost."""
    ends = {}
    start: Weights = {}
    for decay in (0.0, 0.3, 0.6):
        watcher = Watcher()
        once = replace(SHORT, n_steps=1, weight_decay=decay, learning_rate=0.01)
        train(tmp_path / str(decay), once, trainer={"callbacks": watcher})
        ((start, ends[decay]),) = zip(watcher.before, watcher.after, strict=True)
    for decay in (0.3, 0.6):
        for name, value in start.items():
            lost = ends[0.0][name] - ends[decay][name]
            torch.testing.assert_close(lost, 0.01 * decay * value, rtol=1e-3, atol=1e-6)


def test_fine_tuned_weights_do_not_decay(tmp_path: Path) -> None:
    """What gets no gradient, the rows of atom types that are not there, stays as it is."""
    simulator = train(tmp_path / "old")
    one_type = [replace(CHAINS[0], atom_type=("A",) * len(CHAINS[0].atom_type))]
    watcher = Watcher()
    cgsim.finetune(
        simulator,
        one_type,
        tmp_path / "new",
        finetuning={"n_steps": 3, "learning_rate": 0.1, "batch_size": 4},
        hardware={"accelerator": "cpu"},
        trainer={"callbacks": [watcher]},
    )
    rows = [steps["embedding.types.weight"] for steps in (watcher.before[0], watcher.after[-1])]
    assert torch.equal(rows[0][1:], rows[1][1:])
    assert not torch.equal(rows[0][0], rows[1][0])


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_the_score_counts_as_much_as_it_is_given_weight(weight: float, tmp_path: Path) -> None:
    watcher = Watcher()
    train(tmp_path, replace(SHORT, score_weight=weight), model=TINY, trainer={"callbacks": watcher})
    for losses in watcher.losses:
        expected = losses["train_nll"] + weight * losses["train_score"]
        assert losses["loss"] == pytest.approx(expected, rel=1e-5)
    last = watcher.losses[-1]
    expected = last["validation_nll"] + weight * last["validation_score"]
    assert last["validation_loss"] == pytest.approx(expected, rel=1e-5)


def test_a_denoiser_without_weight_learns_nothing(tmp_path: Path) -> None:
    moved = {}
    for weight in (0.0, 1.0):
        watcher = Watcher()
        config = replace(SHORT, score_weight=weight, weight_decay=0.0)
        train(tmp_path / str(weight), config, model=TINY, trainer={"callbacks": watcher})
        first, last = watcher.before[0], watcher.after[-1]
        names = [name for name in first if name.startswith("score.")]
        assert names
        moved[weight] = [not torch.equal(first[name], last[name]) for name in names]
    assert not any(moved[0.0])
    assert any(moved[1.0])


# ------------------------------------------------------------------ optimiser and schedule


def test_the_default_optimiser_by_hand(tmp_path: Path) -> None:
    """An AdamW of one's own with the numbers of the configuration ends with the same weights."""

    def adamw(parameters: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
        rate, decay = SHORT.learning_rate, SHORT.weight_decay
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)

    assert_same_weights(train(tmp_path / "a"), train(tmp_path / "b", trainer={"optimizer": adamw}))


@pytest.mark.parametrize("n_accumulated", [1, 2])
def test_a_scheduler_is_stepped_once_a_step_to_its_end(n_accumulated: int, tmp_path: Path) -> None:
    watcher = Watcher()
    training = replace(SHORT, n_steps=10, steps_per_epoch=4)  # 3 epochs of 4 steps
    train(
        tmp_path,
        training,
        trainer={
            "callbacks": watcher,
            "optimizer": sgd,
            "scheduler": one_cycle,
            "accumulate_grad_batches": n_accumulated,
        },
    )
    rates = watcher.rates[::n_accumulated]
    expected = OneCycleLR(sgd([torch.nn.Parameter(torch.zeros(1))]), max_lr=0.01, total_steps=12)
    found = []
    for _ in range(12):
        found.append(expected.get_last_lr()[0])
        expected.optimizer.step()
        expected.step()
    assert rates == pytest.approx(found)


def test_a_scheduler_that_watches_the_validation(tmp_path: Path) -> None:
    """With a threshold that nothing passes the rate falls after every epoch but the first."""

    def plateau(optimizer: torch.optim.Optimizer, n_steps: int) -> Any:
        return ReduceLROnPlateau(
            optimizer, factor=0.5, patience=0, threshold=1e6, threshold_mode="abs"
        )

    watcher = Watcher()
    trainer = {"callbacks": watcher, "optimizer": sgd, "scheduler": plateau}
    train(tmp_path, replace(SHORT, n_steps=9), trainer=trainer)
    assert watcher.rates == [1.0] * 6 + [0.5] * 3


def test_what_makes_no_optimiser_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"trainer\.optimizer must make a torch optimiser, made 3"):
        train(tmp_path, trainer={"optimizer": lambda parameters: 3})


OWN: dict[str, Any] = {
    "optimizer": partial(torch.optim.RAdam, lr=0.01),
    "scheduler": one_cycle,
    "accumulate_grad_batches": 2,
}


def test_an_interrupted_run_goes_on_with_its_own_optimiser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(tmp_path / "at-once", trainer=OWN)
    with monkeypatch.context() as patch:
        interrupt_before(5, patch)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "run", trainer=OWN)
    for other in ({}, OWN | {"accumulate_grad_batches": 3}, OWN | {"optimizer": sgd}):
        with pytest.raises(ValueError, match="holds a run with other settings"):
            train(tmp_path / "run", trainer=other)
    assert_same_weights(train(tmp_path / "run", trainer=OWN), expected)
    assert log(tmp_path / "run") == log(tmp_path / "at-once")
    about = load_provenance(tmp_path / "run" / "simulator.safetensors").training
    assert about["trainer"]["optimizer"] == "torch.optim.radam:RAdam(lr=0.01)"


def test_batches_that_are_added_up_draw_noise_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Simulator.loss
    drawn: list[int] = []

    def watched(self: Simulator, batch: Any, *, generator: Any, **options: Any) -> Any:
        if self.training:
            drawn.append(generator.initial_seed())
        return original(self, batch, generator=generator, **options)

    monkeypatch.setattr(Simulator, "loss", watched)
    plain = train(tmp_path / "plain")
    once, n_steps = drawn.copy(), SHORT.n_steps
    assert len(set(once)) == n_steps
    drawn.clear()
    thrice = train(tmp_path / "thrice", trainer={"accumulate_grad_batches": 3})
    assert len(set(drawn)) == 3 * n_steps
    assert drawn[::3] == once
    assert distance(weights(plain), weights(thrice)) > 0
    rates = [float(line["learning_rate"]) for line in log(tmp_path / "thrice") if line["train_nll"]]
    assert rates == [
        float(line["learning_rate"]) for line in log(tmp_path / "plain") if line["train_nll"]
    ]


# ------------------------------------------------------------------ loggers and callbacks


class Memory(Logger):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[dict[str, float]] = []

    @property
    def name(self) -> str:
        return "memory"

    @property
    def version(self) -> str:
        return "0"

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.metrics.append(metrics)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("logger", "table", "events"),
    [
        ("csv", True, False),
        (["tensorboard"], False, True),
        (["csv", "tensorboard"], True, True),
        (None, True, True),
        (False, False, False),
        ([], False, False),
    ],
)
def test_losses_go_where_they_are_wanted(
    logger: Any, table: bool, events: bool, tmp_path: Path
) -> None:
    train(tmp_path, replace(SHORT, n_steps=2), trainer={"logger": logger})
    names = [path.name for path in tmp_path.iterdir()]
    assert ("metrics.csv" in names) == table
    assert any(name.startswith("events.out.tfevents") for name in names) == events
    assert {"best.ckpt", "last.ckpt", "run.json", "simulator.safetensors"} <= set(names)


def test_a_logger_of_ones_own_beside_the_table(tmp_path: Path) -> None:
    memory = Memory()
    train(tmp_path, trainer={"logger": [memory, "csv"]})
    kept = [entry["train_nll"] for entry in memory.metrics if "train_nll" in entry]
    lines = [float(line["train_nll"]) for line in log(tmp_path) if line["train_nll"]]
    assert kept == pytest.approx(lines)
    assert kept


def test_callbacks_see_the_training_and_may_stop_it(tmp_path: Path) -> None:
    """With a threshold that nothing passes it stops after the second validation."""
    stop = EarlyStopping("validation_nll", patience=1, min_delta=1e6)
    watcher = Watcher()
    simulator = train(tmp_path, replace(SHORT, n_steps=30), trainer={"callbacks": [stop, watcher]})
    assert len(watcher.losses) == 6
    assert_same_weights(simulator, load_simulator(tmp_path / "simulator.safetensors"))


def test_a_training_that_is_stopped_at_once_says_that_nothing_is_kept(tmp_path: Path) -> None:
    class Stop(Callback):
        def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
            trainer.fit_loop.epoch_loop.max_steps = 0

    with pytest.raises(ValueError, match="stopped before the end of its first epoch"):
        train(tmp_path, trainer={"callbacks": Stop()})
    assert not (tmp_path / "simulator.safetensors").exists()
    train(tmp_path)


def test_options_of_lightning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, Any] = {}

    class Look(Callback):
        def on_train_start(self, trainer: Any, module: Any) -> None:
            seen.update(
                bar=trainer.progress_bar_callback,
                every=trainer.log_every_n_steps,
                clipping=trainer.gradient_clip_algorithm,
                strategy=type(trainer.strategy).__name__,
            )

    trainer = {
        "callbacks": Look(),
        "enable_progress_bar": False,
        "log_every_n_steps": 1,
        "gradient_clip_algorithm": "value",
    }
    train(tmp_path / "quiet", trainer=trainer)
    assert seen["bar"] is None
    assert seen["every"] == 1
    assert seen["clipping"] == "value"
    assert sum(bool(line["train_nll"]) for line in log(tmp_path / "quiet")) == SHORT.n_steps
    assert "Epoch" not in "".join(capfd.readouterr())
    train(tmp_path / "rich", trainer={"callbacks": [RichProgressBar(), Look()]})
    assert isinstance(seen["bar"], RichProgressBar)


def test_what_lightning_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    for trainer, message in (
        ({"profiler": "clock"}, "clock"),
        ({"strategy": "teleport"}, "teleport"),
        ({"callbacks": [EarlyStopping("a"), EarlyStopping("a")]}, "EarlyStopping"),
    ):
        with pytest.raises(ValueError, match=message):
            train(tmp_path, trainer=trainer)
    train(tmp_path)  # the same run, and nothing of it is lost


def test_weights_and_biases_go_on_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    ids: list[str] = []

    class Look(Callback):
        def on_train_start(self, trainer: Any, module: Any) -> None:
            ids.append(trainer.logger.experiment.id)

    trainer = {"logger": "wandb", "callbacks": Look()}
    with monkeypatch.context() as patch:
        interrupt_before(5, patch)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "run", trainer=trainer)
    train(tmp_path / "run", trainer=trainer)
    train(tmp_path / "other", trainer=trainer)
    assert ids[0] == ids[1] != ids[2]


# ------------------------------------------------------------------ resume points of other versions


def renamed(state: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("embedding", "embed", 1): value for name, value in state.items()}


@pytest.mark.parametrize("version", ["0.0.1", None])
def test_a_resume_point_of_other_networks_is_named_and_kept(
    version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_before(5, patch)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    last = tmp_path / "last.ckpt"
    stored = torch.load(last, weights_only=True)
    assert stored.pop("cgsim_version") == __version__
    if version is not None:
        stored["cgsim_version"] = version
    stored["state_dict"] = renamed(stored["state_dict"])
    torch.save(stored, last)
    before = last.read_bytes()
    maker = rf"cgsim {version}" if version else "an earlier version of cgsim"
    message = rf"last\.ckpt: a resume point of other networks, made by {maker} "
    with pytest.raises(ValueError, match=message + r".*simulator\.embed.*finish the run with that"):
        train(tmp_path)
    assert last.read_bytes() == before


def test_settings_of_another_version_are_named(tmp_path: Path) -> None:
    train(tmp_path, replace(SHORT, n_steps=1))
    settings = json.loads((tmp_path / "run.json").read_text())
    settings["training"]["spin"] = 1
    (tmp_path / "run.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=r"run\.json: of a run of another version.*'spin'"):
        train(tmp_path, replace(SHORT, n_steps=1))


# ------------------------------------------------------------------ command line


def test_the_command_takes_options_of_the_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [str(save_mapped(chain, tmp_path / f"{chain.name}.cg")) for chain in CHAINS]
    cpu = ["--hardware.accelerator", "cpu"]
    short = ["--training.n_steps", "2", "--training.batch_size", "4", *cpu]
    short += ["--model.score", "null", "--model.dynamics.n_channels", "4"]
    options = ["--trainer.logger", "csv", "--trainer.accumulate_grad_batches", "2"]
    options += [
        "--trainer.optimizer",
        "torch.optim:NAdam",
        "--trainer.gradient_clip_algorithm=value",
    ]
    out = tmp_path / "out"
    assert cli.main(["train", *data, "--output", str(out), *short, *options]) == 0
    assert json.loads((out / "run.json").read_text())["trainer"] == {
        "optimizer": "torch.optim:NAdam",
        "accumulate_grad_batches": 2,
        "gradient_clip_algorithm": "value",
    }
    assert not list(out.glob("events*"))
    tuned = ["finetune", str(out / "simulator.safetensors"), data[0], "--output"]
    few = ["--finetuning.n_steps", "2", *cpu, "--trainer", '{"logger": []}']
    assert cli.main([*tuned, str(tmp_path / "tuned"), *few]) == 0
    assert not (tmp_path / "tuned" / "metrics.csv").exists()
    capsys.readouterr()
    wrong = ["--trainer.max_epochs", "3"]
    assert cli.main(["train", *data, "--output", str(tmp_path / "no"), *wrong]) == 1
    said = capsys.readouterr().err
    assert "trainer.max_epochs is set by cgsim itself" in said
    assert "training.n_steps" in said

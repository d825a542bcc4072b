"""Options of the training loop: what is taken, what is refused and what to use instead."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from lightning.pytorch.callbacks import (
    EarlyStopping,
    GradientAccumulationScheduler,
    StochasticWeightAveraging,
    WeightAveraging,
)

import cgsim
from cgsim.config import FinetuningConfig, Hardware, ModelConfig, TrainingConfig
from cgsim.testing.systems import random_chain, random_simulator
from cgsim.training.options import RESERVED, TrainerOptions
from cgsim.training.trainer import checked_options

CHAIN = random_chain(6, n_frames=40)
CONFIGS = {"training": TrainingConfig(), "hardware": Hardware(), "finetuning": FinetuningConfig()}


def sgd(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def refused(tmp_path: Path, message: str, **arguments: Any) -> None:
    """Neither training nor fine-tuning begins, and nothing is written."""
    for begin in (
        lambda: cgsim.fit([CHAIN], tmp_path / "run", **arguments),
        lambda: cgsim.finetune(random_simulator([CHAIN]), [CHAIN], tmp_path / "run", **arguments),
    ):
        with pytest.raises(ValueError, match=message):
            begin()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", RESERVED)
def test_what_cgsim_sets_itself_is_refused_with_what_to_use(name: str, tmp_path: Path) -> None:
    refused(tmp_path, rf"trainer\.{name} is set by cgsim.*use instead: ", trainer={name: 1})


@pytest.mark.parametrize("name", RESERVED)
def test_what_to_use_is_there(name: str) -> None:
    """Fields that are named exist, and the options are Lightning's."""
    assert name in lightning.Trainer.__init__.__annotations__
    for config, field in re.findall(r"\b([a-z]+)\.(\w+)", RESERVED[name]):
        assert hasattr(CONFIGS[config], field)


def test_mistyped_options_are_all_named(tmp_path: Path) -> None:
    refused(
        tmp_path,
        r"no such option.*'acumulate_grad_batches' \(did you mean 'accumulate_grad_batches'\?\), "
        r"'zzzz'$",
        trainer={"acumulate_grad_batches": 2, "profiler": None, "zzzz": 1},
    )


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"logger": "cvs"}, r"no logger 'cvs' \(did you mean 'csv'\?\); there are csv, tensorb"),
        ({"logger": ["csv", "mlflow"]}, "no logger 'mlflow'; there are"),
        ({"accumulate_grad_batches": 0}, "whole number of at least 1, got 0"),
        ({"accumulate_grad_batches": 1.5}, "whole number of at least 1, got 1.5"),
        ({"gradient_clip_algorithm": "size"}, "one of .*norm.*value.*, got 'size'"),
        ({"optimizer": 3}, "must be a function that makes one"),
        ({"optimizer": "Adam"}, "'package.module:function', got 'Adam'"),
        ({"optimizer": "torch.optim:Adamm"}, r"trainer\.optimizer: .* has no 'Adamm'.*mean 'Adam'"),
        ({"scheduler": "no_such_package:f"}, r"trainer\.scheduler: .*no module"),
        ({"callbacks": ["stop"]}, "no callback of Lightning: 'stop'"),
        ({"callbacks": WeightAveraging()}, r"WeightAveraging.*use instead: training\.ema_decay"),
        ({"callbacks": [StochasticWeightAveraging(0.1)]}, r"training\.ema_decay"),
        (
            {"callbacks": [GradientAccumulationScheduler({0: 2})]},
            r"use instead: trainer\.accumulate_grad_batches",
        ),
        ("csv", "expected a mapping of options or TrainerOptions, got 'csv'"),
    ],
)
def test_values_that_are_none_say_what_is_wanted(
    trainer: Any, message: str, tmp_path: Path
) -> None:
    refused(tmp_path, message, trainer=trainer)


def test_a_logger_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    refused(tmp_path, r'pip install "cgsim\[wandb\]"', trainer={"logger": ["csv", "wandb"]})


def test_cycles_are_of_the_default_schedule(tmp_path: Path) -> None:
    def constant(optimizer: torch.optim.Optimizer, n_steps: int) -> Any:
        return torch.optim.lr_scheduler.ConstantLR(optimizer)

    with pytest.raises(ValueError, match=r"with a scheduler of your own give n_cycles=1"):
        cgsim.fit(
            [CHAIN], tmp_path / "run", training={"n_cycles": 2}, trainer={"scheduler": constant}
        )
    assert not (tmp_path / "run").exists()


def test_a_mapping_means_what_the_options_mean() -> None:
    stop = EarlyStopping("validation_nll")
    mapping = {"logger": "csv", "callbacks": stop, "optimizer": sgd, "detect_anomaly": True}
    options = checked_options(mapping)
    assert options == TrainerOptions("csv", stop, sgd, lightning={"detect_anomaly": True})
    assert checked_options(options) is options
    assert checked_options(None) == TrainerOptions()
    assert TrainerOptions().loggers == ("csv", "tensorboard")
    assert TrainerOptions(logger=False).loggers == TrainerOptions(logger=[]).loggers == ()
    assert TrainerOptions(logger=True).loggers == ("csv", "tensorboard")


def test_a_function_may_be_given_by_name() -> None:
    assert TrainerOptions(optimizer="torch.optim:SGD").factory("optimizer") is torch.optim.SGD
    assert TrainerOptions(optimizer=sgd).factory("optimizer") is sgd
    assert TrainerOptions().factory("scheduler") is None


def test_a_run_is_described_by_what_changes_its_weights() -> None:
    """In the same words in every process: no address of a function."""
    assert TrainerOptions(lightning={"profiler": "simple"}).described() == {}
    assert TrainerOptions(lightning={"accumulate_grad_batches": 1}).described() == {}
    options = TrainerOptions(
        optimizer=partial(torch.optim.SGD, lr=0.1),
        scheduler="package:make",
        lightning={"accumulate_grad_batches": 3, "gradient_clip_algorithm": "value"},
    )
    assert options.described() == {
        "trainer": {
            "optimizer": "torch.optim.sgd:SGD(lr=0.1)",
            "scheduler": "package:make",
            "accumulate_grad_batches": 3,
            "gradient_clip_algorithm": "value",
        }
    }


def test_options_can_be_imported_without_torch() -> None:
    code = (
        "import sys, cgsim.training.options; print(sorted({'torch', 'lightning'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------ configurations as mappings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"training": {"strid": 5, "n_steps": 3, "bach_size": 2}},
            r"^training: unknown keys 'strid', 'bach_size'; known keys: .*; "
            r"did you mean 'stride' for 'strid', 'batch_size' for 'bach_size'\?$",
        ),
        ({"training": {"zzz": 5}}, r"^training: unknown key 'zzz'; known keys: [^;]*stride[^;]*$"),
        ({"training": {"stride": 0.5}}, r"^training\.stride: expected int, got 0\.5"),
        ({"training": {"n_cycles": 0}}, "n_cycles must be at least 1"),
        ({"training": 5}, r"^training: expected TrainingConfig\(\.\.\.\) or a mapping.*, got 5"),
        ({"training": ModelConfig()}, r"^training: expected TrainingConfig.*got ModelConfig"),
        ({"model": {"networks": {"dynamics": "Mine"}}}, r"no dynamics network 'Mine'"),
        ({"model": {"dynamics": {"n_layer": 1}}}, r"^model\.dynamics: unknown key 'n_layer'.*mean"),
        ({"hardware": {"n_device": 1}}, r"^hardware: unknown key 'n_device'.*'n_devices'"),
        ({"hardware": "cpu"}, r"^hardware: expected Hardware\(\.\.\.\) or a mapping.*got 'cpu'"),
    ],
)
def test_mistakes_in_mappings_are_named(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        cgsim.fit([CHAIN], tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_mistakes_in_mappings_of_a_fine_tuning_are_named(tmp_path: Path) -> None:
    simulator = random_simulator([CHAIN])
    for given, message in (
        ({"finetuning": {"n_step": 5}}, r"^finetuning: unknown key 'n_step'.*mean 'n_steps'"),
        ({"finetuning": TrainingConfig()}, r"^finetuning: expected FinetuningConfig"),
        ({"finetuning": {"patience": 0}}, "patience must be at least 1"),
        ({"hardware": {"accelerate": "cpu"}}, r"^hardware: unknown key .*mean 'accelerator'"),
    ):
        with pytest.raises(ValueError, match=message):
            cgsim.finetune(simulator, [CHAIN], tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()

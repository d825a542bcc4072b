"""The optimisation: Lightning around the plain module, resumable."""

import csv
import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import (
    ModelCheckpoint,
    TQDMProgressBar,
    WeightAveraging,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader

from cgsim.config import Hardware, TrainingConfig
from cgsim.data.sampling import TrainingWindows, TrajectoryWindows, WindowSampler
from cgsim.hardware.threads import cpu_threads
from cgsim.training.compiled import choose_loss, training_threads
from cgsim.training.module import Patience, TrainingModule, epochs, moving_average

N_VALIDATION_BATCHES = 10


def optimise(
    module: TrainingModule,
    directory: Path,
    *,
    train: TrainingWindows,
    validation: TrajectoryWindows,
    hardware: Hardware,
    patience: "Patience | None" = None,
) -> int:
    """Run or resume the optimisation; the module ends with the averaged weights that are kept.

    Returns
    -------
    The number of steps after which they were.

    Raises
    ------
    KeyboardInterrupt
        If it was interrupted.
    ValueError
        If the resume point ``last.ckpt`` is damaged, or the hardware is not there.
    """
    last = directory / "last.ckpt"
    with _quiet_lightning():
        trainer = _trainer(
            module.config, directory, hardware, n_done=_steps_done(last), patience=patience
        )
    module.loss, train = choose_loss(module.simulator, train, module.config)
    sampler = WindowSampler(
        train,
        batch_size=module.config.batch_size,
        n_batches=epochs(module.config)[1],
        seed=module.config.seed,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )
    threads = training_threads(module.loss, train.trajectories, module.config)
    with threads, _quiet_lightning(), _interruptible(trainer):
        trainer.fit(
            module,
            DataLoader(train, sampler=sampler, batch_size=None),
            _validation_loader(module, validation),
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
    file = directory / f"{module.config.keep}.ckpt"
    kept = torch.load(file, map_location="cpu", weights_only=True)
    module.load_state_dict(kept["state_dict"])
    return int(kept["global_step"])


@torch.no_grad()
def validation_nll(module: TrainingModule, validation: TrajectoryWindows) -> float:
    """NLL of the windows that every validation looks at (nats as in `Simulator.loss`)."""
    batches = list(_validation_loader(module, validation))
    generator = torch.Generator()
    with cpu_threads(max(len(batch.pos) for batch in batches)):
        losses = [module.simulator.loss(batch, generator=generator) for batch in batches]
    return float(np.mean([float(loss["nll"]) for loss in losses]))


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Progress bars only, without advice."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        yield


@contextmanager
def _interruptible(trainer: lightning.Trainer) -> Iterator[None]:
    """Raise KeyboardInterrupt where Lightning, interrupted, would end the program."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)  # Lightning leaves it ignored
        raise KeyboardInterrupt from None


def _steps_done(last: Path) -> int:
    """Optimiser steps done at the resume point, 0 without one.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    if not last.exists():
        return 0
    try:
        return int(torch.load(last, map_location="cpu", weights_only=True)["global_step"])
    except Exception as error:  # torch raises a dozen kinds
        raise ValueError(
            f"{last}: damaged, or not of this library; remove it to train anew ({error})"
        ) from error


def _csv_log(directory: Path, *, n_done: int) -> CSVLogger:
    """A log that keeps the lines of the steps before a restart; Lightning's would drop them."""
    log, file = CSVLogger(directory, name="", version=""), directory / "metrics.csv"
    if file.exists() and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        with open(file, newline="", encoding="utf-8") as stream:
            earlier = [line for line in csv.DictReader(stream) if int(line["step"]) < n_done]
        log.experiment.metrics.extend(earlier)
        log.save()
    return log


def _trainer(
    config: TrainingConfig,
    directory: Path,
    hardware: Hardware,
    *,
    n_done: int,
    patience: Patience | None,
) -> lightning.Trainer:
    """Lightning's loop, at any number of steps done before.

    Raises
    ------
    ValueError
        If the hardware is not there.
    """
    n_epochs, n_batches = epochs(config)
    try:
        return lightning.Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.n_devices,
            num_nodes=hardware.n_nodes,
            precision=hardware.precision,
            strategy="ddp" if hardware.n_devices * hardware.n_nodes > 1 else "auto",
            max_epochs=n_epochs * config.n_cycles,
            gradient_clip_val=config.clip,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            log_every_n_steps=min(20, n_batches),
            enable_model_summary=False,
            logger=[
                _csv_log(directory, n_done=n_done),
                TensorBoardLogger(directory, name="", version=""),
            ],
            callbacks=[
                WeightAveraging(use_buffers=False, multi_avg_fn=moving_average(config.ema_decay)),
                _checkpoint(directory, "best", monitor="validation_nll"),
                _checkpoint(directory, "last", monitor=None),
                TQDMProgressBar(refresh_rate=20),
                *([] if patience is None else [patience]),
            ],
        )
    except MisconfigurationException as error:
        raise ValueError(f"{hardware}: {error}") from error


def _checkpoint(directory: Path, name: str, *, monitor: str | None) -> ModelCheckpoint:
    """Keep the weights of the last epoch, or of the one with the lowest monitored value."""
    return ModelCheckpoint(
        dirpath=directory,
        filename=name,
        monitor=monitor,
        every_n_epochs=1,
        enable_version_counter=False,
    )


def _validation_loader(module: TrainingModule, validation: TrajectoryWindows) -> DataLoader:
    """The same batches at every validation, of all trajectories alike."""
    sampler = WindowSampler(
        validation,
        batch_size=module.config.batch_size,
        n_batches=N_VALIDATION_BATCHES,
        seed=module.config.seed + 1,
    )
    return DataLoader(validation, batch_sampler=None, sampler=list(sampler), batch_size=None)

"""The optimisation: Lightning around the plain module, resumable."""

import inspect
import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import (
    Callback,
    GradientAccumulationScheduler,
    ModelCheckpoint,
    ProgressBar,
    StochasticWeightAveraging,
    WeightAveraging,
)
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader

from cgsim.config import Hardware, TrainingConfig
from cgsim.data.sampling import TrainingWindows, TrajectoryWindows, WindowSampler
from cgsim.hardware.allocator import keep_freed_memory
from cgsim.hardware.devices import accelerator_with_doubles
from cgsim.hardware.threads import cpu_threads
from cgsim.io.records import to_dict
from cgsim.model.simulator import Simulator
from cgsim.training.compiled import choose_loss, training_threads
from cgsim.training.estimate import announce_training
from cgsim.training.loggers import loggers_of
from cgsim.training.module import Patience, TrainingModule, epochs, moving_average
from cgsim.training.options import Options, TrainerOptions, several
from cgsim.training.progress import StepsBar

N_VALIDATION_BATCHES = 10

#: Callbacks that would change what cgsim sets itself, and what to use in their place.
RESERVED_CALLBACKS: dict[type[Callback], str] = {
    WeightAveraging: "training.ema_decay",
    StochasticWeightAveraging: "training.ema_decay",
    GradientAccumulationScheduler: "trainer.accumulate_grad_batches",
}


def checked_options(trainer: Options) -> TrainerOptions:
    """Options of a training, checked as far as that is possible before anything is written.

    Raises
    ------
    ValueError
        See `TrainerOptions`; naming what Lightning does not have, or what cgsim sets itself.
    """
    options = TrainerOptions.of(trainer)
    options.check_names(list(inspect.signature(lightning.Trainer).parameters))
    for callback in several(options.callbacks):
        if not isinstance(callback, Callback):
            raise ValueError(f"trainer.callbacks: no callback of Lightning: {callback!r}")
        for kind, instead in RESERVED_CALLBACKS.items():
            if isinstance(callback, kind):
                raise ValueError(
                    f"trainer.callbacks: {kind.__name__} is set by cgsim itself; use instead: "
                    f"{instead}"
                )
    return options


def module_of(
    simulator: Simulator, training: TrainingConfig, options: TrainerOptions
) -> TrainingModule:
    """A simulator as Lightning trains it, with the optimiser that the options name.

    Raises
    ------
    ValueError
        If a function cannot be imported.
    """
    return TrainingModule(
        simulator,
        training,
        optimizer=options.factory("optimizer"),
        scheduler=options.factory("scheduler"),
    )


def optimise(
    module: TrainingModule,
    directory: Path,
    *,
    train: TrainingWindows,
    validation: TrajectoryWindows,
    hardware: Hardware,
    options: TrainerOptions,
    patience: Patience | None = None,
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
        If the resume point ``last.ckpt`` is damaged or of another network, the hardware is not
        there, Lightning refuses an option, or it was stopped before the first validation.
    """
    keep_freed_memory()
    last = directory / "last.ckpt"
    ours: list[Callback] = [] if patience is None else [patience]
    with _quiet_lightning():
        loop = _Loop(module, directory, hardware, options)
        n_done = steps_done(last, module)
        trainer = loop.trainer(ours, n_done=n_done)
    module.loss, train = choose_loss(module.simulator, train, module.config)
    sampler = WindowSampler(
        train,
        batch_size=module.config.batch_size,
        n_batches=epochs(module.config)[1] * options.n_accumulated,
        seed=module.config.seed,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )
    threads = training_threads(module.loss, train.trajectories, module.config)
    with threads, _quiet_lightning(), _interruptible(trainer):
        _announce(module, train, trainer, n_done=n_done, hardware=hardware)
        trainer.fit(
            module,
            DataLoader(train, sampler=sampler, batch_size=None),
            _validation_loader(module, validation),
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
    file = directory / f"{module.config.keep}.ckpt"
    if not file.exists():
        raise ValueError(
            f"{directory}: the training was stopped before the end of its first epoch, and nothing "
            "was kept: call it again, and stop later"
        )
    kept = torch.load(file, map_location="cpu", weights_only=True)
    module.load_state_dict(kept["state_dict"])
    return int(kept["global_step"])


def _announce(
    module: TrainingModule,
    windows: TrainingWindows,
    trainer: lightning.Trainer,
    *,
    n_done: int,
    hardware: Hardware,
) -> None:
    """See `announce_training`; of a run that goes on, what is left."""
    n_epochs, n_steps = epochs(module.config)
    left = max(0, n_epochs * n_steps * module.config.n_cycles - n_done)
    if not trainer.is_global_zero or not left:
        return
    device = trainer.strategy.root_device
    announce_training(
        module,
        windows,
        n_steps=left * trainer.accumulate_grad_batches,
        n_validation=N_VALIDATION_BATCHES * -(-left // n_steps),
        device=device,
        n_processes=hardware.n_devices if device.type == "cpu" else 1,
    )


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


def steps_done(last: Path, module: TrainingModule) -> int:
    """Optimiser steps done at the resume point, 0 without one.

    Raises
    ------
    ValueError
        If it is damaged, or its weights are not those of the module's networks.
    """
    if not last.exists():
        return 0
    try:
        stored = torch.load(last, map_location="cpu", weights_only=True)
        n_done = int(stored["global_step"])
        found = {name: value.shape for name, value in stored["state_dict"].items()}
    except Exception as error:  # torch raises a dozen kinds
        raise ValueError(
            f"{last}: damaged, or not of this library; remove it to train anew ({error})"
        ) from error
    own = {name: value.shape for name, value in module.state_dict().items()}
    if wrong := sorted(name for name, _ in found.items() ^ own.items()):
        version = stored.get("cgsim_version")
        maker = f"cgsim {version}" if version else "an earlier version of cgsim"
        raise ValueError(
            f"{last}: a resume point of other networks, made by {maker} (weights differ, "
            f"first at {wrong[0]!r}): finish the run with that version, or train anew in another "
            "directory"
        )
    return n_done


class _Loop:
    """What Lightning's trainer is made of: what cgsim needs, and what the user chose."""

    def __init__(
        self, module: TrainingModule, directory: Path, hardware: Hardware, options: TrainerOptions
    ) -> None:
        self.config, self.directory = module.config, directory
        self.hardware, self.options = hardware, options

    def trainer(self, callbacks: list[Callback], *, n_done: int) -> lightning.Trainer:
        """Lightning's loop, at any number of steps done before.

        Raises
        ------
        ValueError
            If the hardware is not there, or Lightning refuses an option.
        """
        loggers = loggers_of(
            self.options.loggers,
            self.directory,
            n_done=n_done,
            settings=to_dict(self.config) | self.options.described(),
        )
        try:
            return lightning.Trainer(
                **self._defaults() | dict(self.options.lightning) | self._fixed(),
                logger=loggers or False,
                callbacks=[*self._callbacks(), *callbacks, *several(self.options.callbacks)],
            )
        except (MisconfigurationException, RuntimeError, TypeError) as error:
            given = f", trainer={dict(self.options.lightning)}" if self.options.lightning else ""
            raise ValueError(f"{self.hardware}{given}: {error}") from error

    def _defaults(self) -> dict[str, Any]:
        """What the user may choose otherwise."""
        n_processes = self.hardware.n_devices * self.hardware.n_nodes
        return {
            "strategy": "ddp" if n_processes > 1 else "auto",
            "num_sanity_val_steps": 0,
            "log_every_n_steps": min(20, epochs(self.config)[1]),
            "enable_model_summary": False,
        }

    def _fixed(self) -> dict[str, Any]:
        """What follows from the configuration; see `cgsim.training.options.RESERVED`."""
        return {
            "accelerator": accelerator_with_doubles(self.hardware.accelerator),
            "devices": self.hardware.n_devices,
            "num_nodes": self.hardware.n_nodes,
            "precision": self.hardware.precision,
            "default_root_dir": self.directory,
            "max_epochs": epochs(self.config)[0] * self.config.n_cycles,
            # One window of a rare jump has a gradient that would undo many steps.
            "gradient_clip_val": self.config.clip,
            "use_distributed_sampler": False,  # see `WindowSampler`
        }

    def _callbacks(self) -> list[Callback]:
        bars = [each for each in several(self.options.callbacks) if isinstance(each, ProgressBar)]
        has_bar = bool(bars) or self.options.lightning.get("enable_progress_bar") is False
        return [
            WeightAveraging(use_buffers=False, multi_avg_fn=moving_average(self.config.ema_decay)),
            # Where data are few the epoch of the lowest NLL guards against learning them by heart.
            # The score loss has no part in the choice: it is in units of the predicted Gaussian,
            # and is smallest where that is worst. But the NLL knows nothing of the denoiser, which
            # goes on learning long after: `TrainingConfig.keep` chooses the last epoch instead.
            _checkpoint(self.directory, "best", monitor="validation_nll"),
            _checkpoint(self.directory, "last", monitor=None),
            *([] if has_bar else [StepsBar()]),
        ]


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
    """The same batches at every validation, so that epochs can be compared."""
    sampler = WindowSampler(
        validation,
        batch_size=module.config.batch_size,
        n_batches=N_VALIDATION_BATCHES,
        seed=module.config.seed + 1,
    )
    return DataLoader(validation, batch_sampler=None, sampler=list(sampler), batch_size=None)

"""The simulator with its optimiser and learning rate, as Lightning trains it."""

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from cgsim.config import TrainingConfig
from cgsim.data.augmentation import Augmentation
from cgsim.data.graphs import CGData
from cgsim.model.simulator import Simulator
from cgsim.training.accumulation import AccumulatedLoss
from cgsim.training.compiled import Loss
from cgsim.version import __version__

TensorList = list[Tensor] | tuple[Tensor, ...]
Parameters = list[torch.nn.Parameter]


class TrainingModule(lightning.LightningModule):
    """The simulator with its optimiser: ``loss = NLL + score_weight x DSM``.

    It is all that a `lightning.Trainer` of one's own needs; batches come from
    `Simulator.windows`, in lists or by a loader of PyTorch Geometric. What `cgsim.fit` adds is
    with the trainer: averaged weights (`moving_average`), clipped gradients, resume points.

    Logged are ``train_nll``, ``train_score`` and ``learning_rate`` at every step,
    ``validation_nll``, ``validation_score`` and ``validation_loss`` at every validation.

    Parameters
    ----------
    simulator
        What is trained, in place.
    config
        Of it, ``n_steps`` and ``steps_per_epoch`` say how long the schedule of the learning rate
        is; how long the training is, says the trainer.
    optimizer, scheduler
        Functions that make them, see `cgsim.training.options.TrainerOptions`.

    Raises
    ------
    ValueError
        If there is a scheduler and more than one cycle, which are cycles of the default schedule.
    """

    def __init__(
        self,
        simulator: Simulator,
        config: TrainingConfig,
        *,
        optimizer: Callable[[Parameters], torch.optim.Optimizer] | None = None,
        scheduler: Callable[[torch.optim.Optimizer, int], Any] | None = None,
    ) -> None:
        super().__init__()
        if scheduler is not None and config.n_cycles > 1:
            raise ValueError(
                "training.n_cycles repeats the schedule of cgsim: with a scheduler of your own "
                "give n_cycles=1 and more n_steps"
            )
        self.simulator, self.config = simulator, config
        self.loss: Loss = simulator.loss
        self.accumulated = AccumulatedLoss(simulator, self._total)
        self._make_optimizer = optimizer or self._adamw
        self._make_scheduler = scheduler

    def training_step(self, batch: CGData, batch_index: int) -> Tensor:
        """Return the loss of one batch; noise is drawn from (seed, step, process, batch of a step).

        Raises
        ------
        ArithmeticError
            If it is not a number.
        """
        # Seeded anew at every step, so that a run that is resumed sees the same noise; by the
        # process too, as processes that draw the same noise would average over less of it.
        where = [self.config.seed, self.global_step, self.global_rank]
        if part := batch_index % self.trainer.accumulate_grad_batches:
            where.append(part)  # of the batches that are added up for one step
        generator = torch.Generator(self.device)
        generator.manual_seed(hash(tuple(where)) % 2**63)  # of integers: the same in every process
        augmentation = Augmentation(
            history=self.config.history_noise,
            embedding=self.config.embedding_dropout,
            reversal=self.config.time_reversal,
        )
        try:
            total, losses = self.accumulated(
                self.loss, batch, generator=generator, augmentation=augmentation
            )
        except torch.linalg.LinAlgError as error:  # of a precision that is not a number
            raise self._diverged() from error
        if not bool(total.isfinite()):
            raise self._diverged()
        self._log("train", losses, batch)
        self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        return total

    def _diverged(self) -> ArithmeticError:
        group = self.trainer.optimizers[0].param_groups[0]
        peak = group.get("initial_lr", group["lr"])
        return ArithmeticError(
            f"the loss of step {self.global_step + 1} is not a number, the training has diverged: "
            f"train anew, in another directory, with a learning rate of less than {peak:g}; "
            "the last weights that were kept stay where they are"
        )

    def _total(self, losses: dict[str, Tensor]) -> Tensor:
        return losses["nll"] + self.config.score_weight * losses.get("score", torch.zeros(()))

    def validation_step(self, batch: CGData, batch_index: int) -> None:
        """Log the losses of one held-out batch, with the same noise at every validation."""
        generator = torch.Generator(self.device).manual_seed(batch_index)
        losses = self.simulator.loss(batch, generator=generator)
        self._log("validation", losses, batch)
        self.log(
            "validation_loss",
            self._total(losses),
            batch_size=int(batch.batch[-1]) + 1,
            sync_dist=True,
        )

    def _log(self, stage: str, losses: dict[str, Tensor], batch: CGData) -> None:
        for name, value in losses.items():
            show = name == "nll"
            size = int(batch.batch[-1]) + 1
            self.log(
                f"{stage}_{name}",
                value.detach(),
                prog_bar=show,
                batch_size=size,
                sync_dist=stage != "train",
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Tell a later version of cgsim, whose networks may differ, which this one is."""
        checkpoint["cgsim_version"] = __version__

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser with the schedule of its learning rate.

        Raises
        ------
        ValueError
            If the user's function returned something else.
        """
        optimizer = self._make_optimizer(list(self.simulator.parameters()))
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise ValueError(f"trainer.optimizer must make a torch optimiser, made {optimizer!r}")
        if self._make_scheduler is None:
            schedule: Any = LambdaLR(optimizer, self._learning_rate_factor)
        else:
            n_epochs, n_steps = epochs(self.config)
            schedule = self._make_scheduler(optimizer, n_epochs * n_steps)
        how: LRSchedulerConfigType = {"scheduler": schedule, "interval": "step"}
        if isinstance(schedule, ReduceLROnPlateau):  # asks for what is known once an epoch
            how |= {"interval": "epoch", "monitor": "validation_nll"}
        return {"optimizer": optimizer, "lr_scheduler": how}

    def _adamw(self, parameters: Parameters) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters,
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            # One operation for all weights; but Lightning refuses to clip gradients for a fused
            # optimiser in mixed precision, where they are scaled inside of it.
            fused=self.trainer.precision == "32-true",
        )

    def _learning_rate_factor(self, step: int) -> float:
        """In every cycle a linear warm-up, then a cosine down to 1 %.

        The warm-up lets Adam measure the gradients before it takes whole steps. The fall removes
        the noise of the last steps: with a constant rate the weights go on jittering about the
        minimum, and no single epoch is one to keep.
        """
        n_epochs, n_batches = epochs(self.config)
        done = step % (n_epochs * n_batches)
        warm = min(1.0, (done + 1) / max(1, self.config.n_warmup))
        # Of n_steps, not of the steps that they are rounded up to: the few beyond stay at 1 %.
        progress = min(1.0, done / self.config.n_steps)
        return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


class Patience(EarlyStopping):
    """Stop after ``n_epochs`` whose validation NLL is no lower than the lowest before them.

    Parameters
    ----------
    n_epochs
        How long to wait.
    start_nll
        `validation_nll` before the first step.
    """

    def __init__(self, n_epochs: int, *, start_nll: float) -> None:
        super().__init__(
            "validation_nll", patience=n_epochs, mode="min", check_on_train_epoch_end=False
        )
        # The old weights stand for election too: otherwise the first epoch would always be an
        # improvement, and a fine-tuning that only spoils them would go on for one more.
        self.best_score = torch.tensor(start_nll)

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Do not go on where it had stopped already when it was killed."""
        trainer.should_stop = self.wait_count >= self.patience


def epochs(config: TrainingConfig) -> tuple[int, int]:
    """Epochs of a cycle and steps of each: whole ones, so that the last steps are validated too."""
    n_epochs = math.ceil(config.n_steps / config.steps_per_epoch)
    return n_epochs, math.ceil(config.n_steps / n_epochs)


def moving_average(decay: float) -> Callable[[TensorList, TensorList, Tensor], None]:
    """The exponential moving average of n + 1 values: ``d = min(decay, (1 + n) / (10 + n))``.

    Averaged weights are better than those of any one step, as the noise of the steps averages out.
    """

    @torch.no_grad()
    def average(means: TensorList, values: TensorList, n_averaged: Tensor) -> None:
        # Without the ramp an average of decay 0.995 still holds 5 % of the untrained weights, and
        # of what the warm-up made of them, after 600 steps: 0.04 nats too much on a Rouse chain.
        ramp = (1 + float(n_averaged)) / (10 + float(n_averaged))
        torch._foreach_lerp_(means, values, 1 - min(ramp, decay))

    return average

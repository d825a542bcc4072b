"""The simulator with its optimiser and learning rate, as Lightning trains it."""

import math
from collections.abc import Callable

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import (
    EarlyStopping,
)
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from cgsim.config import TrainingConfig
from cgsim.data.augmentation import Perturbation
from cgsim.data.graphs import CGData
from cgsim.model.simulator import Simulator
from cgsim.training.accumulation import AccumulatedLoss
from cgsim.training.compiled import Loss

TensorList = list[Tensor] | tuple[Tensor, ...]


class TrainingModule(lightning.LightningModule):
    """The simulator with its optimiser: ``loss = NLL + score_weight x DSM``."""

    def __init__(self, simulator: Simulator, config: TrainingConfig) -> None:
        super().__init__()
        self.simulator, self.config = simulator, config
        self.loss: Loss = simulator.loss
        self.accumulated = AccumulatedLoss(simulator, self._total)

    def training_step(self, batch: CGData, batch_index: int) -> Tensor:
        """Return the loss of one batch; noise is drawn from (seed, step, process).

        Raises
        ------
        ArithmeticError
            If it is not a number.
        """
        generator = torch.Generator(self.device)
        generator.manual_seed(hash((self.config.seed, self.global_step, self.global_rank)) % 2**63)
        perturbation = Perturbation(
            history=self.config.history_noise,
            embedding=self.config.embedding_dropout,
            reversal=self.config.time_reversal,
        )
        try:
            total, losses = self.accumulated(
                self.loss, batch, generator=generator, perturbation=perturbation
            )
        except torch.linalg.LinAlgError as error:  # of a precision that is not a number
            raise self._diverged() from error
        if not bool(total.isfinite()):
            raise self._diverged()
        self._log("train", losses, batch)
        self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])
        return total

    def _diverged(self) -> ArithmeticError:
        return ArithmeticError(
            f"the loss of step {self.global_step + 1} is not a number, the training has diverged: "
            "train anew, in another directory, with a learning rate of less than "
            f"{self.config.learning_rate:g}; the last weights that were kept stay where they are"
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

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW with the learning-rate schedule."""
        optimizer = torch.optim.AdamW(
            self.simulator.parameters(),
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            fused=self.trainer.precision == "32-true",  # Lightning clips no other in mixed
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate_factor(self, step: int) -> float:
        """In every cycle a linear warm-up, then a cosine down to 1 %."""
        n_epochs, n_batches = epochs(self.config)
        done = step % (n_epochs * n_batches)
        warm = min(1.0, (done + 1) / max(1, self.config.n_warmup))
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

    Without the ramp the untrained weights, and what the warm-up made of them, weigh on short
    trainings: 600 steps on a Rouse chain end 0.04 nats too high.
    """

    @torch.no_grad()
    def average(means: TensorList, values: TensorList, n_averaged: Tensor) -> None:
        ramp = (1 + float(n_averaged)) / (10 + float(n_averaged))
        torch._foreach_lerp_(means, values, 1 - min(ramp, decay))

    return average

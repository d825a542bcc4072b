"""The bar of a training: drawn by the clock, as a step takes milliseconds or minutes."""

import sys
import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

_ON_SCREEN, _IN_LOG = 1.0, 30.0  # seconds; a bar in a file is a line more each time


class StepsBar(TQDMProgressBar):
    """Lightning's bar, drawn after the first step, the last, and when some time is over between.

    Lightning's own is drawn every so many steps: a training of large molecules says nothing for
    minutes.

    Parameters
    ----------
    interval
        Seconds; by default 1, or 30 where the output is no terminal.
    clock
        Seconds, as `time.monotonic`.
    """

    def __init__(
        self, interval: float | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(refresh_rate=1)
        usual = _ON_SCREEN if sys.stdout.isatty() else _IN_LOG
        self.interval = usual if interval is None else interval
        self._clock = clock
        self._drawn: float | None = None

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Draw the bar of the epoch, if it is time."""
        if self._is_time(batch_idx + 1 == self.total_train_batches):
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the bar of the validation, if it is time."""
        total = self.total_val_batches_current_dataloader
        if self._is_time(batch_idx + 1 == total):
            super().on_validation_batch_end(
                trainer, pl_module, outputs, batch, batch_idx, dataloader_idx
            )

    def _is_time(self, is_last: bool) -> bool:
        now = self._clock()
        due = self._drawn is None or now - self._drawn >= self.interval
        if due or is_last:
            self._drawn = now
        return due or is_last

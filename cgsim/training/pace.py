"""What a training really takes, said when some steps have been taken."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from tqdm import tqdm

from cgsim.hardware.needs import Need, in_minutes

N_STEPS = 30  # after which it is said
N_FIRST = 5  # of these that do not count: libraries are loaded, functions compiled
VALIDATION = 0.4  # of the time of a training batch: there is no gradient


class Pace(Callback):
    """Says once, in one line, what memory a training takes and how long its other steps will take.

    Parameters
    ----------
    n_steps
        Optimiser steps at the end.
    n_validation
        Validation batches for every step, on average.
    """

    def __init__(self, n_steps: int, *, n_validation: float) -> None:
        self.n_steps, self.n_validation = n_steps, n_validation
        self._times: list[float] = []
        self._before = self._last = 0

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Note how much memory is in use without batches."""
        self._before, self._last = _memory(module.device), trainer.global_step
        self._times = [time.perf_counter()]

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: Any
    ) -> None:
        """Count a step, and say it after the last of the first ones."""
        if trainer.global_step == self._last or len(self._times) > N_STEPS:
            return
        self._last = trainer.global_step
        self._times.append(time.perf_counter())
        left = self.n_steps - trainer.global_step
        if len(self._times) > N_STEPS and left > 0 and trainer.is_global_zero:
            step = (self._times[N_STEPS] - self._times[N_FIRST]) / (N_STEPS - N_FIRST)
            seconds = left * step * (1 + VALIDATION * self.n_validation)
            used = _peak(module.device) - self._before
            memory = f"{Need(used)} and " if used > 0 else "about "
            tqdm.write(
                f"training: {step:.2g} s a step so far; {memory}{in_minutes(seconds)} more",
                file=sys.stderr,
            )


def _memory(device: torch.device) -> int:
    """Bytes in use now; 0 where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _peak(device: torch.device) -> int:
    """Most bytes that were in use; 0 where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if not _memory(device):
        return 0
    import resource  # Linux alone comes here, other systems may be without

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

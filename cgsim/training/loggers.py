"""Where the losses of a training go: a table in a file, TensorBoard, Weights & Biases."""

import csv
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from cgsim.io.files import write_atomic_text

WANDB_FILE = "wandb-run.txt"


def loggers_of(
    names: tuple[Any, ...], directory: Path, *, n_done: int, settings: dict[str, Any]
) -> list[Logger]:
    """Loggers by name, of a run that goes on after ``n_done`` steps; others as they are.

    Parameters
    ----------
    settings
        What Weights & Biases is told of the run.
    """
    made: dict[str, Callable[[], Logger]] = {
        "csv": lambda: _csv_log(directory, n_done=n_done),
        "tensorboard": lambda: TensorBoardLogger(directory, name="", version=""),
        "wandb": lambda: _wandb_log(directory, settings=settings),
    }
    return [made[name]() if isinstance(name, str) else name for name in names]


def _csv_log(directory: Path, *, n_done: int) -> CSVLogger:
    """A table ``metrics.csv`` that keeps its lines when a run goes on."""
    log, file = CSVLogger(directory, name="", version=""), directory / "metrics.csv"
    if file.exists() and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        # Lightning begins the file anew. Lines after the resume point are of steps that are done
        # again, so they are left out: the table is that of a run that never stopped.
        with open(file, newline="", encoding="utf-8") as stream:
            earlier = [line for line in csv.DictReader(stream) if int(line["step"]) < n_done]
        log.experiment.metrics.extend(earlier)
        log.save()
    return log


class _WandbRun(WandbLogger):
    """A run of Weights & Biases that ends with the training, unless the user began it before."""

    def __init__(self, **settings: Any) -> None:
        import wandb

        super().__init__(**settings)
        self._is_ours = wandb.run is None

    def finalize(self, status: str) -> None:
        """End the run: otherwise the next training of this process would go on with it."""
        super().finalize(status)
        if self._is_ours and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            self.experiment.finish()


def _wandb_log(directory: Path, *, settings: dict[str, Any]) -> WandbLogger:
    """A run of Weights & Biases that goes on when the training does."""
    file = directory / WANDB_FILE
    if not file.exists() and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        # Not made from the path: a folder that was removed and made again is another run.
        write_atomic_text(file, uuid.uuid4().hex + "\n")
    return _WandbRun(
        project=os.environ.get("WANDB_PROJECT", "cgsim"),
        name=directory.resolve().name,
        id=file.read_text(encoding="utf-8").strip() if file.exists() else None,
        save_dir=directory,
        config=settings,
    )

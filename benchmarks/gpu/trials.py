"""Trainings on a GPU, of data that are carried there; they go on where they were stopped.

A JSON file says what is to be trained:

    {"polymers": {"data": "mapped/polymers", "validation": "mapped/held_out", "minutes": 5,
                  "model": {"dynamics": {"n_layers": 4}}, "training": {"n_steps": 40000}}}

Paths are seen from the file. Each is a row that ends with its training, or goes on at the next
call; checkpoints are in the folder ``trials/NAME`` of the output.
"""

import csv
import json
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.ledger import LeftOutError, Row, UnfinishedError
from benchmarks.speed.rates import untrained
from cgsim.mapping.store import load_mapped_folders
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.systems import TINY

KEYS = {"data", "validation", "minutes", "model", "training", "precision"}
MINUTES = 4.0  # unless the file says otherwise
SPARE = 60.0  # s beyond them, for the end of a step, the validation and the files


def rows(options: Namespace) -> Iterator[Row]:
    """One for each training of the file; where there is none, a row that says so."""
    if options.dry:
        given: Mapping[str, Mapping[str, Any]] = {"a chain": {"training": {"n_steps": 2}}}
    elif options.trainings is None:
        yield Row("trial", _none)
        return
    else:
        given = read_trainings(options.trainings)
    for name, trial in given.items():
        minutes = float(trial.get("minutes", MINUTES))
        yield Row(
            f"trial/{name}",
            partial(train, name, trial, options),
            seconds=60 * minutes + SPARE,
        )


def _none() -> dict[str, Any]:
    raise LeftOutError("no trainings were named (--trainings FILE)")


def read_trainings(file: Path) -> dict[str, dict[str, Any]]:
    """What is to be trained, by name.

    Raises
    ------
    ValueError
        If there is no data for one, or a key that is not known.
    """
    given: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    for name, trial in given.items():
        if unknown := sorted(trial.keys() - KEYS):
            raise ValueError(f"{file}: {name}: unknown {unknown}; known are {sorted(KEYS)}")
        if "data" not in trial:
            raise ValueError(f"{file}: {name}: no 'data', a folder of mapped trajectories")
        for key in ("data", "validation"):
            if key in trial:
                trial[key] = str(file.parent / trial[key])
    return given


def train(name: str, trial: Mapping[str, Any], options: Namespace) -> dict[str, Any]:
    """Train until the end or until time is up.

    Raises
    ------
    UnfinishedError
        If time was up first: with what is known.
    """
    from lightning.pytorch import Callback

    import cgsim

    folder = options.output / "trials" / name.replace(" ", "_")
    ends = time.perf_counter() + 60 * float(trial.get("minutes", MINUTES))

    class Stop(Callback):
        # A training goes on from an interruption, and loses nothing between two epochs.
        n_begun = 0

        def on_train_epoch_start(self, *_: Any) -> None:
            self.n_begun += 1
            if self.n_begun > 1 and time.perf_counter() > ends:
                raise KeyboardInterrupt

        def on_train_batch_end(self, *_: Any) -> None:
            if time.perf_counter() > ends + SPARE / 2:
                raise KeyboardInterrupt

    start = time.perf_counter()
    validation = trial.get("validation")
    try:
        cgsim.fit(
            _trajectories(trial.get("data")),
            folder,
            model=TINY if options.dry else trial.get("model"),
            training=trial.get("training"),
            validation=None if validation is None else _trajectories(validation),
            hardware={
                "accelerator": options.device,
                "precision": trial.get("precision", "32-true"),
            },
            trainer={"logger": "csv", "callbacks": Stop(), "enable_progress_bar": False},
        )
    except KeyboardInterrupt:
        if time.perf_counter() <= ends:
            raise
        known = curve(folder) | {"seconds": time.perf_counter() - start}
        raise UnfinishedError("time was up; it goes on at the next call", known) from None
    return curve(folder) | {"seconds": time.perf_counter() - start}


def _trajectories(data: str | None) -> list[MappedTrajectory]:
    if data is None:
        return untrained(9, score=False, device="cpu", config=TINY)[1]
    return load_mapped_folders([data])


def curve(folder: Path) -> dict[str, Any]:
    """Validation losses of a training, step by step."""
    file = folder / "metrics.csv"
    if not file.exists():
        return {"steps": [], "validation_nll": []}
    with open(file, newline="", encoding="utf-8") as stream:
        lines = [line for line in csv.DictReader(stream) if line.get("validation_nll")]
    return {
        "steps": [int(line["step"]) for line in lines],
        "validation_nll": [float(line["validation_nll"]) for line in lines],
    }

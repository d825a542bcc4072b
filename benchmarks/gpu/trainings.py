"""Trainings: windows per second and memory, in both precisions."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch

from benchmarks.gpu.cases import simulator_of, sizes
from benchmarks.gpu.ledger import Row
from benchmarks.gpu.watch import watched
from benchmarks.speed.training import LONG, Learner, windows_per_second
from cgsim.data.sampling import WindowSampler
from cgsim.training.compiled import CompiledLoss, sizes_to_compile

N_BATCHES = 12


def rows(options: Namespace) -> Iterator[Row]:
    """Every size."""
    for n_beads in sizes(options).training_beads:
        yield Row(f"training/{n_beads}", partial(rates, n_beads, options), seconds=150.0)


def rates(n_beads: int, options: Namespace) -> dict[str, Any]:
    """Windows per second, from the trajectories to new weights, and the memory of each way."""
    simulator, starts = simulator_of(n_beads, options)
    simulator.train()
    windows = simulator.windows(starts)
    n_batches = 2 if options.dry else N_BATCHES
    sampler = WindowSampler(windows, batch_size=sizes(options).batch, n_batches=n_batches, seed=0)
    batches = list(sampler)
    found: dict[str, Any] = {}
    for name, (loss, context) in _learners(simulator, starts, options).items():
        with watched(options.device) as usage:
            rate = windows_per_second(simulator, windows, batches, {name: (loss, context)})[name]
        found[name] = {"windows_per_second": rate, **usage.values()}
    return {"n_beads": n_beads, "batch_size": sizes(options).batch, "ways": found}


def _learners(simulator: Any, starts: list[Any], options: Namespace) -> dict[str, Learner]:
    mixed: AbstractContextManager[Any] = torch.autocast(options.device, dtype=torch.bfloat16)
    own: dict[str, Learner] = {
        "fp32": (simulator.loss, nullcontext()),
        "bf16": (simulator.loss, mixed),
    }
    if not options.no_compile and (known := sizes_to_compile(simulator, starts, LONG)):
        own["fp32, compiled"] = (CompiledLoss(simulator, known), nullcontext())
        own["bf16, compiled"] = (CompiledLoss(simulator, known), mixed)
    return own

"""Windows per second of training, as it is and compiled, in float32 and in mixed precision."""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed_floor import timed
from cgsim.compilation import has_compiler
from cgsim.compiled_loss import CompiledLoss, Loss, choose_loss
from cgsim.config import TrainingConfig
from cgsim.data import CGData, MappedTrajectory
from cgsim.sampling import WindowSampler
from cgsim.simulator import Simulator
from cgsim.threads import cpu_threads
from cgsim.windows import Perturbation

SETTINGS = TrainingConfig()
LONG = TrainingConfig(n_steps=10**9)  # everything pays
Make = Callable[[int], tuple[Simulator, list[MappedTrajectory]]]


def training_rows(make: Make, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Windows per second of loss, gradient and optimiser, and of the loader alone.

    Parameters
    ----------
    make
        From a number of beads to a simulator and trajectories.
    """
    rows = []
    for n_beads in options.beads:
        simulator, starts = make(n_beads)
        simulator.train()
        batches, loading = _loaded(simulator, starts, options)
        with cpu_threads(SETTINGS.batch_size * n_beads):
            rates = _rates(simulator, batches, learners(simulator, starts, options.device))
        rows.append(
            {
                "n_beads": n_beads,
                "batch_size": SETTINGS.batch_size,
                "windows_per_second": rates,
                "loader_windows_per_second": SETTINGS.batch_size / statistics.median(loading),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


Learner = tuple[Loss, AbstractContextManager[Any]]


def learners(
    simulator: Simulator, starts: Sequence[MappedTrajectory], device: str
) -> dict[str, Learner]:
    """The losses to compare; compiled ones where batches can be compiled."""
    mixed = torch.autocast(device, dtype=torch.bfloat16)
    found: dict[str, Learner] = {"eager": (simulator.loss, nullcontext())}
    if has_compiler() and isinstance(choose_loss(simulator, starts, LONG), CompiledLoss):
        found["compiled"] = (CompiledLoss(simulator), nullcontext())
        found["compiled, bf16-mixed"] = (CompiledLoss(simulator), mixed)
    return found


def _loaded(
    simulator: Simulator, starts: Sequence[MappedTrajectory], options: argparse.Namespace
) -> tuple[list[CGData], list[float]]:
    """Batches, and the seconds that each took to load."""
    windows, batches, loading = simulator.windows(starts), [], []
    sampler = WindowSampler(
        windows, batch_size=SETTINGS.batch_size, n_batches=options.training_batches, seed=0
    )
    for rows in sampler:
        with timed(options.device) as seconds:
            batches.append(windows[rows].to(options.device))
        loading.append(seconds[0])
    return batches, loading


def _rates(
    simulator: Simulator, batches: Sequence[CGData], losses: dict[str, Learner]
) -> dict[str, float]:
    """Windows per second, all measured in turn; each has a batch to warm up."""
    optimiser = torch.optim.AdamW(simulator.parameters(), lr=1e-4, fused=True)
    perturbation = Perturbation(SETTINGS.history_noise)
    generator = torch.Generator(batches[0].pos.device)

    def learn(own: Loss, context: AbstractContextManager[Any], batch: CGData) -> None:
        with context:
            found = own(batch, generator=generator, perturbation=perturbation)
        total: Tensor = found["nll"] + SETTINGS.score_weight * found["score"]
        total.backward()
        optimiser.step()
        optimiser.zero_grad()

    times: dict[str, list[float]] = {name: [] for name in losses}
    for name in losses:
        learn(*losses[name], batches[0])
    for batch in batches:
        for name in losses:
            with timed(batch.pos.device.type) as seconds:
                learn(*losses[name], batch)
            times[name].append(seconds[0])
    return {name: SETTINGS.batch_size / statistics.median(own) for name, own in times.items()}

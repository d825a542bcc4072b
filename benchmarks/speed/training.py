"""Windows per second of training, as it is and compiled, in float32 and in mixed precision."""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.floor import timed
from cgsim.config import TrainingConfig
from cgsim.data.augmentation import Augmentation
from cgsim.data.sampling import WindowSampler
from cgsim.data.windows import WindowDataset
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.training.compiled import CompiledLoss, Loss, sizes_to_compile, training_threads

SETTINGS = TrainingConfig()
LONG = TrainingConfig(n_steps=10**9)  # everything pays
Make = Callable[[int, int], tuple[Simulator, list[MappedTrajectory]]]


def training_rows(make: Make, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Windows per second from the trajectories to new weights, and of the loader alone.

    Parameters
    ----------
    make
        From a number of beads and one of trajectories to a simulator and trajectories.
    """
    rows = []
    for n_beads in options.beads:
        for n_trajectories in options.trajectories:
            simulator, trajectories = make(n_beads, n_trajectories)
            simulator.train()
            windows = simulator.windows(trajectories)
            batches = list(
                WindowSampler(
                    windows,
                    batch_size=SETTINGS.batch_size,
                    n_batches=options.training_batches,
                    seed=0,
                )
            )
            losses = learners(simulator, trajectories, options.device)
            rates = windows_per_second(simulator, windows, batches, losses)
            rows.append(
                {
                    "n_beads": n_beads,
                    "n_trajectories": n_trajectories,
                    "batch_size": SETTINGS.batch_size,
                    "windows_per_second": rates,
                    "loader_windows_per_second": _loader_rate(windows, batches),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


Learner = tuple[Loss, AbstractContextManager[Any]]


def learners(
    simulator: Simulator, trajectories: Sequence[MappedTrajectory], device: str
) -> dict[str, Learner]:
    """The losses to compare; compiled ones where batches can be compiled."""
    mixed = torch.autocast(device, dtype=torch.bfloat16)
    found: dict[str, Learner] = {"eager": (simulator.loss, nullcontext())}
    if sizes := sizes_to_compile(simulator, trajectories, LONG):
        found["compiled"] = (CompiledLoss(simulator, sizes), nullcontext())
        found["compiled, bf16-mixed"] = (CompiledLoss(simulator, sizes), mixed)
    return found


def _loader_rate(windows: WindowDataset, batches: Sequence[list[int]]) -> float:
    """Windows per second of the loader alone, on one thread."""
    loading = []
    for rows in batches:
        with timed("cpu") as seconds:
            windows[rows]
        loading.append(seconds[0])
    return SETTINGS.batch_size / statistics.median(loading)


def windows_per_second(
    simulator: Simulator,
    windows: WindowDataset,
    batches: Sequence[list[int]],
    losses: dict[str, Learner],
) -> dict[str, float]:
    """Loader included, all losses measured in turn; each has a batch to warm up."""
    optimiser = torch.optim.AdamW(simulator.parameters(), lr=1e-4, fused=True)
    augmentation = Augmentation(SETTINGS.history_noise)
    device = next(simulator.parameters()).device
    generator = torch.Generator(device)

    def learn(own: Loss, context: AbstractContextManager[Any], rows: list[int]) -> None:
        batch = windows[rows].to(str(device))
        with context:
            found = own(batch, generator=generator, augmentation=augmentation)
        total: Tensor = found["nll"]
        if "score" in found:
            total = total + SETTINGS.score_weight * found["score"]
        total.backward()
        optimiser.step()
        optimiser.zero_grad()

    times: dict[str, list[float]] = {name: [] for name in losses}
    for rows in (batches[0], *batches):
        for name, (own, context) in losses.items():
            threads = training_threads(own, windows.trajectories, SETTINGS)
            with threads, timed(device.type) as seconds:
                learn(own, context, rows)
            times[name].append(seconds[0])
    size = len(batches[0])
    return {name: size / statistics.median(own[1:]) for name, own in times.items()}

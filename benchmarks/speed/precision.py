"""What mixed precision does to the likelihood of held-out windows, and to the speed of training."""

import argparse
import statistics
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

import cgsim
from benchmarks.speed.floor import timed
from benchmarks.speed.md import PRETRAINED, mini_polymers
from cgsim.data.graphs import CGData
from cgsim.hardware.threads import cpu_threads
from cgsim.model.simulator import Simulator

N_TRAJECTORIES = 20
HELD_OUT = 0.9  # windows are from what comes after this part of a trajectory
N_BATCHES = 10
BATCH_SIZE = 64


def precision(options: argparse.Namespace) -> dict[str, Any]:
    """Likelihood of the same windows in float32 and bfloat16, and windows per second of either.

    Raises
    ------
    FileNotFoundError
        If there are no mapped trajectories of MD.
    """
    simulator = cgsim.load_pretrained(PRETRAINED).to(options.device)
    batches = _held_out(simulator, options)
    kinds: dict[str, AbstractContextManager[Any]] = {
        "32-true": nullcontext(),
        "bf16-mixed": torch.autocast(options.device, dtype=torch.bfloat16),
    }
    losses: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    with cpu_threads(len(batches[0].pos)):
        for batch in batches:
            for name, context in kinds.items():
                with timed(options.device) as seconds:
                    losses[name].append(_learn(simulator, batch, context))
                rates[name].append(BATCH_SIZE / seconds[0])
    return {"rows": [_row(name, losses, rates) for name in kinds]}


def _held_out(simulator: Simulator, options: argparse.Namespace) -> list[CGData]:
    """Batches of random windows of the ends of some trajectories."""
    known = mini_polymers(options.data)
    chosen = known[:: max(1, len(known) // N_TRAJECTORIES)][:N_TRAJECTORIES]
    late = [own.frames(round(HELD_OUT * own.n_frames), own.n_frames) for own in chosen]
    windows, random = simulator.windows(late), np.random.default_rng(0)
    drawn = (windows.draw(random, BATCH_SIZE) for _ in range(N_BATCHES))
    return [windows[rows.tolist()].to(options.device) for rows in drawn]


def _learn(
    simulator: Simulator, batch: CGData, context: AbstractContextManager[Any]
) -> tuple[float, float]:
    """Both losses of a batch; the gradient is computed, too."""
    generator = torch.Generator(batch.pos.device).manual_seed(0)
    with context:
        losses = simulator.loss(batch, generator=generator)
    (losses["nll"] + losses["score"]).backward()
    simulator.zero_grad()
    return float(losses["nll"].detach()), float(losses["score"].detach())


def _row(
    name: str,
    losses: dict[str, list[tuple[float, float]]],
    rates: dict[str, list[float]],
) -> dict[str, Any]:
    values = np.array(losses[name])
    moved = values[:, 0] - np.array(losses["32-true"])[:, 0]
    return {
        "precision": name,
        "nll": float(values[:, 0].mean()),
        "nll_difference": float(moved.mean()),
        "nll_difference_error": float(moved.std(ddof=1) / np.sqrt(len(moved))),
        "score": float(values[:, 1].mean()),
        "windows_per_second": statistics.median(rates[name]),
    }

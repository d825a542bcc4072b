"""Out of memory, on purpose: a roll-out and a training must go on in smaller batches."""

import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import torch

import cgsim
from benchmarks.gpu.cases import simulator_of, sizes
from benchmarks.gpu.ledger import Row
from cgsim.data.augmentation import count_graphs
from cgsim.data.graphs import CGData
from cgsim.hardware.memory import release_memory
from cgsim.model.simulator import Simulator

N_STEPS = 30
SHARE = 0.5  # of what a step in one batch takes, that it is then given
SAID = "CUDA out of memory. Tried to allocate 2.00 GiB"


def rows(options: Namespace) -> Iterator[Row]:
    """The drill."""
    yield Row("memory/roll-out", lambda: roll_out(options), seconds=120.0)
    yield Row("memory/training", lambda: training(options), seconds=120.0)


def roll_out(options: Namespace) -> dict[str, Any]:
    """A roll-out that runs out of memory half-way ends with all its frames, and says so."""
    n_beads, n_replicas = sizes(options).beads[1], sizes(options).replicas[-1]
    simulator, starts = simulator_of(n_beads, options)
    n_steps = 4 if options.dry else N_STEPS

    def frames() -> Any:
        return cgsim.simulate(simulator, starts, n_steps, n_replicas=n_replicas)

    scarce = _pretended if options.device == "cpu" else _scarce
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with scarce(frames) as told:
            rollout = frames()
    said = [str(own.message) for own in caught if "memory ran out" in str(own.message)]
    lengths = {own.n_frames for own in rollout.trajectories}
    finite = all(np.isfinite(np.asarray(own.pos)).all() for own in rollout.trajectories)
    if not said or lengths != {n_steps} or not finite:
        raise ArithmeticError(f"warnings {said}, frames {lengths}, finite {finite}")
    return {"n_replicas": n_replicas, "said": said, **told}


def training(options: Namespace) -> dict[str, Any]:
    """A training of batches that do not fit computes them in parts, and says so."""
    is_cpu = options.device == "cpu"
    # On a CPU batches of larger systems are in pieces from the beginning.
    simulator, starts = simulator_of(sizes(options).beads[0 if is_cpu else -1], options)
    scarce = _pretended_loss if is_cpu else _scarce

    def train() -> Any:
        with TemporaryDirectory() as folder:
            return cgsim.fit(
                starts,
                folder,
                model=simulator.config,
                training={"n_steps": 2, "n_warmup": 1, "batch_size": sizes(options).batch},
                hardware={"accelerator": options.device},
                trainer={"logger": "csv", "enable_progress_bar": False},
            )

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with scarce(train) as told:
            trained = train()
    said = [str(own.message) for own in caught if "memory ran out" in str(own.message)]
    finite = all(bool(own.isfinite().all()) for own in trained.parameters())
    if not said or not finite:
        raise ArithmeticError(f"warnings {said}, finite weights {finite}")
    return {"said": said, **told}


@contextmanager
def _pretended_loss(action: Callable[[], object]) -> Iterator[dict[str, int]]:
    """A CPU that says so of the loss of more than one window that has a gradient."""
    loss = Simulator.loss

    def short(self: Simulator, batch: CGData, **settings: Any) -> Any:
        if torch.is_grad_enabled() and count_graphs(batch) > 1:
            raise torch.OutOfMemoryError(SAID)
        return loss(self, batch, **settings)

    with mock.patch.object(Simulator, "loss", short):
        yield {}


@contextmanager
def _scarce(action: Callable[[], object]) -> Iterator[dict[str, int]]:
    """A GPU with less memory than one batch takes: PyTorch is given a share of it."""
    device = torch.device("cuda")
    release_memory(device)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    action()
    taken = torch.cuda.max_memory_allocated() - before
    release_memory(device)
    total = torch.cuda.get_device_properties(device).total_memory
    allowed = before + int(SHARE * taken)
    torch.cuda.set_per_process_memory_fraction(min(1.0, allowed / total))
    try:
        yield {"taken_bytes": taken, "allowed_bytes": allowed}
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        release_memory(device)


@contextmanager
def _pretended(action: Callable[[], object]) -> Iterator[dict[str, int]]:
    """A CPU that says so at the third step of more than one system."""
    step, n_done = Simulator.step, [0]

    def short(self: Simulator, state: Any) -> Any:
        n_done[0] += 1
        if n_done[0] > 2 and state.n_graphs > 1:
            raise torch.OutOfMemoryError(SAID)
        return step(self, state)

    with mock.patch.object(Simulator, "step", short):
        yield {}

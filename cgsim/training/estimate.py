"""What a training will take: measured on some of its windows before it begins."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cgsim.config import TrainingConfig
from cgsim.data.augmentation import Augmentation
from cgsim.data.graphs import CGData
from cgsim.data.sampling import TrainingWindows
from cgsim.hardware.needs import Need, announce, check_fits, free_memory
from cgsim.model.loss import draw, losses
from cgsim.model.simulator import Simulator
from cgsim.nn.native.gradients import is_built
from cgsim.training.compiled import COMPILE_SECONDS, SAVED_PER_EDGE, SAVED_PER_STEP, CompiledLoss
from cgsim.training.module import TrainingModule
from cgsim.training.pieces import PiecewiseLoss

_PROBE_EDGES = 20_000  # of the windows that are measured: a second or less
_N_BATCHES = 4  # of which the edges are counted
# Peak memory over what is saved for the gradient: 1.20 to 1.23 for 16 to 64 windows of 40 to 600
# beads (11,000 to 67,000 edges), 1.3 for 9 beads. What is saved is in proportion to the edges to
# within 1 % (14.3 to 14.6 kB each with the default networks).
_PEAK = 1.25
_LEAST_BYTES = 12e3  # of an edge and 32 channels, to refuse by before anything is measured,
_LEAST_LEARNT = 1.5e3  # and where messages are computed again for their gradient
_PEAK_LEARNT = 2.0  # of the same: less is saved, so that what comes and goes counts for more
_SHARE = 0.5  # of the free memory that pieces may take
_CHANNELS = 32
_OPTIMISER_SECONDS = 6e-3  # of a step: optimiser, averaged weights, loader, loggers
_VALIDATION = 0.4  # of the time of a training batch: there is no gradient


@dataclass(frozen=True)
class Probe:
    """Loss and gradient of some windows, as they were measured.

    Attributes
    ----------
    n_edges
        Of all windows together.
    n_bytes
        Saved for the gradient.
    seconds
        Of loss and gradient.
    peak
        Peak memory over what is saved.
    """

    n_edges: int
    n_bytes: float
    seconds: float
    peak: float = _PEAK

    def bytes_for(self, n_edges: float) -> float:
        """Peak memory of a batch of so many edges."""
        return self.peak * self.n_bytes * n_edges / self.n_edges

    def seconds_for(self, n_edges: float) -> float:
        """Time of loss and gradient of a batch of so many edges."""
        return self.seconds * max(1.0, n_edges / self.n_edges)


def training_need(
    probe: Probe,
    n_edges: Sequence[int],
    training: TrainingConfig,
    *,
    n_steps: int,
    n_validation: int = 0,
    compiled_sizes: int = 0,
    pieces: PiecewiseLoss | None = None,
) -> Need:
    """Memory and time of a training, from what some of its windows took.

    Memory is right to a tenth, and an upper bound for a compiled loss, which saves less. Time is
    that of this moment: right to a fifth on a machine that is otherwise idle, when the loss is
    not compiled; it knows nothing of early stopping.

    Parameters
    ----------
    probe
        What they took.
    n_edges
        Of some batches.
    n_steps, n_validation
        Batches that are learnt from, and validated on.
    compiled_sizes
        How many times the loss is compiled.
    pieces
        The loss, if it is computed in pieces.
    """
    mean = float(np.mean(n_edges))
    step = probe.seconds_for(mean)
    held = float(max(n_edges))
    if pieces is not None:
        n_at_once, share = pieces.at_once(held, training.batch_size)
        step, held = step / n_at_once, held * share
    learning = step
    if compiled_sizes:  # by the constants that decided for it, of which the least is left
        learning = max(0.2 * step, step - SAVED_PER_STEP - SAVED_PER_EDGE * mean)
    seconds = n_steps * (learning + _OPTIMISER_SECONDS) + n_validation * _VALIDATION * step
    return Need(probe.bytes_for(held), seconds + compiled_sizes * COMPILE_SECONDS)


def announce_training(
    module: TrainingModule,
    windows: TrainingWindows,
    *,
    n_steps: int,
    n_validation: int,
    device: torch.device,
    n_processes: int = 1,
) -> None:
    """Measure some windows, say in one line what the training will take, or refuse it.

    Weights, random numbers and results stay as they are.

    Parameters
    ----------
    n_steps, n_validation
        Batches that are still to be learnt from, and validated on.
    n_processes
        That share the memory.

    Raises
    ------
    MemoryError
        If a batch cannot fit, or where batches are split, a window; naming the options.
    """
    simulator, training = module.simulator, module.config
    random = np.random.default_rng(training.seed)
    rows = [windows.draw(random, training.batch_size) for _ in range(_N_BATCHES)]
    free = free_memory(device)
    with torch.random.fork_rng(devices=[]):
        counts = [count_beads_and_edges(simulator, windows[own.tolist()]) for own in rows]
        n_beads, n_edges = zip(*counts, strict=True)
        per_window = max(n_edges) / training.batch_size
        n_channels = getattr(simulator.config.dynamics, "n_channels", _CHANNELS)
        loss = module.loss
        pieces = loss if isinstance(loss, PiecewiseLoss) else None
        least_bytes = _LEAST_LEARNT if pieces is not None and is_built() else _LEAST_BYTES
        least = per_window * least_bytes * n_channels / _CHANNELS
        check_fits("training on one window", least, free=free, options=_SMALLER)
        few = max(1, min(training.batch_size, int(_PROBE_EDGES / per_window)))
        probe = measured(simulator, windows[rows[0][:few].tolist()])
    if pieces is not None and free is not None:
        own = probe.bytes_for(1)
        pieces.fit_into(_SHARE * free / n_processes, bytes_per_edge=own, n_edges=per_window)
    need = training_need(
        probe,
        n_edges,
        training,
        n_steps=n_steps,
        n_validation=n_validation,
        compiled_sizes=len(loss.sizes) if isinstance(loss, CompiledLoss) else 0,
        pieces=pieces,
    )
    if device.type == "cpu":
        check_fits(
            f"training on batches of {training.batch_size} windows",
            need.n_bytes * n_processes,
            free=free,
            options=(_FEWER if pieces is None else []) + _SMALLER,
        )
    else:  # batches are split where they do not fit; how fast it is, only the device can tell
        need = Need(need.n_bytes)
    work = (
        f"{_frames(windows)}, {np.mean(n_beads) / training.batch_size:,.0f} beads per window, "
        f"{sum(n_edges) / sum(n_beads):.0f} edges per bead, {n_steps:,} steps of "
        f"{training.batch_size} windows"
    )
    announce("training", work, need)


_FEWER = [
    "fewer windows in a batch (training.batch_size, with trainer.accumulate_grad_batches for as "
    "many in a step)"
]
_SMALLER = [
    "windows cut out of large systems (training.n_window_beads)",
    "a smaller cutoff (model.graph) or fewer channels (model.dynamics.n_channels)",
    "fewer beads (more atoms in each)",
]


def count_beads_and_edges(simulator: Simulator, batch: CGData) -> tuple[int, int]:
    """Size of the bead graph of a batch of windows."""
    with torch.no_grad():
        graph = simulator.graph_at(batch.pos[:, -1].to(simulator.dtype), batch)
    return len(batch.pos), int(graph.edge_index.shape[1])


def measured(simulator: Simulator, batch: CGData) -> Probe:
    """Take loss and gradient of some windows; the second time counts, the first loads libraries."""
    for _ in range(2):
        saved: dict[int, int] = {}
        known = {weight.untyped_storage().data_ptr() for weight in simulator.parameters()}

        def note(tensor: Tensor, saved: dict[int, int] = saved) -> Tensor:
            storage = tensor.untyped_storage()
            saved[storage.data_ptr()] = storage.nbytes()
            return tensor

        start = time.perf_counter()
        inputs = draw(
            simulator, batch, generator=torch.Generator(), augmentation=Augmentation(history=0.1)
        )
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            total = torch.stack(list(losses(simulator, *inputs).values())).sum()
        weights = [weight for weight in simulator.parameters() if weight.requires_grad]
        torch.autograd.grad(total, weights, allow_unused=True)
        seconds = time.perf_counter() - start
    n_edges = int(inputs[-1].edge_index.shape[1])
    n_bytes = sum(size for place, size in saved.items() if place not in known)
    is_lean = n_bytes < _LEAST_BYTES / 2 * n_edges  # messages are computed again
    return Probe(n_edges, n_bytes, seconds, _PEAK_LEARNT if is_lean else _PEAK)


def _frames(windows: TrainingWindows) -> str:
    runs = windows.trajectories
    n_frames = sum(own.n_frames for own in runs)
    of = f" of {len(runs):,} trajectories" if len(runs) > 1 else ""
    return f"{n_frames:,} frames every {runs[0].frame_interval:g} ps{of}"

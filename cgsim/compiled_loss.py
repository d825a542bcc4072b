"""The training loss as one compiled function, where that pays."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from cgsim.compilation import compiled, has_compiler, in_short
from cgsim.config import TrainingConfig
from cgsim.data import CGData, MappedTrajectory
from cgsim.memory import is_out_of_memory
from cgsim.nn.neighbours import COMPLETE_LIMIT, BeadGraph
from cgsim.simulator import Simulator
from cgsim.threads import compiled_threads, cpu_threads
from cgsim.windows import Perturbation, Windows

COMPILE_SECONDS = 40.0  # of the loss and its gradient, on one core
SAVED_PER_STEP = 15e-3  # s that a compiled loss and its gradient save, however small the batch
SAVED_PER_EDGE = 3e-6  # s more for every edge
WORTH = 1.5  # times that what is saved must pay for the compilation
AGREEMENT = 1e-3  # largest relative difference between the gradients, compiled and not
MIXED_AGREEMENT = 0.1  # the same in mixed precision, where fewer numbers are rounded if compiled

Losses = dict[str, Tensor]
Function = Callable[[Windows, Tensor, BeadGraph], Losses]


class Loss(Protocol):
    """What `Simulator.loss` is."""

    def __call__(
        self, batch: CGData, *, generator: torch.Generator, perturbation: Perturbation
    ) -> Losses:
        """Losses of a batch of windows."""


def choose_loss(
    simulator: Simulator, trajectories: Sequence[MappedTrajectory], training: TrainingConfig
) -> Loss:
    """The faster of both for a training: `Simulator.loss`, or the same compiled.

    Only batches of equal small systems can be compiled (see `cgsim.nn.incidence`). The rule is a
    fixed estimate, so that a training that is continued goes on with the same.

    Parameters
    ----------
    trajectories
        What it is trained on.
    """
    sizes = {trajectory.n_beads for trajectory in trajectories}
    is_grid = len(sizes) == 1 and max(sizes) <= COMPLETE_LIMIT
    is_periodic = any(trajectory.cell is not None for trajectory in trajectories)
    if type(simulator).loss is not Simulator.loss or not is_grid or is_periodic:
        return simulator.loss
    saved = SAVED_PER_STEP + SAVED_PER_EDGE * training.batch_size * max(sizes) ** 2
    if training.n_steps * saved <= WORTH * COMPILE_SECONDS or not has_compiler():
        return simulator.loss
    return CompiledLoss(simulator)


def training_threads(
    loss: Loss, trajectories: Sequence[MappedTrajectory], training: TrainingConfig
) -> AbstractContextManager[None]:
    """As many CPU threads as are fastest for batches of windows of the trajectories."""
    n_beads = max(trajectory.n_beads for trajectory in trajectories)
    if isinstance(loss, CompiledLoss):
        return compiled_threads(training.batch_size * n_beads**2)
    return cpu_threads(training.batch_size * n_beads)


class CompiledLoss:
    """`Simulator.loss` of batches of equal small systems, compiled at the first one.

    It draws the same random numbers, and gives the same losses and gradients to round-off: that is
    tried at the first batch. Where it does not hold, or compilation fails, the loss is that of the
    simulator as it is, with a warning.

    Parameters
    ----------
    simulator
        Its weights may change.

    Attributes
    ----------
    is_compiled
        Whether that succeeded.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.is_compiled = False
        self._function: Function | None = None

    def __call__(
        self, batch: CGData, *, generator: torch.Generator, perturbation: Perturbation
    ) -> Losses:
        """Losses of a batch of windows."""
        inputs = self.simulator.draw(batch, generator=generator, perturbation=perturbation)
        _settle(inputs[-1])
        if self._function is None:
            self._function = self._compile(*inputs)
        return self._function(*inputs)

    def _compile(self, windows: Windows, embedding: Tensor, graph: BeadGraph) -> Function:
        def plain(windows: Windows, embedding: Tensor, graph: BeadGraph) -> Losses:
            return self.simulator.losses(windows, embedding, graph)

        def gradient(function: Function) -> list[Tensor]:
            leaf = embedding.detach().requires_grad_()
            total = torch.stack(list(function(windows, leaf, graph).values())).sum()
            weights = [leaf, *self.simulator.parameters()]
            slopes = torch.autograd.grad(total, weights, allow_unused=True)
            return [slope for slope in slopes if slope is not None]

        try:
            with tqdm(total=1, desc="compiling", unit="loss", leave=False):
                function = compiled(plain)
                _check_equal(gradient(function), gradient(plain))
        except Exception as error:  # of any part of the compiler
            if is_out_of_memory(error):
                raise
            warnings.warn(
                "the loss could not be compiled, it is computed as it is, more slowly: "
                f"{in_short(error)}",
                stacklevel=2,
            )
            return plain
        self.is_compiled = True
        return function


def _settle(graph: BeadGraph) -> None:
    """Let a graph compute what it keeps: a compiled function cannot store it."""
    _ = graph.pairs, graph.layout.slot, graph.layout.is_full


def _check_equal(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    """Compare gradients.

    Raises
    ------
    ArithmeticError
        If they differ.
    """
    square = sum(float((a - b).square().sum()) for a, b in zip(found, expected, strict=True))
    scale = sum(float(b.square().sum()) for b in expected)
    is_mixed = torch.is_autocast_enabled(expected[0].device.type)
    if not square <= (MIXED_AGREEMENT if is_mixed else AGREEMENT) ** 2 * scale:
        raise ArithmeticError(f"the compiled gradient differs by {(square / scale) ** 0.5:.2g}")

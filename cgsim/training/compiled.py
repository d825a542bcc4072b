"""The training loss as one compiled function, where that pays."""

import warnings
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from cgsim.config import TrainingConfig
from cgsim.data.augmentation import Augmentation, Windows
from cgsim.data.graphs import CGData
from cgsim.data.sampling import EqualSizes, TrainingWindows
from cgsim.data.windows import WindowDataset
from cgsim.hardware.compile import compiled, has_compiler, in_short
from cgsim.hardware.memory import is_out_of_memory
from cgsim.hardware.threads import at_most_threads, compiled_threads, cpu_threads
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.loss import draw, losses
from cgsim.model.simulator import Simulator
from cgsim.nn.graph.neighbours import COMPLETE_LIMIT, BeadGraph
from cgsim.training.parts import Losses
from cgsim.training.pieces import PiecewiseLoss

COMPILE_SECONDS = 40.0  # of the loss and its gradient, on one core
SAVED_PER_STEP = 15e-3  # s that a compiled loss and its gradient save, however small the batch
SAVED_PER_EDGE = 3e-6  # s more for every edge
WORTH = 1.5  # times that what is saved must pay for the compilation
AGREEMENT = 1e-3  # largest relative difference between the gradients, compiled and not
MIXED_AGREEMENT = 0.1  # the same in mixed precision, where fewer numbers are rounded if compiled

Function = Callable[[Windows, Tensor, BeadGraph], Losses]


class Loss(Protocol):
    """What `Simulator.loss` is."""

    def __call__(
        self, batch: CGData, *, generator: torch.Generator, augmentation: Augmentation
    ) -> Losses:
        """Losses of a batch of windows."""


def choose_loss(
    simulator: Simulator, windows: TrainingWindows, training: TrainingConfig
) -> tuple[Loss, TrainingWindows]:
    """The fastest loss for a training, in pieces, compiled or as it is, and its windows.

    Only batches of equal small systems can be compiled (see `cgsim.nn.graph.incidence`): where all
    are small and there are several sizes, the windows are drawn in batches of one.
    """
    if max(trajectory.n_beads for trajectory in windows.trajectories) > COMPLETE_LIMIT:
        return PiecewiseLoss(simulator, n_threads=torch.get_num_threads()), windows
    sizes = sizes_to_compile(simulator, windows.trajectories, training)
    if not sizes:
        return simulator.loss, windows
    if len({trajectory.n_beads for trajectory in windows.trajectories}) > 1:
        if not isinstance(windows, WindowDataset):
            return simulator.loss, windows
        windows = EqualSizes(windows)
    return CompiledLoss(simulator, sizes), windows


def sizes_to_compile(
    simulator: Simulator, trajectories: Sequence[MappedTrajectory], training: TrainingConfig
) -> set[int]:
    """Numbers of beads for which a compiled loss saves more than its compilation takes.

    The rule is a fixed estimate for one cycle, so that a training that is continued, for another
    cycle too, goes on with the same.
    """
    n_frames: Counter[int] = Counter()
    for trajectory in trajectories:
        n_frames[trajectory.n_beads] += trajectory.n_frames
    is_grid = max(n_frames) <= COMPLETE_LIMIT and all(own.cell is None for own in trajectories)
    if not simulator.dynamics.equivariant or not is_grid or not has_compiler():
        return set()

    def saved(size: int) -> float:
        per_step = SAVED_PER_STEP + SAVED_PER_EDGE * training.batch_size * size**2
        return training.n_steps * per_step * n_frames[size] / n_frames.total()

    return {size for size in n_frames if saved(size) > WORTH * COMPILE_SECONDS}


def training_threads(
    loss: Loss, trajectories: Sequence[MappedTrajectory], training: TrainingConfig
) -> AbstractContextManager[None]:
    """As many CPU threads as are fastest for batches of windows of the trajectories."""
    n_beads = max(trajectory.n_beads for trajectory in trajectories)
    if isinstance(loss, PiecewiseLoss):
        return at_most_threads(1)  # of every piece
    if isinstance(loss, CompiledLoss):
        return at_most_threads(compiled_threads(training.batch_size * n_beads**2))
    return cpu_threads(training.batch_size * n_beads)


class CompiledLoss:
    """`Simulator.loss` of batches of equal small systems, compiled at the first of each size.

    It draws the same random numbers, and gives the same losses and gradients to round-off: that is
    tried at that batch. Where it does not hold, or compilation fails, the loss is that of the
    simulator as it is, with a warning.

    Parameters
    ----------
    simulator
        Its weights may change.
    sizes
        Numbers of beads to compile for; batches of others are computed as they are.

    Attributes
    ----------
    compiled_sizes
        Those for which that succeeded.
    """

    def __init__(self, simulator: Simulator, sizes: Collection[int]) -> None:
        self.simulator, self.sizes = simulator, sizes
        self.compiled_sizes: set[int] = set()
        self._functions: dict[int, Function] = {}

    def __call__(
        self, batch: CGData, *, generator: torch.Generator, augmentation: Augmentation
    ) -> Losses:
        """Losses of a batch of windows."""
        inputs = draw(self.simulator, batch, generator=generator, augmentation=augmentation)
        graph = inputs[-1]
        size = graph.width  # 0 of a batch that is no grid
        if size not in self.sizes:
            return losses(self.simulator, *inputs)
        _settle(graph)
        if size not in self._functions:
            self._functions[size] = self._compile(size, *inputs)
        return self._functions[size](*inputs)

    def _compile(
        self, size: int, windows: Windows, embedding: Tensor, graph: BeadGraph
    ) -> Function:
        def plain(windows: Windows, embedding: Tensor, graph: BeadGraph) -> Losses:
            return losses(self.simulator, windows, embedding, graph)

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
        self.compiled_sizes.add(size)
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

"""A roll-out step as one compiled function, where that pays."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from cgsim.hardware.compile import compiled, has_compiler, in_short
from cgsim.hardware.memory import is_out_of_memory
from cgsim.hardware.threads import (
    ONE_THREAD_LIMIT,
    TORCH,
    Threads,
    at_most_threads,
    compiled_threads,
    eager_threads,
)
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.native.convolution import has_kernel
from cgsim.nn.native.kernels import KERNELS, is_built
from cgsim.nn.random import randn_like

COMPILE_SECONDS = 3.0  # of one convolution, with what surrounds it, on one core
SAVED_PER_STEP = 0.5e-3  # s that a compiled convolution saves, however small the batch
SAVED_PER_EDGE = 0.3e-6  # s more for every edge
SAVED_OF_KERNELS = 0.3e-3, -0.1e-6  # likewise, where kernels of our own take its place
SAVED_ON_GPU = 1e-3  # s that a convolution saves as a CUDA graph, whatever the batch
WORTH = 1.5  # times that what is saved must pay for the compilation
AGREEMENT = 1e-3  # largest difference between compiled and eager step, root-mean-square steps


CompiledStep = Callable[[Tensor, Tensor, State], Tensor]  # history, noise, what is constant


class Stepper(Protocol):
    """Takes a roll-out one step further."""

    @property
    def name(self) -> str:
        """``eager`` or ``compiled``: a restart must go on with the same."""

    def __call__(self, state: State) -> State:
        """One step."""

    @property
    def most_threads(self) -> int:
        """CPU threads beyond which no more is gained."""

    @property
    def threads(self) -> Threads:
        """Whose threads these are."""


@dataclass(frozen=True)
class EagerStepper:
    """`Simulator.step`, operation by operation."""

    simulator: Simulator
    n_beads: int
    name: str = "eager"

    def __call__(self, state: State) -> State:
        """One step."""
        return self.simulator.step(state)

    @property
    def most_threads(self) -> int:
        """All for kernels, whatever the batch: they take as many as they have work for."""
        return torch.get_num_threads() if self.threads is KERNELS else eager_threads(self.n_beads)

    @property
    def threads(self) -> Threads:
        """Those of kernels, where the operations between them are too small for threads."""
        is_small = self.n_beads < ONE_THREAD_LIMIT
        return KERNELS if is_built() and is_small else TORCH


@dataclass(frozen=True)
class CompiledStepper:
    """A compiled function for batches of one shape: equal to round-off.

    It draws the same random numbers as `Simulator.step`.
    """

    function: CompiledStep
    dtype: torch.dtype
    n_edges: int
    n_draws: int
    name: str = "compiled"

    @torch.no_grad()
    def __call__(self, state: State) -> State:
        """One step."""
        noise = drawn_noise(state, self.n_draws, self.dtype)
        pos = self.function(state.pos.contiguous(), noise, state)
        return replace(state, pos=pos.clone() if pos.is_cuda else pos)  # a CUDA graph owns `pos`

    @property
    def most_threads(self) -> int:
        """See `cgsim.hardware.threads.compiled_threads`."""
        return compiled_threads(self.n_edges)

    @property
    def threads(self) -> Threads:
        """Those of PyTorch."""
        return TORCH


def drawn_noise(state: State, n_draws: int, dtype: torch.dtype) -> Tensor:
    """All that is random in a step [n_draws, n, 3]."""
    like = state.pos[:, -1].to(dtype)
    return torch.stack([randn_like(like, state.generator) for _ in range(n_draws)])


def compiling_pays(n_steps: int, n_edges: int, *, on_gpu: bool, has_kernels: bool = False) -> bool:
    """Whether a roll-out from beginning to end is long enough, by a fixed estimate.

    Both what a compilation costs and what it saves grow with the number of convolutions, so that
    it does not matter. Nothing is timed: the same call decides the same wherever it is repeated.

    Parameters
    ----------
    n_steps
        Steps in all.
    n_edges
        Edges of the whole batch.
    has_kernels
        Whether a step that is not compiled is taken by `cgsim.nn.native`.
    """
    per_step, per_edge = SAVED_OF_KERNELS if has_kernels else (SAVED_PER_STEP, SAVED_PER_EDGE)
    saved = SAVED_ON_GPU if on_gpu else per_step + per_edge * n_edges
    return n_steps * saved > WORTH * COMPILE_SECONDS


def runs_kernels(simulator: Simulator) -> bool:
    """Whether all convolutions of a simulator are taken by `cgsim.nn.native` on a CPU."""
    own = [each for each in simulator.modules() if isinstance(each, EquivariantConvolution)]
    is_single = simulator.dtype == torch.float32
    return is_built() and is_single and bool(own) and all(has_kernel(each) for each in own)


def choose_stepper(
    simulator: Simulator,
    state: State,
    n_steps: int,
    *,
    before: str | None = None,
    alike: Sequence[State] = (),
) -> Stepper:
    """The faster of both for a roll-out of ``n_steps`` steps.

    Parameters
    ----------
    state
        The batch. Only one of small equal systems (see `cgsim.nn.graph.incidence`) can be compiled.
    n_steps
        Steps from beginning to end.
    before
        Name of the stepper of the roll-out that is continued; it is taken again.
    alike
        Other batches of the same shape, that it will step as well.

    Returns
    -------
    The eager one, with a warning, where compilation fails or its result differs.
    """
    eager = EagerStepper(simulator, len(state.pos))
    n_edges, on_gpu = fixed_edges(state), state.pos.is_cuda
    if not n_edges or before == eager.name:
        return eager
    has_kernels = not on_gpu and runs_kernels(simulator)
    if before is None and not compiling_pays(
        n_steps, n_edges, on_gpu=on_gpu, has_kernels=has_kernels
    ):
        return eager
    if before is None and not on_gpu and not has_compiler():
        return eager
    try:
        threads = at_most_threads(compiled_threads(n_edges))
        with threads, tqdm(total=1, desc="compiling", unit="step") as bar:
            function = compiled_step(simulator, state)
            for other in alike:
                verify_step(simulator, function, other)
            bar.update()
    except Exception as error:  # of any part of the compiler
        if is_out_of_memory(error):
            raise
        warnings.warn(
            f"the step could not be compiled, it runs as it is, more slowly: {in_short(error)}",
            stacklevel=2,
        )
        return eager
    return CompiledStepper(function, simulator.dtype, n_edges, simulator.n_draws)


def fixed_edges(state: State) -> int:
    """Edges of a batch of equal systems that has as many at every step; of others 0."""
    if state.slot_table is not None:
        return state.slot_table.slots * len(state.pos)
    graph = state.fixed_graph
    return 0 if graph is None or not graph.width else graph.edge_index.shape[1]


def compiled_step(simulator: Simulator, state: State) -> CompiledStep:
    """Compile `Simulator.history_after` for batches of one shape, and try it on one.

    Batches of one shape are of equally many systems of one size, whatever the molecules.

    Raises
    ------
    ValueError
        If the batch is not one of small equal systems.
    ArithmeticError
        If the compiled function gives another result.
    """
    if not fixed_edges(state):
        raise ValueError("only a step of small equal systems can be compiled")

    def step(history: Tensor, noise: Tensor, state: State) -> Tensor:
        return simulator.history_after(history, noise, state=state)

    function = compiled(step, fastest_options(state.pos.device))
    verify_step(simulator, function, state)
    return function


def fastest_options(device: torch.device) -> dict[str, Any]:
    """What the compiler does beyond the usual: on a GPU, one CUDA graph for the whole step."""
    return {"triton.cudagraphs": True} if device.type == "cuda" else {}


@torch.no_grad()
def verify_step(simulator: Simulator, function: CompiledStep, state: State) -> None:
    """Take a step from a state both ways; it leaves what is constant in the graph, computed once.

    Raises
    ------
    ArithmeticError
        If the compiled function gives another result.
    """
    known = replace(state, generator=torch.Generator(state.pos.device))
    noise = drawn_noise(known, simulator.n_draws, simulator.dtype)
    history = state.pos.contiguous()
    expected = simulator.history_after(history, noise, state=state)
    if state.slot_table is not None:  # held against the graph that was searched for
        exact = replace(state, slot_table=None)
        expected = simulator.history_after(history, noise, state=exact)
    found = function(history, noise, state)
    largest = float((found - expected).abs().max()) / simulator.scales.step_scale
    if not largest < AGREEMENT:
        raise ArithmeticError(f"the compiled step differs by {largest:.2g} root-mean-square steps")

"""That a GPU computes what it should: symmetries, the numbers of a CPU, and no waiting."""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.cases import melt_simulator, only_on_gpu, simulator_of, sizes, state_on
from benchmarks.gpu.ledger import LeftOutError, Row
from cgsim.hardware.compile import has_compiler
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.nn.graph.cell_list import near_pairs, pairs_by_cells
from cgsim.rollout.compiled import compiled_step, drawn_noise
from cgsim.rollout.slots import Slots
from cgsim.testing.checks import random_rotation

N_REPLICAS = 3
N_STEPS = 20  # without waiting
EXACT = 1e-8  # root-mean-square steps, in double precision
CLOSE = 2e-3  # and in single precision, TF32 left off as by default
SMALL_MELT = 1000  # beads
LIMITS = {torch.float64: EXACT, torch.float32: CLOSE}


def rows(options: Namespace) -> Iterator[Row]:
    """All checks of numbers."""
    for n_beads in sizes(options).beads:
        yield Row(f"check/equivariance/{n_beads}", partial(equivariance, n_beads, options))
        yield Row(f"check/cpu/{n_beads}", partial(same_as_cpu, n_beads, options))
        yield Row(f"check/slots/{n_beads}", partial(same_by_slots, n_beads, options))
    yield Row("check/gradient", lambda: same_gradient(options))
    yield Row("check/neighbours", lambda: same_neighbours(options))
    yield Row("check/melt", lambda: same_melt(options))
    yield Row("check/compiled", lambda: compiled_is_eager(options), seconds=180.0)
    yield Row("check/no-waiting", lambda: no_waiting(options))


def _checked(name: str, found: Mapping[str, float], limit: Mapping[str, float]) -> dict[str, Any]:
    """The largest differences; more than they may be is a failure of the row.

    Raises
    ------
    ArithmeticError
        Naming those that are too large.
    """
    wrong = {key: value for key, value in found.items() if not value <= limit[key]}
    if wrong:
        raise ArithmeticError(f"{name}: {wrong}, allowed {dict(limit)}")
    return {"largest": dict(found), "allowed": dict(limit)}


def _difference(simulator: Simulator, one: Tensor, other: Tensor) -> float:
    """Largest, in root-mean-square steps."""
    return float((one.cpu() - other.cpu()).abs().max()) / simulator.scales.step_scale


def equivariance(n_beads: int, options: Namespace) -> dict[str, Any]:
    """A whole step, refinement and noise included, of molecules that are turned and mirrored."""
    found, limit = {}, {}
    for dtype in (torch.float64, torch.float32):
        simulator, starts = simulator_of(n_beads, options, scale=0.1)
        simulator = simulator.to(dtype)
        state = state_on(simulator, starts, N_REPLICAS, options.device)
        noise = drawn_noise(state, simulator.n_draws, dtype)
        rotation = random_rotation(seed=1).to(options.device)
        with torch.no_grad():
            expected = simulator.history_after(state.pos, noise, state=state)
            for name, matrix in {"turned": rotation, "mirrored": -rotation}.items():
                other = simulator.history_after(
                    state.pos @ matrix.T, noise @ matrix.to(dtype).T, state=state
                )
                key = f"{name}, {dtype}"
                found[key] = _difference(simulator, other, expected @ matrix.T)
                limit[key] = LIMITS[dtype]
    return _checked("not equivariant", found, limit)


def same_as_cpu(n_beads: int, options: Namespace) -> dict[str, Any]:
    """The same step, from the same frames and noise, on a CPU and on the device."""
    found, limit = {}, {}
    for dtype in (torch.float64, torch.float32):
        simulator, starts = simulator_of(n_beads, options, scale=0.1)
        simulator = simulator.to(dtype)
        pair = []
        for device in ("cpu", options.device):
            simulator = simulator.to(device)
            state = state_on(simulator, starts, N_REPLICAS, device)
            noise = _noise(simulator, state).to(device)
            pair.append(simulator.history_after(state.pos, noise, state=state))
        found[str(dtype)] = _difference(simulator, *pair)
        limit[str(dtype)] = LIMITS[dtype]
    return _checked("not as on a CPU", found, limit)


def _noise(simulator: Simulator, state: State) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    shape = (simulator.n_draws, len(state.pos), 3)
    return torch.randn(shape, generator=generator, dtype=simulator.dtype)


def same_gradient(options: Namespace) -> dict[str, Any]:
    """Loss and gradient of the same windows, without random noise, on both devices."""
    n_beads = sizes(options).beads[0]
    found, limit = {}, {}
    for dtype in (torch.float64, torch.float32):
        simulator, starts = simulator_of(n_beads, options, score=False, scale=0.1)
        simulator = simulator.to(dtype).train()
        slopes = []
        for device in ("cpu", options.device):
            simulator = simulator.to(device)
            windows = simulator.windows(starts)
            batch = windows[list(range(sizes(options).batch))].to(device)
            loss = simulator.loss(batch, generator=torch.Generator(device).manual_seed(0))["nll"]
            slopes.append(
                torch.cat(
                    [
                        own.flatten().cpu()
                        for own in torch.autograd.grad(
                            loss, list(simulator.parameters()), materialize_grads=True
                        )
                    ]
                )
            )
        expected, other = slopes
        found[str(dtype)] = float((other - expected).norm() / expected.norm())
        limit[str(dtype)] = LIMITS[dtype]
    return _checked("another gradient", found, limit)


def same_neighbours(options: Namespace) -> dict[str, Any]:
    """Pairs of a periodic melt, found by cells on the device and as they are found on a CPU."""
    simulator, melt = melt_simulator(SMALL_MELT, options)
    pos = torch.tensor(melt.pos[-1]).double()
    cell = None if melt.cell is None else torch.tensor(melt.cell[-1]).double()
    expected = near_pairs(pos, simulator.cutoff, cell)
    there = None if cell is None else cell.to(options.device)
    found = pairs_by_cells(pos.to(options.device), simulator.cutoff, there)
    same = {_key(expected), _key(found)}
    if len(same) > 1:
        raise ArithmeticError(f"other pairs: {len(found[0][0])}, not {len(expected[0][0])}")
    return {"n_pairs": len(expected[0][0])}


def _key(found: tuple[Tensor, Tensor]) -> frozenset[tuple[int, ...]]:
    pairs, image = (part.cpu() for part in found)
    return frozenset(map(tuple, torch.cat([pairs, image.T]).T.tolist()))


def same_melt(options: Namespace) -> dict[str, Any]:
    """A step of a periodic melt, in single precision."""
    simulator, melt = melt_simulator(SMALL_MELT, options)
    pair = []
    for device in ("cpu", options.device):
        simulator = simulator.to(device)
        state = state_on(simulator, [melt], 1, device)
        noise = _noise(simulator, state).to(device)
        pair.append(simulator.history_after(state.pos, noise, state=state))
    found = {"melt": _difference(simulator, *pair)}
    return _checked("not as on a CPU", found, {"melt": CLOSE})


def compiled_is_eager(options: Namespace) -> dict[str, Any]:
    """Beside the trial that is made of every compilation (`verify_step`)."""
    if options.no_compile or not has_compiler():
        raise LeftOutError("nothing is compiled here")
    n_beads = sizes(options).beads[0]
    simulator, starts = simulator_of(n_beads, options, scale=0.1)
    state = state_on(simulator, starts, N_REPLICAS, options.device)
    function = compiled_step(simulator, state)
    noise = drawn_noise(state, simulator.n_draws, simulator.dtype)
    with torch.no_grad():
        found = function(state.pos.contiguous(), noise, state)
        expected = simulator.history_after(state.pos, noise, state=state)
    return _checked("compiled", {"step": _difference(simulator, found, expected)}, {"step": CLOSE})


def same_by_slots(n_beads: int, options: Namespace) -> dict[str, Any]:
    """The same step with equally many edges for every bead, as GPUs take it."""
    simulator, starts = simulator_of(n_beads, options, scale=0.1)
    state = state_on(simulator, starts, N_REPLICAS, options.device)
    (fixed,) = Slots(simulator).of([state])
    if fixed.slot_table is None:
        raise LeftOutError(f"all pairs of {n_beads} beads are edges")
    noise = drawn_noise(state, simulator.n_draws, simulator.dtype)
    one, other = (simulator.history_after(state.pos, noise, state=own) for own in (state, fixed))
    found = {"step": _difference(simulator, other, one)}
    return _checked("not the step", found, {"step": CLOSE})


def no_waiting(options: Namespace) -> dict[str, Any]:
    """Steps under PyTorch's own watch: an operation that waits is an error."""
    only_on_gpu(options)
    for n_beads in sizes(options).beads:
        simulator, starts = simulator_of(n_beads, options)
        state = state_on(simulator, starts, N_REPLICAS, options.device)
        (fixed,) = Slots(simulator).of([state])
        noise = drawn_noise(state, simulator.n_draws, simulator.dtype)
        pos = simulator.history_after(state.pos, noise, state=fixed)  # and what is constant
        with _waiting_is_an_error():
            for _ in range(N_STEPS):
                pos = simulator.history_after(pos, noise, state=fixed)
    return {"n_steps": N_STEPS, "n_beads": list(sizes(options).beads)}


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")

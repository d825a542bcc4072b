"""Roll-outs: steps per second, memory and how busy the GPU is."""

import time
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from benchmarks.gpu.cases import melt_simulator, simulator_of, sizes, state_on
from benchmarks.gpu.ledger import Row
from benchmarks.gpu.watch import busy_percent, watched
from benchmarks.speed.floor import wait
from benchmarks.speed.large import measured
from benchmarks.speed.rates import state_of, steps_per_second
from cgsim.hardware.compile import has_compiler
from cgsim.hardware.memory import fitting_edges
from cgsim.hardware.threads import at_most_threads, compiled_threads
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.rollout.batches import count_edges
from cgsim.rollout.compiled import (
    CompiledStepper,
    EagerStepper,
    Stepper,
    compiled_step,
    fixed_edges,
)
from cgsim.rollout.simulate import simulate
from cgsim.rollout.slots import Slots

LOOP_STEPS = 400  # of a whole roll-out, whatever its rate, after those that are looked at
EVERY = 10  # recorded
LEAST_SECONDS = 20.0  # of what a whole roll-out may take


def rows(options: Namespace) -> Iterator[Row]:
    """Every size and number of replicas, refined; a few that are not; large systems."""
    for n_beads in sizes(options).beads:
        for n_replicas in sizes(options).replicas:
            yield Row(
                f"rollout/{n_beads}x{n_replicas}",
                partial(rates, n_beads, n_replicas, options, score=True),
                seconds=240.0,
            )
    for n_beads in sizes(options).beads:
        n_replicas = sizes(options).replicas[1]
        yield Row(
            f"rollout/{n_beads}x{n_replicas}, not refined",
            partial(rates, n_beads, n_replicas, options, score=False),
            seconds=240.0,
        )
    for n_beads in sizes(options).large:
        yield Row(f"large/{n_beads}", partial(large, n_beads, options), seconds=120.0)


def rates(n_beads: int, n_replicas: int, options: Namespace, *, score: bool) -> dict[str, Any]:
    """Steps of all replicas per second: in batches as large as those of a roll-out, and in one."""
    simulator, starts = simulator_of(n_beads, options, score=score)
    widths = [own.n_channels for own in (simulator.config.dynamics, simulator.config.score) if own]
    most_edges = fitting_edges(torch.device(options.device), n_channels=max(widths))
    in_batch = min(n_replicas, max(1, most_edges // count_edges(simulator, starts[0])))
    state = state_of(simulator, starts, in_batch)
    ways, compilation = _ways(simulator, state, options)
    found: dict[str, float] = {}
    with watched(options.device) as usage:
        for name, (stepper, own) in ways.items():
            found |= steps_per_second(
                {name: stepper}, own, seconds=sizes(options).seconds, device=options.device
            )
    found = {name: rate * in_batch / n_replicas for name, rate in found.items()}
    fastest = max(found, key=lambda name: found[name])
    stepper, own = ways[fastest]
    busy = busy_percent(lambda: stepper(own), options.device)
    return {
        "n_beads": n_beads,
        "n_replicas": n_replicas,
        "in_batch": in_batch,
        "refined": score,
        "steps_per_second": found,
        "chain_steps_per_second": found[fastest] * n_replicas,
        "compile_seconds": compilation or None,
        "kernels_busy_percent": busy,
        **usage.values(),
        "whole": whole(simulator, starts, n_replicas, rate=found[fastest], options=options),
    }


def _ways(
    simulator: Simulator, state: State, options: Namespace
) -> tuple[dict[str, tuple[Stepper, State]], float]:
    """Ways to take a step, what each begins with, and how long it took to compile, s.

    By slots every step has equally many edges (see `cgsim.nn.graph.slots`).
    """
    eager = EagerStepper(simulator, len(state.pos))
    ways: dict[str, tuple[Stepper, State]] = {"eager": (eager, state)}
    (fixed,) = Slots(simulator).of([state])
    if fixed.slot_table is not None:
        ways["eager, by slots"] = eager, fixed
    n_edges, start = fixed_edges(fixed), time.perf_counter()
    if options.no_compile or not n_edges or not has_compiler():
        return ways, 0.0
    with at_most_threads(compiled_threads(n_edges)):
        function = compiled_step(simulator, fixed)
    compiled = CompiledStepper(function, simulator.dtype, n_edges, simulator.n_draws)
    ways["compiled"] = compiled, fixed
    return ways, time.perf_counter() - start


def whole(
    simulator: Simulator,
    starts: list[Any],
    n_replicas: int,
    *,
    rate: float,
    options: Namespace,
) -> dict[str, Any]:
    """A roll-out as a user calls it: batches, guard and frames included, compiled where it pays."""
    n_steps = 3 if options.dry else max(LOOP_STEPS, min(20_000, int(rate * LEAST_SECONDS / 2)))
    with watched(options.device) as usage:
        start = time.perf_counter()
        rollout = simulate(simulator, starts, n_steps, n_replicas=n_replicas, every=EVERY)
        seconds = time.perf_counter() - start
    return {
        "n_steps": n_steps,
        "every": EVERY,
        "steps_per_second": n_steps / rollout.seconds,
        "seconds_with_start": seconds,
        "failures": len(rollout.failures),
        **usage.values(),
    }


def large(n_beads: int, options: Namespace) -> dict[str, Any]:
    """Steps of one large periodic system."""
    if not options.dry:
        return measured(n_beads, score=True, device=options.device)
    simulator, melt = melt_simulator(n_beads, options)
    state = state_on(simulator, [melt], 1, options.device)
    with at_most_threads(1), torch.no_grad():
        start = time.perf_counter()
        state = simulator.step(state)
        wait(options.device)
    return {"n_beads": n_beads, "seconds": time.perf_counter() - start}

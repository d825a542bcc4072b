"""Roll-outs: steps per second, memory and how busy the GPU is."""

import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.gpu.cases import melt_simulator, simulator_of, sizes, state_on
from benchmarks.gpu.ledger import Row
from benchmarks.gpu.watch import busy_percent, watched
from benchmarks.speed.floor import wait
from benchmarks.speed.large import measured
from benchmarks.speed.rates import state_of, steppers, steps_per_second
from cgsim.hardware.threads import at_most_threads
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.rollout.compiled import EagerStepper, Stepper
from cgsim.rollout.simulate import simulate

LOOP_STEPS = 400  # of a whole roll-out, whatever its rate, after those that are looked at
EVERY = 10  # recorded
LEAST_SECONDS = 20.0  # of what a whole roll-out may take


def rows(options: Namespace) -> Iterator[Row]:
    """Every size and number of replicas, refined; a few that are not; large systems."""
    for n_beads in sizes(options).beads:
        for n_replicas in sizes(options).replicas:
            yield Row(
                f"rollout/{n_beads}x{n_replicas}",
                lambda n=n_beads, k=n_replicas: rates(n, k, options, score=True),
                seconds=120.0,
            )
    for n_beads in sizes(options).beads:
        n_replicas = sizes(options).replicas[1]
        yield Row(
            f"rollout/{n_beads}x{n_replicas}, not refined",
            lambda n=n_beads, k=n_replicas: rates(n, k, options, score=False),
            seconds=120.0,
        )
    for n_beads in sizes(options).large:
        yield Row(f"large/{n_beads}", lambda n=n_beads: large(n, options), seconds=120.0)


def rates(n_beads: int, n_replicas: int, options: Namespace, *, score: bool) -> dict[str, Any]:
    """Steps of the whole batch per second: alone, eager and compiled, and in a whole roll-out."""
    simulator, starts = simulator_of(n_beads, options, score=score)
    state = state_of(simulator, starts, n_replicas)
    own, compilation = _steppers(simulator, state, options)
    with watched(options.device) as usage:
        found = steps_per_second(own, state, seconds=sizes(options).seconds, device=options.device)
    fastest = max(found, key=lambda name: found[name])
    busy = busy_percent(lambda: own[fastest](state), options.device)
    return {
        "n_beads": n_beads,
        "n_replicas": n_replicas,
        "refined": score,
        "steps_per_second": found,
        "chain_steps_per_second": found[fastest] * n_replicas,
        "compile_seconds": compilation or None,
        "kernels_busy_percent": busy,
        **usage.values(),
        "whole": whole(simulator, starts, n_replicas, rate=found[fastest], options=options),
    }


def _steppers(
    simulator: Simulator, state: State, options: Namespace
) -> tuple[dict[str, Stepper], float]:
    if options.no_compile:
        return {"eager": EagerStepper(simulator, len(state.pos))}, 0.0
    return steppers(simulator, state)


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

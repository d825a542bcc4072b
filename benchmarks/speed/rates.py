"""Untrained simulators and the rates of their steps: what every benchmark of speed begins with."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from benchmarks.speed.floor import wait
from cgsim.config import ModelConfig
from cgsim.data.scales import measure
from cgsim.hardware.compile import has_compiler
from cgsim.hardware.threads import at_most_threads, compiled_threads
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.rollout.compiled import CompiledStepper, EagerStepper, Stepper, compiled_step
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.systems import ATOM_TYPES, random_chain

DEFAULT = ModelConfig()
N_ROUNDS = 3  # in turn, of which the median counts
FEWEST_STEPS = 1  # of a round


def untrained(
    n_beads: int, *, score: bool, device: str, config: ModelConfig = DEFAULT
) -> tuple[Simulator, list[Any]]:
    """A simulator, by default of the default size, and a trajectory of a linear chain."""
    chain = random_chain(n_beads, n_frames=400, seed=n_beads)
    config = config if score else replace(config, score=None)
    torch.manual_seed(0)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure([chain], stride=1))
    return simulator.to(device).eval(), [chain]


def state_of(simulator: Simulator, starts: Sequence[Any], n_replicas: int) -> State:
    """A batch to step."""
    device = next(simulator.parameters()).device
    systems = choose_starts(simulator, starts, n_replicas=n_replicas, seed=0)
    generator = torch.Generator(device).manual_seed(0)
    return simulator.start(start_batch(simulator, systems).to(device), generator)


def steppers(simulator: Simulator, state: State) -> tuple[dict[str, Stepper], float]:
    """Eager and, where it can be, compiled, and how long that took, s."""
    found: dict[str, Stepper] = {"eager": EagerStepper(simulator, len(state.pos))}
    graph = state.fixed_graph
    if graph is None or not graph.width or not has_compiler():
        return found, 0.0
    n_edges, start = graph.edge_index.shape[1], time.perf_counter()
    with at_most_threads(compiled_threads(n_edges)):
        function = compiled_step(simulator, state)
    found["compiled"] = CompiledStepper(function, simulator.dtype, n_edges, simulator.n_draws)
    return found, time.perf_counter() - start


def steps_per_second(
    own: dict[str, Stepper], state: State, *, seconds: float, device: str
) -> dict[str, float]:
    """Median rate of every stepper, measured in turn."""
    rates: dict[str, list[float]] = {name: [] for name in own}
    for _ in range(N_ROUNDS):
        for name, stepper in own.items():
            with at_most_threads(stepper.most_threads):
                rates[name].append(_rate(stepper, state, seconds / N_ROUNDS, device))
    return {name: statistics.median(values) for name, values in rates.items()}


def _rate(stepper: Stepper, state: State, seconds: float, device: str) -> float:
    wait(device)
    start, n_steps = time.perf_counter(), 0
    while n_steps < FEWEST_STEPS or time.perf_counter() - start < seconds:
        state = stepper(state)
        n_steps += 1
    wait(device)
    return n_steps / (time.perf_counter() - start)

"""Steps per second with the threads that are chosen, with one and with all, in turn.

See `benchmarks.speed.busy`.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.speed.rates import state_of, steppers, untrained
from cgsim.hardware.allocator import keep_freed_memory
from cgsim.hardware.threads import MeasuredThreads
from cgsim.model.state import State
from cgsim.rollout.compiled import Stepper

N_REPLICAS, N_ROUNDS = 40, 3

Step = Callable[[State], State]


def main(case: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for every stepper."""
    keep_freed_memory()
    torch.set_num_threads(os.cpu_count() or 1)
    simulator, starts = untrained(case["n_beads"], score=case["refined"], device="cpu")
    state = state_of(simulator, starts, N_REPLICAS)
    own, _ = steppers(simulator, state)
    common = {"n_beads": case["n_beads"], "n_replicas": N_REPLICAS, "refined": case["refined"]}
    rows = []
    for name, stepper in own.items():
        torch.set_num_threads(os.cpu_count() or 1)
        rows.append(common | {"stepper": name} | _rates(stepper, state, case["seconds"]))
    return rows


def _rates(stepper: Stepper, state: State, seconds: float) -> dict[str, Any]:
    """Median steps per second of each choice, measured in turn."""
    most, kind = stepper.most_threads, stepper.threads
    torch.set_num_threads(1)  # as a roll-out does, whose kernels have threads of their own
    measured = MeasuredThreads(most, label=f"{stepper.name} roll-out", kind=kind)

    def chosen(state: State) -> State:
        return measured(lambda: stepper(state))

    def on(n_threads: int) -> Step:
        def step(state: State) -> State:
            if kind.number() != n_threads:
                kind.use(n_threads)
            return stepper(state)

        return step

    choices: dict[str, Step] = {
        "steps_per_s": chosen,
        "one_thread": on(1),
        "all_threads": on(most),
    }
    found: dict[str, list[float]] = {name: [] for name in choices}
    for _ in range(N_ROUNDS):
        for name, step in choices.items():
            found[name].append(_rate(step, state, seconds))
    return {name: statistics.median(rates) for name, rates in found.items()} | {
        "most_threads": most,
        "chosen": measured.chosen,
    }


def _rate(step: Step, state: State, seconds: float) -> float:
    state, start, n_steps = step(state), time.perf_counter(), 0
    while n_steps == 0 or time.perf_counter() - start < seconds:
        state = step(state)
        n_steps += 1
    return n_steps / (time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))

"""How fast OpenMM makes polymer trajectories: chains apart or merged, threads or systems.

    python -m benchmarks.speed.md_polymers

Prints a table of chain-steps per second and writes `benchmarks/results/md_speed.json`. All rows of
a size are measured in turn, several times over, so that they share whatever else the machine does.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openmm

from benchmarks.record import RESULTS, write_result
from cgsim.md.polymer import Chain, initial_coordinates, sample_chains
from cgsim.md.polymer_system import ForceField, build_system


@dataclass(frozen=True)
class Setup:
    """Chains spread evenly over Systems that run side by side."""

    platform: str
    n_systems: int
    n_threads: int
    chains_per_system: int

    @property
    def label(self) -> str:
        """Name of the row."""
        threads = f"{self.n_threads} thread{'s' if self.n_threads > 1 else ''}"
        systems = f"{self.n_systems} system{'s' if self.n_systems > 1 else ''}"
        return f"{self.platform}, {systems} x {self.chains_per_system} chains, {threads} each"


SETUPS = (
    Setup("Reference", 1, 1, 1),
    Setup("CPU", 1, 1, 1),
    Setup("CPU", 1, 1, 16),
    Setup("CPU", 1, 2, 16),
    Setup("CPU", 2, 1, 8),
    Setup("CPU", 2, 1, 16),
    Setup("CPU", 2, 1, 32),
)


def make_context(chains: Sequence[Chain], setup: Setup, *, seed: int) -> openmm.Context:
    """Put relaxed chains 500 nm apart in one Context."""
    force_field = ForceField()
    integrator = openmm.LangevinMiddleIntegrator(
        force_field.temperature, force_field.friction, force_field.timestep
    )
    integrator.setRandomNumberSeed(seed + 1)
    platform = openmm.Platform.getPlatformByName(setup.platform)
    properties = {"Threads": str(setup.n_threads)} if setup.platform == "CPU" else {}
    system = build_system(chains, force_field)
    context = openmm.Context(system, integrator, platform, properties)
    shift = 500.0 * np.array(list(np.ndindex(4, 4, 4)))
    xyz = [initial_coordinates(chain, seed=seed) + shift[i] for i, chain in enumerate(chains)]
    context.setPositions(np.concatenate(xyz))
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 300)
    context.setVelocitiesToTemperature(force_field.temperature, seed + 1)
    integrator.step(500)
    return context


def chain_steps_per_second(
    contexts: Sequence[openmm.Context], setup: Setup, seconds: float
) -> float:
    """Run all contexts side by side, each in its own Python thread, for about `seconds`."""

    def run(context: openmm.Context) -> int:
        stop = time.perf_counter() + seconds
        n_steps = 0
        while time.perf_counter() < stop:
            context.getIntegrator().step(100)
            n_steps += 100
        return n_steps

    start = time.perf_counter()
    with ThreadPoolExecutor(len(contexts)) as pool:
        n_steps = sum(pool.map(run, contexts))
    return n_steps * setup.chains_per_system / (time.perf_counter() - start)


def measure(size: str, *, seconds: float, n_repeats: int, seed: int) -> dict[str, float]:
    """Return the median chain-steps per second of each setup."""
    chains = sample_chains("I", size=size, n_chains=32, seed=seed)
    contexts = [
        [make_context(chains[: s.chains_per_system], s, seed=seed + i) for i in range(s.n_systems)]
        for s in SETUPS
    ]
    rates: list[list[float]] = [[] for _ in SETUPS]
    for _ in range(n_repeats):
        for setup, own, rate in zip(SETUPS, contexts, rates, strict=True):
            rate.append(chain_steps_per_second(own, setup, seconds))
    return {setup.label: statistics.median(rate) for setup, rate in zip(SETUPS, rates, strict=True)}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    parser.add_argument("--repeats", type=int, default=3, help="the median is reported")
    parser.add_argument("--sizes", nargs="+", default=["tiny", "mini"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    arguments = parser.parse_args()
    start = time.perf_counter()
    metrics = {
        size: measure(
            size, seconds=arguments.seconds, n_repeats=arguments.repeats, seed=arguments.seed
        )
        for size in arguments.sizes
    }
    width = max(len(setup.label) for setup in SETUPS)
    print(f"{'chain-steps/s':{width}}" + "".join(f"{size:>12}" for size in metrics))
    for setup in SETUPS:
        row = "".join(f"{rates[setup.label]:12,.0f}" for rates in metrics.values())
        print(f"{setup.label:{width}}" + row)
    path = write_result(
        "md_speed",
        " ".join(["python -m benchmarks.speed.md_polymers", *sys.argv[1:]]),
        {"unit": "chain-steps/s", "chain_steps_per_second": metrics},
        wall_clock=time.perf_counter() - start,
        seed=arguments.seed,
        directory=arguments.output,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

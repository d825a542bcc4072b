"""How fast OpenMM makes trajectories of small peptides: copies alone or merged, on one core or two.

    python -m benchmarks.speed.md_peptides

Prints a table of ns/day, all copies together, and writes
`benchmarks/results/md_peptide_speed.json`. All rows of a peptide are measured in turn, several
times over, so that they share whatever else the machine does. `force deviation` is how far the
forces in a merged System are from those of one copy without a cutoff, of the largest force.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm import app

from benchmarks.record import RESULTS, write_result
from cgsim.md import MergedPeptides, Peptide, PeptideForceField, build_peptide
from cgsim.md.merged import Phase

FORCE_FIELD = PeptideForceField()
SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Setup:
    """Systems that run side by side, each of so many copies of a peptide."""

    n_systems: int
    n_copies: int

    @property
    def label(self) -> str:
        """Name of the row."""
        return f"{self.n_systems} x {self.n_copies} copies"


SETUPS = (Setup(1, 1), Setup(2, 1), Setup(1, 4), Setup(1, 8), Setup(2, 8))


class Simulation:
    """Merged peptides that go on from where they are."""

    def __init__(self, merged: MergedPeptides, phases: Sequence[Phase]) -> None:
        self.merged, self.phases = merged, phases

    def run(self, n_atom_steps: int, seed: int) -> float:
        """Take so many steps times atoms; return ns/day, all copies together."""
        n_steps = n_atom_steps // sum(len(phase.xyz) for phase in self.phases)
        start = time.perf_counter()
        _, self.phases = self.merged.advance(
            self.phases, n_frames=1, steps_per_frame=n_steps, seed=seed
        )
        simulated = n_steps * len(self.phases) * FORCE_FIELD.timestep / 1000.0
        return SECONDS_PER_DAY * simulated / (time.perf_counter() - start)


def run_side_by_side(simulations: Sequence[Simulation], n_atom_steps: int, repeat: int) -> float:
    """Run all at once, each in its own Python thread; return ns/day, all copies together."""
    with ThreadPoolExecutor(len(simulations)) as pool:
        seeds = range(repeat * len(simulations), (repeat + 1) * len(simulations))
        return sum(pool.map(lambda own, seed: own.run(n_atom_steps, seed), simulations, seeds))


def force_deviation(peptide: Peptide, platform: str) -> float:
    """Largest difference of a force, merged against alone without a cutoff, of the largest."""
    system = FORCE_FIELD.load().createSystem(
        peptide.topology, nonbondedMethod=app.NoCutoff, constraints=app.HBonds
    )
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(peptide.xyz)
    alone = np.array(context.getState(forces=True).getForces(asNumpy=True)._value)
    merged = MergedPeptides([peptide] * 8, FORCE_FIELD, platform=platform)
    _, forces = merged.forces([peptide.xyz] * 8)
    return float(max(np.abs(force - alone).max() for force in forces) / np.abs(alone).max())


def measure(
    sequence: str, *, platform: str, n_atom_steps: int, n_repeats: int, seed: int
) -> dict[str, Any]:
    """Return the median ns/day of each setup, and how exact merging is."""
    peptide = build_peptide(sequence)
    alone = MergedPeptides([peptide], FORCE_FIELD, platform=platform)
    (start,) = alone.relax([peptide.xyz], seed=seed)

    def simulation(n_copies: int) -> Simulation:
        merged = MergedPeptides([peptide] * n_copies, FORCE_FIELD, platform=platform)
        return Simulation(merged, [start] * n_copies)

    simulations = [[simulation(s.n_copies) for _ in range(s.n_systems)] for s in SETUPS]
    rates: list[list[float]] = [[] for _ in SETUPS]
    for repeat in range(n_repeats + 1):  # the first one warms up
        for own, rate in zip(simulations, rates, strict=True):
            rate.append(run_side_by_side(own, n_atom_steps, repeat))
    speed = [statistics.median(rate[1:]) for rate in rates]
    return {
        "n_atoms": peptide.n_atoms,
        "ns_per_day": {setup.label: rate for setup, rate in zip(SETUPS, speed, strict=True)},
        "force_deviation": force_deviation(peptide, platform),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atom-steps", type=int, default=15_000, help="atoms times steps")
    parser.add_argument("--repeats", type=int, default=3, help="the median is reported")
    parser.add_argument("--sequences", nargs="+", default=["A", "GAV"])
    parser.add_argument("--platform", default="CPU", help="CPU, CUDA or OpenCL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    arguments = parser.parse_args()
    start = time.perf_counter()
    metrics = {
        sequence: measure(
            sequence,
            platform=arguments.platform,
            n_atom_steps=arguments.atom_steps,
            n_repeats=arguments.repeats,
            seed=arguments.seed,
        )
        for sequence in arguments.sequences
    }
    print(f"{'ns/day':16}" + "".join(f"{f'Ace-{sequence}-Nme':>14}" for sequence in metrics))
    for setup in SETUPS:
        row = "".join(f"{m['ns_per_day'][setup.label]:14,.0f}" for m in metrics.values())
        print(f"{setup.label:16}" + row)
    deviations = [result["force_deviation"] for result in metrics.values()]
    print(f"{'force deviation':16}" + "".join(f"{deviation:14.1e}" for deviation in deviations))
    path = write_result(
        "md_peptide_speed",
        " ".join(["python -m benchmarks.speed.md_peptides", *sys.argv[1:]]),
        {"platform": arguments.platform, "peptides": metrics},
        wall_clock=time.perf_counter() - start,
        seed=arguments.seed,
        directory=arguments.output,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

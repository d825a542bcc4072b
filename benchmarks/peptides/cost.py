"""What the MD of the panel of peptides costs in each implicit solvent, from a short run.

    python -m benchmarks.peptides.cost

`cgsim md peptide` steps small peptides side by side in one System; here it is the five that are
never seen, for some hundred steps. Processor time, which other jobs on the machine change little,
is extrapolated to the MD of `python -m benchmarks.peptides --train-duration 12 --unseen-duration
33`: the durations of all runs, with their equilibration, at the cost of an average of the five.
Writes `benchmarks/results/peptide_md_cost.json`.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peptides.runs import MD, TRAIN, UNSEEN
from benchmarks.record import RESULTS, write_result
from cgsim.md import MergedPeptides, Peptide, PeptideForceField, build_peptide
from cgsim.md.solvent import SOLVENTS
from cgsim.units import PS_PER_NS

SECONDS_PER_DAY = 86_400.0
DURATION = {"train": 12.0, "unseen": 33.0}  # ns of one run
N_RUNS = {"train": len(TRAIN), "unseen": 2 * len(UNSEEN)}


def total_duration(part: str) -> float:
    """Of all runs of a part of the panel, with their equilibration, ns."""
    return N_RUNS[part] * (DURATION[part] + MD.equilibration / PS_PER_NS)


def ms_per_step(
    peptides: Sequence[Peptide], force_field: PeptideForceField, *, n_steps: int, n_repeats: int
) -> float:
    """Processor time of a step of one peptide among others, ms: the median of repeats."""
    merged = MergedPeptides(peptides, force_field, platform="CPU")
    phases = merged.relax([own.xyz for own in peptides], seed=0)
    found = []
    for repeat in range(n_repeats + 1):  # the first one warms up
        before = time.process_time()
        _, phases = merged.advance(phases, n_frames=1, steps_per_frame=n_steps, seed=repeat)
        found.append(1000.0 * (time.process_time() - before) / n_steps / len(peptides))
    return statistics.median(found[1:])


def cost(step: float, timestep: float) -> dict[str, Any]:
    """What a step of so many ms comes to.

    Parameters
    ----------
    step
        ms of one core.
    timestep
        ps.
    """
    ns_per_day = SECONDS_PER_DAY * 1000.0 / step * timestep / PS_PER_NS
    return {
        "ms_per_step": step,
        "ns_per_core_day": ns_per_day,
        "core_days": {part: total_duration(part) / ns_per_day for part in N_RUNS},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=500, help="timed each time")
    parser.add_argument("--repeats", type=int, default=3, help="the median is reported")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    peptides = [build_peptide(name, name=name) for name in UNSEEN]
    solvents = {}
    for solvent in SOLVENTS:
        force_field = PeptideForceField(MD.temperature, solvent=solvent)
        step = ms_per_step(peptides, force_field, n_steps=options.steps, n_repeats=options.repeats)
        solvents[solvent] = cost(step, force_field.timestep)
        print(solvent, solvents[solvent], flush=True)
    words = sys.argv[1:] if arguments is None else arguments
    path = write_result(
        "peptide_md_cost",
        " ".join(["python -m benchmarks.peptides.cost", *words]),
        {
            "n_atoms": {own.name: own.n_atoms for own in peptides},
            "duration": {part: total_duration(part) for part in N_RUNS},
            "units": {"duration": "ns of all runs", "ns_per_core_day": "all copies together"},
            "solvents": solvents,
        },
        wall_clock=time.perf_counter() - start,
        seed=0,
        directory=options.output,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

"""What a step of peptide MD costs in each implicit solvent, on one core.

    python -m benchmarks.speed.md_solvents [--residues 12 100] [--pdb FILE ...]

Helices of so many alanines, and single chains from PDB files. Prints milliseconds of processor time
a step, which other jobs on the machine change little, and writes
`benchmarks/results/md_solvent_speed.json`. The solvents of a molecule take turns. Steps are of
0.5 fs, from the structure as it is: their length does not change their cost.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import RESULTS, write_result
from cgsim.md import MergedPeptides, Peptide, PeptideForceField, build_helix, read_peptide
from cgsim.md.merged import Phase
from cgsim.md.solvent import SOLVENTS


def seconds(merged: MergedPeptides, start: Phase, n_steps: int) -> float:
    """Processor time of so many steps, with what it takes to begin."""
    before = time.process_time()
    merged.advance([start], n_frames=1, steps_per_frame=n_steps, seed=0)
    return time.process_time() - before


def measure(peptide: Peptide, *, n_steps: int, n_repeats: int) -> dict[str, Any]:
    """Milliseconds a step in every solvent: the median of what further steps add to one."""
    start = Phase(peptide.xyz, np.zeros_like(peptide.xyz))
    found: dict[str, list[float]] = {solvent: [] for solvent in SOLVENTS}
    merged = {
        solvent: MergedPeptides(
            [peptide], PeptideForceField(timestep=0.0005, solvent=solvent), platform="CPU"
        )
        for solvent in SOLVENTS
    }
    for _ in range(n_repeats):
        for solvent, own in merged.items():
            added = seconds(own, start, 1 + n_steps) - seconds(own, start, 1)
            found[solvent].append(1000.0 * added / n_steps)
    step = {solvent: statistics.median(values) for solvent, values in found.items()}
    return {"n_atoms": peptide.n_atoms, "ms_per_step": step}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--residues", nargs="*", type=int, default=[12, 100], help="of helices")
    parser.add_argument("--pdb", nargs="*", type=Path, default=[], help="single chains")
    parser.add_argument("--steps", type=int, default=5, help="timed each time")
    parser.add_argument("--repeats", type=int, default=3, help="the median is reported")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    peptides = [build_helix("A" * n, name=f"helix-A{n}") for n in options.residues]
    peptides += [read_peptide(file) for file in options.pdb]
    metrics = {}
    for peptide in peptides:
        found = measure(peptide, n_steps=options.steps, n_repeats=options.repeats)
        metrics[peptide.name] = found
        cells = "".join(f"{name:>8} {ms:8.2f} ms" for name, ms in found["ms_per_step"].items())
        print(f"{peptide.name:12} {found['n_atoms']:6} atoms {cells}", flush=True)
    words = sys.argv[1:] if arguments is None else arguments
    path = write_result(
        "md_solvent_speed",
        " ".join(["python -m benchmarks.speed.md_solvents", *words]),
        metrics,
        wall_clock=time.perf_counter() - start,
        seed=0,
        directory=options.output,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

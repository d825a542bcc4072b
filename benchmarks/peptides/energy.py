"""Is MD made here of the distribution that the MD of the panel was of? Potential energy of VVA.

    python -m benchmarks.peptides.energy

The MD of the panel was made by a program that is not in this repository; of VVA at 350 K its mean
potential energy was noted, and that of OpenMM then (`BEFORE`). Here copies of VVA are simulated as
`cgsim md peptide` does it, and their energy is that of one copy without a cutoff. Writes
`benchmarks/results/peptide_md_energy.json`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from openmm import Context, Platform, VerletIntegrator, app, unit

from benchmarks.peptides.runs import MD
from benchmarks.record import RESULTS, write_result
from cgsim.md import MergedPeptides, Peptide, PeptideForceField, build_peptide

PEPTIDE = "VVA"
FORCE_FIELD = PeptideForceField(MD.temperature)
INTERVAL = 1.0  # between energies, ps
N_BLOCKS = 5  # of each copy, for the standard error
#: Of the panel's program over 10 ns and of OpenMM over 3 ns, kJ/mol.
BEFORE = {
    "panel": {"mean": -88.90, "error": 0.68, "fluctuation": 23.9},
    "openmm": {"mean": -88.91, "error": 0.65, "fluctuation": 24.0},
}


def energies(peptide: Peptide, *, n_copies: int, duration: float, seed: int) -> np.ndarray:
    """Potential energy of every copy at every interval, [n_copies, n_frames], kJ/mol."""
    merged = MergedPeptides([peptide] * n_copies, FORCE_FIELD, platform="CPU")
    phases = merged.relax([peptide.xyz] * n_copies, seed=seed)
    every = round(INTERVAL / FORCE_FIELD.timestep)
    early, late = (round(length / INTERVAL) for length in (MD.equilibration, duration))
    _, phases = merged.advance(phases, n_frames=early, steps_per_frame=every, seed=seed)
    frames, _ = merged.advance(phases, n_frames=late, steps_per_frame=every, seed=(seed, 1))
    context = single(peptide)
    return np.array([[potential_energy(context, xyz) for xyz in own] for own in frames])


def single(peptide: Peptide) -> Context:
    """One copy, without a cutoff."""
    system = FORCE_FIELD.load().createSystem(
        peptide.topology, nonbondedMethod=app.NoCutoff, constraints=app.HBonds
    )
    return Context(system, VerletIntegrator(0.001), Platform.getPlatformByName("CPU"))


def potential_energy(context: Context, xyz: np.ndarray) -> float:
    """Of positions in nm, kJ/mol."""
    context.setPositions(xyz)
    energy = context.getState(energy=True).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole))


def estimate_of(energy: np.ndarray) -> dict[str, float]:
    """Mean with its standard error over blocks of all copies, and standard deviation."""
    blocks = [block.mean() for own in energy for block in np.array_split(own, N_BLOCKS)]
    error = np.std(blocks, ddof=1) / np.sqrt(len(blocks))
    return {"mean": float(np.mean(energy)), "error": float(error), "fluctuation": energy.std()}


def difference(now: dict[str, Any], before: dict[str, Any]) -> float:
    """Of two means, over its standard error."""
    return float((now["mean"] - before["mean"]) / np.hypot(now["error"], before["error"]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--duration", type=float, default=200.0, help="of every copy, ps")
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    found = energies(
        build_peptide(PEPTIDE),
        n_copies=options.copies,
        duration=options.duration,
        seed=options.seed,
    )
    now = estimate_of(found)
    over = {name: difference(now, before) for name, before in BEFORE.items()}
    print(now, over)
    words = sys.argv[1:] if arguments is None else arguments
    path = write_result(
        "peptide_md_energy",
        " ".join(["python -m benchmarks.peptides.energy", *words]),
        {
            "peptide": PEPTIDE,
            "unit": "kJ/mol",
            "rows": {"now": now, **BEFORE},
            "difference_over_error": over,
            "duration_ps": options.duration * options.copies,
        },
        wall_clock=time.perf_counter() - start,
        seed=options.seed,
        directory=options.output,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

"""How good are atoms that are put back on beads? Held-out frames of peptides, several mappings.

    python -m benchmarks.backmap

Frames of MD are mapped to beads and their atoms thrown away, put back by `cgsim.backmapping` from
frames of an earlier part of the same run, and compared with what they were. Prints a table and
writes `benchmarks/results/backmap.json`. Peptides that have no trajectory in `--data` are simulated
first: 0.5 ns each, some minutes on a CPU core. `floor` are the true frames after minimisation with
the peptide force field: what minimising alone changes.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.record import RESULTS, write_result
from benchmarks.tables.cells import markdown_table
from cgsim.backmapping import Backmapper, Minimisation, Minimise, peptide_energy
from cgsim.evaluate.scores.atomistic import CLASH_CUTOFF, heavy_rmsd, score_atoms
from cgsim.io import Molecule, iter_frames, load_molecule
from cgsim.mapping import Mapping, build_mapping
from cgsim.md import PeptideRun, build_peptide, generate_peptides

RECIPES: dict[str, dict[str, Any]] = {
    "metis 4": {"method": "metis", "atoms_per_bead": 4.0},
    "backbone-sidechain": {"method": "backbone-sidechain"},
    "metis 8": {"method": "metis", "atoms_per_bead": 8.0},
    "residues": {"method": "residues"},
    "calpha": {"method": "calpha"},
}
LIBRARIES = (1, 200)
REFERENCE_PART = 0.75
COLUMNS = {
    "rmsd_heavy": ("RMSD nm", ".3f"),
    "clashes_per_frame": ("clashes", ".2f"),
    "bond_length_error": ("bonds nm", ".4f"),
    "bond_angle_error": ("angles deg", ".1f"),
    "chirality_errors": ("chirality", "d"),
    "bead_deviation": ("beads nm", ".4f"),
    "milliseconds_per_frame": ("ms", ".0f"),
}


@dataclass(frozen=True)
class Frames:
    """Frames of one peptide: to take pieces from, and held out."""

    molecule: Molecule
    reference: np.ndarray
    truth: np.ndarray


def read_frames(directory: Path, name: str, *, n_frames: int) -> Frames:
    """Read a trajectory: its first three quarters, and `n_frames` of its last quarter."""
    molecule = load_molecule(directory / f"{name}.pdb")
    chunks = iter_frames(directory / f"{name}-r0.xtc", molecule)
    xyz = np.concatenate([chunk.xyz for chunk in chunks]).astype(float)
    xyz -= xyz.mean(axis=1, keepdims=True)
    end = int(REFERENCE_PART * len(xyz))
    rows = np.linspace(end + (len(xyz) - end) // n_frames, len(xyz) - 1, n_frames).astype(int)
    return Frames(molecule, xyz[:end], xyz[rows])


def score(frames: Frames, mapping: Mapping, place: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Score what `place` makes of the beads of the held-out frames."""
    beads = mapping(frames.truth)
    start = time.perf_counter()
    xyz = place(beads)
    seconds = time.perf_counter() - start
    rmsd = heavy_rmsd(xyz, frames.truth, frames.molecule)
    moved = np.sqrt(((mapping(xyz) - beads) ** 2).sum(-1).mean())
    return asdict(score_atoms(xyz, frames.truth, frames.molecule)) | {
        "rmsd_heavy_error": rmsd.std(ddof=1) / np.sqrt(len(rmsd)),
        "bead_deviation": moved,
        "milliseconds_per_frame": 1e3 * seconds / len(beads),
    }


def rows_of(frames: Frames) -> dict[str, dict[str, Any]]:
    """All rows of one peptide."""
    methods: tuple[Minimise, ...] = ("none", "geometry", "peptide")
    rows = {}
    for label, recipe in tqdm(RECIPES.items(), desc=frames.molecule.name, disable=None):
        mapping = build_mapping(frames.molecule, recipe)
        for n_reference in LIBRARIES:
            chosen = np.linspace(0, len(frames.reference) - 1, n_reference).astype(int)
            for method in methods:
                backmapper = Backmapper(
                    frames.molecule,
                    mapping,
                    reference=frames.reference[chosen],
                    minimise=method,
                )
                row = score(frames, mapping, backmapper)
                rows[f"{label}, {n_reference} frames, {method}"] = row | {
                    "n_beads": mapping.n_beads
                }
        floor = Minimisation(peptide_energy(frames.molecule), mapping)
        rows[f"{label}, floor"] = score(
            frames,
            mapping,
            lambda beads, floor=floor: np.stack(  # type: ignore[misc]
                [floor(*pair) for pair in zip(frames.truth, beads, strict=True)]
            ),
        )
    return rows


def table(metrics: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Rows of all peptides as text."""
    lines = [f"{'':46s}" + "".join(f"{head:>11s}" for head, _ in COLUMNS.values())]
    for name, rows in metrics.items():
        for label, row in rows.items():
            values = "".join(f"{row[key]:>11{form}}" for key, (_, form) in COLUMNS.items())
            lines.append(f"{name + ': ' + label:46s}{values}")
    return "\n".join(lines)


def summary(metrics: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The RMSD of all mappings as a Markdown table, with standard errors over frames."""
    columns = {
        "one frame, peptide": "1 frames, peptide",
        "none": "200 frames, none",
        "geometry": "200 frames, geometry",
        "peptide": "200 frames, peptide",
        "floor": "floor",
    }
    lines = []
    for name, rows in metrics.items():
        for label in RECIPES:
            found = [rows[f"{label}, {column}"] for column in columns.values()]
            cells = [f"{row['rmsd_heavy']:.3f} ± {row['rmsd_heavy_error']:.3f}" for row in found]
            lines.append([name, label, str(found[0]["n_beads"]), *cells])
    return markdown_table(["peptide", "mapping", "beads", *columns], lines)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peptides", nargs="+", default=["AAAA", "VFSK"])
    parser.add_argument("--data", type=Path, default=Path("runs/backmap/md"))
    parser.add_argument("--duration", type=float, default=500.0, help="of missing MD, ps")
    parser.add_argument("--n_frames", type=int, default=20, help="held-out frames per peptide")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    missing = [n for n in options.peptides if not (options.data / f"{n}-r0.xtc").exists()]
    run = PeptideRun(
        duration=options.duration, frame_interval=1.0, equilibration=20.0, seed=5, platform="CPU"
    )
    if missing:
        generate_peptides([build_peptide(name) for name in missing], options.data, run)
    metrics = {
        name: rows_of(read_frames(options.data, name, n_frames=options.n_frames))
        for name in options.peptides
    }
    print(table(metrics), summary(metrics), sep="\n\n")
    write_result(
        "backmap",
        " ".join(
            ["python -m benchmarks.backmap", *(sys.argv[1:] if arguments is None else arguments)]
        ),
        {"clash_cutoff_nm": CLASH_CUTOFF, "peptides": metrics},
        wall_clock=time.perf_counter() - start,
        seed=run.seed,
        directory=options.output,
    )


if __name__ == "__main__":
    main()

"""Folded proteins, trained on one MD run and judged on another.

    python -m benchmarks.proteins ubiquitin=1ubq.pdb [--n_train_steps 1800] [--n_steps 2000]

Makes two runs of the structure-based model of every protein (`cgsim md protein`), trains a
simulator on the first, and compares its roll-outs with the second, beside the first run itself, a
vector autoregression with projected bonds, and independent Gaussian frames. Everything is kept in
`runs/proteins`, and a second call goes on where the first stopped. Writes
`benchmarks/results/proteins.json`, or into `--results`.
"""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np

from benchmarks.proteins.linear import autoregression, gaussian_frames, with_bonds
from benchmarks.proteins.scores import Judge, Run
from benchmarks.record import RESULTS, write_result
from cgsim.config import TrainingConfig
from cgsim.io import load_molecule
from cgsim.mapping import map_calpha
from cgsim.mapping.reference import is_folded, mean_structure, with_reference
from cgsim.mapping.store import map_trajectory
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md import FoldedRun, generate_folded, read_folded
from cgsim.rollout.simulate import simulate
from cgsim.training.fit import fit

STRIDE = 5  # ps, and frames


@dataclass(frozen=True)
class Settings:
    """How long all of it is."""

    duration: float
    n_train_steps: int
    n_steps: int
    n_replicas: int
    seed: int


def md_runs(name: str, pdb: Path, folder: Path, settings: Settings) -> list[MappedTrajectory]:
    """Two runs on beads, each bead a type of its own; the first has its mean as reference.

    Raises
    ------
    ValueError
        If it is not folded by `cgsim.mapping.reference.is_folded`.
    """
    run = FoldedRun(duration=settings.duration, n_replicas=2)
    protein = read_folded(pdb)
    files = generate_folded([protein], folder / "md", run)
    molecule = load_molecule(folder / "md" / f"{protein.name}.pdb", bonds="chain")
    mapping = map_calpha(molecule).with_own_types()
    first, second = (map_trajectory(str(file), molecule, mapping, name=name) for file in files)
    if not is_folded([first]):
        raise ValueError(f"{name}: the MD does not stay folded: raise the contact energy")
    return [with_reference(first, mean_structure([first])[None]), second]


def rows_of(name: str, pdb: Path, folder: Path, settings: Settings) -> list[dict[str, Any]]:
    """All rows of one protein."""
    first, second = md_runs(name, pdb, folder, settings)
    judge = Judge(
        read_folded(pdb).xyz,
        [np.asarray(second.pos, dtype=np.float64)],
        second.frame_interval,
    )
    trained = np.asarray(first.pos, dtype=np.float64)
    began = sum(os.times()[:2])
    simulator = fit(
        [first],
        folder / f"model-{settings.n_train_steps}-{settings.seed}",
        training=TrainingConfig(
            stride=STRIDE,
            n_steps=settings.n_train_steps,
            n_warmup=min(100, settings.n_train_steps // 5),
            seed=settings.seed,
        ),
    )
    cost = sum(os.times()[:2]) - began
    rollout = simulate(
        simulator,
        [second],
        settings.n_steps,
        n_replicas=settings.n_replicas,
        seed=settings.seed,
        output=folder / f"rollout-{settings.n_train_steps}-{settings.seed}-{settings.n_steps}",
    )
    learned = [
        mdtraj.load(str(file), top=str(file.with_name(f"{name}.psf"))).xyz.astype(np.float64)
        for file in rollout.files
    ]
    step = simulator.timestep
    compared: dict[str, tuple[Run, float]] = {
        "cgsim": (learned, step),
        "second_md": ([trained], first.frame_interval),
        **linear_rows(judge, trained, settings, step),
    }
    return [
        {
            "system": name,
            "row": row,
            "seed": settings.seed,
            **judge.score(run, interval=interval, floor=[trained]),
            "train_cpu_s": cost if row == "cgsim" else None,
            "n_stopped": len(rollout.failures) if row == "cgsim" else 0,
        }
        for row, (run, interval) in compared.items()
    ]


def linear_rows(
    judge: Judge, trained: np.ndarray, settings: Settings, step: float
) -> dict[str, tuple[Run, float]]:
    """The vector autoregression with projected bonds, and independent Gaussian frames."""
    random = np.random.default_rng(settings.seed)
    n_frames, n_replicas = settings.n_steps, settings.n_replicas
    lengths = np.linalg.norm(np.diff(trained, axis=1), axis=2).mean(axis=0)
    shapes = judge.shapes(trained)

    def frames(moved: np.ndarray) -> np.ndarray:
        return judge.mean + moved.reshape(len(moved), -1, 3)

    linear = autoregression(
        shapes, stride=STRIDE, n_frames=n_frames, n_replicas=n_replicas, random=random
    )
    gaussian = [gaussian_frames(shapes, n_frames, random) for _ in range(n_replicas)]
    return {
        "var": ([with_bonds(frames(part), lengths) for part in linear], step),
        "gaussian": ([frames(part) for part in gaussian], step),
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("systems", nargs="+", metavar="NAME=FILE.pdb")
    parser.add_argument("--duration", type=float, default=16_000.0, help="of each MD run, ps")
    parser.add_argument("--n_train_steps", type=int, default=1800)
    parser.add_argument("--n_steps", type=int, default=2000)
    parser.add_argument("--n_replicas", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/proteins"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    start = time.perf_counter()
    settings = Settings(
        given.duration, given.n_train_steps, given.n_steps, given.n_replicas, given.seed
    )
    rows: list[dict[str, Any]] = []
    for system in given.systems:
        name, _, pdb = system.partition("=")
        rows += rows_of(name, Path(pdb), given.folder / name, settings)
    for row in rows:
        print(", ".join(f"{name} {_shown(value)}" for name, value in row.items()))
    command = f"python -m benchmarks.proteins {' '.join(given.systems)}"
    write_result(
        "proteins",
        command,
        {"targets": rows},
        wall_clock=time.perf_counter() - start,
        seed=given.seed,
        directory=given.results,
    )


if __name__ == "__main__":
    main()

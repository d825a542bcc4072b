"""cgsim and what one would otherwise try on the same molecules, by the same measures."""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.ablations import plain
from benchmarks.baselines.picture import draw
from benchmarks.baselines.rows import ROWS, Budget, Made, System, Task, rg_ensemble
from benchmarks.polymers.runs import SIZES, Data, PolymerSizes
from benchmarks.polymers.scores import molecule_rows, only, row_metrics, scored_names
from benchmarks.tables.baselines import ROLLED_OUT
from benchmarks.tables.cells import score_cell
from cgsim.evaluate import Ensemble
from cgsim.evaluate.judge import Rows, score
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.sources import ensembles_of
from cgsim.io import read_json, write_atomic_json
from cgsim.mapping.store import load_mapped, load_mapped_folders
from cgsim.mapping.trajectory import MappedTrajectory, split_by_time
from cgsim.model.checkpoint import SIMULATOR_FILE

# Beyond 300 steps the language model learns its few frames by heart.
FULL = Budget(n_steps=1200, n_network=1000, n_recurrent=4000, n_language=300)
QUICK = Budget(n_steps=60, n_network=2, n_recurrent=20, n_language=5)
POLYMER_STRIDE = 5
VALIDATION_FRACTION = 0.1  # of the frames of a peptide
#: Scores of structures, which a row that knows only Rg has not.
OF_STRUCTURE = ("js_bond", "js_pair", "rmse_contact", "collisions_per_million")
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "baselines.png"


def rollout(options: argparse.Namespace) -> dict[str, Any]:
    """Make the rows that are missing of those that are wanted; return all that are there."""
    budget = QUICK if options.quick else FULL
    found = {}
    for system in systems(options):
        for name in options.rows:
            scores_of(name, system, budget, options)
        rows = {
            name: read_json(file)
            for name in ROWS
            if (file := row_folder(name, system, budget, options) / "scores.json").exists()
        }
        found[system.name] = {
            "n_molecules": len(system.data.reference),
            "timestep": system.timestep,
            "rows": rows,
        }
        Console(width=160).print(table(system.name, rows))
    if not options.quick:
        draw(PICTURE, found)
    return {"systems": found, "budget": asdict(budget)}


def systems(options: argparse.Namespace) -> list[System]:
    """The mini polymers and, where one is given, a peptide.

    Raises
    ------
    SystemExit
        If the polymers have no MD yet, or the folder of the peptide holds something else.
    """
    data = polymer_data(SIZES["mini"], options.polymers)
    newest = newest_simulator(options.polymers)
    found = [System("mini polymers", data, POLYMER_STRIDE, newest)]
    if options.peptide is not None:
        replicas = load_mapped_folders([options.peptide])
        found.append(
            System(replicas[0].name, peptide_data(replicas), stride=options.peptide_stride)
        )
    return found


def polymer_data(sizes: PolymerSizes, folder: Path) -> Data:
    """Mapped MD of polymers that is there; none is made, as another process may be making it.

    Raises
    ------
    SystemExit
        If some is missing.
    """
    learn, test = (
        [
            folder / "mapped" / f"{chain.name}-r{replica}.cg"
            for chain in sizes.chains(kind)
            for replica in range(run.n_replicas)
        ]
        for kind, run in (("I", sizes.train_md), ("II", sizes.test_md))
    )
    missing = [path for path in (*learn, *test) if not path.exists()]
    if missing:
        raise SystemExit(
            f"{missing[0]} and {len(missing) - 1} others are missing: make them by "
            f"`python -m benchmarks.polymers --size {sizes.size}`"
        )
    train = [load_mapped(path).frames(0, sizes.train_md.n_frames) for path in learn]
    compared = [load_mapped(path) for path in test]
    n_replicas = sizes.test_md.n_replicas
    return Data(
        train[: sizes.n_train],
        train[sizes.n_train :],
        reference=compared[0::n_replicas],
        floor=compared[1::n_replicas],
    )


def newest_simulator(folder: Path) -> Path | None:
    """The simulator in ``model-*`` that was stored last."""
    files = folder.glob(f"model-*/{SIMULATOR_FILE}")
    return max(files, key=lambda file: file.stat().st_mtime, default=None)


def peptide_data(replicas: Sequence[MappedTrajectory]) -> Data:
    """Replicas of one peptide: the last one to compare with, the others to learn from.

    The ends of those validate; the last of them is also the second run of MD.

    Raises
    ------
    SystemExit
        If there are fewer than two, or several molecules.
    """
    if len(replicas) < 2 or len({own.name for own in replicas}) > 1:
        names = sorted(own.name for own in replicas)
        raise SystemExit(f"two or more replicas of one peptide are needed, got {names}")
    *known, reference = replicas
    learn, validation = split_by_time(known, fraction=VALIDATION_FRACTION)
    return Data(learn, validation, [reference], known[-1:])


def scores_of(
    name: str, system: System, budget: Budget, options: argparse.Namespace
) -> dict[str, Any]:
    """The scores of one row, made if they are not there."""
    folder = row_folder(name, system, budget, options)
    file = folder / "scores.json"
    if file.exists():
        return dict(read_json(file))
    Console().rule(f"{system.name}: {ROWS[name].label}")
    made = ROWS[name].make(Task(system, budget, folder, options.seed))
    scores = judge(system.data, made) | {
        "label": ROWS[name].label,
        "settings": settings(name, system, budget, options),
    }
    write_atomic_json(file, plain(scores))
    return scores


def row_folder(name: str, system: System, budget: Budget, options: argparse.Namespace) -> Path:
    """Of a row: other settings, other folder."""
    text = json.dumps(settings(name, system, budget, options), sort_keys=True)
    tag = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Path(options.output) / "rollout" / system.name.replace(" ", "-") / f"{name}-{tag}"


def settings(
    name: str, system: System, budget: Budget, options: argparse.Namespace
) -> dict[str, Any]:
    """What the scores of a row depend on, JSON-able."""
    data, file = system.data, system.simulator if name == "cgsim" else None
    return {
        "budget": asdict(budget),
        "stride": system.stride,
        "seed": options.seed,
        "simulator": None if file is None else [str(file), int(file.stat().st_mtime)],
        "n_train": len(data.train),
        "n_frames": sum(own.n_frames for own in (*data.train, *data.reference, *data.floor)),
        "molecules": [own.name for own in data.reference],
    }


def judge(data: Data, made: Made) -> dict[str, Any]:
    """The scores of the molecules that lived long enough; few scores if none did."""
    scores: dict[str, Any] = {
        "failures": made.n_failures,
        "rollout_seconds": made.rollout_seconds,
        "training_seconds": made.training_seconds,
    }
    names = scored_names(made.learned)
    if not names:
        return scores | {"n_scored": 0, "molecules": []}
    reference = only(ensembles_of(data.reference), names)
    if made.only_rg:
        reference = [rg_alone(own) for own in reference]
    comparison = score(Rows(reference=reference, learned=only(made.learned, names)))
    scores |= row_metrics(comparison.learned)
    if made.only_rg:
        scores |= dict.fromkeys(OF_STRUCTURE)
    return scores | {"n_scored": len(names), "molecules": molecule_rows(comparison)}


def rg_alone(ensemble: Ensemble) -> Ensemble:
    """An ensemble without structures whose Rg is that of another (see `rg_ensemble`)."""
    return replace(
        rg_ensemble(ensemble.name, Profile(ensemble).rg, ensemble.frame_interval),
        name=ensemble.name,
    )


def table(name: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """One line per row."""
    shown = Table(title=name)
    shown.add_column("row")
    for heading in ROLLED_OUT.values():
        shown.add_column(heading, justify="right")
    for key, scores in rows.items():
        shown.add_row(ROWS[key].label, *(score_cell(scores, column) for column in ROLLED_OUT))
    return shown

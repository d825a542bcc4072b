"""Peptides of sequences never seen: train on a panel, roll out others, compare their kinetics.

    python -m benchmarks.peptides --train-duration 12 --unseen-duration 33

Durations are ns of MD of each peptide. MD that is there and as long is only read, also while it
grows; what is missing is simulated, which takes hours. Every stage is kept in the folder. Writes
`benchmarks/results/peptides.json` and draws `docs/images/peptides.png`; the report is in the
folder.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.calibration import score_all, summary
from benchmarks.peptides.picture import draw
from benchmarks.peptides.runs import TRAIN, UNSEEN, Panel, RolledOut, md_speed, prepare, roll_out
from benchmarks.peptides.scores import (
    LAG_TIME,
    LAG_TIMES,
    SUMMARY,
    Ruler,
    ruler_of,
    score_row,
    slowest_by_lag,
    summary_of,
)
from benchmarks.polymers.runs import Data, train, training_seconds
from benchmarks.polymers.scores import only, row_metrics
from benchmarks.record import write_result
from benchmarks.tables.cells import estimate
from cgsim.config import PEPTIDES
from cgsim.evaluate import Comparison, Ensemble
from cgsim.evaluate.ensemble import first_part
from cgsim.evaluate.judge import Rows, judge_rollout
from cgsim.evaluate.yardsticks import equal_time, row_label
from cgsim.model.checkpoint import SIMULATOR_FILE
from cgsim.model.simulator import Simulator

MODEL, TRAINING = PEPTIDES.model, PEPTIDES.training
N_REPLICAS = 32  # of every roll-out
LENGTH = 4  # time steps of a roll-out, all replicas together, over those of the MD of a peptide
N_WINDOWS, N_SAMPLES = 100, 30  # of the energy score of one step, per MD run
FOLDER = Path("runs/peptides")
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "peptides.png"
SIZES = ("js_rg", "mape_rg", "js_bond", "js_pair", "collisions_per_million")
UNITS = {
    "timescale": "ps",
    "timescales": "ps",
    "duration": "ps",
    "lag_time": "ps",
    "timestep": "ps",
    "equal_time": "ps of MD of each peptide",
    "md_speed": "ps/s, all peptides together",
    "training_seconds": "s",
    "rollout_seconds": "s",
    "one_step": "energy scores in nm",
    "mape_rg": "%",
}


@dataclass(frozen=True)
class PanelSimulator:
    """The simulator of the panel, and where it was trained."""

    simulator: Simulator
    folder: Path

    @property
    def file(self) -> Path:
        """Its checkpoint."""
        return self.folder / SIMULATOR_FILE


def train_panel(panel: Panel, data: Data, folder: Path) -> PanelSimulator:
    """Train the simulator of the panel, or load it.

    It stays on the CPU: the batches are small.
    """
    own = folder / f"panel-{panel.train_duration:g}ns" / "model"
    return PanelSimulator(train(data, own, model=MODEL, training=TRAINING).to("cpu"), own)


def roll_out_unseen(trained: PanelSimulator, data: Data, panel: Panel) -> RolledOut:
    """Roll out the unseen peptides, all replicas from the first frames of their MD."""
    simulator = trained.simulator
    n_first = simulator.scales.stride * simulator.config.history
    return roll_out(
        simulator,
        [own.frames(0, n_first) for own in data.reference],
        LENGTH * panel.md(panel.unseen_duration, n_replicas=1).duration,
        n_replicas=N_REPLICAS,
        folder=trained.folder.parent / f"zero-shot-{panel.unseen_duration:g}ns",
    )


def affordable_md(data: Data, rolled: RolledOut, speed: float) -> float:
    """MD of each peptide, ps, in the wall-clock of the roll-out of all, at a speed in ps/s."""
    return equal_time(rolled.seconds, speed=speed, n_molecules=len(data.reference))


def make_rows(data: Data, learned: Sequence[Ensemble], *, affordable: float) -> Rows:
    """The rows of the comparison, of all peptides of which a replica did not explode.

    Raises
    ------
    SystemExit
        If there is none.
    """
    names = {own.name for own in learned}
    if not names:
        raise SystemExit("every roll-out exploded: there is nothing to score")
    reference, floor = (only(ensembles, names) for ensembles in data.test_ensembles())
    return Rows(
        reference=reference,
        learned=only(learned, names),
        yardsticks={
            "floor": floor,
            "md_equal_time": [first_part(own, affordable) for own in floor],
            "md_10x_shorter": [first_part(own, own.duration / 10) for own in floor],
        },
    )


def rulers_of(rows: Rows) -> dict[str, Ruler]:
    """What the reference of every peptide defines."""
    return {own.name: ruler_of(own) for own in rows.reference}


def kinetics(rows: Rows, rulers: Mapping[str, Ruler]) -> dict[str, dict[str, Any]]:
    """Slow motions of every row, peptide by peptide and in summary."""
    return {
        key: summary_of([score_row(rulers[own.name], own) for own in ensembles])
        for key, ensembles in rows.scored.items()
    }


def by_lag_time(rows: Rows, rulers: Mapping[str, Ruler]) -> dict[str, dict[str, list[float]]]:
    """Slowest implied timescale of MD and of the simulator, of every peptide at each lag time."""
    return {
        label: {own.name: slowest_by_lag(rulers[own.name], own) for own in ensembles}
        for label, ensembles in {"md": rows.reference, "learned": rows.learned}.items()
    }


def sizes(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Sizes and distances of every row, in summary."""
    result = {}
    for key, score in comparison.scores.items():
        metrics = row_metrics(score)
        errors = {name: metrics["errors"][name] for name in SIZES}
        result[key] = {name: metrics[name] for name in SIZES} | {"errors": errors}
    return result


def one_step(simulator: Simulator, data: Data) -> dict[str, Any]:
    """Energy scores of single steps, on the second half of every run; the others saw the first."""
    runs = list(zip(data.reference, data.floor, strict=True))
    scores = score_all(simulator, runs, n_windows=N_WINDOWS, n_samples=N_SAMPLES, seed=0)
    kept = ("energy_score_configuration", "energy_score_bead", "skill_configuration")
    return {label: {name: own[name] for name in kept} for label, own in summary(scores).items()}


def show(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the summary, a column for every row."""
    table = Table("score", *map(row_label, rows), title="against the first MD run")
    for name in SUMMARY:
        cells = (estimate(own[name], own["errors"][name]) for own in rows.values())
        table.add_row(name.replace("_", " "), *cells)
    table.add_row("slowest timescale within 1.5x", *(str(own["n_within"]) for own in rows.values()))
    Console(width=140).print(table)


def read_options(about: str | None) -> tuple[Panel, Path]:
    """What the command line says: how much MD, and where everything is."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    for name in ("train", "unseen"):
        parser.add_argument(
            f"--{name}-duration", type=float, required=True, help="MD of each peptide, ns"
        )
    parser.add_argument("--output", type=Path, default=FOLDER, help="a folder")
    options = parser.parse_args()
    return Panel(options.train_duration, options.unseen_duration), options.output


def main() -> None:
    """Run every stage, print, write."""
    panel, folder = read_options(__doc__)
    start = time.perf_counter()
    command = f"python -m benchmarks.peptides {panel.options}"
    data = prepare(panel, folder, UNSEEN)
    trained = train_panel(panel, data, folder)
    rolled = roll_out_unseen(trained, data, panel)
    speed = md_speed(folder)
    affordable = affordable_md(data, rolled, speed)
    rows = make_rows(data, rolled.ensembles, affordable=affordable)
    comparison = judge_rollout(
        rows,
        trained.folder.parent / f"report-{panel.unseen_duration:g}ns",
        title="Peptides of sequences never seen",
        lead=f"Trained on {len(TRAIN)} capped tripeptides, then asked for {len(UNSEEN)} others.",
        run=trained.folder,
        provenance={"command": command},
    )
    rulers = rulers_of(rows)
    scored = kinetics(rows, rulers)
    shown = {
        "MD": rows.reference,
        "second MD run": rows.yardsticks["floor"],
        "learned": rows.learned,
    }
    draw(shown, rulers, PICTURE)
    metrics = {
        "units": UNITS,
        "rows": scored,
        "sizes": sizes(comparison),
        "one_step": one_step(trained.simulator, data),
        "slowest_by_lag_time": {"lag_times": LAG_TIMES, **by_lag_time(rows, rulers)},
        "failures": rolled.n_failures,
        "n_scored": len(rows.reference),
        "n_replicas": N_REPLICAS,
        "length": LENGTH,
        "lag_time": LAG_TIME,
        "timestep": trained.simulator.timestep,
        "equal_time": affordable,
        "md_speed": speed,
        "rollout_seconds": rolled.seconds,
        "training_seconds": training_seconds(trained.folder),
        "panel": asdict(panel) | {"train": TRAIN, "unseen": UNSEEN},
        "model": asdict(MODEL),
        "training": asdict(TRAINING),
    }
    path = write_result(
        "peptides", command, metrics, wall_clock=time.perf_counter() - start, seed=0
    )
    show(scored)
    print(f"written to {path}")


if __name__ == "__main__":
    main()

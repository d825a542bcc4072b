"""What matters: simulators of the mini polymers that differ from the main one in a single choice.

    python -m benchmarks.ablations [--output runs/ablations] [--only ROW ...]

Every row has the same training budget and the same roll-out of the unseen chains, and a folder of
its own with `scores.json`: rows that are done are skipped, and several processes can share the work
by `--only`. The call that finds all rows done writes `benchmarks/results/ablations.json`. The MD is
that of `python -m benchmarks.polymers --size mini`.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.polymers.__main__ import MODEL, TRAINING
from benchmarks.polymers.runs import SIZES, Data, best_device, prepare, train, training_seconds
from benchmarks.polymers.scores import held_out_nll, only, row_metrics, scored_names
from benchmarks.record import write_result
from benchmarks.tables.fidelity import ABLATED
from cgsim.config import ModelConfig, TrainingConfig
from cgsim.evaluate import Ensemble
from cgsim.evaluate.ensemble import first_part
from cgsim.evaluate.judge import Rows, score
from cgsim.evaluate.sources import read_ensembles
from cgsim.io import read_json, write_atomic_json
from cgsim.model.checkpoint import SIMULATOR_FILE
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import roll_out_beside

N_STEPS = 1000  # of training, every row
DURATION = 6000.0  # of the roll-out of every chain, ps
MAIN = "main"
FLOOR = "second MD run"


@dataclass(frozen=True)
class Row:
    """One simulator of the table.

    Parameters
    ----------
    model, training
        How it is made.
    baseline
        Name of the class in `cgsim.baselines`; none for `Simulator`.
    n_evaluations
        Evaluations of the score network in every step of the roll-out. Where it is given, the
        weights are those of the main row.
    n_train
        Learn from this many of the class-I chains; from all where it is not given.
    """

    model: ModelConfig
    training: TrainingConfig
    baseline: str = ""
    n_evaluations: int | None = None
    n_train: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """All of it, JSON-able: a row with other settings is another row."""
        return json.loads(json.dumps(asdict(self) | {"duration": DURATION}))


def rows() -> dict[str, Row]:
    """All rows by the name of their folder, the main one first."""
    model, training = MODEL["mini"], replace(TRAINING["mini"], n_steps=N_STEPS)
    independent = replace(model, dynamics=replace(model.dynamics, noise="independent"))
    unmixed = replace(model.graph, n_pair=0)
    unaware = replace(model.graph, ideal_distance=False)
    result = {MAIN: Row(model, training)}
    result |= {f"main-seed-{seed}": Row(model, replace(training, seed=seed)) for seed in (1, 2)}
    result |= {f"history-{k}": Row(replace(model, history=k), training) for k in (1, 4, 8, 16)}
    result |= {f"stride-{n}": Row(model, replace(training, stride=n)) for n in (1, 4, 16)}
    result["noise-independent"] = Row(independent, training)
    result |= {f"evaluations-{n}": Row(model, training, n_evaluations=n) for n in (0, 1, 5, 20)}
    unrefined = replace(model, score=None)  # compare with evaluations-0
    result["not-equivariant"] = Row(unrefined, training, baseline="PlainDynamics")
    result["mixing-rule-none"] = Row(replace(model, graph=unmixed), training)
    result["ideal-distance-none"] = Row(replace(model, graph=unaware), training)
    result["chains-40"] = Row(model, training, n_train=40)
    result["composition"] = Row(model, training, baseline="CompositionEmbedding")
    return result


def make(row: Row, name: str, data: Data, folder: Path) -> tuple[Simulator, Path]:
    """The trained simulator of a row, and the folder of its training.

    Raises
    ------
    SystemExit
        If the weights of the main row are needed and not there.
    """
    if row.n_evaluations is None:
        own = folder / name / "model"
        network = baseline(row.baseline) if row.baseline else None
        data = replace(data, train=data.train[: row.n_train])
        return train(data, own, model=row.model, training=row.training, network=network), own
    main = folder / MAIN / "model"
    if not (main / SIMULATOR_FILE).exists():
        raise SystemExit(f"{name} takes the weights of the row {MAIN!r}: make that one first")
    simulator = train(data, main, model=row.model, training=row.training)
    return simulator.sampled_by(replace(simulator.sampler, n_evaluations=row.n_evaluations)), main


def baseline(name: str) -> Any:
    """The class of a baseline."""
    from cgsim import baselines

    network: type[Simulator] = getattr(baselines, name)
    return network


def run(name: str, row: Row, data: Data, folder: Path) -> dict[str, Any]:
    """Train, roll out and score one row; write its ``scores.json``."""
    Console().rule(name)
    simulator, trained = make(row, name, data, folder)
    output = folder / name / "rollout"
    rollout = roll_out_beside(simulator, data.reference, DURATION, seed=0, output=output)
    n_steps = rollout.n_steps * len(data.reference)
    scores = judge(data, read_ensembles([output])) | {
        "nll": asdict(held_out_nll(simulator, data.reference)),
        "failures": len(rollout.failures),
        "training_seconds": training_seconds(trained),
        "rollout_speed": n_steps / rollout.seconds,
        "timestep": simulator.timestep,
        "n_parameters": sum(weights.numel() for weights in simulator.parameters()),
        "settings": row.settings,
    }
    write_atomic_json(folder / name / "scores.json", plain(scores))
    return scores


def judge(data: Data, learned: Sequence[Ensemble]) -> dict[str, Any]:
    """The scores of the molecules that lived long enough; no scores if none did."""
    names = scored_names(learned)
    if not names:
        return {"n_scored": 0}
    reference = only(data.test_ensembles()[0], names)
    comparison = score(Rows(reference=reference, learned=only(learned, names)))
    return row_metrics(comparison.learned) | {"n_scored": len(names)}


def judge_floor(data: Data) -> dict[str, Any]:
    """The second MD run, as long as the roll-outs, scored like a simulator."""
    floor = data.test_ensembles()[1]
    return judge(data, [first_part(ensemble, DURATION) for ensemble in floor])


def plain(value: Any) -> Any:
    """NaN and infinity as null."""
    return json.loads(json.dumps(value), parse_constant=lambda _: None)


def is_done(file: Path, row: Row) -> bool:
    """Whether the scores of this very row are there."""
    return file.exists() and read_json(file)["settings"] == row.settings


def table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """One line per row."""
    shown = Table(title=f"{N_STEPS} training steps, {DURATION:g} ps of 20 unseen chains each")
    shown.add_column("row")
    for heading in ABLATED.values():
        shown.add_column(heading, justify="right")
    for name, scores in results.items():
        shown.add_row(name, *(cell(scores, column) for column in ABLATED))
    return shown


def cell(scores: Mapping[str, Any], column: str) -> str:
    """One number of the table; "–" where there is none."""
    value = scores.get(column)
    value = value["value"] if isinstance(value, Mapping) else value
    return "–" if value is None else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def main() -> None:
    """Make the rows that are missing; when none is, print and write the table."""
    wanted = rows()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/ablations"), help="a folder")
    parser.add_argument("--data", type=Path, default=Path("runs/polymer_mini"), help="its MD")
    parser.add_argument("--only", nargs="+", choices=list(wanted), default=list(wanted))
    options = parser.parse_args()
    start = time.perf_counter()
    data = prepare(SIZES["mini"], options.data)
    files = {name: options.output / name / "scores.json" for name in wanted}
    for name in options.only:
        if not is_done(files[name], wanted[name]):
            run(name, wanted[name], data, options.output)
    missing = [name for name, row in wanted.items() if not is_done(files[name], row)]
    if missing:
        print(f"not written yet, these rows are missing: {' '.join(missing)}")
        return
    results = {name: read_json(file) for name, file in files.items()}
    results[FLOOR] = plain(judge_floor(data))
    Console(width=160).print(table(results))
    path = write_result(
        "ablations",
        "python -m benchmarks.ablations",
        {"rows": results, "n_steps": N_STEPS, "duration": DURATION},
        wall_clock=time.perf_counter() - start,
        seed=0,
        device=best_device(),
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()

"""Polymers of sequences never seen: train on class I, roll out class II, compare with MD.

    python -m benchmarks.polymers --size mini [--output runs/polymer_mini] [--seeds 0 1 2]
    python -m benchmarks.polymers --size paper [--trial]

Every stage is skipped when its result is in the folder, and goes on where it was interrupted.
Writes `benchmarks/results/polymer_<size>.json` and draws `docs/images/polymer_<size>.png`. With
`--trial` a few short trajectories go through all stages, and the cost of the whole is printed
instead of a result.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.polymers.picture import draw
from benchmarks.polymers.runs import (
    SIZES,
    Data,
    PolymerSizes,
    best_device,
    md_speed,
    prepare,
    train,
    training_seconds,
    trial_sizes,
)
from benchmarks.polymers.scores import (
    equal_time,
    held_out_nll,
    molecule_rows,
    only,
    row_metrics,
    scored_names,
    spread,
    targets,
)
from benchmarks.record import write_result
from cgsim.config import POLYMERS, ModelConfig, TrainingConfig
from cgsim.evaluate import Comparison, Ensemble
from cgsim.evaluate.ensemble import first_part
from cgsim.evaluate.judge import Rows, judge_rollout
from cgsim.evaluate.sources import read_ensembles
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import Rollout, roll_out_beside

MODEL = {"mini": POLYMERS.model, "paper": POLYMERS.model}
TRAINING = {
    "mini": POLYMERS.training,
    "paper": replace(POLYMERS.training, n_steps=50_000, batch_size=256, steps_per_epoch=1000),
}
TRIAL_STEPS = 20
PICTURES = Path(__file__).parents[2] / "docs" / "images"
UNITS = {
    "rg": "nm",
    "mape_rg": "%",
    "mae_rg": "nm",
    "emd_rg": "nm",
    "drift_rg": "nm",
    "relaxation": "ps",
    "nll": "nats per degree of freedom, nm",
    "equal_time": "ps of MD of each chain",
    "md_speed": "chain-steps/s",
    "rollout_speed": "chain-steps/s",
    "training_seconds": "s",
}


@dataclass(frozen=True)
class Scored:
    """One seed: its roll-out, its comparison with MD and the ensembles behind it."""

    rollout: Rollout
    comparison: Comparison
    reference: list[Ensemble]
    learned: list[Ensemble]
    metrics: dict[str, Any]


def run_seed(
    sizes: PolymerSizes, data: Data, folder: Path, *, model: ModelConfig, training: TrainingConfig
) -> Scored:
    """Train, roll out and score one seed."""
    console, seed = Console(), training.seed
    console.rule(f"training, seed {seed}")
    simulator = train(data, folder / f"model-{seed}", model=model, training=training)
    console.rule(f"roll-out of {sizes.n_test} unseen polymers, {simulator.timestep:g} ps a step")
    output = folder / f"rollout-{seed}"
    rollout = roll_out_beside(simulator, data.reference, data.longest, seed=seed, output=output)
    speed = md_speed(sizes, data.reference, folder)
    affordable = equal_time(rollout.seconds, chain_steps_per_second=speed, n_chains=sizes.n_test)
    rows = make_rows(data, read_ensembles([output]), affordable=affordable)
    comparison = judge_rollout(
        rows,
        folder / f"report-{seed}",
        title="A learned simulator of polymers it has never seen",
        lead=_lead(simulator, sizes),
        run=folder / f"model-{seed}",
        provenance={"command": f"python -m benchmarks.polymers --size {sizes.size}", "seed": seed},
    )
    n_steps = rollout.n_steps * sizes.n_test
    metrics = seed_metrics(comparison) | {
        "seed": seed,
        "failures": len(rollout.failures),
        "n_scored": len(rows.reference),
        "nll": asdict(held_out_nll(simulator, data.reference)),
        "equal_time": affordable,
        "md_speed": speed,
        "rollout_speed": n_steps / rollout.seconds if rollout.seconds else float("nan"),
        "rollout_seconds": rollout.seconds,
        "training_seconds": training_seconds(folder / f"model-{seed}"),
        "timestep": simulator.timestep,
        "n_parameters": sum(weights.numel() for weights in simulator.parameters()),
    }
    return Scored(rollout, comparison, list(rows.reference), list(rows.learned), metrics)


def make_rows(data: Data, learned: Sequence[Ensemble], *, affordable: float) -> Rows:
    """The rows of the comparison, of all molecules whose roll-out can be scored.

    All molecules are rolled out for the same time; what is scored is as long as their MD. The
    second MD run is the floor; its first ``affordable`` ps are MD of equal wall-clock, its first
    tenth is MD ten times shorter.
    """
    names = scored_names(learned)
    if not names:
        raise SystemExit("every roll-out exploded at once: there is nothing to score")
    reference, floor = (only(ensembles, names) for ensembles in data.test_ensembles())
    durations = {own.name: own.duration for own in reference}
    return Rows(
        reference=reference,
        learned=[first_part(own, durations[own.name]) for own in only(learned, names)],
        yardsticks={
            "floor": floor,
            "md_equal_time": [first_part(ensemble, affordable) for ensemble in floor],
            "md_10x_shorter": [first_part(ensemble, ensemble.duration / 10) for ensemble in floor],
        },
    )


def seed_metrics(comparison: Comparison) -> dict[str, Any]:
    """Flat numbers of the learned row, those of the other rows below their names."""
    beside = {name: row_metrics(score) for name, score in comparison.yardsticks.items()}
    return {
        **row_metrics(comparison.learned),
        "js_rg_floor": beside["floor"]["js_rg"],
        **beside,
    }


def result(seeds: Sequence[Mapping[str, Any]], headline: Comparison) -> dict[str, Any]:
    """What is written: the first seed's numbers, then targets, chains, and all seeds."""
    flat = [name for name, value in seeds[0].items() if isinstance(value, float) and name != "seed"]
    return {
        "units": UNITS,
        **seeds[0],
        "targets": targets(seeds[0]),
        "molecules": molecule_rows(headline),
        "seeds": [{name: seed[name] for name in ("seed", *flat, "failures")} for seed in seeds],
        "spread": spread(seeds, flat),
    }


def _lead(simulator: Simulator, sizes: PolymerSizes) -> str:
    return (
        f"Trained on {sizes.n_train} polymers of repeated patterns (class I), then asked for "
        f"{sizes.n_test} polymers of random sequence (class II) that it had never seen. One step "
        f"moves the beads by {simulator.timestep:g} ps (tau)."
    )


def show(metrics: Mapping[str, Any]) -> None:
    """Print the targets, and how long the references are."""
    console = Console(width=120)
    for name, target in metrics["targets"].items():
        mark = "holds" if target["holds"] else "FAILS"
        console.print(f"{mark}  {name:42} {target['value']:10.4g}   {target['target']}")
    lengths = [row["n_relaxation_times_reference"] for row in metrics["molecules"]]
    console.print(f"references: {min(lengths):.0f} to {max(lengths):.0f} relaxation times long")
    for row in metrics["molecules"]:
        if row["n_relaxation_times_reference"] < 100:
            console.print(
                f"  {row['name']}: {row['n_relaxation_times_reference']:.0f} relaxation times"
            )


def report_cost(full: PolymerSizes, tried: PolymerSizes, scored: Scored, seconds: float) -> None:
    """Print what the whole benchmark takes, and that time at the speeds of the trial."""
    training, metrics = TRAINING[full.size], scored.metrics
    per_step = metrics["training_seconds"] / TRIAL_STEPS
    n_rollout = full.n_test * round(full.slow_duration / metrics["timestep"])
    costs = (
        ("MD", full.n_md_steps, "chain-steps", full.n_md_steps / metrics["md_speed"]),
        ("training", training.n_steps, "steps", training.n_steps * per_step),
        ("roll-out", n_rollout, "chain-steps", n_rollout / metrics["rollout_speed"]),
    )
    print(
        f"the trial of {tried.n_train + tried.n_validation + tried.n_test} chains took "
        f"{seconds:.0f} s on {best_device()}; the whole takes, at these speeds and on this device:"
    )
    for label, amount, unit, cost in costs:
        print(f"  {label:9}{amount:16,d} {unit:12}{cost / 3600:10.1f} h")


def main() -> None:
    """Run every stage, print, write, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=sorted(SIZES), default="mini")
    parser.add_argument("--output", type=Path, help="a folder; default runs/polymer_<size>")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="the first is reported")
    parser.add_argument("--trial", action="store_true", help="everything small; print the cost")
    options = parser.parse_args()
    start = time.perf_counter()
    name = f"polymer_{options.size}"
    folder = options.output or Path("runs") / (f"{name}_trial" if options.trial else name)
    sizes, training = SIZES[options.size], TRAINING[options.size]
    if options.trial:
        sizes = trial_sizes(sizes)
        training = replace(training, n_steps=TRIAL_STEPS)
    data = prepare(sizes, folder)
    scored = [
        run_seed(
            sizes,
            data,
            folder,
            model=MODEL[options.size],
            training=replace(training, seed=seed),
        )
        for seed in options.seeds
    ]
    seconds = time.perf_counter() - start
    if options.trial:
        report_cost(SIZES[options.size], sizes, scored[0], seconds)
        return
    metrics = result([own.metrics for own in scored], scored[0].comparison) | {
        "sizes": asdict(sizes),
        "model": asdict(MODEL[options.size]),
        "training": asdict(training),
    }
    seeds = " ".join(map(str, options.seeds))
    path = write_result(
        name,
        f"python -m benchmarks.polymers --size {options.size} --seeds {seeds}",
        metrics,
        wall_clock=seconds,
        seed=options.seeds[0],
        device=best_device(),
    )
    picture = PICTURES / f"{name}.png"
    draw(picture, scored[0].comparison, scored[0].reference, scored[0].learned)
    show(metrics)
    print(f"written to {path} and {picture}")


if __name__ == "__main__":
    main()

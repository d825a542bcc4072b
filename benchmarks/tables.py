"""Tables of the documentation, made from the results.

    python -m benchmarks.tables

Rewrites the blocks between `<!-- table: NAME -->` and `<!-- end -->` in the pages of `PAGES` from
`benchmarks/results/*.json`.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.environment import RESULTS
from cgsim.evaluate import Estimate
from cgsim.evaluate.comparison import ROWS
from cgsim.evaluate.metrics import METRICS
from cgsim.evaluate.table import format_estimate, metric_label

DOCS = Path(__file__).parents[1] / "docs"
PAGES = tuple(DOCS / f"{page}.md" for page in ("fidelity", "baselines", "scaling", "performance"))
BLOCK = re.compile(r"(?<=<!-- table: )(?P<name>\w+) -->\n.*?(?=<!-- end -->)", re.DOTALL)
MISSING = "*Not measured yet.*"
ABLATED = {
    "nll": "NLL",
    "r2_rg": "r² Rg",
    "mape_rg": "Rg error (%)",
    "r2_log_relaxation": "r² log relaxation",
    "median_relaxation_ratio": "relaxation / MD",
    "js_rg": "JS Rg",
    "js_bond": "JS bonds",
    "collisions_per_million": "collisions / 10⁶",
    "failures": "failures",
    "training_seconds": "training (s)",
    "rollout_speed": "chain-steps/s",
}
ROLLED_OUT = {
    "r2_rg": "r² Rg",
    "mape_rg": "Rg error (%)",
    "js_rg": "JS Rg",
    "r2_log_relaxation": "r² log relaxation",
    "median_relaxation_ratio": "relaxation / MD",
    "js_bond": "JS bonds",
    "collisions_per_million": "collisions / 10⁶",
    "failures": "exploded",
    "training_seconds": "training (s)",
    "rollout_seconds": "roll-out (s)",
}
CALIBRATED = {
    "bond_length": "bond length after the step",
    "along_bond": "displacement along bonds",
    "rg": "Rg after the step",
    "component": "x, y, z of displacements",
}
LEVELS = ("0.5", "0.9", "0.99")

_Numbers = Mapping[str, Any]


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def number(value: float | None, pattern: str = ".3g") -> str:
    """One number; "–" if it is not known; large ones in full, and without decimals."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else format(value, pattern)


def estimate(value: float | None, error: float | None) -> str:
    """Value ± standard error, rounded by the error."""
    known = [math.nan if x is None else float(x) for x in (value, error)]
    return format_estimate(Estimate(*known))


def exact_table(metrics: _Numbers) -> str:
    """One row per trained simulator of `benchmarks.exact`."""
    lines = [
        [
            case["system"].replace("_", " "),
            number(case["timestep"]),
            case["noise"],
            "on" if case["score"] else "off",
            number(case["entropy_rate"], ".4f"),
            estimate(case["excess_nll"], case["excess_nll_error"]),
            " ".join(number(ratio, ".2f") for ratio in case["relaxation_ratio"]),
            number(case["rg2_mean_ratio"], ".3f"),
            number(case["rg2_variance_ratio"], ".3f"),
        ]
        for case in metrics["cases"]
    ]
    heads = "system", "Δ (ps)", "noise", "score", "entropy rate", "excess NLL"
    ratios = "relaxation of modes, slow to fast", "mean Rg²", "variance Rg²"
    return markdown_table((*heads, *ratios), lines)


def polymer_table(metrics: _Numbers) -> str:
    """Every score of every row of a polymer benchmark."""
    columns = {
        label: metrics if key == "learned" else metrics[key]
        for key, label in ROWS.items()
        if key == "learned" or key in metrics
    }
    names = [(metric.name, metric_label(metric)) for metric in METRICS]
    names.append(("relaxation_error", "median of \\|log relaxation time / reference\\|"))
    lines = [
        [label, *(estimate(own.get(name), own["errors"].get(name)) for own in columns.values())]
        for name, label in names
    ]
    nll = metrics["nll"]
    lines.append(
        ["held-out NLL", estimate(nll["value"], nll["error"])] + ["–"] * (len(columns) - 1)
    )
    return markdown_table(["score", *columns], lines)


def target_table(metrics: _Numbers) -> str:
    """Which targets hold."""
    lines = [
        [
            name.replace("_", " "),
            number(target["value"]),
            target["target"],
            "yes" if target["holds"] else "**no**",
        ]
        for name, target in metrics["targets"].items()
    ]
    return markdown_table(["target", "measured", "wanted", "holds"], lines)


def seed_table(metrics: _Numbers) -> str:
    """Every seed, and mean ± standard deviation over them."""
    shown = {key: label for key, label in ABLATED.items() if key in metrics["seeds"][0]}
    lines = [[str(own["seed"]), *(number(own[name]) for name in shown)] for own in metrics["seeds"]]
    if len(metrics["seeds"]) > 1:
        spreads = [metrics["spread"].get(name) for name in shown]
        cells = [estimate(own["mean"], own["deviation"]) if own else "–" for own in spreads]
        lines.append(["mean ± deviation", *cells])
    return markdown_table(["seed", *shown.values()], lines)


def ablation_table(metrics: _Numbers) -> str:
    """One line per simulator."""
    lines = [
        [name.replace("-", " "), number(scores.get("timestep"))]
        + [score_cell(scores, column) for column in ABLATED]
        for name, scores in metrics["rows"].items()
    ]
    return markdown_table(["row", "Δ (ps)", *ABLATED.values()], lines)


def score_cell(scores: _Numbers, column: str) -> str:
    """One score with its error where there is one; "–" where there is no score."""
    value = scores.get(column)
    if isinstance(value, Mapping):
        return number(value["value"], ".4f")
    error = scores.get("errors", {}).get(column)
    return number(value) if error is None else estimate(value, error)


def forecast_table(metrics: _Numbers) -> str:
    """Mean RMSD on held-out frames: one line per forecaster, one column per lead."""
    rows = [row for found in metrics["trajectories"].values() for row in found["rows"]]
    leads = sorted({row["config"]["lead"] for row in rows})
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for row in rows:
        config = row["config"]
        static = config["kind"] == "static"
        scope = "atoms" if config["decomposed"] else "whole"
        history = "–" if static else str(config["history"])
        key = (row["origin"]["name"], config["kind"], "–" if static else scope, history)
        mean = number(row["rmsd"]["mean"], ".4f")
        above = row["above_static"]
        wins = not static and above["value"] + 2 * above["error"] < 0
        lines.setdefault(key, {})[config["lead"]] = f"**{mean}**" if wins else mean
    heads = ["trajectory", "kind", "scope", "history", *(f"lead {lead}" for lead in leads)]
    return markdown_table(
        heads, [[*key, *(found.get(lead, "–") for lead in leads)] for key, found in lines.items()]
    )


def claim_table(metrics: _Numbers) -> str:
    """Which of the published claims about forecasters hold, trajectory by trajectory."""
    found = {name: own["claims"] for name, own in metrics["trajectories"].items()}
    words = {True: "yes", False: "no"}

    def cell(value: bool | float | None) -> str:
        return words[value] if isinstance(value, bool) else number(value, ".2f")

    claims = next(iter(found.values()))
    lines = [[claim, *(cell(own[claim]) for own in found.values())] for claim in claims]
    return markdown_table(["claim", *found], lines)


def language_table(metrics: _Numbers) -> str:
    """Populations, residence times and rates of the four wells."""
    reference, learned, wells = metrics["reference"], metrics["learned"], "ABCD"
    sides, lines = (reference, learned), []
    for state, well in enumerate(wells):
        exact = number(metrics["exact_populations"][state], ".4f")
        lines.append([f"population of {well}", exact, *_with_error(sides, "population", state)])
    for state, well in enumerate(wells):
        lines.append([f"residence in {well}", "–", *_with_error(sides, "residence_time", state)])
    for (i, first), (j, second) in product(enumerate(wells), enumerate(wells)):
        if metrics["comparison"]["rate_ratio"][i][j] is not None and i != j:
            pairs = [(own["rates"][i][j], own["rate_errors"][i][j]) for own in sides]
            cells = [estimate(*(1e4 * value for value in pair)) for pair in pairs]
            lines.append([f"rate {first} → {second} (10⁻⁴)", "–", *cells])
    entropies = [estimate(own["path_entropy"], own["path_entropy_error"]) for own in sides]
    lines.append(["path entropy (nats per frame)", "–", *entropies])
    return markdown_table(["quantity", "exact", "held-out walkers", "language model"], lines)


def _with_error(sides: Sequence[_Numbers], name: str, state: int) -> list[str]:
    return [estimate(own[f"{name}s"][state], own[f"{name}_errors"][state]) for own in sides]


def rollout_table(metrics: _Numbers) -> str:
    """One line per way to go on, system by system."""
    lines = [
        [system, scores["label"], *(score_cell(scores, column) for column in ROLLED_OUT)]
        for system, found in metrics["systems"].items()
        for scores in found["rows"].values()
    ]
    return markdown_table(["molecules", "row", *ROLLED_OUT.values()], lines)


def energy_table(metrics: _Numbers) -> str:
    """Energy scores and skill of the propagators."""
    others = next(iter(metrics["propagators"].values()))["skill_configuration"]
    lines = [
        [
            name,
            _of(own["energy_score_configuration"]),
            _of(own["energy_score_bead"]),
            *(_of(own["skill_configuration"][other]) for other in others),
        ]
        for name, own in metrics["propagators"].items()
    ]
    heads = ["propagator", "energy score, configuration (nm)", "energy score, bead (nm)"]
    return markdown_table([*heads, *(f"skill to {other}" for other in others)], lines)


def coverage_table(metrics: _Numbers) -> str:
    """Coverage and shape of the PIT, quantity by quantity."""
    known = {
        name: own["calibration"]
        for name, own in metrics["propagators"].items()
        if "calibration" in own
    }
    quantities = next(iter(known.values()))
    lines = [
        [
            CALIBRATED.get(quantity, quantity.replace("_", " ")),
            name,
            *(_percent(known[name][quantity]["coverage"][level]) for level in LEVELS),
            number(known[name][quantity]["pit_deviation"], ".3f"),
            number(known[name][quantity]["pit_deviation_floor"], ".3f"),
        ]
        for quantity, name in product(quantities, known)
    ]
    heads = ["quantity", "propagator", *(f"inside {100 * float(level):g} %" for level in LEVELS)]
    return markdown_table([*heads, "PIT deviation", "by chance"], lines)


def worker_table(metrics: _Numbers) -> str:
    """Throughput of one process, one worker and two."""
    md, rollout = metrics["md_ps_per_second"], metrics["rollout_chain_steps_per_second"]
    names = {"1": "one worker", "2": "two workers"}
    lines = [
        [
            names.get(row, row),
            *(f"{number(of[row])} ({of[row] / of['1']:.2f})" for of in (md, rollout)),
        ]
        for row in md
    ]
    heads = ["in brackets: over one worker", "MD (ps/s, all chains)", "roll-out (chain-steps/s)"]
    return markdown_table(heads, lines)


def job_table(metrics: _Numbers) -> str:
    """What a job costs besides its work."""
    lines = [
        [
            f"{int(size):,}",
            *(number(cost[key]) for key in ("milliseconds_per_job", "kilobytes_per_job")),
        ]
        for size, cost in metrics["by_number_of_jobs"].items()
    ]
    return markdown_table(["jobs", "ms per job", "kB per job"], lines)


def speed_table(metrics: _Numbers) -> str:
    """Batched steps per second, one line per size and number of replicas."""
    kinds = list(product((False, True), ("eager", "compiled")))
    found: dict[tuple[int, int], dict[tuple[bool, str], float]] = {}
    for row in metrics["rows"]:
        own = found.setdefault((row["n_beads"], row["n_replicas"]), {})
        own |= {(row["score"], name): rate for name, rate in row["steps_per_second"].items()}
    lines = [
        [str(n_beads), str(n_replicas), *(number(own.get(kind)) for kind in kinds)]
        for (n_beads, n_replicas), own in found.items()
    ]
    heads = [f"{'refined' if score else 'score off'}, {name}" for score, name in kinds]
    return markdown_table(["beads", "replicas", *heads], lines)


def training_speed_table(metrics: _Numbers) -> str:
    """Windows per second of training, one line per size."""
    names = ("n_beads", "batch_size", "windows_per_second", "loader_windows_per_second")
    lines = [[number(row[name]) for name in names] for row in metrics["rows"]]
    return markdown_table(["beads", "batch", "windows/s", "loader alone, windows/s"], lines)


def floor_table(metrics: _Numbers) -> str:
    """Work, floor and time of a step, and where the time goes, one line per stepper."""
    lines = [
        [
            str(row["n_beads"]),
            "on" if row["score"] else "off",
            stepper,
            number(row["flops"] / 1e6),
            number(row["bytes"] / 1e6),
            number(1e3 * row["floor_seconds"]),
            number(1e3 * seconds),
            number(row["over_floor"][stepper]),
            *(number(share, ".0f") for share in row["shares"][stepper].values()),
        ]
        for row in metrics["rows"]
        for stepper, seconds in row["seconds"].items()
    ]
    work = "MFLOP", "MB moved, unfused", "floor (ms)", "measured (ms)", "over floor"
    kinds = (f"{kind} (%)" for kind in metrics["rows"][0]["shares"]["eager"])
    return markdown_table(["beads", "score", "step", *work, *kinds], lines)


def ceiling_table(metrics: _Numbers) -> str:
    """What the machine can do."""
    own = metrics["ceilings"]
    heads = "threads", "matrix product (GFLOP/s)", "copy (GB/s)"
    names = "n_threads", "gemm_gflops", "copy_gb_per_second"
    return markdown_table(heads, [[number(own[name]) for name in names]])


def md_speed_table(metrics: _Numbers) -> str:
    """Simulated time and effective samples per second against OpenMM."""
    names = ("time_per_second", "time_per_day", "correlation_time", "samples_per_second")
    over = ("time_per_second_over_md", "samples_per_second_over_md")
    lines = [
        [label, *(number(row.get(name)) for name in (*names, *over))]
        for label, row in metrics["rows"].items()
    ]
    heads = "simulated (ps/s)", "(ps/day)", "correlation time of Rg² (ps)", "samples/s"
    return markdown_table(["", *heads, "time, over MD", "samples, over MD"], lines)


def _of(given: _Numbers) -> str:
    return estimate(given["value"], given["error"])


def _percent(given: _Numbers) -> str:
    return f"{100 * given['value']:.1f} ± {100 * given['error']:.1f}"


#: Block of a page -> (result, or result/section of its metrics; table of them).
TABLES: dict[str, tuple[str, Callable[[_Numbers], str]]] = {
    "exact": ("exact", exact_table),
    "polymer_mini": ("polymer_mini", polymer_table),
    "polymer_mini_targets": ("polymer_mini", target_table),
    "polymer_mini_seeds": ("polymer_mini", seed_table),
    "polymer_paper": ("polymer_paper", polymer_table),
    "polymer_paper_targets": ("polymer_paper", target_table),
    "ablations": ("ablations", ablation_table),
    "calibration_energy": ("calibration", energy_table),
    "calibration_coverage": ("calibration", coverage_table),
    "baseline_forecast": ("baselines/forecast", forecast_table),
    "baseline_claims": ("baselines/forecast", claim_table),
    "baseline_language_model": ("baselines/language_model", language_table),
    "baseline_rollout": ("baselines/rollout", rollout_table),
    "speed_rollout": ("speed_cpu/rollout", speed_table),
    "speed_training": ("speed_cpu/training", training_speed_table),
    "speed_ceilings": ("speed_cpu/floor", ceiling_table),
    "speed_floor": ("speed_cpu/floor", floor_table),
    "speed_md": ("speed_cpu/md", md_speed_table),
    "workers": ("cluster", worker_table),
    "jobs": ("cluster", job_table),
}


def block(name: str, results: Path) -> str:
    """The table of one block with the command that made it, or the word that there is none.

    Raises
    ------
    ValueError
        If no table is of this name.
    """
    if name not in TABLES:
        raise ValueError(f"no table is called {name!r}; known tables: {', '.join(TABLES)}")
    source, make = TABLES[name]
    stem, _, section = source.partition("/")
    file = results / f"{stem}.json"
    if not file.exists():
        return MISSING
    result = json.loads(file.read_text(encoding="utf-8"))
    metrics = result["metrics"].get(section) if section else result["metrics"]
    if metrics is None:
        return MISSING
    command = metrics["command"] if section else result["command"]
    return f"{make(metrics)}\n\n`{command}`"


def rewrite(page: str, results: Path = RESULTS) -> str:
    """The page with all its blocks made anew.

    Raises
    ------
    ValueError
        If the page has a block that no table is for.
    """
    return BLOCK.sub(
        lambda found: f"{found['name']} -->\n\n{block(found['name'], results)}\n\n", page
    )


def main() -> None:
    """Rewrite the pages."""
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = rewrite(before)
        page.write_text(after, encoding="utf-8")
        print(f"{page}: {'unchanged' if after == before else 'rewritten'}")


if __name__ == "__main__":
    main()

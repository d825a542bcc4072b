"""Tables of the page on fidelity."""

from itertools import product

from benchmarks.tables.cells import (
    Numbers,
    estimate,
    markdown_table,
    number,
    of_estimate,
    percent,
    score_cell,
)
from cgsim.evaluate.observables.table import metrics as all_metrics
from cgsim.evaluate.report.table import metric_label
from cgsim.evaluate.yardsticks import LEARNED, row_labels

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
CALIBRATED = {
    "bond_length": "bond length after the step",
    "along_bond": "displacement along bonds",
    "rg": "Rg after the step",
    "component": "x, y, z of displacements",
}
LEVELS = ("0.5", "0.9", "0.99")


def exact_table(metrics: Numbers) -> str:
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


def polymer_table(metrics: Numbers) -> str:
    """Every score of every row of a polymer benchmark."""
    columns = {
        label: metrics if key == LEARNED else metrics[key]
        for key, label in row_labels().items()
        if key == LEARNED or key in metrics
    }
    known = set().union(*columns.values())
    names = [
        (metric.name, metric_label(metric)) for metric in all_metrics() if metric.name in known
    ]
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


def target_table(metrics: Numbers) -> str:
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


def seed_table(metrics: Numbers) -> str:
    """Every seed, and mean ± standard deviation over them."""
    shown = {key: label for key, label in ABLATED.items() if key in metrics["seeds"][0]}
    lines = [[str(own["seed"]), *(number(own[name]) for name in shown)] for own in metrics["seeds"]]
    if len(metrics["seeds"]) > 1:
        spreads = [metrics["spread"].get(name) for name in shown]
        cells = [estimate(own["mean"], own["deviation"]) if own else "–" for own in spreads]
        lines.append(["mean ± deviation", *cells])
    return markdown_table(["seed", *shown.values()], lines)


def ablation_table(metrics: Numbers) -> str:
    """One line per simulator."""
    lines = [
        [name.replace("-", " "), number(scores.get("timestep"))]
        + [score_cell(scores, column) for column in ABLATED]
        for name, scores in metrics["rows"].items()
    ]
    return markdown_table(["row", "Δ (ps)", *ABLATED.values()], lines)


def energy_table(metrics: Numbers) -> str:
    """Energy scores and skill of the propagators."""
    others = next(iter(metrics["propagators"].values()))["skill_configuration"]
    lines = [
        [
            name,
            of_estimate(own["energy_score_configuration"]),
            of_estimate(own["energy_score_bead"]),
            *(of_estimate(own["skill_configuration"][other]) for other in others),
        ]
        for name, own in metrics["propagators"].items()
    ]
    heads = ["propagator", "energy score, configuration (nm)", "energy score, bead (nm)"]
    return markdown_table([*heads, *(f"skill to {other}" for other in others)], lines)


def coverage_table(metrics: Numbers) -> str:
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
            *(percent(known[name][quantity]["coverage"][level]) for level in LEVELS),
            number(known[name][quantity]["pit_deviation"], ".3f"),
            number(known[name][quantity]["pit_deviation_floor"], ".3f"),
        ]
        for quantity, name in product(quantities, known)
    ]
    heads = ["quantity", "propagator", *(f"inside {100 * float(level):g} %" for level in LEVELS)]
    return markdown_table([*heads, "PIT deviation", "by chance"], lines)

"""Tables of the page on baselines."""

from collections.abc import Sequence
from itertools import product

from benchmarks.table_cells import Numbers, estimate, markdown_table, number, score_cell

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


def forecast_table(metrics: Numbers) -> str:
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


def claim_table(metrics: Numbers) -> str:
    """Which of the published claims about forecasters hold, trajectory by trajectory."""
    found = {name: own["claims"] for name, own in metrics["trajectories"].items()}
    words = {True: "yes", False: "no"}

    def cell(value: bool | float | None) -> str:
        return words[value] if isinstance(value, bool) else number(value, ".2f")

    claims = next(iter(found.values()))
    lines = [[claim, *(cell(own[claim]) for own in found.values())] for claim in claims]
    return markdown_table(["claim", *found], lines)


def language_table(metrics: Numbers) -> str:
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


def _with_error(sides: Sequence[Numbers], name: str, state: int) -> list[str]:
    return [estimate(own[f"{name}s"][state], own[f"{name}_errors"][state]) for own in sides]


def rollout_table(metrics: Numbers) -> str:
    """One line per way to go on, system by system."""
    lines = [
        [system, scores["label"], *(score_cell(scores, column) for column in ROLLED_OUT)]
        for system, found in metrics["systems"].items()
        for scores in found["rows"].values()
    ]
    return markdown_table(["molecules", "row", *ROLLED_OUT.values()], lines)

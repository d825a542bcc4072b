"""Tables of the page on baselines."""

from collections.abc import Sequence
from itertools import product, zip_longest

from benchmarks.tables.cells import MISSING, Numbers, estimate, markdown_table, number, score_cell

WELLS = "ABCD"
#: Of Tsai, Kuo and Tiwary, in units of time, within 8 %, and rates in 1e-4 per unit of time.
PUBLISHED_RESIDENCE = (1402, 1212, 1245, 1481)
PUBLISHED_RATES = {"AC": "6.8", "CA": "7.4", "BD": "7.8", "DB": "6.3"} | dict.fromkeys(
    ("AB", "BA", "CD", "DC"), "0.3–0.6"
)

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


def forecast_data_table(metrics: Numbers) -> str:
    """What was forecast: one line per trajectory."""
    heads = [
        "trajectory",
        "beads",
        "frames",
        "a frame every (ps)",
        "length (ps)",
        "held-out frames",
    ]
    lines = []
    for name, found in metrics["trajectories"].items():
        origin, interval = found["rows"][0]["origin"], found["frame_interval"]
        length = origin["n_frames"] * interval
        line = [name, str(origin["n_beads"]), number(origin["n_frames"]), f"{interval:g}"]
        line += [f"{length:g}", number(origin["n_targets"]), number(found["n_steps"])]
        lines.append([*line, "superposed" if found["superposed"] else "as they are"])
    return markdown_table([*heads, "training steps", "frames are"], lines)


def solvent_table(metrics: Numbers) -> str:
    """Milliseconds of a step in each solvent: one line per molecule."""
    solvents = list(next(iter(metrics.values()))["ms_per_step"])
    lines = [
        [name, number(found["n_atoms"]), *(number(found["ms_per_step"][s]) for s in solvents)]
        for name, found in metrics.items()
    ]
    return markdown_table(["molecule", "atoms", *(f"{s} (ms a step)" for s in solvents)], lines)


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
    wells = metrics["four_wells"]
    sides = [wells[side] for side in ("trained_on", "reference", "learned")]
    exact = [number(value, ".4f") for value in wells["exact_populations"]]
    published = [number(value) for value in PUBLISHED_RESIDENCE]
    lines = [
        *_state_lines("population", [f"of {well}" for well in WELLS], sides, known=exact),
        *_state_lines("residence_time", [f"in {well}" for well in WELLS], sides, known=published),
    ]
    for (i, first), (j, second) in product(enumerate(WELLS), enumerate(WELLS)):
        if wells["comparison"]["rate_ratio"][i][j] is not None and i != j:
            pairs = [(own["rates"][i][j], own["rate_errors"][i][j]) for own in sides]
            cells = [estimate(*(1e4 * value for value in pair)) for pair in pairs]
            known = PUBLISHED_RATES.get(first + second, "–")
            lines.append([f"rate {first} → {second} (10⁻⁴)", known, *cells])
    lines.append(_entropy_line(sides))
    heads = ["exact or published", "walkers trained on", "walkers held out", "language model"]
    return markdown_table(["quantity", *heads], lines)


def dihedral_table(metrics: Numbers) -> str:
    """Populations and residence times of basins of a dihedral angle."""
    if "dihedral" not in metrics:
        return MISSING
    found = metrics["dihedral"]
    sides = [found[side] for side in ("trained_on", "reference", "learned")]
    lines = [
        *_state_lines("population", [f"of {basin}" for basin in found["basins"]], sides),
        *_state_lines("residence_time", [f"in {basin} (ps)" for basin in found["basins"]], sides),
        _entropy_line(sides),
    ]
    distance = found["js_bins"]
    cells = [number(distance["trained_on"]), "0", number(distance["learned"])]
    lines.append(["JS distance of the bins to MD held out", "–", *cells])
    heads = ["exact", "MD trained on", "MD held out", "language model"]
    return markdown_table(["quantity", *heads], lines)


def _state_lines(
    name: str, states: Sequence[str], sides: Sequence[Numbers], *, known: Sequence[str] = ()
) -> list[list[str]]:
    """A line for each state: what is known, and what each side finds."""
    word = name.split("_")[0]
    lines = []
    for state, (label, exact) in enumerate(zip_longest(states, known, fillvalue="–")):
        cells = [estimate(own[f"{name}s"][state], own[f"{name}_errors"][state]) for own in sides]
        lines.append([f"{word} {label}", exact, *cells])
    return lines


def _entropy_line(sides: Sequence[Numbers]) -> list[str]:
    """The path entropy of each side."""
    cells = [estimate(own["path_entropy"], own["path_entropy_error"]) for own in sides]
    return ["path entropy (nats per frame)", "–", *cells]


def rollout_table(metrics: Numbers) -> str:
    """One line per way to go on, system by system."""
    lines = [
        [system, scores["label"], *(score_cell(scores, column) for column in ROLLED_OUT)]
        for system, found in metrics["systems"].items()
        for scores in found["rows"].values()
    ]
    return markdown_table(["molecules", "row", *ROLLED_OUT.values()], lines)

"""Tables of the page on proteins."""

import math

import numpy as np

from benchmarks.tables.cells import Numbers, estimate, markdown_table, number, of_estimate
from cgsim.evaluate.yardsticks import row_label

KINETICS = {
    "js_tic0": "JS distance of TIC0",
    "js_tic01": "JS distance of TIC0 × TIC1",
    "js_states": "JS distance of states",
    "timescale_ratio": "slowest implied timescale / MD",
    "timescale_error": "median of \\|log timescale / MD\\|",
    "relaxation_ratio": "relaxation time of TIC0 / MD",
    "integrated_ratio": "integrated time of TIC0 / MD",
    "chapman_kolmogorov": "Chapman–Kolmogorov, rms",
}
SIZES = {
    "js_rg": "JS distance of Rg",
    "mape_rg": "error of Rg (%)",
    "js_bond": "JS distance of bonds",
    "js_pair": "JS distance of pairs",
    "collisions_per_million": "collisions / 10⁶",
}
FINETUNED = {"finetuned": "fine-tuned", "scratch": "trained on it alone", "md": "that MD itself"}
SHORT = ("js_tic0", "js_tic01", "timescale_ratio", "timescale_error")


def peptide_table(metrics: Numbers) -> str:
    """Every score of every row, over the unseen peptides."""
    rows = metrics["rows"]
    lines = [
        [label, *(estimate(own[name], own["errors"][name]) for own in rows.values())]
        for name, label in KINETICS.items()
    ]
    lines.append(["timescale within ×1.5 of MD", *(_share(own) for own in rows.values())])
    sizes = [metrics["sizes"][key] for key in rows]
    lines += [
        [label, *(estimate(own[name], own["errors"][name]) for own in sizes)]
        for name, label in SIZES.items()
    ]
    return markdown_table(["score", *map(row_label, rows)], lines)


def timescale_table(metrics: Numbers) -> str:
    """Slowest implied timescale of every peptide, learned against MD."""
    rows = metrics["rows"]
    lines = []
    for index, own in enumerate(rows["learned"]["peptides"]):
        floor = rows["floor"]["peptides"][index]
        cells = [
            estimate(one["timescale"], one["timescale_standard_error"]) for one in (own, floor)
        ]
        tic0 = (number(one["js_tic0"]) for one in (own, floor))
        lines.append([own["name"], number(own["timescale_reference"]), *cells, *tic0])
    heads = ["peptide", "MD (ps)", "learned (ps)", "second MD run (ps)"]
    return markdown_table([*heads, "JS of TIC0, learned", "JS of TIC0, second MD run"], lines)


def lag_table(metrics: Numbers) -> str:
    """Slowest implied timescale at growing lag times."""
    found = metrics["slowest_by_lag_time"]
    lines = [
        [name, label, *(number(value) for value in found[key][name])]
        for name in found["md"]
        for key, label in (("md", "MD"), ("learned", "learned"))
        if name in found[key]
    ]
    heads = (f"lag {number(lag)} ps" for lag in found["lag_times"])
    return markdown_table(["peptide", "slowest timescale (ps)", *heads], lines)


def md_cost_table(metrics: Numbers) -> str:
    """Cost of the MD of the panel in each solvent, from a short run."""
    lines = [
        [
            solvent,
            number(own["ms_per_step"], ".3f"),
            number(own["ns_per_core_day"]),
            *(number(own["core_days"][part]) for part in ("train", "unseen")),
        ]
        for solvent, own in metrics["solvents"].items()
    ]
    parts = [
        f"{label} ({number(metrics['duration'][key])} ns), core days"
        for key, label in (("train", "to learn from"), ("unseen", "never seen"))
    ]
    return markdown_table(["solvent", "ms a step and peptide", "ns per core day", *parts], lines)


def md_energy_table(metrics: Numbers) -> str:
    """Potential energy of one peptide in MD of three programs."""
    titles = {
        "now": "`cgsim md peptide`, now",
        "panel": "the loop that made the MD of the panel",
        "openmm": "OpenMM, then",
    }
    over = metrics["difference_over_error"]
    lines = [
        [
            title,
            f"{own['mean']:.2f} ± {own['error']:.2f}",
            number(own["fluctuation"]),
            number(over.get(key), ".1f"),
        ]
        for key, title in titles.items()
        for own in [metrics["rows"][key]]
    ]
    heads = "MD", "mean (kJ/mol)", "fluctuation (kJ/mol)", "difference from now, over its error"
    return markdown_table(heads, lines)


def beads_table(metrics: Numbers) -> str:
    """What beads show of the two slowest motions, over the peptides."""
    peptides = [own["mappings"] for own in metrics["peptides"].values()]
    lines = []
    for label in peptides[0]:
        counts = sorted({own[label]["n_beads"] for own in peptides})
        found = np.array([own[label]["correlation"] for own in peptides])
        errors = found.std(axis=0, ddof=1) / math.sqrt(len(found))
        cells = map(estimate, found.mean(axis=0).ravel(), errors.ravel())
        lines.append([label, "–".join(map(str, counts[:: max(1, len(counts) - 1)])), *cells])
    heads = [
        f"{motion}, {n_history} frame{'s' if n_history > 1 else ''}"
        for n_history in metrics["histories"]
        for motion in ("slowest", "second")
    ]
    return markdown_table(["beads", "number", *heads], lines)


def one_step_table(metrics: Numbers) -> str:
    """Energy scores of single steps."""
    scores = metrics["one_step"]
    others = next(iter(scores.values()))["skill_configuration"]
    lines = [
        [
            name,
            of_estimate(own["energy_score_configuration"]),
            *(of_estimate(own["skill_configuration"][other]) for other in others),
        ]
        for name, own in scores.items()
    ]
    heads = ["propagator", "energy score (nm)", *(f"skill to {other}" for other in others)]
    return markdown_table(heads, lines)


def finetune_table(metrics: Numbers) -> str:
    """What more and more MD of a new peptide gives."""
    lines = [["–", "zero-shot", *_cells(metrics["zero_shot"])]]
    for label, own in metrics["fractions"].items():
        seen = f"{label}, {number(own['duration'])} ps"
        lines += [[seen, title, *_cells(own["rows"][row])] for row, title in FINETUNED.items()]
    heads = ("MD seen", "row", *(KINETICS[name] for name in SHORT), "within ×1.5")
    return markdown_table(heads, lines)


def verdict_table(metrics: Numbers) -> str:
    """On how many peptides fine-tuning wins, and what was forgotten."""
    lines = []
    for label, own in metrics["fractions"].items():
        verdict, change = own["verdict"], own["change_of_nll"]
        n_peptides = verdict["n_peptides"]
        won = [
            f"{verdict['better'][score][row]} of {n_peptides}"
            for score in ("js_tic0", "timescale_error")
            for row in ("scratch", "md")
        ]
        within = f"{verdict['within']} of {n_peptides}"
        changes = (number(change[part], "+.3f") for part in ("new", "old"))
        lines.append([label, *won, within, *changes])
    heads = (
        "MD seen",
        "TIC0: better than from scratch",
        "than that MD",
        "timescale: better than from scratch",
        "than that MD",
        "within ×1.5 of MD",
        "NLL of the new peptide",
        "NLL of the old ones",
    )
    return markdown_table(heads, lines)


def _cells(own: Numbers) -> list[str]:
    return [*(estimate(own[name], own["errors"][name]) for name in SHORT), _share(own)]


def _share(own: Numbers) -> str:
    return f"{own['n_within']} of {len(own['peptides'])}"

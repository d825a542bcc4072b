"""Tables of `benchmarks.coverage`: how often error bars and bounds hold the truth."""

from collections.abc import Iterable, Sequence

from benchmarks.tables.cells import Numbers, markdown_table

SHOWN = {
    "rg": "mean Rg",
    "mape_rg": "its error",
    "js_rg": "JS distance",
    "emd_rg": "earth mover's",
    "relaxation": "relaxation time",
    "relaxation_ratio": "its ratio",
    "integrated": "integrated time",
    "integrated_ratio": "its ratio",
    "drift_rg": "drift",
}
PANEL_SHOWN = {
    "r2_rg": "r² of mean Rg",
    "r2_log_relaxation": "r² of log relaxation times",
    "median_relaxation_ratio": "relaxation time / reference",
    "median_integrated_ratio": "integrated time / reference",
}


def error_bar_table(metrics: Numbers) -> str:
    """One line per length and number of replicas, over all processes."""
    sizes = dict.fromkeys((case["length"], case["n_replicas"]) for case in metrics["cases"])
    lines = []
    for size in sizes:
        cases = [case for case in metrics["cases"] if (case["length"], case["n_replicas"]) == size]
        cells = (share([case["scores"][name] for case in cases]) for name in SHOWN)
        lines.append([f"{size[1]} × {size[0]}", *cells])
    return markdown_table(["replicas × length", *SHOWN.values()], lines)


def panel_table(metrics: Numbers) -> str:
    """One line per length of the runs of a panel of molecules."""
    lines = [
        [f"{case['length']}", *(share([case["scores"][name]]) for name in PANEL_SHOWN)]
        for case in metrics["panels"]
    ]
    return markdown_table(["length", *PANEL_SHOWN.values()], lines)


def share(counts: Sequence[Numbers]) -> str:
    """Percent of what was said that is true; in brackets the percent that are bounds, if any."""
    bounds, said = (_total(counts, names) for names in (("bounds",), ("values", "bounds")))
    if not said:
        return "–"
    right = f"{100 * _total(counts, ('covered', 'held')) / said:.0f}"
    return f"{right} ({100 * bounds / said:.0f})" if bounds else right


def _total(counts: Sequence[Numbers], names: Iterable[str]) -> int:
    return sum(int(count[name]) for name in names for count in counts)

"""Tables of the documentation, made from the results.

    python -m benchmarks.tables

Rewrites the blocks between `<!-- table: NAME -->` and `<!-- end -->` in the pages of `PAGES` from
`benchmarks/results/*.json`.
"""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.backmap import summary as backmap_table
from benchmarks.results import RESULTS, sections_of
from benchmarks.tables.baselines import (
    claim_table,
    dihedral_table,
    forecast_data_table,
    forecast_table,
    language_table,
    rollout_table,
    solvent_table,
)
from benchmarks.tables.cells import MISSING, Numbers
from benchmarks.tables.error_bars import error_bar_table, panel_table
from benchmarks.tables.fidelity import (
    ablation_table,
    coverage_table,
    energy_table,
    exact_table,
    polymer_table,
    seed_table,
    target_table,
)
from benchmarks.tables.peptides import (
    beads_table,
    finetune_table,
    lag_table,
    md_cost_table,
    md_energy_table,
    one_step_table,
    peptide_table,
    timescale_table,
    verdict_table,
)
from benchmarks.tables.speed import (
    busy_table,
    ceiling_table,
    floor_table,
    job_table,
    large_table,
    md_speed_table,
    memory_table,
    precision_table,
    small_table,
    speed_table,
    training_speed_table,
    worker_table,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGES = tuple(
    DOCS / f"{page}.md"
    for page in (
        "benchmarks",
        "fidelity",
        "peptides",
        "peptide_trials",
        "baselines",
        "backmapping",
        "scaling",
        "performance",
    )
)
BLOCK = re.compile(r"(?<=<!-- table: )(?P<name>\w+) -->\n.*?(?=<!-- end -->)", re.DOTALL)

#: Block of a page -> (result, or result/section of its metrics; table of them).
TABLES: dict[str, tuple[str, Callable[[Numbers], str]]] = {
    "exact": ("exact", exact_table),
    "polymer_mini": ("polymer_mini", polymer_table),
    "polymer_mini_targets": ("polymer_mini", target_table),
    "polymer_mini_seeds": ("polymer_mini", seed_table),
    "polymer_paper": ("polymer_paper", polymer_table),
    "polymer_paper_targets": ("polymer_paper", target_table),
    "ablations": ("ablations", ablation_table),
    "calibration_energy": ("calibration", energy_table),
    "calibration_coverage": ("calibration", coverage_table),
    "md_solvent_speed": ("md_solvent_speed", solvent_table),
    "baseline_forecast_data": ("baselines/forecast", forecast_data_table),
    "baseline_forecast": ("baselines/forecast", forecast_table),
    "baseline_claims": ("baselines/forecast", claim_table),
    "baseline_language_model": ("baselines/language_model", language_table),
    "baseline_dihedral": ("baselines/language_model", dihedral_table),
    "baseline_rollout": ("baselines/rollout", rollout_table),
    "speed_rollout": ("speed_cpu/rollout", speed_table),
    "speed_small": ("speed_cpu/small", small_table),
    "speed_busy": ("speed_cpu/busy", busy_table),
    "speed_training": ("speed_cpu/training", training_speed_table),
    "speed_ceilings": ("speed_cpu/floor", ceiling_table),
    "speed_floor": ("speed_cpu/floor", floor_table),
    "speed_large": ("speed_cpu/large", large_table),
    "speed_memory": ("speed_cpu/memory", memory_table),
    "speed_precision": ("speed_cpu/precision", precision_table),
    "speed_md": ("speed_cpu/md", md_speed_table),
    "speed_md_peptides": ("speed_cpu/md-peptides", md_speed_table),
    "speed_md_paper": ("speed_cpu/md-paper", md_speed_table),
    "peptide_beads": ("peptide_beads", beads_table),
    "peptides": ("peptides", peptide_table),
    "peptide_timescales": ("peptides", timescale_table),
    "peptide_lags": ("peptides", lag_table),
    "peptide_steps": ("peptides", one_step_table),
    "finetune": ("finetune", finetune_table),
    "finetune_verdict": ("finetune", verdict_table),
    "peptide_md_cost": ("peptide_md_cost", md_cost_table),
    "peptide_md_energy": ("peptide_md_energy", md_energy_table),
    "backmap": ("backmap", lambda metrics: backmap_table(metrics["peptides"])),
    "workers": ("cluster", worker_table),
    "jobs": ("cluster", job_table),
    "error_bars": ("coverage", error_bar_table),
    "error_bars_of_panels": ("coverage", panel_table),
}


def block(name: str, results: Path) -> str:
    """The table of one block, the commands that made it and what is wrong with it.

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
    commands = [f"`{line}`" for line in command.splitlines()]
    name = f"{stem}/{section}" if section else stem
    # A result made in parts is as good as the worst of them, where a table is of them all.
    named = {"name": stem, "environment": {}} | result
    made = [own for own in sections_of(named) if section == "" or own.name == name]
    notes = dict.fromkeys(f"*{own.note}*" for own in made if own.note)
    return "\n\n".join([make(metrics), *commands, *notes])


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
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = rewrite(before)
        page.write_text(after, encoding="utf-8")
        print(f"{page}: {'unchanged' if after == before else 'rewritten'}")


if __name__ == "__main__":
    main()

"""One self-contained HTML report of a comparison: it works offline and asks for nothing."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.report import markup, plots
from cgsim.evaluate.report.cards import make_cards
from cgsim.evaluate.report.figures import against_reference, by_molecule
from cgsim.evaluate.report.motion import memory_section, slow_motion_section
from cgsim.evaluate.report.plots import Shown, TrainingCurve
from cgsim.evaluate.report.viewer import make_player, player_data
from cgsim.evaluate.scores.comparison import Comparison, MoleculeScore
from cgsim.evaluate.scores.verdict import conclusion
from cgsim.evaluate.yardsticks import YARDSTICKS

#: Molecules that get panels of their own; the scores are of all.
MAX_MOLECULES = 8


def write_report(
    path: str | Path,
    comparison: Comparison,
    *,
    reference: Sequence[Ensemble],
    learned: Sequence[Ensemble],
    title: str,
    lead: str = "",
    training: TrainingCurve | None = None,
    provenance: Mapping[str, object] | None = None,
) -> None:
    """Write the report; the file appears only when it is complete.

    Parameters
    ----------
    path
        Of the HTML file.
    comparison
        From `compare`.
    reference, learned
        The ensembles that were compared, for the plots and the 3-D player.
    title, lead
        Headline, and a sentence or two on what was simulated. Plain text.
    training
        Loss curve, if there is one.
    provenance
        Versions, seeds, wall-clock, command: names and values, may be nested.

    Raises
    ------
    ValueError
        If an ensemble of a compared molecule is missing.
    """
    shown = _shown(comparison, reference, learned)
    players = [make_player(first.ensemble, second.ensemble) for first, second in shown]
    cards = "\n".join(markup.card(content) for content in make_cards(comparison))
    body = [
        f'<section class="cards" aria-label="Headline scores">\n{cards}\n</section>',
        markup.asset("player.html"),
        *_sections(comparison, shown, training, provenance or {}),
    ]
    markup.write_page(
        path,
        kicker="cgsim · learned against reference molecular dynamics",
        title=escape(title),
        lead=escape(lead),
        top=f'<p class="conclusion">{escape(conclusion(comparison))}</p>',
        sections="\n".join(body),
        footer="Made by cgsim. The 3-D player is 3Dmol.js (BSD-3-Clause).",
        scripts="\n".join(
            [
                markup.inline_json("player-data", player_data(players)),
                markup.inline_script(markup.asset("3Dmol-min.js")),
                markup.inline_script(markup.asset("player.js")),
            ]
        ),
    )


def _shown(
    comparison: Comparison, reference: Sequence[Ensemble], learned: Sequence[Ensemble]
) -> Shown:
    """A few molecules, spread evenly over their size, in the same order on both sides."""
    by_name = [{e.name: e for e in ensembles} for ensembles in (reference, learned)]
    for label, ensembles in zip(("reference", "learned"), by_name, strict=True):
        missing = {row.name for row in comparison.learned.molecules} - set(ensembles)
        if missing:
            raise ValueError(f"{label} ensembles lack {sorted(missing)}, which were compared")
    rows = sorted(comparison.learned.molecules, key=_size)
    n_shown = min(MAX_MOLECULES, len(rows))
    picked = [rows[round(k * (len(rows) - 1) / max(n_shown - 1, 1))].name for k in range(n_shown)]
    first, second = ([Profile(own[name]) for name in picked] for own in by_name)
    return Shown(first, second, comparison.scoring)


def _size(molecule: MoleculeScore) -> float:
    """Rg of the reference; beads if it was not scored."""
    rg = molecule.scores.get("rg_reference")
    return molecule.n_beads if rg is None else rg.value


def _sections(
    comparison: Comparison,
    shown: Shown,
    training: TrainingCurve | None,
    provenance: Mapping[str, object],
) -> list[str]:
    n_molecules, n_shown = len(comparison.learned.molecules), len(shown)
    note = f" {n_shown} of {n_molecules} molecules, from small to large."
    note = note if n_shown < n_molecules else ""
    middle = n_shown // 2
    typical = shown.reference[middle].ensemble, shown.learned[middle].ensemble
    sections = [
        markup.section("The scores", _scores_text(comparison), markup.summary_table(comparison)),
        markup.section("Learned against true", "", _against_reference(comparison)),
        markup.section("Molecule by molecule", "", _by_molecule(shown, note)),
        memory_section(*typical),
        slow_motion_section(*typical),
        markup.section("Every molecule", _EVERY, markup.molecule_table(comparison.learned)),
    ]
    if training is not None:
        figure = markup.plot(plots.plot_training(training), "", alt="Loss during training")
        sections.append(markup.section("Training", "", figure))
    definitions = markup.definitions(comparison)
    sections.append(markup.section("What the scores mean", _MEANING, definitions))
    if provenance:
        sections.append(markup.section("How this was made", "", markup.provenance(provenance)))
    return sections


def _scores_text(comparison: Comparison) -> str:
    """What the rows are that were given, and what ± means."""
    given = (
        f" “{row.label}”: {row.help}"
        for key, row in YARDSTICKS.items()
        if key in comparison.yardsticks
    )
    return _SCORES + "".join(given) + _ERRORS


_SCORES = "The learned simulator, beside the rows that put it in proportion where they were given."
_ERRORS = (
    " ± is one standard error, by a bootstrap over molecules, or over blocks of the trajectory if "
    "there is only one molecule."
)
_EVERY = (
    "The learned simulator, molecule by molecule; ± is one standard error, by a bootstrap over "
    "blocks of the trajectories. Independent samples: learned / reference, from the integrated "
    "autocorrelation time of Rg²; – where the run is too short to tell. > or <: a bound."
)
_MEANING = "Lengths in nm, times in ps."


def _against_reference(comparison: Comparison) -> str:
    """Two to a line."""
    figures = [
        markup.plot(figure, caption, alt=caption)
        for figure, caption in against_reference(comparison)
    ]
    lines = (figures[start : start + 2] for start in range(0, len(figures), 2))
    return "".join(f'<div class="pair">{"".join(line)}</div>' for line in lines)


def _by_molecule(shown: Shown, note: str) -> str:
    return "".join(
        markup.plot(figure, f"{caption}{note}", alt=caption, css_class="wide")
        for figure, caption in by_molecule(shown)
    )

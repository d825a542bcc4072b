"""One self-contained HTML report of a comparison: it works offline and asks for nothing."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.report import markup, plots
from cgsim.evaluate.report.cards import make_cards
from cgsim.evaluate.report.motion import memory_section, slow_motion_section
from cgsim.evaluate.report.plots import TrainingCurve
from cgsim.evaluate.report.viewer import make_player, player_data
from cgsim.evaluate.scores.comparison import Comparison
from cgsim.evaluate.scores.verdict import conclusion

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
    players = [make_player(*pair) for pair in zip(*shown, strict=True)]
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


_Pairs = tuple[list[Ensemble], list[Ensemble]]


def _shown(
    comparison: Comparison, reference: Sequence[Ensemble], learned: Sequence[Ensemble]
) -> _Pairs:
    """The first few molecules, spread evenly over their size, in the same order on both sides."""
    by_name = [{e.name: e for e in ensembles} for ensembles in (reference, learned)]
    for label, ensembles in zip(("reference", "learned"), by_name, strict=True):
        missing = {row.name for row in comparison.learned.molecules} - set(ensembles)
        if missing:
            raise ValueError(f"{label} ensembles lack {sorted(missing)}, which were compared")
    rows = sorted(comparison.learned.molecules, key=lambda row: row.rg_reference.value)
    n_shown = min(MAX_MOLECULES, len(rows))
    picked = [rows[round(k * (len(rows) - 1) / max(n_shown - 1, 1))].name for k in range(n_shown)]
    return [by_name[0][name] for name in picked], [by_name[1][name] for name in picked]


def _sections(
    comparison: Comparison,
    shown: _Pairs,
    training: TrainingCurve | None,
    provenance: Mapping[str, object],
) -> list[str]:
    n_molecules, n_shown = len(comparison.learned.molecules), len(shown[0])
    note = f" {n_shown} of {n_molecules} molecules, from small to large."
    note = note if n_shown < n_molecules else ""
    middle = len(shown[0]) // 2
    typical = shown[0][middle], shown[1][middle]
    sections = [
        markup.section("The scores", _SCORES, markup.summary_table(comparison)),
        markup.section("Learned against true", "", _scatter(comparison)),
        markup.section("Molecule by molecule", "", _per_molecule(comparison, shown, note)),
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


_SCORES = (
    "The learned simulator beside the rows that put it in proportion, where they were given: a "
    "second, independent MD run scored in the same way (how well one can do), MD of the wall-clock "
    "of the roll-out (what one would have had without it), and MD of a tenth of the time. ± is one "
    "standard error, by a bootstrap over molecules, or over blocks of the trajectory if there is "
    "only one molecule."
)
_EVERY = (
    "The learned simulator, molecule by molecule; ± is one standard error, by a bootstrap over "
    "blocks of the trajectories. Independent samples: learned / reference, from the integrated "
    "autocorrelation time of Rg²; below about 20 the error bars themselves are unsure."
)
_MEANING = "Lengths in nm, times in ps."


def _scatter(comparison: Comparison) -> str:
    figures = markup.plot(
        plots.plot_rg(comparison),
        "Mean radius of gyration, one point per molecule.",
        alt="Mean Rg against reference",
    ) + markup.plot(
        plots.plot_relaxation(comparison),
        "Relaxation time of Rg², one point per molecule. Unresolved times are left out.",
        alt="Relaxation time against reference",
    )
    return f'<div class="pair">{figures}</div>'


def _per_molecule(comparison: Comparison, shown: _Pairs, note: str) -> str:
    cutoff = comparison.scoring.contact_cutoff
    figures = (
        (
            plots.plot_rg_distributions(*shown),
            "Distribution of the radius of gyration.",
        ),
        (
            plots.plot_rg_traces(*shown),
            "Rg over time: the first replica of each, over the time that both cover.",
        ),
        (
            plots.plot_autocorrelations(*shown),
            "Autocorrelation of Rg². Vertical lines mark the relaxation times, where the curves "
            "fall to 1/e (dashed).",
        ),
        (plots.plot_bond_distributions(*shown), "Bond lengths, all bonds of a molecule pooled."),
        (
            plots.plot_pair_distributions(*shown),
            "Distances of the beads that share no bond, all pairs of a molecule pooled.",
        ),
        (
            plots.plot_contact_maps(*shown, cutoff=cutoff),
            "Contact probabilities: reference above the diagonal, learned below. A perfect "
            "simulator gives a symmetric map.",
        ),
    )
    return "".join(
        markup.plot(figure, f"{caption}{note}", alt=caption, css_class="wide")
        for figure, caption in figures
    )

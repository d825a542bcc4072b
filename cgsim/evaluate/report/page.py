"""One self-contained HTML report of a comparison: it works offline and asks for nothing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.problems import Problem, attempt
from cgsim.evaluate.report import markup, plots
from cgsim.evaluate.report.cards import make_cards
from cgsim.evaluate.report.figures import Drawing, against_reference, by_molecule
from cgsim.evaluate.report.motion import memory_section, slow_motion_section
from cgsim.evaluate.report.plots import Shown, TrainingCurve
from cgsim.evaluate.report.viewer import Player, make_player, player_data
from cgsim.evaluate.scores.comparison import Comparison, MoleculeScore
from cgsim.evaluate.scores.verdict import conclusion
from cgsim.evaluate.species import Box, parts_of
from cgsim.evaluate.yardsticks import HALVES, HALVES_ROW, YARDSTICKS

#: Molecules that get panels of their own; the scores are of all.
MAX_MOLECULES = 8

_KICKER = "cgsim · learned against reference molecular dynamics"


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
) -> list[Problem]:
    """Write the report; the file appears only when it is complete.

    What cannot be shown fails alone: a sentence is in its place.

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

    Returns
    -------
    list of Problem
        What could not be shown, and why.

    Raises
    ------
    ValueError
        If an ensemble of a compared molecule is missing.
    """
    shown = _shown(comparison, reference, learned)
    problems: list[Problem] = []
    body = [
        _made("The headline scores", lambda: _cards(comparison), problems),
        markup.asset("player.html"),
        *_sections(comparison, shown, training, provenance or {}, problems=problems),
    ]
    players = [
        attempt(f"3-D player of {first.ensemble.name}", partial(_player, first, second), problems)
        for first, second in shown
    ]
    data = player_data([player for player in players if player is not None])
    markup.write_page(
        path,
        kicker=markup.kicker(_KICKER, above=_headline(comparison)),
        title=escape(title),
        lead=escape(lead),
        top=_conclusion(comparison, problems),
        sections="\n".join(body),
        footer="Made by cgsim. The 3-D player is 3Dmol.js (BSD-3-Clause).",
        scripts="\n".join(
            [
                markup.inline_json("player-data", data),
                markup.inline_script(markup.asset("3Dmol-min.js")),
                markup.inline_script(markup.asset("player.js")),
            ]
        ),
    )
    return problems


def _headline(comparison: Comparison) -> str:
    """The result in one sentence, a warning if a red line is crossed."""
    if not comparison.headline:
        return ""
    text = escape(comparison.headline)
    if comparison.red_lines:
        return f'<p class="headline warning" role="alert">{text}</p>'
    return f'<p class="headline">{text}</p>'


def _conclusion(comparison: Comparison, problems: list[Problem]) -> str:
    """What the scores rest on."""
    text = attempt("what the scores rest on", lambda: conclusion(comparison), problems) or ""
    return f'<p class="conclusion">{escape(text)}</p>'


def _cards(comparison: Comparison) -> str:
    cards = "\n".join(markup.card(content) for content in make_cards(comparison))
    return f'<section class="cards" aria-label="Headline scores">\n{cards}\n</section>'


def _player(first: Profile, second: Profile) -> Player:
    return make_player(first.ensemble, second.ensemble)


def _made(what: str, make: Callable[[], str], problems: list[Problem]) -> str:
    """A section, or a sentence in its place."""
    made = attempt(what, make, problems)
    if made is None:
        return markup.section(what, "", markup.absent(problems[-1].sentence))
    return made


def _shown(
    comparison: Comparison, reference: Sequence[Ensemble], learned: Sequence[Ensemble]
) -> Shown:
    """A few molecules, spread evenly over their size, in the same order on both sides."""
    by_name = [{e.name: e for e in parts_of(ensembles)} for ensembles in (reference, learned)]
    for label, ensembles in zip(("reference", "learned"), by_name, strict=True):
        missing = {row.name for row in comparison.learned.molecules} - set(ensembles)
        if missing:
            raise ValueError(f"{label} ensembles lack {sorted(missing)}, which were compared")
    boxes = {name for name, own in by_name[0].items() if isinstance(own, Box)}
    molecules = [row for row in comparison.learned.molecules if row.name not in boxes]
    rows = sorted(molecules, key=_size)
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
    *,
    problems: list[Problem],
) -> list[str]:
    n_molecules, n_shown = len(comparison.learned.molecules), len(shown)
    note = f" {n_shown} of {n_molecules} molecules, from small to large."
    note = note if n_shown < n_molecules else ""
    of_molecules: list[tuple[str, Callable[[], str]]] = []
    if n_shown:  # not of single beads alone, such as water
        middle = n_shown // 2
        typical = shown.reference[middle].ensemble, shown.learned[middle].ensemble
        of_molecules = [
            ("Molecule by molecule", lambda: _by_molecule(shown, note, problems)),
            ("Memory", lambda: memory_section(*typical, problems)),
            ("Slow motions", lambda: slow_motion_section(*typical, problems)),
        ]
    makers: list[tuple[str, Callable[[], str]]] = [
        ("Red lines", lambda: _red_lines(comparison)),
        ("The scores", lambda: _scores(comparison)),
        ("Learned against true", lambda: _against_reference(comparison, problems)),
        *of_molecules,
        ("Every molecule", lambda: _every_molecule(comparison)),
        ("Training", lambda: _training(training)),
        ("What the scores mean", lambda: _meaning(comparison)),
        ("How this was made", lambda: _provenance(provenance)),
    ]
    made = [_made(heading, make, problems) for heading, make in makers]
    return [own for own in [*made, _not_shown(comparison, problems)] if own]


def _red_lines(comparison: Comparison) -> str:
    """Every replica that crossed one; nothing if none did."""
    if not comparison.red_lines:
        return ""
    return markup.section("Red lines", _RED_LINES, markup.red_line_table(comparison.red_lines))


def _scores(comparison: Comparison) -> str:
    notes = "".join(f"<p>{escape(note)}</p>" for note in comparison.notes)
    table = markup.summary_table(comparison)
    return markup.section("The scores", _scores_text(comparison), notes + table)


def _every_molecule(comparison: Comparison) -> str:
    return markup.section("Every molecule", _EVERY, markup.molecule_table(comparison.learned))


def _training(training: TrainingCurve | None) -> str:
    if training is None:
        return ""
    figure = markup.plot(plots.plot_training(training), "", alt="Loss during training")
    return markup.section("Training", "", figure)


def _meaning(comparison: Comparison) -> str:
    return markup.section("What the scores mean", _MEANING, markup.definitions(comparison))


def _provenance(provenance: Mapping[str, object]) -> str:
    if not provenance:
        return ""
    return markup.section("How this was made", "", markup.provenance(provenance))


def _not_shown(comparison: Comparison, problems: list[Problem]) -> str:
    """All that is missing, in one list."""
    scored = [
        f"{row.name}, {problem}" for row in comparison.learned.molecules for problem in row.problems
    ]
    lines = [*scored, *map(str, problems)]
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return markup.section("What could not be computed", "", f"<ul>{items}</ul>")


def _scores_text(comparison: Comparison) -> str:
    """What the rows are that were given, and what ± means."""
    known = YARDSTICKS | {HALVES: HALVES_ROW}
    given = (
        f" “{row.label}”: {row.help}" for key, row in known.items() if key in comparison.yardsticks
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


_RED_LINES = (
    "What no simulator may do, whatever its scores are; limits are made of the reference. Each "
    "line is a replica, with the first frame in which it happened and the worst value."
)


def _against_reference(comparison: Comparison, problems: list[Problem]) -> str:
    """Two to a line."""
    figures = [_figure(figure, problems, css_class="") for figure in against_reference(comparison)]
    lines = (figures[start : start + 2] for start in range(0, len(figures), 2))
    body = "".join(f'<div class="pair">{"".join(line)}</div>' for line in lines)
    return markup.section("Learned against true", "", body)


def _by_molecule(shown: Shown, note: str, problems: list[Problem]) -> str:
    body = "".join(
        _figure(figure, problems, css_class="wide", note=note) for figure in by_molecule(shown)
    )
    return markup.section("Molecule by molecule", "", body)


def _figure(figure: Drawing, problems: list[Problem], *, css_class: str, note: str = "") -> str:
    """One figure, or a sentence in its place."""

    def make() -> str:
        caption = figure.caption
        return markup.plot(figure.draw(), f"{caption}{note}", alt=caption, css_class=css_class)

    made = attempt(figure.caption.rstrip("."), make, problems)
    if made is None:
        return f'<figure class="plot {css_class}">{markup.absent(problems[-1])}</figure>'
    return made

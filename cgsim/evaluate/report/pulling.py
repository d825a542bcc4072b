"""The report of a molecule that was pulled: one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from cgsim.evaluate.observables.pulling import PullingCurve
from cgsim.evaluate.report import markup, plots

#: Share of a trajectory, at its ends, over which numbers are averaged.
_PART = 20

_CURVES = (
    "Faint lines are single frames, strong ones means over a two-hundredth of the time. The spring "
    "is relaxed where the ends are as far apart as the dashed line says; its force is its "
    "stiffness times how far they lag behind. A residue counts as helical if phi is between -100 "
    "and -30 and psi between -80 and -5 degrees."
)


def write_pulling_report(
    path: str | Path,
    curves: Sequence[PullingCurve],
    *,
    title: str,
    provenance: Mapping[str, object] | None = None,
) -> None:
    """Write the page; the file appears only when it is complete.

    Parameters
    ----------
    path
        Of the HTML file.
    curves
        Replicas, at least one.
    title
        Headline. Plain text.
    provenance
        Names and values shown at the end, may be nested.

    Raises
    ------
    ValueError
        If there is no curve.
    """
    if not curves:
        raise ValueError("give the curve of at least one replica")
    figure = markup.plot(
        plots.plot_pulling(curves), "", alt="Distance, force and helix over time", css_class="wide"
    )
    sections = [
        markup.section("Force and extension", _CURVES, figure),
        markup.section("From start to end", "", _table(curves)),
    ]
    if provenance:
        sections.append(markup.section("How this was made", "", markup.provenance(provenance)))
    markup.write_page(
        path,
        kicker=markup.kicker("cgsim · steered molecular dynamics"),
        title=escape(title),
        lead="One end is fixed, the other hangs on a spring that moves away at constant velocity.",
        sections="\n".join(sections),
        footer="Made by cgsim.",
    )


def _table(curves: Sequence[PullingCurve]) -> str:
    head = (
        "replica", "time (ps)", "distance, first (nm)", "last (nm)", "highest mean force "
        "(kJ/mol/nm)", "helix, first", "last",
    )  # fmt: skip
    body = []
    for curve in curves:
        n_part = max(1, len(curve.time) // _PART)
        _, _, force = curve.smooth(n_part * (curve.time[-1] / len(curve.time)))
        texts = (
            f"{curve.time[-1]:g}",
            f"{curve.distance[:n_part].mean():.2f}",
            f"{curve.distance[-n_part:].mean():.2f}",
            f"{force.max():,.0f}",
            f"{curve.helix[:n_part].mean():.2f}",
            f"{curve.helix[-n_part:].mean():.2f}",
        )
        body.append([f"<th>{escape(curve.name)}</th>", *(f"<td>{text}</td>" for text in texts)])
    return markup.table(head, body)

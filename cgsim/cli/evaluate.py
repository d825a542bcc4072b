"""The commands `cgsim evaluate` and `cgsim report`."""

from collections.abc import Mapping
from pathlib import Path

from cgsim.cli.yardsticks import with_yardsticks
from cgsim.cluster import Cluster


@with_yardsticks
def evaluate(
    reference: list[Path],
    learned: list[Path],
    *,
    yardsticks: Mapping[str, list[Path]],
    observable: list[str] | None = None,
    output: Path | None = None,
    cluster: Cluster = Cluster(),  # noqa: B008
) -> None:
    """Score roll-outs against reference MD: a table, and its numbers as JSON.

    Example: cgsim evaluate mapped/test rollout --output scores.json

    Args:
        reference: Folders NAME.cg of MD.
        learned: Folders of `cgsim rollout`.
        observable: Observables of your own to score too, as package.module:THING.
        output: JSON file of all scores.
        cluster: Who does the work.
    """
    from cgsim.cluster.scores import RowPaths, score_into
    from cgsim.evaluate.judge import print_scores

    paths = RowPaths(reference, learned, yardsticks, observable or ())
    print_scores(score_into(paths, output, cluster=cluster))


@with_yardsticks
def report(
    reference: list[Path],
    learned: list[Path],
    *,
    yardsticks: Mapping[str, list[Path]],
    observable: list[str] | None = None,
    output: Path,
    run: Path | None = None,
    title: str = "A learned simulator against molecular dynamics",
) -> None:
    """Score roll-outs against reference MD in a self-contained report page with a 3-D player.

    Example: cgsim report mapped/test rollout --output report --run model

    Args:
        reference: Folders NAME.cg of MD.
        learned: Folders of `cgsim rollout`.
        observable: Observables of your own to score too, as package.module:THING.
        output: Folder for report.html and metrics.json.
        run: Training directory, for the loss curve.
        title: Headline of the page.
    """
    from cgsim.evaluate.judge import Rows, judge_rollout
    from cgsim.evaluate.observables.table import add_named
    from cgsim.evaluate.sources import read_ensembles

    add_named(observable or ())
    rows = Rows(
        reference=read_ensembles(reference),
        learned=read_ensembles(learned),
        yardsticks={key: read_ensembles(paths) for key, paths in yardsticks.items()},
    )
    judge_rollout(rows, output, title=title, run=run)
    print(f"report: {output / 'report.html'}")

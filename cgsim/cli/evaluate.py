"""The commands `cgsim evaluate` and `cgsim report`."""

from pathlib import Path

from cgsim.cluster import Cluster
from cgsim.evaluate.judge import Rows
from cgsim.evaluate.sources import read_ensembles


def evaluate(
    reference: list[Path],
    learned: list[Path],
    *,
    output: Path | None = None,
    floor: list[Path] | None = None,
    md_equal_time: list[Path] | None = None,
    cluster: Cluster = Cluster(),  # noqa: B008
) -> None:
    """Score roll-outs against reference MD: a table, and its numbers as JSON.

    Example: cgsim evaluate mapped/test rollout --output scores.json

    Args:
        reference: Folders NAME.cg of MD.
        learned: Folders of `cgsim rollout`.
        output: JSON file of all scores.
        floor: A second, independent MD run of the same molecules.
        md_equal_time: MD as long as the wall-clock of the roll-out allows.
        cluster: Who does the work.
    """
    from cgsim.cluster.scores import RowPaths, score_into
    from cgsim.evaluate.judge import print_scores

    paths = RowPaths(reference, learned, floor, md_equal_time)
    print_scores(score_into(paths, output, cluster=cluster))


def report(
    reference: list[Path],
    learned: list[Path],
    *,
    output: Path,
    floor: list[Path] | None = None,
    md_equal_time: list[Path] | None = None,
    run: Path | None = None,
    title: str = "A learned simulator against molecular dynamics",
) -> None:
    """Score roll-outs against reference MD in a self-contained report page with a 3-D player.

    Example: cgsim report mapped/test rollout --output report --run model

    Args:
        reference: Folders NAME.cg of MD.
        learned: Folders of `cgsim rollout`.
        output: Folder for report.html and metrics.json.
        floor: A second, independent MD run of the same molecules.
        md_equal_time: MD as long as the wall-clock of the roll-out allows.
        run: Training directory, for the loss curve.
        title: Headline of the page.
    """
    from cgsim.evaluate.judge import judge_rollout

    judge_rollout(read_rows(reference, learned, floor, md_equal_time), output, title=title, run=run)
    print(f"report: {output / 'report.html'}")


def read_rows(
    reference: list[Path],
    learned: list[Path],
    floor: list[Path] | None,
    md_equal_time: list[Path] | None,
) -> Rows:
    """The ensembles of one comparison."""
    return Rows(
        reference=read_ensembles(reference),
        learned=read_ensembles(learned),
        floor=None if floor is None else read_ensembles(floor),
        md_equal_time=None if md_equal_time is None else read_ensembles(md_equal_time),
    )

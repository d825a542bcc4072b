"""The command `cgsim evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING

from cgsim.cluster.portions import Cluster

if TYPE_CHECKING:
    from cgsim.evaluate.judge import Rows


def command(
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
    from cgsim.evaluate.judge import print_scores, score
    from cgsim.evaluate.sources import find_sources
    from cgsim.io import write_atomic_json

    if cluster.is_asked_for or cluster.is_wanted(len(find_sources(reference))):
        from cgsim.cluster.scores import RowPaths, score_into

        paths = RowPaths(reference, learned, floor, md_equal_time)
        comparison = score_into(paths, output, cluster=cluster)
    else:
        comparison = score(read_rows(reference, learned, floor, md_equal_time))
        if output is not None:
            write_atomic_json(output, comparison.to_dict())
    print_scores(comparison)


def read_rows(
    reference: list[Path],
    learned: list[Path],
    floor: list[Path] | None,
    md_equal_time: list[Path] | None,
) -> "Rows":
    """The ensembles of one comparison."""
    from cgsim.evaluate.judge import Rows
    from cgsim.evaluate.sources import read_ensembles

    return Rows(
        reference=read_ensembles(reference),
        learned=read_ensembles(learned),
        floor=None if floor is None else read_ensembles(floor),
        md_equal_time=None if md_equal_time is None else read_ensembles(md_equal_time),
    )

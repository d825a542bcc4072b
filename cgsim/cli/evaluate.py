"""The command `cgsim evaluate`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cgsim.cli.yardsticks import with_yardsticks
from cgsim.cluster.portions import Cluster

if TYPE_CHECKING:
    from cgsim.evaluate.judge import Rows


@with_yardsticks
def command(
    reference: list[Path],
    learned: list[Path],
    *,
    yardsticks: Mapping[str, list[Path]],
    observable: list[str] | None = None,
    output: Path | None = None,
    overwrite: bool = False,
    cluster: Cluster = Cluster(),  # noqa: B008
) -> None:
    """Score roll-outs against reference MD: a table, and its numbers as JSON.

    Example: cgsim evaluate mapped/test rollout --output scores.json

    Args:
        reference: Folders NAME.cg of MD.
        learned: Folders of `cgsim rollout`.
        observable: Observables of your own to score too, as package.module:THING.
        output: JSON file of all scores.
        overwrite: Replace what is there already. Workers bring up to date what they wrote before.
        cluster: Who does the work.
    """
    from cgsim.evaluate.judge import print_scores, score
    from cgsim.evaluate.sources import find_sources
    from cgsim.io import write_atomic_json
    from cgsim.io.files import check_new

    if cluster.is_asked_for or cluster.is_wanted(len(find_sources(reference))):
        from cgsim.cluster.scores import RowPaths, score_into

        paths = RowPaths(reference, learned, yardsticks, observable or ())
        comparison = score_into(paths, output, cluster=cluster)
    else:
        if output is not None:
            check_new(output, overwrite=overwrite)
        comparison = score(read_rows(reference, learned, yardsticks, observable or ()))
        if output is not None:
            write_atomic_json(output, comparison.to_dict())
    print_scores(comparison)


def read_rows(
    reference: Sequence[Path],
    learned: Sequence[Path],
    yardsticks: Mapping[str, Sequence[Path]],
    observables: Sequence[str],
) -> "Rows":
    """The ensembles of one comparison; observables of the user come into the table before."""
    from cgsim.evaluate.judge import Rows
    from cgsim.evaluate.observables.table import add_named
    from cgsim.evaluate.sources import read_ensembles

    add_named(observables)
    return Rows(
        reference=read_ensembles(reference),
        learned=read_ensembles(learned),
        yardsticks={key: read_ensembles(paths) for key, paths in yardsticks.items()},
    )

"""The commands `cgsim evaluate` and `cgsim report`."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cgsim.cluster import Cluster
from cgsim.evaluate.yardsticks import YARDSTICKS

_PARAMETER = "yardsticks"


def with_yardsticks(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the parameter ``yardsticks`` of a command into one option per row of `YARDSTICKS`."""
    signature = inspect.signature(command)
    options = [
        inspect.Parameter(
            key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=list[Path] | None
        )
        for key in YARDSTICKS
    ]

    def run(*arguments: Any, **given: Any) -> None:
        rows = {key: given.pop(key, None) for key in YARDSTICKS}
        command(*arguments, yardsticks={key: own for key, own in rows.items() if own}, **given)

    kept = [own for name, own in signature.parameters.items() if name != _PARAMETER]
    parameters = sorted([*kept, *options], key=lambda own: own.kind)
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    run.__name__, run.__qualname__ = command.__name__, command.__qualname__
    run.__annotations__ = {own.name: own.annotation for own in parameters} | {"return": None}
    helps = "".join(f"    {key}: {row.help}\n" for key, row in YARDSTICKS.items())
    # Commands end with "Args:", where the parser finds the help of each option.
    run.__doc__ = f"{inspect.getdoc(command)}\n{helps}"
    return run


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

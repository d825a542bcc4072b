"""The command `cgsim report`."""

from collections.abc import Mapping
from pathlib import Path

from cgsim.cli.yardsticks import with_yardsticks


@with_yardsticks
def command(
    reference: list[Path],
    learned: list[Path],
    *,
    yardsticks: Mapping[str, list[Path]],
    observable: list[str] | None = None,
    output: Path,
    run: Path | None = None,
    title: str = "A learned simulator against molecular dynamics",
    overwrite: bool = False,
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
        overwrite: Replace what is there already.
    """
    from cgsim.cli.evaluate import read_rows
    from cgsim.evaluate.judge import judge_rollout
    from cgsim.io.files import check_new

    check_new(output / "report.html", overwrite=overwrite)
    rows = read_rows(reference, learned, yardsticks, observable or ())
    judge_rollout(rows, output, title=title, run=run)
    print(f"report: {output / 'report.html'}")

"""The command `cgsim report`."""

from pathlib import Path


def command(
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
    from cgsim.cli.evaluate import read_rows
    from cgsim.evaluate.judge import judge_rollout

    judge_rollout(read_rows(reference, learned, floor, md_equal_time), output, title=title, run=run)
    print(f"report: {output / 'report.html'}")

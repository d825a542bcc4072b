"""The command `cgsim quickstart`."""

from pathlib import Path

from cgsim.cli.named import takes
from cgsim.cli.quickstart_config import MODEL, TRAINING, QuickstartConfig
from cgsim.config import ModelConfig, TrainingConfig


@takes("network", "noise")
def command(
    *,
    output: Path | None = None,
    pretrained: bool = False,
    sizes: QuickstartConfig = QuickstartConfig(),  # noqa: B008
    model: ModelConfig = MODEL,
    training: TrainingConfig = TRAINING,
) -> None:
    """Make data, train, roll out polymers never seen, report: about five minutes on two cores.

    With --pretrained it takes about one minute. Interrupt it at any time; the same command goes on.

    Example: cgsim quickstart --output quickstart

    Args:
        output: Folder to write to, with report.html to look at; by default quickstart, or
            quickstart/pretrained.
        pretrained: Use packaged weights instead of training, which leaves no use for the options
            below.
        sizes: Number and length of the reference trajectories.
        model: Architecture.
        training: Steps, stride, learning rate.
    """
    from cgsim.cli.quickstart_run import quickstart_pretrained, run_quickstart

    if not pretrained:
        run_quickstart(output or "quickstart", sizes=sizes, model=model, training=training)
    elif (sizes, model, training) == (QuickstartConfig(), MODEL, TRAINING):
        quickstart_pretrained(output or "quickstart/pretrained")
    else:
        raise ValueError("--pretrained trains nothing: leave out --sizes, --model and --training")

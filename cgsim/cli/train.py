"""The command `cgsim train`."""

from pathlib import Path
from typing import Any

from cgsim.cli.named import takes
from cgsim.config import Hardware, ModelConfig, TrainingConfig


@takes("network", "noise")
def command(
    data: list[Path],
    *,
    output: Path,
    validation: list[Path] | None = None,
    model: ModelConfig = ModelConfig(),  # noqa: B008
    training: TrainingConfig = TrainingConfig(),  # noqa: B008
    hardware: Hardware = Hardware(),  # noqa: B008
    trainer: dict[str, Any] | None = None,
) -> None:
    """Train a simulator on mapped trajectories.

    Writes OUTPUT/simulator.safetensors, metrics.csv and TensorBoard logs. Interrupt it at any
    time; the same command goes on where it stopped.

    Example: cgsim train mapped/*.cg --output model --training.stride 5 --training.n_steps 5000

    Args:
        data: Folders NAME.cg of `cgsim map`, or folders of such folders.
        output: Training directory.
        validation: Folders of other molecules; by default the last part of every trajectory is
            held out.
        model: Architecture.
        training: Steps, stride, learning rate.
        hardware: Accelerator and number of devices.
        trainer: Loggers (--trainer.logger csv, tensorboard, wandb, or a list of them), optimizer
            and scheduler (package.module:function), and any option of lightning.Trainer, such as
            --trainer.accumulate_grad_batches 2.
    """
    from cgsim.mapping.store import load_mapped_folders

    # Before the rest is imported, which takes seconds: a wrong folder is said at once.
    learnt_from = load_mapped_folders(data)
    held_out = None if validation is None else load_mapped_folders(validation)

    from cgsim.model.checkpoint import SIMULATOR_FILE
    from cgsim.training.fit import fit

    fit(
        learnt_from,
        output,
        model=model,
        training=training,
        validation=held_out,
        hardware=hardware,
        trainer=trainer,
    )
    print(f"simulator: {output / SIMULATOR_FILE}")

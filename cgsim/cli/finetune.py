"""The command `cgsim finetune`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgsim.cli.named import takes
from cgsim.cli.reading import Reading
from cgsim.config import FinetuningConfig, Hardware

if TYPE_CHECKING:
    from cgsim.mapping.trajectory import MappedTrajectory


@takes("mapper", "network", "noise")
def command(  # noqa: PLR0913 (an argument for each option of the command)
    simulator: Path,
    data: list[Path],
    *,
    output: Path,
    topology: Path | None = None,
    replay: list[Path] | None = None,
    validation: list[Path] | None = None,
    finetuning: FinetuningConfig = FinetuningConfig(),  # noqa: B008
    hardware: Hardware = Hardware(),  # noqa: B008
    trainer: dict[str, Any] | None = None,
    reading: Reading = Reading(),  # noqa: B008
) -> None:
    """Fine-tune a simulator on new trajectories, in minutes.

    Writes OUTPUT/simulator.safetensors, and what was learnt and forgotten as finetuning.json. The
    weights kept are the best on held-out data, the old ones included. Interrupt it at any time;
    the same command goes on where it stopped.

    Example: cgsim finetune model/simulator.safetensors new.cg --output tuned --replay mapped

    Args:
        simulator: A stored simulator, or the name of a packaged one: polymer-mini or peptides.
        data: Folders NAME.cg of `cgsim map`, or trajectory files, which are mapped as the data of
            the simulator were.
        output: Directory to write to.
        topology: Topology of the trajectory files.
        replay: Folders NAME.cg of old data, mixed in against forgetting.
        validation: Folders NAME.cg to stop by; by default the last part of every new trajectory.
        finetuning: Steps, learning rate, patience.
        hardware: Accelerator and number of devices.
        trainer: Loggers (--trainer.logger csv, tensorboard, wandb, or a list of them), optimizer
            and scheduler (package.module:function), and any option of lightning.Trainer, such as
            --trainer.accumulate_grad_batches 2.
        reading: What the trajectory files and their topology leave open.
    """
    from cgsim.mapping.store import load_mapped_folders
    from cgsim.model.checkpoint import SIMULATOR_FILE
    from cgsim.training.finetune import finetune as tune
    from cgsim.training.finetune import load_report, print_report

    tune(
        simulator,
        read_trajectories(data, simulator, topology=topology, reading=reading),
        output,
        finetuning=finetuning,
        replay=None if replay is None else load_mapped_folders(replay),
        validation=None if validation is None else load_mapped_folders(validation),
        hardware=hardware,
        trainer=trainer,
    )
    print_report(load_report(output))
    print(f"simulator: {output / SIMULATOR_FILE}")


def read_trajectories(
    paths: Sequence[Path],
    simulator: Path,
    *,
    topology: Path | None,
    reading: Reading = Reading(),  # noqa: B008
) -> list["MappedTrajectory"]:
    """Mapped trajectories and, mapped now as the simulator's data were, trajectory files.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are files and no topology, the simulator knows no mapping, or something cannot be
        read.
    """
    from cgsim.mapping import build_mapping
    from cgsim.mapping.reference import mean_structure, with_reference
    from cgsim.mapping.store import load_mapped_folders, map_trajectory
    from cgsim.model.checkpoint import read_simulator

    files = [path for path in paths if path.is_file()]
    mapped = load_mapped_folders([path for path in paths if not path.is_file()])
    if not files:
        return mapped
    parent = read_simulator(simulator)
    recipe = parent.recipe
    if topology is None or recipe is None:
        lack = "needs --topology FILE" if topology is None else f"but {simulator} knows no mapping"
        raise ValueError(f"{files[0]}: a trajectory file, {lack}; or map it with `cgsim map`")
    molecule = reading.molecule(topology)
    mapping = build_mapping(molecule, recipe)
    runs = [
        map_trajectory(
            file,
            molecule,
            mapping,
            frame_interval=reading.frame_interval,
            allow=reading.allow,
        )
        for file in files
    ]
    if parent.config.graph.n_references:
        reference = mean_structure(runs)[None]
        runs = [with_reference(run, reference) for run in runs]
    return mapped + runs

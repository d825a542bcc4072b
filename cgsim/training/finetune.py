"""Fine-tune a simulator: from a checkpoint and new trajectories to a new checkpoint, in minutes.

Against forgetting old windows are replayed: of all that was tried it alone keeps the old and learns
the new as well. `docs/design.md` has the figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cgsim.config import FinetuningConfig, Hardware, TrainingConfig
from cgsim.data.sampling import ReplayDataset
from cgsim.data.scales import shared_frame_interval
from cgsim.data.windows import WindowDataset
from cgsim.io import read_json, write_atomic_json
from cgsim.io.records import as_config, from_dict, to_dict
from cgsim.mapping.reference import merged, references_of
from cgsim.mapping.trajectory import MappedTrajectory, atom_types_of, split_by_time
from cgsim.model.checkpoint import SIMULATOR_FILE, Provenance, load_simulator, save_simulator
from cgsim.model.simulator import Simulator
from cgsim.training.module import Patience, TrainingModule
from cgsim.training.options import Options, TrainerOptions
from cgsim.training.parent import Parent, with_atom_types
from cgsim.training.run import RUN_FILE, check_claim, check_held_out, check_temperature, described
from cgsim.training.trainer import checked_options, module_of, optimise, validation_nll

REPORT_FILE = "finetuning.json"
N_WARMUP, EMA_DECAY = 20, 0.98  # a few hundred steps in all


@dataclass(frozen=True)
class NLLChange:
    """Negative log-likelihood of held-out windows, nats per degree of freedom.

    Attributes
    ----------
    before, after
        Of the simulator that was fine-tuned, and of what it became (see `Simulator.loss`).
    """

    before: float
    after: float

    @property
    def difference(self) -> float:
        """Negative: learnt. Positive: forgotten."""
        return self.after - self.before


@dataclass(frozen=True)
class FinetuningReport:
    """What was learnt, and what was forgotten.

    Attributes
    ----------
    best_step
        Optimiser steps behind the weights that were kept; 0 if none were better than the old ones.
    new
        On the held-out part of the new data, by which `best_step` was chosen.
    old
        On the held-out part of the replayed data, which had no part in the choice; None without.
    """

    best_step: int
    new: NLLChange
    old: NLLChange | None = None


def finetune(
    simulator: Simulator | str | Path,
    trajectories: Sequence[MappedTrajectory],
    directory: str | Path,
    *,
    finetuning: FinetuningConfig | Mapping[str, Any] | None = None,
    replay: Sequence[MappedTrajectory] | None = None,
    validation: Sequence[MappedTrajectory] | None = None,
    hardware: Hardware | Mapping[str, Any] | None = None,
    trainer: Options = None,
) -> Simulator:
    """Fine-tune a simulator and write ``simulator.safetensors`` into a directory.

    The time step and all scales stay those of the simulator: they give its weights their meaning.
    The weights that are kept are those of the lowest NLL on held-out data, the old ones included,
    so it ends no worse there than it began; what was learnt and forgotten is in
    ``finetuning.json`` (see `load_report`). It can be interrupted and called again, as
    `cgsim.fit` can.

    Parameters
    ----------
    simulator
        A stored simulator, the name of a packaged one, or one that is loaded; the checkpoint
        names its parent's file and data only if it is given by file or name.
    trajectories
        New trajectories, mapped by the recipe of the simulator. Their frame interval may be any
        whole fraction of its time step. Atom types that it does not know get the mean of the
        known embeddings to begin with.
    directory
        Where everything is written.
    finetuning, hardware
        Configurations, or mappings of those of their fields that are not the defaults of
        `cgsim.config`, such as ``finetuning={"n_steps": 300}``.
    replay
        Old trajectories, a share of every batch, against forgetting.
    validation
        Trajectories to stop by; by default the last part of every new one.
    trainer
        Loggers, callbacks, optimiser and more, as of `cgsim.fit`.

    Returns
    -------
    The simulator, in evaluation mode on the CPU.

    Raises
    ------
    ValueError
        If trajectories are too short, differ in frame interval, temperature or mapping, do not fit
        the time step or the mapping of the simulator, a field or an option is unknown, or the
        directory holds another run.
    ArithmeticError
        If the loss is no longer a number.

    Warns
    -----
    UserWarning
        If the new data are at another temperature than the simulator's, their beads move more
        than twice as far in a step or less than half as far, or have a handedness unknown to it.
    """
    directory, options = Path(directory), checked_options(trainer)
    finetuning = as_config(FinetuningConfig, finetuning, where="finetuning")
    hardware = as_config(Hardware, hardware, where="hardware")
    parent = Parent.load(simulator)
    parent.check([*trajectories, *(validation or [])])
    if replay:
        parent.check(replay)
        check_temperature([*trajectories, *replay])
    data = {
        "trajectories": described(trajectories),
        "replay": described(replay or []),
        "ancestor": parent.about,
    }
    settings = {
        "finetuning": to_dict(finetuning),
        "data": data,
        "validation": None if validation is None else described(validation),
        **options.described(),
    }
    check_claim(directory, settings)
    final = directory / SIMULATOR_FILE
    if final.exists():
        return load_simulator(final)
    tuned = with_atom_types(parent.simulator, atom_types_of(trajectories))
    if tuned.config.graph.n_references:
        new = references_of([*trajectories, *(replay or [])])
        tuned.references = merged(new, tuned.references)
    windows = _Windows.cut(tuned, trajectories, validation, replay=replay, config=finetuning)
    parent.compare(trajectories)
    training = _training(finetuning, stride=windows.stride, history_noise=parent.history_noise)
    module = module_of(tuned.train(), training, options)
    write_atomic_json(directory / RUN_FILE, settings)
    report = _optimise(
        module,
        windows,
        directory,
        n_patient=finetuning.patience,
        hardware=hardware,
        options=options,
    )
    write_atomic_json(directory / REPORT_FILE, to_dict(report))
    provenance = Provenance(trajectories[0].recipe, to_dict(training) | options.described(), data)
    save_simulator(tuned, final, provenance=provenance)
    return load_simulator(final)


def print_report(report: FinetuningReport) -> None:
    """What was learnt and forgotten as a table in the terminal."""
    from rich.console import Console  # here: fine-tuning itself does without
    from rich.table import Table

    table = Table("held-out data", *("before", "after", "change"), title="NLL, nats per d.o.f.")
    for name, change in (("new", report.new), ("old", report.old)):
        if change is not None:
            values = (f"{change.before:.4f}", f"{change.after:.4f}", f"{change.difference:+.4f}")
            table.add_row(name, *values)
    console = Console()
    console.print(table)
    if report.best_step == 0:
        console.print("No step lowered the NLL of the new data: the weights are the old ones.")
    else:
        console.print(f"The weights are those after {report.best_step} steps.")
    if report.old is None:
        console.print("What was forgotten is not known: there were no old data to replay.")


def load_report(directory: str | Path) -> FinetuningReport:
    """What a finished fine-tuning learnt and forgot.

    Raises
    ------
    FileNotFoundError, ValueError
        If the directory holds no such report, or a damaged one.
    """
    file = Path(directory) / REPORT_FILE
    report: FinetuningReport = from_dict(FinetuningReport, read_json(file), where=str(file))
    return report


@dataclass(frozen=True)
class _Windows:
    """What is learnt from, what it stops by, and what tells how much was forgotten."""

    train: WindowDataset | ReplayDataset
    held_out: WindowDataset
    old: WindowDataset | None
    stride: int

    @classmethod
    def cut(
        cls,
        simulator: Simulator,
        trajectories: Sequence[MappedTrajectory],
        validation: Sequence[MappedTrajectory] | None,
        *,
        replay: Sequence[MappedTrajectory] | None,
        config: FinetuningConfig,
    ) -> "_Windows":
        """Windows of all trajectories, the last part of each held out in time."""
        fraction = config.validation_fraction
        stride = simulator.scales.stride_at(shared_frame_interval(trajectories))
        if validation is None:
            trajectories, validation = _hold_out(simulator, trajectories, fraction=fraction)
        train, held_out = simulator.windows(trajectories), simulator.windows(validation)
        if not replay:
            return cls(train, held_out, None, stride)
        early, late = _hold_out(simulator, replay, fraction=fraction)
        both = ReplayDataset(train, simulator.windows(early), share=config.replay_share)
        return cls(both, held_out, simulator.windows(late), stride)


def _hold_out(
    simulator: Simulator, trajectories: Sequence[MappedTrajectory], *, fraction: float
) -> tuple[list[MappedTrajectory], list[MappedTrajectory]]:
    stride = simulator.scales.stride_at(shared_frame_interval(trajectories))
    early, late = split_by_time(trajectories, fraction=fraction)
    check_held_out(late, n_needed=simulator.config.history * stride + 1)
    return early, late


def _training(config: FinetuningConfig, *, stride: int, history_noise: float) -> TrainingConfig:
    """All settings of the optimisation, for all weights alike.

    Tried and of no use: to freeze or slow the embedding makes no difference, and a pull to the old
    weights forgets less only where it learns less (docs/design.md has the figures).
    """
    return TrainingConfig(
        stride=stride,
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=0.0,  # it pulls towards zero, away from the old weights
        n_warmup=N_WARMUP,
        ema_decay=EMA_DECAY,
        keep=config.keep,
        history_noise=history_noise,  # the network is told its level, and knows no other
        time_reversal=config.time_reversal,
        validation_fraction=config.validation_fraction,
        steps_per_epoch=config.steps_per_epoch,
        seed=config.seed,
    )


def _optimise(
    module: TrainingModule,
    windows: _Windows,
    directory: Path,
    *,
    n_patient: int,
    hardware: Hardware,
    options: TrainerOptions,
) -> FinetuningReport:
    """Optimise; the module ends with the weights that are kept, or the first if those are worse."""
    start = {name: value.clone() for name, value in module.state_dict().items()}
    judged = [data for data in (windows.held_out, windows.old) if data is not None]
    before = [validation_nll(module, data) for data in judged]
    best_step = optimise(
        module,
        directory,
        train=windows.train,
        validation=windows.held_out,
        hardware=hardware,
        options=options,
        patience=Patience(n_patient, start_nll=before[0]),
    )
    # With few data and little to learn a fine-tuning can only spoil: 270 frames of a chain that
    # was known already cost half a nat. So the old weights are kept where they are better.
    if not validation_nll(module, windows.held_out) < before[0]:
        module.load_state_dict(start)
        best_step = 0
    after = [validation_nll(module, data) for data in judged]
    return FinetuningReport(best_step, *map(NLLChange, before, after))

"""Train a simulator: check the data, claim a directory, optimise, save."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cgsim.config import Hardware, ModelConfig, TrainingConfig
from cgsim.data.cutouts import CutoutDataset
from cgsim.data.sampling import TrajectoryWindows
from cgsim.data.scales import measure
from cgsim.io import write_atomic_json
from cgsim.io.records import as_config, to_dict
from cgsim.mapping.reference import references_of
from cgsim.mapping.trajectory import MappedTrajectory, atom_types_of, split_by_time
from cgsim.model.checkpoint import SIMULATOR_FILE, Provenance, load_simulator, save_simulator
from cgsim.model.networks import Network, read_model_config, with_networks
from cgsim.model.simulator import Simulator
from cgsim.training.options import Options
from cgsim.training.run import (
    RUN_FILE,
    check_alike,
    check_claim,
    check_held_out,
    described,
    has_ended,
)
from cgsim.training.trainer import checked_options, module_of, optimise


def fit(
    trajectories: Sequence[MappedTrajectory],
    directory: str | Path,
    *,
    model: ModelConfig | Mapping[str, Any] | None = None,
    training: TrainingConfig | Mapping[str, Any] | None = None,
    validation: Sequence[MappedTrajectory] | None = None,
    hardware: Hardware | Mapping[str, Any] | None = None,
    trainer: Options = None,
    network: Network | Sequence[Network] | None = None,
) -> Simulator:
    """Train a simulator and write ``simulator.safetensors`` into a directory.

    Interrupt it at any time: called again with the same arguments it goes on from the last epoch
    and ends as if it had never stopped; with more ``training.n_cycles`` it goes on with a run that
    has ended. Losses are logged to ``metrics.csv`` and TensorBoard, or where ``trainer`` says.

    Parameters
    ----------
    trajectories
        Mapped trajectories of one or many molecules with the same frame interval.
    directory
        Where everything is written.
    model, training, hardware
        Configurations, or mappings of those of their fields that are not the defaults of
        `cgsim.config`, such as ``training={"stride": 5}``.
    validation
        Trajectories of other molecules to validate on; by default the last part of every training
        trajectory.
    trainer
        Loggers, callbacks, optimiser, scheduler, and any option of `lightning.Trainer`: a mapping
        or `cgsim.training.options.TrainerOptions`.
    network
        Networks in place of those of cgsim: one of `cgsim.baselines`, or your own (see
        `cgsim.model.networks`).

    Returns
    -------
    The simulator with averaged weights, in evaluation mode on the CPU.

    Raises
    ------
    ValueError
        If trajectories are too short, differ in frame interval or mapping, only some have a
        reference structure, a field or an option is unknown, or the directory holds another run.
    ArithmeticError
        If the loss is no longer a number.
    """
    directory, options = Path(directory), checked_options(trainer)
    model = _model_of(model, network)
    training = as_config(TrainingConfig, training, where="training")
    hardware = as_config(Hardware, hardware, where="hardware")
    final = directory / SIMULATOR_FILE
    check_alike([*trajectories, *(validation or [])])
    model = with_references(model, [*trajectories, *(validation or [])])
    data = {"trajectories": described(trajectories)}
    settings: dict[str, Any] = {
        "model": to_dict(model),
        "training": to_dict(training),
        "data": data,
        **options.described(),
    }
    if validation is not None:
        settings["validation"] = described(validation)
    check_claim(directory, settings)
    if has_ended(final, training):
        return load_simulator(final)
    if validation is None:
        trajectories, validation = split_by_time(
            trajectories, fraction=training.validation_fraction
        )
        check_held_out(validation, n_needed=model.history * training.stride + 1)
    simulator = new_simulator(trajectories, model=model, training=training)
    module = module_of(simulator, training, options)
    train, held_out = (
        training_windows(simulator, part, n_beads=training.n_window_beads)
        for part in (trajectories, validation)
    )
    write_atomic_json(directory / RUN_FILE, settings)
    optimise(
        module,
        directory,
        train=train,
        validation=held_out,
        hardware=hardware,
        options=options,
    )
    provenance = Provenance(trajectories[0].recipe, to_dict(training) | options.described(), data)
    save_simulator(simulator, final, provenance=provenance)
    return load_simulator(final)


def new_simulator(
    trajectories: Sequence[MappedTrajectory],
    *,
    model: ModelConfig | Mapping[str, Any] | None = None,
    training: TrainingConfig | Mapping[str, Any] | None = None,
    network: Network | Sequence[Network] | None = None,
) -> Simulator:
    """An untrained simulator with the scales and atom types of trajectories, as `fit` begins with.

    It is already sensible: it moves beads as far as the data do, about their present place.

    Parameters
    ----------
    model, network
        See `fit`.
    training
        Of it ``stride``, which makes the time step, and ``seed``, of the weights.

    Raises
    ------
    ValueError
        If the trajectories differ in frame interval, are shorter than a step, or nothing moves.
    """
    model = _model_of(model, network)
    training = as_config(TrainingConfig, training, where="training")
    model = with_references(model, trajectories)
    torch.manual_seed(training.seed)
    scales = measure(trajectories, stride=training.stride)
    simulator = Simulator(model, atom_types=atom_types_of(trajectories), scales=scales)
    if model.graph.n_references:
        simulator.references = references_of(trajectories)
    return simulator


def with_references(model: ModelConfig, trajectories: Sequence[MappedTrajectory]) -> ModelConfig:
    """A model that knows of as many reference structures as the molecules of the data have.

    Raises
    ------
    ValueError
        If only some molecules have one, or the model was told of fewer.
    """
    counts = {own.name: 0 if own.reference is None else len(own.reference) for own in trajectories}
    most, told = max(counts.values()), model.graph.n_references
    without = next((name for name, count in counts.items() if count == 0), None)
    if most and without is not None:
        given = next(name for name, count in counts.items() if count)
        raise ValueError(
            f"{given} has a reference structure and {without} none: map all of them with "
            "--reference, or all with --reference none"
        )
    if 0 < told < most:
        raise ValueError(
            f"model.graph.n_references is {told}, but the data have {most}: leave it out"
        )
    return replace(model, graph=replace(model.graph, n_references=max(told, most)))


def _model_of(
    given: ModelConfig | Mapping[str, Any] | None, network: Network | Sequence[Network] | None
) -> ModelConfig:
    """A model of these networks, whose own settings a mapping may hold too."""
    if isinstance(given, Mapping):
        names = to_dict(with_networks(ModelConfig(), network).networks)
        given = read_model_config({"networks": names} | dict(given), where="model")
    return with_networks(as_config(ModelConfig, given, where="model"), network)


def training_windows(
    simulator: Simulator, trajectories: Sequence[MappedTrajectory], *, n_beads: int | None
) -> TrajectoryWindows:
    """Windows to learn from, or to validate on: cut out of systems of more than ``n_beads`` beads.

    The shell around the core is as thick as the cutoff for every convolution of the dynamics
    network and for the step from a bead to its neighbour, where the window is large enough.
    """
    windows = simulator.windows(trajectories)
    if n_beads is None:
        return windows
    n_reached = simulator.config.dynamics.n_layers + 1
    return CutoutDataset(
        windows,
        n_beads=n_beads,
        shell=n_reached * simulator.cutoff,
        n_bonds=simulator.config.embedding.n_layers,
    )

"""Train a simulator: check the data, claim a directory, optimise, save."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cgsim.config import FinetuningConfig, Hardware, ModelConfig, TrainingConfig
from cgsim.data.cutouts import CutoutDataset
from cgsim.data.sampling import TrajectoryWindows
from cgsim.data.scales import measure, shared_frame_interval
from cgsim.io import read_json, write_atomic_json
from cgsim.io.records import from_dict, to_dict
from cgsim.mapping.trajectory import MappedTrajectory, atom_types_of, split_by_time
from cgsim.model.checkpoint import (
    SIMULATOR_FILE,
    Provenance,
    load_provenance,
    load_simulator,
    save_simulator,
)
from cgsim.model.networks import Network, read_model_config, with_networks
from cgsim.model.simulator import Simulator
from cgsim.model.upgrade import upgraded_model
from cgsim.training.module import TrainingModule
from cgsim.training.trainer import optimise

RUN_FILE = "run.json"


def fit(
    trajectories: Sequence[MappedTrajectory],
    directory: str | Path,
    *,
    model: ModelConfig | None = None,
    training: TrainingConfig | None = None,
    validation: Sequence[MappedTrajectory] | None = None,
    hardware: Hardware | None = None,
    data_provenance: dict[str, Any] | None = None,
    network: Network | Sequence[Network] | None = None,
) -> Simulator:
    """Train a simulator and write ``simulator.safetensors`` into a directory.

    Interrupt it at any time: called again with the same arguments it goes on from the last epoch
    and ends as if it had never stopped; with more ``training.n_cycles`` it goes on with a run that
    has ended. Losses are logged to ``metrics.csv`` and TensorBoard.

    Parameters
    ----------
    trajectories
        Mapped trajectories of one or many molecules with the same frame interval.
    directory
        Where everything is written.
    model, training, hardware
        Configurations; defaults in `cgsim.config`.
    validation
        Trajectories of other molecules to validate on; by default the last part of every training
        trajectory.
    data_provenance
        Written into the checkpoint with the names and lengths of the trajectories.
    network
        Networks in place of those of cgsim: one of `cgsim.baselines`, or your own (see
        `cgsim.model.networks`).

    Returns
    -------
    The simulator with averaged weights, in evaluation mode on the CPU.

    Raises
    ------
    ValueError
        If trajectories are too short, differ in frame interval or mapping, or the directory holds
        another run.
    ArithmeticError
        If the loss is no longer a number.
    """
    directory = Path(directory)
    model, training = with_networks(model or ModelConfig(), network), training or TrainingConfig()
    final = directory / SIMULATOR_FILE
    check_alike([*trajectories, *(validation or [])])
    data = {"trajectories": described(trajectories), **(data_provenance or {})}
    settings: dict[str, Any] = {
        "model": to_dict(model),
        "training": to_dict(training),
        "data": data,
    }
    if validation is not None:
        settings["validation"] = described(validation)
    check_claim(directory, settings)
    if _has_ended(final, training):
        return load_simulator(final)
    if validation is None:
        trajectories, validation = split_by_time(
            trajectories, fraction=training.validation_fraction
        )
        check_held_out(validation, n_needed=model.history * training.stride + 1)
    torch.manual_seed(training.seed)
    statistics = measure(trajectories, stride=training.stride)
    simulator = Simulator(model, atom_types=atom_types_of(trajectories), statistics=statistics)
    train, held_out = (
        training_windows(simulator, part, n_beads=training.n_window_beads)
        for part in (trajectories, validation)
    )
    write_atomic_json(directory / RUN_FILE, settings)
    optimise(
        TrainingModule(simulator, training),
        directory,
        train=train,
        validation=held_out,
        hardware=hardware or Hardware(),
    )
    provenance = Provenance(trajectories[0].recipe, to_dict(training), data)
    save_simulator(simulator, final, provenance=provenance)
    return load_simulator(final)


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


def check_alike(trajectories: Sequence[MappedTrajectory]) -> None:
    """Check that trajectories may be used together.

    Raises
    ------
    ValueError
        If there are none, or two differ in frame interval or temperature, or were mapped by
        different recipes.
    """
    shared_frame_interval(trajectories)
    check_temperature(trajectories)
    first = trajectories[0]
    for other in trajectories:
        if not is_same_recipe(first.recipe, other.recipe):
            raise ValueError(
                f"{first.name} was mapped by {first.recipe}, {other.name} by {other.recipe}: "
                "map all of them alike"
            )


def check_temperature(trajectories: Sequence[MappedTrajectory]) -> None:
    """Check that those trajectories whose temperature is known were made at the same.

    Raises
    ------
    ValueError
        Naming two that were not.
    """
    known = [(e.name, e.temperature) for e in trajectories if e.temperature is not None]
    for name, temperature in known[1:]:
        first, expected = known[0]
        if not np.isclose(temperature, expected, rtol=1e-2):
            raise ValueError(
                f"{first} is at {expected:g} K, {name} at {temperature:g} K: a simulator learns "
                "one temperature"
            )


def is_same_recipe(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two mappings are alike; beads that the user chose are so for every molecule."""
    each_its_own = first.get("method") == second.get("method") == "user"
    return first == second or each_its_own


def check_held_out(validation: Sequence[MappedTrajectory], *, n_needed: int) -> None:
    """Check that the last part of every trajectory holds a window to validate on.

    Raises
    ------
    ValueError
        Naming the first that does not.
    """
    for held_out in validation:
        if held_out.n_frames < n_needed:
            raise ValueError(
                f"{held_out.name}: its last {held_out.n_frames} frames are held out for "
                f"validation, but one window needs {n_needed} frames: give longer trajectories, "
                "a larger validation_fraction, or validation data"
            )


def described(trajectories: Sequence[MappedTrajectory]) -> list[dict[str, Any]]:
    """What a checkpoint says of trajectories; the temperature (K) where it is known."""
    fields = ("name", "n_frames", "frame_interval", "temperature")
    entries = [{key: getattr(each, key) for key in fields} for each in trajectories]
    return [{k: value for k, value in entry.items() if value is not None} for entry in entries]


def check_claim(directory: Path, settings: dict[str, Any]) -> None:
    """Refuse to go on with another run.

    Raises
    ------
    ValueError
        If another run is in this directory, or a simulator of unknown origin.
    """
    file = directory / RUN_FILE
    if (directory / SIMULATOR_FILE).exists() and not file.exists():
        raise ValueError(
            f"{directory} holds a {SIMULATOR_FILE} without the {file.name} that says what it is: "
            "choose another directory"
        )
    if not file.exists():
        return
    begun, wanted = _completed(file), json.loads(json.dumps(settings))
    if "training" in begun and "training" in wanted:
        n_begun, n_wanted = (each["training"].pop("n_cycles") for each in (begun, wanted))
        if n_begun > n_wanted:
            raise ValueError(f"{directory} holds a run of {n_begun} cycles, not of {n_wanted}")
    if begun != wanted:
        raise ValueError(
            f"{directory} holds a run with other settings or data (see {file.name}): "
            "choose another directory"
        )


def _has_ended(final: Path, training: TrainingConfig) -> bool:
    """Whether there is a simulator that was trained for all cycles."""
    if not final.exists():
        return False
    return load_provenance(final).training.get("n_cycles", 1) == training.n_cycles


def _completed(file: Path) -> dict[str, Any]:
    """Settings of a run, with the defaults of what was no option yet when it began."""
    settings = read_json(file)
    if "model" in settings:
        model = upgraded_model(settings["model"], settings.pop("network", "Simulator"))
        settings["model"] = to_dict(read_model_config(model, where=f"{file}: model"))
    configs = {"training": TrainingConfig, "finetuning": FinetuningConfig}
    for name, config in configs.items():
        if name in settings:
            settings[name] = to_dict(from_dict(config, settings[name], where=f"{file}: {name}"))
    return settings

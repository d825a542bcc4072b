"""What a training run is of, its data and its settings, and the directory that it claims."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.config import FinetuningConfig, TrainingConfig
from cgsim.data.scales import shared_frame_interval
from cgsim.io import read_json
from cgsim.io.records import from_dict, to_dict
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import SIMULATOR_FILE, load_provenance
from cgsim.model.networks import read_model_config
from cgsim.model.upgrade import upgraded_model

RUN_FILE = "run.json"
_LONGEST = 80  # characters of a difference that is told with its values


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
                "a larger training.validation_fraction, or validation data"
            )


def described(trajectories: Sequence[MappedTrajectory]) -> list[dict[str, Any]]:
    """What a checkpoint says of trajectories; temperature (K) and reference where known."""
    fields = ("name", "n_frames", "frame_interval", "temperature")
    entries = [
        {key: getattr(each, key) for key in fields} | {"reference": _digest(each)}
        for each in trajectories
    ]
    return [{k: value for k, value in entry.items() if value is not None} for entry in entries]


def _digest(trajectory: MappedTrajectory) -> str | None:
    """By which reference structures are told apart; they are in the checkpoint themselves."""
    if trajectory.reference is None:
        return None
    rounded = np.round(trajectory.reference, 4) + 0.0  # no negative zeros
    return hashlib.sha256(rounded.astype("<f8").tobytes()).hexdigest()[:16]


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
            f"{directory} holds a run with other settings or data ({_difference(begun, wanted)}; "
            f"see {file.name}): choose another directory"
        )


def _difference(begun: dict[str, Any], wanted: dict[str, Any], *, within: str = "") -> str:
    """The first entry that is not the same, by its place, with both values where they are short."""
    for key in begun | wanted:
        then, now = begun.get(key), wanted.get(key)
        if then == now:
            continue
        place = f"{within}{key}"
        if isinstance(then, dict) and isinstance(now, dict):
            return _difference(then, now, within=f"{place}.")
        said = f"{place} was {json.dumps(then)}, now {json.dumps(now)}"
        return said if len(said) <= _LONGEST else place
    return ""


def has_ended(final: Path, training: TrainingConfig) -> bool:
    """Whether there is a simulator that was trained for all cycles."""
    if not final.exists():
        return False
    return load_provenance(final).training.get("n_cycles", 1) == training.n_cycles


def _completed(file: Path) -> dict[str, Any]:
    """Settings of a run, with the defaults of what was no option yet when it began."""
    settings = read_json(file)
    try:
        if "model" in settings:
            model = upgraded_model(settings["model"], settings.pop("network", "Simulator"))
            settings["model"] = to_dict(read_model_config(model))
        for name, config in (("training", TrainingConfig), ("finetuning", FinetuningConfig)):
            if name in settings:
                settings[name] = to_dict(from_dict(config, settings[name], where=name))
    except ValueError as error:
        raise ValueError(
            f"{file}: of a run of another version of cgsim, or damaged ({error}): finish the run "
            "with the version that began it, or choose another directory"
        ) from error
    return settings

"""What a roll-out noted beside its trajectories: what it is of, and which replicas it stopped."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from cgsim.evaluate.origin import Origin, Stop
from cgsim.io.files import RESTART, read_sidecar
from cgsim.io.formats import stored_times

_TOLERANCE = 1e-3  # relative, of intervals


def read_origin(name: str, files: tuple[Path, ...]) -> Origin:
    """What the notes beside the files of one molecule say of it.

    Raises
    ------
    ValueError
        If a note is damaged or has other units.
    """
    notes = read_sidecar(files[0])
    folders = dict.fromkeys(file.parent for file in files)
    cell = notes.get("cell")
    return Origin(
        atoms=notes.get("atoms"),
        recipe=notes.get("recipe"),
        temperature=notes.get("temperature"),
        periodic=None if "cell" not in notes else cell is not None,
        cell=None if cell is None else np.asarray(cell, dtype=np.float64),
        stops=tuple(stop for folder in folders for stop in stops_of(folder, name)),
    )


def stops_of(folder: Path, name: str | None = None) -> list[Stop]:
    """Replicas (of one molecule) that the roll-out of a folder stopped; none if it does not say.

    Raises
    ------
    ValueError
        If its restart file is damaged.
    """
    path = folder / RESTART
    if not path.exists():
        return []
    try:
        with safe_open(str(path), framework="np") as file:
            noted: list[Mapping[str, Any]] = json.loads(file.metadata()["restart"])["failures"]
        return [
            Stop(own["replica"], own["step"], own["reason"])
            for own in noted
            if name is None or own["name"] == name
        ]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a restart file of a roll-out ({error})") from error


def check_interval(files: tuple[Path, ...]) -> None:
    """Check that the frames of a roll-out are as far apart as its JSON says.

    Raises
    ------
    ValueError
        Naming a file that is not of this roll-out.
    """
    noted = read_sidecar(files[0]).get("frame_interval")
    if noted is None:
        return
    for file in files:
        time = stored_times(file)
        if time is None or len(time) < 2:
            continue
        stored = float(time[-1] - time[0]) / (len(time) - 1)
        if abs(stored - noted) > _TOLERANCE * noted:
            raise ValueError(
                f"{file}: its frames are {stored:g} ps apart, but the JSON beside it says "
                f"frame_interval {noted:g} ps: they are not of one roll-out; correct the JSON or "
                "take the file that belongs to it"
            )

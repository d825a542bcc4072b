"""Propagators in files: safetensors with a JSON in the header. No pickle is ever read."""

import json
import math
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save

from cgsim.baselines.linear import LinearPropagator
from cgsim.baselines.recurrent import RecurrentPropagator
from cgsim.io import atomic_path
from cgsim.io.headers import HEADER, read_file_header
from cgsim.model.propagator import Propagator
from cgsim.units import UNITS
from cgsim.version import __version__

FORMAT = "cgsim propagator"
FORMAT_VERSION = 1
CLASSES: tuple[type[Propagator], ...] = (LinearPropagator, RecurrentPropagator)


def save_propagator(
    propagator: Propagator, path: str | Path, *, fitted: dict[str, Any] | None = None
) -> Path:
    """Write a propagator to one ``.safetensors`` file, atomically.

    Parameters
    ----------
    fitted
        How and to what it was fitted, as plain JSON-able values; written beside the numbers.
    """
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "cgsim_version": __version__,
        "units": dict(UNITS),
        "propagator": type(propagator).__name__,
        "timestep": propagator.timestep,
        "length_scale": propagator.length_scale if math.isfinite(propagator.length_scale) else None,
        "fitted": fitted or {},
    }
    arrays = {name: value.copy(order="C") for name, value in propagator.arrays().items()}
    with atomic_path(path) as partial:
        partial.write_bytes(save(arrays, metadata={HEADER: json.dumps(header)}))
    return Path(path)


def load_propagator(path: str | Path, *, propagator: type[Propagator] | None = None) -> Propagator:
    """Read a propagator.

    Parameters
    ----------
    propagator
        The class that was saved, where it is your own.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If it is truncated, foreign, from a newer format, of another class, or damaged.
    """
    header = read_file_header(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: a safetensors file, but not a cgsim propagator")
    version = header.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {version}, this cgsim reads up to {FORMAT_VERSION}: upgrade"
        )
    known = {each.__name__: each for each in (*CLASSES, *([propagator] if propagator else []))}
    stored = header.get("propagator")
    if stored not in known or propagator not in (None, known[stored]):
        raise ValueError(
            f"{path}: holds a {stored}, not a {' or '.join(known)}: load it with "
            f"propagator={stored}"
        )
    try:
        length_scale = header["length_scale"]
        return known[stored].from_arrays(
            load_file(path),
            timestep=float(header["timestep"]),
            length_scale=math.inf if length_scale is None else float(length_scale),
        )
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: damaged, or written by hand ({error})") from error


def is_propagator(path: str | Path) -> bool:
    """Whether a safetensors file holds a propagator.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it cannot be read.
    """
    return read_file_header(path).get("format") == FORMAT

"""Files written whole or not at all, and the JSON "sidecar" that stands beside a trajectory."""

import json
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.units import UNITS

#: Where a roll-out can go on, and which replicas it stopped; in its folder.
RESTART = "restart.safetensors"

_COMPRESSED = (".gz", ".bz2")
_REPLICA = re.compile(r"-r\d+$")


def check_new(path: str | Path, *, overwrite: bool) -> None:
    """Refuse to write over what is there, unless that is asked for; an empty folder is nothing.

    Raises
    ------
    ValueError
        Naming `path` and the ways on.
    """
    path = Path(path)
    is_there = any(path.iterdir()) if path.is_dir() else path.exists()
    if is_there and not overwrite:
        raise ValueError(
            f"{path} is there already: choose another name, or replace it by overwrite=True "
            "(--overwrite)"
        )


def existing_file(path: str | Path) -> Path:
    """Return `path` as a `Path`.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If it is an empty file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    return path


def file_extension(path: str | Path) -> str:
    """Return the lower-case extension, ``".pdb.gz"`` being one extension."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if len(suffixes) > 1 and suffixes[-1] in _COMPRESSED:
        return suffixes[-2] + suffixes[-1]
    return suffixes[-1] if suffixes else ""


def file_stem(path: str | Path) -> str:
    """Return the file name without its extension (see `file_extension`)."""
    name = Path(path).name
    return name[: len(name) - len(file_extension(path))]


@contextmanager
def plainly_named(path: Path) -> Iterator[Path]:
    """Yield `path`, or a link to it: C libraries take ASCII only, MDTraj lower-case extensions."""
    if str(path).isascii() and path.suffix == path.suffix.lower():
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        stem = path.stem if path.stem.isascii() else "file"
        link = Path(folder) / f"{stem}{path.suffix.lower()}"
        link.symlink_to(path.absolute())
        yield link


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` on success and removed on failure.

    The temporary name keeps the extension, so that writers that choose a format by it work.
    Parent folders are made. `path` never holds a half-written file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Ask the operating system to put the file's bytes on the disk now."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def write_atomic_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_atomic_json(path: str | Path, data: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write `data` as indented, standard JSON to `path`, whole or not at all.

    NumPy arrays and scalars become lists and numbers, paths become strings.

    Raises
    ------
    ValueError
        If `data` holds NaN or infinity (JSON has neither; use ``None``) or another kind of object.
    """
    try:
        text = json.dumps(data, indent=2, allow_nan=False, default=_plain)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: this data cannot be written as JSON: {error}") from error
    write_atomic_text(path, text + "\n")


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, empty or no JSON.
    """
    path = existing_file(path)
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f"{path}: not a readable JSON file: {error}") from error


def sidecar_path(file: str | Path) -> Path | None:
    """Return the JSON file that describes `file`, or None if there is none.

    ``chain-r0.xtc`` is described by ``chain-r0.json`` or else, all replicas alike, ``chain.json``.
    """
    stem = file_stem(file)
    for candidate in (stem, _REPLICA.sub("", stem)):
        sidecar = Path(file).with_name(f"{candidate}.json")
        if sidecar.is_file():
            return sidecar
    return None


def read_sidecar(file: str | Path) -> dict[str, Any]:
    """Read the JSON beside a trajectory or topology; an empty dict when there is none.

    The entries that the library reads are checked: ``units``, ``frame_interval`` (ps),
    ``temperature`` (K) and ``masses`` (Da: by atom type, or one for each atom); of files that do
    not tell them also ``cell_angles`` (three, degrees), ``length_unit`` (nm), ``lammps_units``
    (``real``, ``metal``, ``nano``, ``lj`` or ``electron``) and ``timestep`` (in these units).

    Raises
    ------
    ValueError
        If the file is no JSON object, has other units, or one of those entries is wrong.
    """
    path = sidecar_path(file)
    if path is None:
        return {}
    data = read_json(path)
    if not isinstance(data, dict):
        raise ValueError(f"{path}: expected a JSON object, found a {type(data).__name__}")
    units = data.get("units", UNITS)
    if not isinstance(units, dict) or any(
        units.get(key, UNITS[key]) != UNITS[key] for key in UNITS
    ):
        raise ValueError(f"{path}: 'units' is {units!r}, but this library works in {UNITS}")
    for key, unit in (("frame_interval", UNITS["time"]), ("temperature", UNITS["temperature"])):
        value = data.get(key)
        if value is not None and not is_positive(value):
            raise ValueError(f"{path}: {key!r} must be a positive number of {unit}: {value!r}")
    _check_masses(path, data.get("masses"))
    _check_about_format(path, data)
    _check_elements(path, data.get("elements"))
    if data.get("bonds", "standard") not in ("standard", "chain"):
        raise ValueError(f"{path}: 'bonds' must be 'standard' or 'chain', not {data['bonds']!r}")
    return data


def _check_about_format(path: Path, data: Mapping[str, Any]) -> None:
    """Check what is said of a file that does not say it itself."""
    for key, unit in (("length_unit", "nm"), ("timestep", "the file's unit of time")):
        if data.get(key) is not None and not is_positive(data[key]):
            raise ValueError(f"{path}: {key!r} must be a positive number of {unit}: {data[key]!r}")
    angles = data.get("cell_angles")
    if angles is not None and not (
        isinstance(angles, list)
        and len(angles) == 3
        and all(is_positive(angle) and angle < 180 for angle in angles)
    ):
        raise ValueError(f"{path}: 'cell_angles' must be three angles in degrees: {angles!r}")
    style = data.get("lammps_units")
    if style is not None and not isinstance(style, str):
        raise ValueError(f"{path}: 'lammps_units' must be a name such as \"real\": {style!r}")


def _check_elements(path: Path, elements: object) -> None:
    if elements is None:
        return
    if not isinstance(elements, dict) or not all(isinstance(s, str) for s in elements.values()):
        raise ValueError(
            f"{path}: 'elements' must be an object of element symbols by atom name: {elements!r}"
        )


def _check_masses(path: Path, masses: object) -> None:
    if masses is None:
        return
    if not isinstance(masses, dict | list):
        raise ValueError(f"{path}: 'masses' must be an object by atom type or a list: {masses!r}")
    items = masses.items() if isinstance(masses, dict) else enumerate(masses)
    for key, mass in items:
        if not is_positive(mass):
            raise ValueError(f"{path}: the mass of {key!r} must be a positive number: {mass!r}")


def is_positive(value: object) -> bool:
    """Tell whether `value` is a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    return bool(0 < value < math.inf)

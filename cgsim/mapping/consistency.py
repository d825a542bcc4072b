"""Whether what a mapped trajectory holds fits together and is finite."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_MOST_CHECKED = 2**28  # bytes that are read of one file
_CHECKED: set[tuple[Path, int, int]] = set()  # files, with sizes and times
_BLOCK = 4_000_000  # numbers looked at together


def check_consistent(fields: Mapping[str, Any]) -> None:
    """Check the fields of a mapped trajectory against each other.

    Raises
    ------
    ValueError
        If beads are without atoms or atoms without beads, bonds are of what is not there, or
        masses or the frame interval are not positive.
    """
    n_atoms, n_beads = len(fields["atom_type"]), len(fields["bead_mass"])
    beads = fields["bead_index"]
    if beads.shape != (n_atoms,):
        raise ValueError(f"bead_index has shape {list(beads.shape)}, but there are {n_atoms} atoms")
    if not np.array_equal(np.unique(beads), np.arange(n_beads)):
        raise ValueError(f"bead_index must hold each of the {n_beads} beads from 0, and no other")
    if len(fields["bead_name"]) != n_beads:
        raise ValueError(f"bead_name has {len(fields['bead_name'])} names of {n_beads} beads")
    if not (np.isfinite(fields["bead_mass"]).all() and (fields["bead_mass"] > 0).all()):
        raise ValueError("bead_mass must be positive")
    if not (math.isfinite(fields["frame_interval"]) and fields["frame_interval"] > 0):
        raise ValueError(f"frame_interval must be positive, not {fields['frame_interval']}")
    for name, n in (("atom_bonds", n_atoms), ("edge_index", n_beads)):
        pairs = fields[name]
        if pairs.size and not (pairs.min() >= 0 and pairs.max() < n):
            raise ValueError(f"{name} must be from 0 to {n - 1}")


def check_finite(path: Path, array: np.ndarray) -> None:
    """Check the frames of a file, some at a time and once: they stay on the disk.

    Of more than `_MOST_CHECKED` bytes evenly spaced parts are looked at, the ends among them.

    Raises
    ------
    ValueError
        If numbers are not finite.
    """
    status = path.stat()
    key = (path.resolve(), status.st_size, status.st_mtime_ns)
    if key in _CHECKED:
        return
    step = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    starts = range(0, len(array), step)
    n_looked_at = max(2, len(starts) * min(_MOST_CHECKED, array.nbytes) // max(1, array.nbytes))
    chosen = np.linspace(0, len(starts) - 1, min(len(starts), n_looked_at)).astype(int)
    for start in (starts[index] for index in chosen.tolist()):
        if not np.isfinite(array[start : start + step]).all():
            raise ValueError(f"{path}: not finite after frame {start}: the file is damaged")
    _CHECKED.add(key)

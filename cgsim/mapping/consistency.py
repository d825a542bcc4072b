"""Whether what a mapped trajectory holds fits together and is finite."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
    """Check an array of frames, some at a time: it stays on the disk.

    Raises
    ------
    ValueError
        If numbers are not finite.
    """
    step = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        if not np.isfinite(array[start : start + step]).all():
            raise ValueError(f"{path}: not finite after frame {start}: the file is damaged")

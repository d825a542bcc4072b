"""The JSON of a mapped trajectory: everything but its frames."""

from pathlib import Path
from typing import Any

import numpy as np

from cgsim.io.files import read_json
from cgsim.mapping.consistency import check_consistent
from cgsim.mapping.reference import as_list, checked_reference
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.units import UNITS

FORMAT = "cgsim mapped trajectory 1"
_ARRAYS = ("atom_bonds", "bead_index", "edge_index")


def read_header(path: Path) -> dict[str, Any]:
    """Everything but the frames of a folder, as `MappedTrajectory` takes it."""
    header = read_json(path)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"{path}: not a {FORMAT!r}")
    try:
        fields = {
            "name": header["name"],
            "frame_interval": float(header["frame_interval"]),
            "recipe": header["recipe"],
            "atom_type": tuple(header["atom_type"]),
            "bead_name": tuple((residue, atom) for residue, atom in header["bead_name"]),
            "bead_mass": np.asarray(header["bead_mass"], dtype=np.float64),
            "bead_index": np.asarray(header["bead_index"], dtype=np.int64),
            "atom_bonds": np.asarray(header["atom_bonds"], dtype=np.int64).reshape(2, -1),
            "edge_index": np.asarray(header["edge_index"], dtype=np.int64).reshape(2, -1),
            "temperature": header.get("temperature"),  # absent up to cgsim 0.1
            "chirality": _chirality(header),
        }
        if "reference" in header:  # absent where there is none, and up to cgsim 0.1
            fields["reference"] = checked_reference(header["reference"], len(fields["bead_mass"]))
        check_consistent(fields)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: incomplete or damaged ({error!r})") from error
    return fields


def _chirality(header: dict[str, Any]) -> np.ndarray | None:
    """Handedness of the beads; absent where no bead has any, and up to cgsim 0.1."""
    if "chirality" not in header:
        return None
    chirality = np.asarray(header["chirality"], dtype=np.int64)
    if chirality.shape != (len(header["bead_mass"]),) or not np.isin(chirality, (-1, 0, 1)).all():
        raise ValueError("chirality must be -1, 0 or 1 for every bead")
    return chirality


def header_of(trajectory: MappedTrajectory) -> dict[str, Any]:
    """Everything but the frames, for JSON."""
    chirality, reference = trajectory.chirality, trajectory.reference
    return {
        "format": FORMAT,
        "units": dict(UNITS),
        "name": trajectory.name,
        "frame_interval": trajectory.frame_interval,
        "temperature": trajectory.temperature,
        "recipe": trajectory.recipe,
        "atom_type": list(trajectory.atom_type),
        "bead_name": [list(name) for name in trajectory.bead_name],
        "bead_mass": trajectory.bead_mass.tolist(),
        **{key: getattr(trajectory, key).tolist() for key in _ARRAYS},
        **({} if chirality is None else {"chirality": chirality.tolist()}),
        **({} if reference is None else {"reference": as_list(reference)}),
    }

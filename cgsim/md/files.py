"""The structure and the description (JSON sidecar) that stand beside a chain's trajectories."""

import platform as host
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mdtraj

from cgsim.io import atomic_path, read_json, write_atomic_json
from cgsim.md.polymer import Chain, chain_topology, initial_coordinates
from cgsim.md.system import ForceField
from cgsim.units import UNITS


def write_chain_files(
    chain: Chain, directory: Path, *, frame_interval: float, settings: dict[str, Any]
) -> None:
    """Write ``<name>.pdb`` and ``<name>.json`` unless they are there.

    Parameters
    ----------
    chain : Chain
        The chain.
    directory : Path
        Made if missing.
    frame_interval : float
        Between the frames of its trajectories, ps.
    settings : dict
        Whatever else must not change between two calls, JSON-able.

    Raises
    ------
    ValueError
        The directory holds a chain of this name made with other parameters.
    """
    force_field = ForceField()
    parameters = {
        **asdict(force_field),
        **settings,
        "kind": chain.kind,
        "size": chain.size,
        "unit_sequence": list(chain.unit_sequence),
    }
    sidecar = directory / f"{chain.name}.json"
    if sidecar.exists():
        _check_same(sidecar, {"frame_interval": frame_interval, "parameters": parameters})
        return
    with atomic_path(directory / f"{chain.name}.pdb") as path:
        topology = chain_topology(chain)
        mdtraj.Trajectory(initial_coordinates(chain, seed=0), topology).save_pdb(str(path))
    write_atomic_json(
        sidecar,
        {
            "name": chain.name,
            "units": UNITS,
            "frame_interval": frame_interval,
            "temperature": force_field.temperature,
            "masses": {bead_type: force_field.mass for bead_type in force_field.epsilon},
            "n_frames": {},
            "parameters": parameters,
            "provenance": {
                "engine": "OpenMM",
                "integrator": "LangevinMiddleIntegrator",
                "python": host.python_version(),
                "machine": host.machine(),
                **{name: _version(name) for name in ("cgsim", "openmm", "mdtraj", "numpy")},
            },
        },
    )


def write_progress(
    chain: Chain, directory: Path, *, n_frames: Mapping[str, int], speed: Mapping[str, Any]
) -> None:
    """Note in ``<name>.json`` the frames of each trajectory (by file name) and how fast it went."""
    sidecar = directory / f"{chain.name}.json"
    data = read_json(sidecar)
    data["n_frames"].update(n_frames)
    data["provenance"].update(speed)
    write_atomic_json(sidecar, data)


def _check_same(sidecar: Path, expected: Mapping[str, Any]) -> None:
    found = read_json(sidecar)
    for section, value in expected.items():
        if found.get(section) == value:
            continue
        if isinstance(value, dict):
            old = found.get(section, {})
            changed = [key for key in value if old.get(key) != value[key]]
            detail = ", ".join(
                f"{key} {old.get(key)!r} there, {value[key]!r} now" for key in changed
            )
        else:
            detail = f"{section} {found.get(section)!r} there, {value!r} now"
        raise ValueError(
            f"{sidecar} describes data made with other settings ({detail}); "
            "choose another directory or the same settings"
        )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

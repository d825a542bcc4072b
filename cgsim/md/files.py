"""The structure and the description (JSON sidecar) that stand beside trajectories."""

import platform as host
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mdtraj

from cgsim.io import atomic_path, read_json, read_sidecar, write_atomic_json
from cgsim.md.polymer import Chain, chain_topology, initial_coordinates
from cgsim.md.polymer_system import ForceField
from cgsim.units import UNITS


def write_chain_files(
    chain: Chain, directory: Path, *, frame_interval: float, settings: dict[str, Any]
) -> None:
    """Write ``<name>.pdb`` and ``<name>.json`` of a polymer unless they are there.

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
    description = Description(
        name=chain.name,
        frame_interval=frame_interval,
        temperature=force_field.temperature,
        masses={bead_type: force_field.mass for bead_type in force_field.epsilon},
        parameters={
            **asdict(force_field),
            **settings,
            "kind": chain.kind,
            "size": chain.size,
            "unit_sequence": list(chain.unit_sequence),
        },
    )
    description.write(directory, _self_avoiding(chain, seed=0))


def write_chain(chain: Chain, directory: str | Path, *, seed: int = 0) -> Path:
    """Write a polymer that was never simulated: ``<name>.pdb`` and its masses in ``<name>.json``.

    Parameters
    ----------
    chain : Chain
        The chain.
    directory : str or Path
        Made if missing.
    seed : int
        Of the structure: a self-avoiding random walk along the bonds (`initial_coordinates`).

    Returns
    -------
    Path
        The PDB file, with bonds as CONECT.

    Raises
    ------
    ValueError
        The directory holds a molecule of this name.
    """
    directory = Path(directory)
    structure, sidecar = (directory / f"{chain.name}{suffix}" for suffix in (".pdb", ".json"))
    if structure.exists() or sidecar.exists():
        raise ValueError(f"{structure} is there already: choose another directory or name")
    with atomic_path(structure) as path:
        _self_avoiding(chain, seed).save_pdb(str(path))
    masses = {bead_type: ForceField().mass for bead_type in ForceField().epsilon}
    write_atomic_json(sidecar, {"name": chain.name, "units": UNITS, "masses": masses})
    return structure


def _self_avoiding(chain: Chain, seed: int) -> mdtraj.Trajectory:
    return mdtraj.Trajectory(initial_coordinates(chain, seed=seed), chain_topology(chain))


def check_names(names: Sequence[str]) -> None:
    """Raise ValueError unless there are names, and no two alike."""
    if not names or len(set(names)) < len(names):
        raise ValueError(f"give at least one chain, each name once; got names {list(names)}")


@dataclass(frozen=True)
class Description:
    """What the JSON beside a molecule's trajectories says of them.

    Attributes
    ----------
    name : str
        The stem of the files.
    frame_interval : float
        ps.
    temperature : float
        K.
    parameters : dict
        Whatever else must not change between two calls, JSON-able.
    masses : dict of str to float or None
        Da, by atom type; None for the masses of the elements.
    packages : tuple of str
        Whose versions to note, besides those of every simulation.
    """

    name: str
    frame_interval: float
    temperature: float
    parameters: dict[str, Any]
    masses: dict[str, float] | None = None
    packages: tuple[str, ...] = ()

    def write(self, directory: Path, structure: mdtraj.Trajectory) -> None:
        """Write ``<name>.pdb`` and ``<name>.json`` unless they are there.

        Raises
        ------
        ValueError
            The directory holds data of this name made with other settings.
        """
        sidecar = directory / f"{self.name}.json"
        fixed = ("frame_interval", "temperature", "parameters")
        if sidecar.exists():
            _check_same(sidecar, {key: getattr(self, key) for key in fixed})
            return
        with atomic_path(directory / f"{self.name}.pdb") as path:
            structure.save_pdb(str(path))
        packages = ("cgsim", "openmm", "mdtraj", "numpy", *self.packages)
        data = {
            "name": self.name,
            "units": UNITS,
            "frame_interval": self.frame_interval,
            "temperature": self.temperature,
            "masses": self.masses,
            "n_frames": {},
            "parameters": self.parameters,
            "provenance": {
                "engine": "OpenMM",
                "integrator": "LangevinMiddleIntegrator",
                "python": host.python_version(),
                "machine": host.machine(),
                **{package: _version(package) for package in packages},
            },
        }
        if self.masses is None:
            del data["masses"]
        write_atomic_json(sidecar, data)


def write_progress(
    name: str, directory: Path, *, n_frames: Mapping[str, int], speed: Mapping[str, Any]
) -> None:
    """Note in ``<name>.json`` the frames of each trajectory (by file name) and how fast it went."""
    sidecar = directory / f"{name}.json"
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


def recorded_md_speed(sidecar: str | Path) -> float:
    """Simulated time per second of all chains of an MD run together, ps/s, as noted beside it."""
    about = read_sidecar(Path(sidecar))
    return about["provenance"]["chain_steps_per_second"] * about["parameters"]["timestep"]

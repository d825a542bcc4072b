"""Simulators in files: safetensors with a JSON in the header. No pickle is ever read.

The JSON holds everything needed to use the weights: format and package version, configuration, atom
types, scales, units, the mapping recipe and where the data came from. Buffers are not stored: they
are constants that the configuration gives, some under names that are private to e3nn.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save

from cgsim.config import NetworkNames
from cgsim.data.scales import Scales
from cgsim.io import atomic_path
from cgsim.io.headers import HEADER, read_file_header
from cgsim.io.records import from_dict, to_dict
from cgsim.mapping.reference import Reference
from cgsim.model.networks import Network, check_networks, read_model_config
from cgsim.model.simulator import Simulator
from cgsim.model.upgrade import upgraded
from cgsim.units import UNITS
from cgsim.version import __version__

SIMULATOR_FILE = "simulator.safetensors"  # of a run, in its folder
FORMAT = "cgsim simulator"
FORMAT_VERSION = 5  # what changed since is in `cgsim.model.upgrade`


@dataclass(frozen=True)
class Provenance:
    """Where a simulator comes from.

    Attributes
    ----------
    recipe
        How atoms were mapped to beads (see `cgsim.mapping.build_mapping`).
    training
        The training configuration.
    data
        Names, frames and lengths of the training trajectories, and whatever the user adds.
    """

    recipe: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


def save_simulator(
    simulator: Simulator, path: str | Path, *, provenance: Provenance | None = None
) -> Path:
    """Write a simulator to one ``.safetensors`` file, atomically.

    Parameters
    ----------
    provenance
        Written beside the weights; without it the file cannot map new molecules by itself.
    """
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "cgsim_version": __version__,
        "units": dict(UNITS),
        "model": to_dict(simulator.config),
        "atom_types": list(simulator.atom_types),
        "scales": simulator.scales.to_dict(),
        "provenance": to_dict(provenance or Provenance()),
    }
    if simulator.references:
        header["references"] = [own.to_dict() for own in simulator.references]
    weights = {
        name: value.detach().cpu().contiguous() for name, value in simulator.named_parameters()
    }
    with atomic_path(path) as partial:
        partial.write_bytes(save(weights, metadata={HEADER: json.dumps(header)}))
    return Path(path)


def load_simulator(
    path: str | Path, *, network: Network | Sequence[Network] | None = None
) -> Simulator:
    """Read a simulator, in evaluation mode on the CPU.

    Parameters
    ----------
    network
        Networks in it that are not those of a plain cgsim: one of `cgsim.baselines`, or your own
        (see `cgsim.model.networks`). They are never imported because a file names them.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If it is truncated, foreign, from a newer format, holds other networks than those named or
        one that is not known, or its weights do not fit its configuration or are not finite.
    """
    header = read_header(path)
    with safe_open(str(path), framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        header, weights = upgraded(header, weights)
        names = from_dict(NetworkNames, header["model"].get("networks", {}), where="networks")
        check_networks(names, network)
        simulator = Simulator(
            read_model_config(header["model"], where="model"),
            atom_types=header["atom_types"],
            scales=from_dict(Scales, header["scales"], where="scales"),
        )
        simulator.references = tuple(map(Reference.from_dict, header.get("references", [])))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    own = {name: value.shape for name, value in simulator.named_parameters()}
    stored = {name: value.shape for name, value in weights.items()}
    wrong = sorted(name for name, _ in own.items() ^ stored.items())
    if wrong:
        raise ValueError(f"{path}: the weights do not fit the configuration, first at {wrong[0]!r}")
    broken = sorted(name for name, value in weights.items() if not value.isfinite().all())
    if broken:
        raise ValueError(f"{path}: weights are not finite, first in {broken[0]!r}: it is damaged")
    simulator.to(next(iter(weights.values())).dtype).load_state_dict(weights, strict=False)
    simulator.recipe = header["provenance"].get("recipe") or None
    simulator.temperature = temperature_of(header["provenance"].get("data") or {})
    return simulator.eval()


def temperature_of(data: dict[str, Any]) -> float | None:
    """Of the training data that a `Provenance` describes, K, where it is known."""
    entries = data.get("trajectories", [])
    return next((entry["temperature"] for entry in entries if "temperature" in entry), None)


def load_provenance(path: str | Path) -> Provenance:
    """The mapping recipe, training configuration and data of a stored simulator."""
    return from_dict(Provenance, read_header(path)["provenance"], where=f"{path}: provenance")


def read_header(path: str | Path) -> dict[str, Any]:
    """The JSON of a stored simulator; errors as in `load_simulator`."""
    header = read_file_header(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: a safetensors file, but not a cgsim simulator")
    version = header.get("format_version", FORMAT_VERSION)
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {version}, this cgsim reads up to {FORMAT_VERSION}: upgrade"
        )
    scales = "scales" if version >= 5 else "statistics"
    for key in ("format_version", "model", "atom_types", scales, "provenance"):
        if key not in header:
            raise ValueError(f"{path}: its header has no {key!r}")
    return header


WEIGHTS = Path(__file__).parents[1] / "weights"


def pretrained_names() -> tuple[str, ...]:
    """Names of the packaged simulators."""
    return tuple(sorted(file.stem for file in WEIGHTS.glob("*.safetensors")))


def pretrained_file(name: str) -> Path:
    """The file of a packaged simulator.

    Raises
    ------
    ValueError
        If there is none of this name; lists those that are there.
    """
    if name not in pretrained_names():
        known = ", ".join(map(repr, pretrained_names()))
        raise ValueError(f"no pretrained simulator {name!r}; there are {known}")
    return WEIGHTS / f"{name}.safetensors"


def find_checkpoint(path: str | Path) -> Path:
    """A file as it is, or, where there is none, that of the packaged simulator of this name.

    Raises
    ------
    FileNotFoundError
        If a name without suffix is neither; lists the packaged simulators.
    """
    file = Path(path)
    if file.exists():
        return file
    if str(path) in pretrained_names():
        return pretrained_file(str(path))
    if not file.suffix and len(file.parts) == 1:
        known = ", ".join(map(repr, pretrained_names()))
        raise FileNotFoundError(
            f"{path}: no such checkpoint, and no packaged simulator; there are {known}"
        )
    return file


def read_simulator(
    path: str | Path, *, network: Network | Sequence[Network] | None = None
) -> Simulator:
    """A stored simulator, or a packaged one of this name; errors as of `load_simulator`."""
    return load_simulator(find_checkpoint(path), network=network)


def load_pretrained(name: str) -> Simulator:
    """Load a packaged simulator, in evaluation mode on the CPU.

    Parameters
    ----------
    name
        ``"polymer-mini"``: class-I chains of the benchmark polymers (`cgsim.md.sample_chains`) of
        120 atoms, in beads of ten; it simulates every chain of this family. ``"peptides"``: capped
        tripeptides of A, F, G, L, S and V at 350 K, a bead per residue and cap, without rigid
        motion (`python -m benchmarks.peptides`); to be fine-tuned on others (`cgsim.finetune`).

    Raises
    ------
    ValueError
        If there is none of this name; lists those that are there.
    """
    return load_simulator(pretrained_file(name))

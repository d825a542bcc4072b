"""Simulators in files: safetensors with a JSON in the header. No pickle is ever read.

The JSON holds everything needed to use the weights: format and package version, configuration, atom
types, scales, units, the mapping recipe and where the data came from. Buffers are not stored: they
are constants that the configuration gives, some under names that are private to e3nn.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save

from cgsim.config import ModelConfig
from cgsim.data.scales import Statistics
from cgsim.io import atomic_path
from cgsim.io.headers import HEADER, read_file_header
from cgsim.io.records import from_dict, to_dict
from cgsim.model.simulator import Simulator
from cgsim.units import UNITS
from cgsim.version import __version__

SIMULATOR_FILE = "simulator.safetensors"  # of a run, in its folder
FORMAT = "cgsim simulator"
FORMAT_VERSION = 4  # 2: products of the two ends of an edge; 3: handedness; 4: ideal distances


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
        "network": type(simulator).__name__,
        "model": to_dict(simulator.config),
        "atom_types": list(simulator.atom_types),
        "statistics": simulator.statistics.to_dict(),
        "provenance": to_dict(provenance or Provenance()),
    }
    weights = {
        name: value.detach().cpu().contiguous() for name, value in simulator.named_parameters()
    }
    with atomic_path(path) as partial:
        partial.write_bytes(save(weights, metadata={HEADER: json.dumps(header)}))
    return Path(path)


def load_simulator(path: str | Path, *, network: type[Simulator] = Simulator) -> Simulator:
    """Read a simulator, in evaluation mode on the CPU.

    Parameters
    ----------
    network
        The class that was saved, one of `cgsim.baselines` or your own.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If it is truncated, foreign, from a newer format, of another class, or its weights do not
        fit its configuration.
    """
    header = read_header(path)
    stored_network = header.get("network", Simulator.__name__)  # absent up to cgsim 0.1
    if stored_network != network.__name__:
        raise ValueError(
            f"{path}: holds a {stored_network}, not a {network.__name__}: "
            f"load it with network={stored_network}"
        )
    simulator = network(
        from_dict(ModelConfig, header["model"], where=f"{path}: model"),
        atom_types=header["atom_types"],
        statistics=from_dict(Statistics, header["statistics"], where=f"{path}: statistics"),
    )
    with safe_open(str(path), framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    own = {name: value.shape for name, value in simulator.named_parameters()}
    stored = {name: value.shape for name, value in weights.items()}
    wrong = sorted(name for name, _ in own.items() ^ stored.items())
    if wrong:
        raise ValueError(f"{path}: the weights do not fit the configuration, first at {wrong[0]!r}")
    simulator.to(next(iter(weights.values())).dtype).load_state_dict(weights, strict=False)
    simulator.recipe = header["provenance"].get("recipe") or None
    return simulator.eval()


def load_provenance(path: str | Path) -> Provenance:
    """The mapping recipe, training configuration and data of a stored simulator."""
    return from_dict(Provenance, read_header(path)["provenance"], where=f"{path}: provenance")


def read_header(path: str | Path) -> dict[str, Any]:
    """The JSON of a stored simulator; errors as in `load_simulator`."""
    header = read_file_header(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: a safetensors file, but not a cgsim simulator")
    for key in ("format_version", "model", "atom_types", "statistics", "provenance"):
        if key not in header:
            raise ValueError(f"{path}: its header has no {key!r}")
    if header["format_version"] > FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {header['format_version']}, this cgsim reads up to "
            f"{FORMAT_VERSION}: upgrade"
        )
    return _upgraded(header)


def _upgraded(header: dict[str, Any]) -> dict[str, Any]:
    """A header of an older format in terms of this one."""
    graph = header["model"].get("graph") if isinstance(header["model"], dict) else None
    if header["format_version"] == 1 and isinstance(graph, dict):
        graph["n_pair"] = 0  # version 1 knew no products of the two ends of an edge
    if header["format_version"] < 4 and isinstance(graph, dict):
        graph["ideal_distance"] = False
    if header["format_version"] < 3 and isinstance(header["statistics"], dict):
        header["statistics"]["chiral"] = False  # nor did version 2 know a handedness of beads
    return header


def read_simulator(path: Path) -> Simulator:
    """A stored simulator, or a packaged one of this name."""
    return load_simulator(find_checkpoint(path))


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
    """A file as it is, or, where there is none, that of the packaged simulator of this name."""
    if not Path(path).exists() and str(path) in pretrained_names():
        return pretrained_file(str(path))
    return Path(path)


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

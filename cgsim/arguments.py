"""What the paths on the command line stand for."""

from collections.abc import Sequence
from pathlib import Path

from cgsim.checkpoint import load_simulator
from cgsim.data import MappedTrajectory
from cgsim.ensembles import read_ensembles
from cgsim.io import load_molecule
from cgsim.judgement import Rows
from cgsim.mapping import build_mapping
from cgsim.pretrained import find_checkpoint
from cgsim.simulator import Simulator
from cgsim.starts import map_structure
from cgsim.store import load_mapped_folders, map_trajectory


def read_simulator(path: Path) -> Simulator:
    """A stored simulator, or a packaged one of this name."""
    return load_simulator(find_checkpoint(path))


def read_trajectories(
    paths: Sequence[Path], simulator: Path, *, topology: Path | None
) -> list[MappedTrajectory]:
    """Mapped trajectories and, mapped now as the simulator's data were, trajectory files.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are files and no topology, the simulator knows no mapping, or something cannot be
        read.
    """
    files = [path for path in paths if path.is_file()]
    mapped = load_mapped_folders([path for path in paths if not path.is_file()])
    if not files:
        return mapped
    recipe = read_simulator(simulator).recipe
    if topology is None or recipe is None:
        lack = "needs --topology FILE" if topology is None else f"but {simulator} knows no mapping"
        raise ValueError(f"{files[0]}: a trajectory file, {lack}; or map it with `cgsim map`")
    molecule = load_molecule(topology)
    mapping = build_mapping(molecule, recipe)
    return mapped + [map_trajectory(file, molecule, mapping) for file in files]


def read_starts(paths: Sequence[Path], simulator: Simulator) -> list[MappedTrajectory]:
    """Mapped trajectories and, mapped now, structure files."""
    structures = [map_structure(path, simulator) for path in paths if path.is_file()]
    return [*load_mapped_folders([path for path in paths if not path.is_file()]), *structures]


def read_rows(
    reference: list[Path],
    learned: list[Path],
    floor: list[Path] | None,
    md_equal_time: list[Path] | None,
) -> Rows:
    """The ensembles of one comparison."""
    return Rows(
        reference=read_ensembles(reference),
        learned=read_ensembles(learned),
        floor=None if floor is None else read_ensembles(floor),
        md_equal_time=None if md_equal_time is None else read_ensembles(md_equal_time),
    )

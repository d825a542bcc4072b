"""From trajectories of any origin to what `cgsim.evaluate` judges."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from cgsim.data import MappedTrajectory
from cgsim.evaluate import Ensemble
from cgsim.store import load_mapped

_REPLICA = re.compile(r"(?P<name>.+)-r\d+\.(xtc|dcd)")


def ensembles_of(trajectories: Iterable[MappedTrajectory]) -> list[Ensemble]:
    """One ensemble per molecule: trajectories of one name are its replicas.

    Raises
    ------
    ValueError
        If trajectories of one name differ in frame interval or beads.
    """
    by_name: dict[str, list[MappedTrajectory]] = {}
    for trajectory in trajectories:
        by_name.setdefault(trajectory.name, []).append(trajectory)
    return [_join(name, replicas) for name, replicas in by_name.items()]


def _join(name: str, replicas: Sequence[MappedTrajectory]) -> Ensemble:
    first = replicas[0]
    for other in replicas[1:]:
        if (
            not np.isclose(other.frame_interval, first.frame_interval)
            or other.n_beads != first.n_beads
        ):
            raise ValueError(
                f"{name}: trajectories of {first.n_beads} beads every {first.frame_interval:g} ps "
                f"and of {other.n_beads} beads every {other.frame_interval:g} ps cannot be "
                "replicas of one molecule"
            )
    return Ensemble(
        name=name,
        xyz=tuple(np.asarray(replica.pos) for replica in replicas),
        frame_interval=first.frame_interval,
        bead_mass=first.bead_mass,
        edge_index=first.edge_index,
    )


def read_ensembles(paths: Sequence[str | Path]) -> list[Ensemble]:
    """Read mapped trajectories and roll-outs.

    Mapped trajectories are folders ``*.cg`` or hold such folders; roll-outs are folders with
    ``NAME-r*.xtc`` (or ``.dcd``) and ``NAME.psf``.

    Raises
    ------
    FileNotFoundError
        If a path is missing.
    ValueError
        If a folder holds neither.
    """
    mapped, ensembles = [], []
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        if (path / "system.json").exists():
            mapped.append(load_mapped(path))
        elif inside := sorted(path.glob("*.cg")):
            mapped += [load_mapped(folder) for folder in inside]
        else:
            ensembles += _read_folder(path)
    return ensembles_of(mapped) + ensembles


def _read_folder(folder: Path) -> list[Ensemble]:
    """All molecules of a roll-out."""
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if match := _REPLICA.fullmatch(path.name):
            files.setdefault(match["name"], []).append(path)
    if not files:
        raise ValueError(
            f"{folder}: holds neither mapped trajectories (*.cg) nor a roll-out (NAME-r0.xtc, "
            "NAME.psf)"
        )
    return [
        Ensemble.from_files(own, folder / f"{name}.psf", name=name) for name, own in files.items()
    ]

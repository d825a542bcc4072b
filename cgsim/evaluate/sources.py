"""From trajectories of any origin to what `cgsim.evaluate` judges."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from cgsim.evaluate import Ensemble
from cgsim.evaluate.ensemble import of_all
from cgsim.evaluate.origin import Origin, Stop, count_atoms
from cgsim.evaluate.rollout_notes import check_interval, read_origin, stops_of
from cgsim.mapping.store import load_mapped
from cgsim.mapping.trajectory import MappedTrajectory, is_same_molecule

_REPLICA = re.compile(r"(?P<name>.+)-r\d+\.(xtc|dcd)")


class Failure(Protocol):
    """A replica that a roll-out stopped: see `cgsim.rollout.simulate.Failure`."""

    @property
    def name(self) -> str:
        """Of the molecule."""

    @property
    def replica(self) -> int:
        """Number."""

    @property
    def step(self) -> int:
        """First bad step."""

    @property
    def reason(self) -> str:
        """What was seen."""


def ensembles_of(
    trajectories: Iterable[MappedTrajectory], *, failures: Iterable[Failure] = ()
) -> list[Ensemble]:
    """One ensemble per molecule: trajectories of one name are its replicas.

    Parameters
    ----------
    failures
        Those of a `cgsim.simulate`: replicas that were stopped, perhaps before their first frame.

    Raises
    ------
    ValueError
        If trajectories of one name differ in frame interval or beads.
    """
    by_name: dict[str, list[MappedTrajectory]] = {}
    for trajectory in trajectories:
        by_name.setdefault(trajectory.name, []).append(trajectory)
    stops: dict[str, list[Stop]] = {}
    for own in failures:
        stops.setdefault(own.name, []).append(Stop(own.replica, own.step, own.reason))
    return [_join(name, replicas, stops.get(name, [])) for name, replicas in by_name.items()]


def _join(name: str, replicas: Sequence[MappedTrajectory], stops: Sequence[Stop] = ()) -> Ensemble:
    if stops:
        replicas = [replica for replica in replicas if replica.n_frames]
        if not replicas:
            raise ValueError(_nothing_recorded(name, stops))
    first = replicas[0]
    for other in replicas[1:]:
        if other.n_beads == first.n_beads and not is_same_molecule(first, other):
            raise ValueError(
                f"{name}: two different molecules are of this name; map one of them from a "
                "topology file of another name"
            )
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
        origin=Origin(
            atoms=count_atoms(first.atom_type),
            recipe=first.recipe,
            temperature=first.temperature,
            periodic=first.cell is not None,
            cell=None if first.cell is None else np.asarray(first.cell).mean(axis=0),
            stops=tuple(stops),
        ),
        cells=of_all([replica.cell for replica in replicas]),
        drift=_drift_of(replicas),
    )


def _drift_of(replicas: Sequence[MappedTrajectory]) -> tuple[np.ndarray, ...] | None:
    """That of each, zeros where one of them has none."""
    if all(replica.drift is None for replica in replicas):
        return None
    return tuple(
        np.zeros(replica.pos.shape, dtype=np.float32) if replica.drift is None else replica.drift
        for replica in replicas
    )


def _nothing_recorded(name: str, stops: Sequence[Stop]) -> str:
    first = min(stops, key=lambda own: own.step)
    return (
        f"{name}: the roll-out was stopped at step {first.step:,} ({first.reason}), before its "
        "first frame was recorded: there is nothing to judge, do not use this simulator"
    )


def _read_rollout(name: str, files: tuple[Path, ...], structure: Path) -> Ensemble:
    """A roll-out, with what it noted."""
    check_interval(files)
    noted = read_origin(name, files)
    read = Ensemble.from_files(files, structure, name=name)
    return replace(read, origin=replace(noted, stops=(*noted.stops, *read.origin.stops)))


@dataclass(frozen=True)
class Source:
    """Where the trajectories of one molecule are.

    Attributes
    ----------
    name
        Of the molecule.
    trajectories
        Folders ``NAME.cg``, or files of roll-outs.
    structure
        Beads and bonds of roll-outs; None for folders, which know theirs.
    """

    name: str
    trajectories: tuple[Path, ...]
    structure: Path | None = None

    def read(self) -> Ensemble:
        """Its trajectories as replicas.

        Raises
        ------
        FileNotFoundError, ValueError
            If one is missing or damaged, or they cannot be replicas of one molecule.
        """
        if self.structure is not None:
            return _read_rollout(self.name, self.trajectories, self.structure)
        return _join(self.name, [load_mapped(folder) for folder in self.trajectories])

    def stamp(self) -> list[str]:
        """Which files these are, with sizes and times: another stamp means other frames."""
        files = [path / "pos.npy" if path.is_dir() else path for path in self.trajectories]
        return [f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]


def read_ensembles(paths: Sequence[str | Path]) -> list[Ensemble]:
    """Read mapped trajectories and roll-outs: see `find_sources`.

    Raises
    ------
    FileNotFoundError
        If a path is missing.
    ValueError
        If a folder holds neither.
    """
    return [source.read() for source in find_sources(paths)]


def find_sources(paths: Sequence[str | Path]) -> list[Source]:
    """Find mapped trajectories and roll-outs without reading their frames; one source per molecule.

    Mapped trajectories are folders ``*.cg`` or hold such folders; roll-outs are folders with
    ``NAME-r*.xtc`` (or ``.dcd``) and ``NAME.psf``, or hold such folders.

    Raises
    ------
    FileNotFoundError
        If a path is missing.
    ValueError
        If a folder holds neither.
    """
    mapped: dict[str, list[Path]] = {}
    rolled: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        if (path / "system.json").exists():
            mapped.setdefault(load_mapped(path).name, []).append(path)
        elif inside := sorted(path.glob("*.cg")):
            for folder in inside:
                mapped.setdefault(load_mapped(folder).name, []).append(folder)
        else:
            for name, files in _rollout_files(path).items():
                rolled.setdefault(name, []).extend(files)
    return [
        *(Source(name, tuple(folders)) for name, folders in mapped.items()),
        *(
            Source(name, tuple(files), files[0].with_name(f"{name}.psf"))
            for name, files in rolled.items()
        ),
    ]


def _rollout_files(folder: Path) -> dict[str, list[Path]]:
    """The trajectories of a roll-out by molecule, those of its jobs if workers shared it."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [path for path in inside if _REPLICA.fullmatch(path.name)]
    files = files or [
        path
        for sub in inside
        if sub.is_dir()
        for path in sorted(sub.iterdir())
        if _REPLICA.fullmatch(path.name)
    ]
    if not files and folder.is_dir() and (stops := stops_of(folder)):
        raise ValueError(_nothing_recorded(f"{folder}", stops))
    if not files:
        raise ValueError(
            f"{folder}: holds neither mapped trajectories (*.cg) nor a roll-out (NAME-r0.xtc, "
            "NAME.psf)"
        )
    by_name: dict[str, list[Path]] = {}
    for path in files:
        name = path.name[: path.name.rindex("-r")]
        by_name.setdefault(name, []).append(path)
    return by_name

"""Mapped trajectories in files: a folder ``NAME.cg`` of memory-mapped positions and a JSON."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np

from cgsim.config.checks import Allowed
from cgsim.io.files import check_new, read_sidecar, write_atomic_json
from cgsim.mapping.bead_mapping import Mapping
from cgsim.mapping.consistency import check_finite
from cgsim.mapping.header import header_of, read_header
from cgsim.mapping.trajectory import MappedTrajectory

if TYPE_CHECKING:  # what reads atoms is imported where it works: beads alone need no MDTraj
    from cgsim.io import Molecule

Files = str | Path | Sequence[str | Path]
_STREAMS = ("pos", "cell", "drift")


def map_trajectory(
    files: Any,
    molecule: "Molecule",
    mapping: Mapping,
    *,
    frame_interval: float | None = None,
    allow: Allowed = (),
    name: str | None = None,
) -> MappedTrajectory:
    """Map a trajectory onto beads, in memory.

    Parameters
    ----------
    files
        One trajectory file, or several consecutive ones of one run, of any known format; or, in
        memory, an `mdtraj.Trajectory`, an `MDAnalysis.Universe` or `AtomGroup`, or an array
        ``[n_frames, n_atoms, 3]`` nm, which needs a frame interval.
    molecule, mapping
        The atoms and their beads.
    frame_interval
        ps; needed only for formats without times (DCD) that have no JSON beside them.
    allow
        Checks that are left out (see `cgsim.config.checks.CHECKS`), such as ``["jumps"]``.
    name
        Name of the system; the molecule's by default.

    Raises
    ------
    ValueError
        Naming the file (and frame) that is empty, truncated, does not fit the molecule, holds NaN
        or what cannot be of atoms (see `cgsim.mapping.sanity`).
    MemoryError
        If there is no room for the frames of beads.
    """
    from cgsim.io import common_frame_interval
    from cgsim.io.in_memory import on_disk
    from cgsim.mapping.chunks import joined, mapped_chunks
    from cgsim.mapping.estimate import check_room
    from cgsim.mapping.sanity import SaneFrames

    with on_disk(files) as paths:
        interval = common_frame_interval(paths, frame_interval=frame_interval)
        sane = SaneFrames(paths, molecule, mapping, frame_interval=interval, allow=allow)
        check_room(sane.files, mapping, folder=None)
        parts = list(mapped_chunks(mapping, frame_interval, sane))
        system = _system(paths, molecule, mapping, interval, name)(
            np.concatenate([part.pos for part in parts]),
            joined([part.cell for part in parts]),
            parts[0].chirality,
        )
    return replace(system, drift=joined([part.drift for part in parts], only_if_any=True))


def map_to_folder(
    files: Files,
    molecule: "Molecule",
    mapping: Mapping,
    *,
    folder: str | Path,
    frame_interval: float | None = None,
    allow: Allowed = (),
    name: str | None = None,
    overwrite: bool = False,
) -> MappedTrajectory:
    """Map a trajectory of any length onto beads, chunk by chunk, into the folder ``NAME.cg``.

    The folder appears when it is complete. Arguments and errors as in `map_trajectory`.

    Raises
    ------
    ValueError
        If the folder is there already, and is not to be replaced by `overwrite`.
    """
    from cgsim.io import common_frame_interval
    from cgsim.mapping.chunks import mapped_chunks
    from cgsim.mapping.estimate import check_room
    from cgsim.mapping.sanity import SaneFrames
    from cgsim.mapping.structure import bead_names, write_bead_structure

    folder = Path(folder)
    check_new(folder, overwrite=overwrite)
    interval = common_frame_interval(files, frame_interval=frame_interval)
    sane = SaneFrames(files, molecule, mapping, frame_interval=interval, allow=allow)
    check_room(sane.files, mapping, folder=folder)
    system = _system(files, molecule, mapping, interval, name)
    with _atomic_folder(folder) as partial:
        streams: dict[str, list[int]] = {}
        first, handed, has_drift = np.empty((0, 3)), None, False
        for part in mapped_chunks(mapping, frame_interval, sane):
            first, handed = (first, handed) if streams else (part.pos[0], part.chirality)
            has_drift |= part.drift is not None and bool(part.drift.any())
            for field in _STREAMS:
                _append(partial, field, getattr(part, field), streams)
        for field, shape in streams.items():
            if field != "drift" or has_drift:
                _finish(partial, field, shape)
        (partial / "drift.raw").unlink(missing_ok=True)
        write_atomic_json(
            partial / "system.json",
            header_of(system(np.empty((0, mapping.n_beads, 3)), None, handed)),
        )
        write_bead_structure(
            partial / "beads",
            bead_names(molecule, mapping),
            bead_mass=mapping.bead_mass,
            edge_index=mapping.edge_index,
            xyz=first,
        )
    return load_mapped(folder)


def save_mapped(
    trajectory: MappedTrajectory, folder: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a mapped trajectory as a folder ``NAME.cg``.

    Raises
    ------
    ValueError
        If it is there already, and is not to be replaced by `overwrite`.
    """
    check_new(folder, overwrite=overwrite)
    with _atomic_folder(Path(folder)) as partial:
        np.save(partial / "pos.npy", np.asarray(trajectory.pos, dtype=np.float32))
        for field in ("cell", "drift"):
            if getattr(trajectory, field) is not None:
                np.save(partial / f"{field}.npy", getattr(trajectory, field))
        write_atomic_json(partial / "system.json", header_of(trajectory))
    return Path(folder)


def load_mapped(folder: str | Path) -> MappedTrajectory:
    """Open a folder ``NAME.cg``; positions are memory-mapped.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder is not a mapped trajectory, or its files disagree.
    """
    folder = Path(folder)
    if folder.suffix not in ("", ".cg") and not folder.exists():
        raise FileNotFoundError(f"{folder}: no such file")
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder of a mapped trajectory (make it with `cgsim map`)"
        )
    fields = read_header(folder / "system.json")
    pos = _open(folder / "pos.npy")
    _check_shape(folder / "pos.npy", pos, (*pos.shape[:1], len(fields["bead_mass"]), 3))
    check_finite(folder / "pos.npy", pos)
    cell = _open(folder / "cell.npy") if (folder / "cell.npy").exists() else None
    if cell is not None:
        _check_shape(folder / "cell.npy", cell, (len(pos), 3, 3))
    drift = _open(folder / "drift.npy") if (folder / "drift.npy").exists() else None
    if drift is not None:
        _check_shape(folder / "drift.npy", drift, pos.shape)
    return MappedTrajectory(**fields, pos=pos, cell=cell, drift=drift)


def load_mapped_folders(paths: Sequence[str | Path]) -> list[MappedTrajectory]:
    """Open folders ``NAME.cg``, and all of them inside other folders.

    Raises
    ------
    FileNotFoundError
        If a folder is missing.
    ValueError
        If a folder is not a mapped trajectory, and none are in it.
    """
    return [load_mapped(folder) for folder in find_mapped_folders(paths)]


def find_mapped_folders(paths: Sequence[str | Path]) -> list[Path]:
    """Folders ``NAME.cg``, and all of them inside other folders; missing ones stay in the list.

    Raises
    ------
    ValueError
        If a folder is not a mapped trajectory, and none are in it.
    """
    folders = []
    for path in map(Path, paths):
        inside = sorted(path.glob("*.cg"))
        if path.is_dir() and not inside and not (path / "system.json").exists():
            raise ValueError(f"{path}: holds no mapped trajectories NAME.cg (see `cgsim map`)")
        folders += inside or [path]
    return folders


@contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside ``folder``, renamed to it on success and removed on failure.

    Raises
    ------
    ValueError
        If ``folder`` holds anything but a mapped trajectory: it would be replaced.
    """
    if folder.exists() and not _is_replaceable(folder):
        raise ValueError(f"{folder} exists and is not a mapped trajectory: choose another folder")
    partial = folder.with_name(f".{os.getpid()}.{folder.name}")
    replaced = folder.with_name(f".{os.getpid()}.old.{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            os.replace(folder, replaced)
        os.replace(partial, folder)
    finally:
        if replaced.exists() and not folder.exists():
            os.replace(replaced, folder)
        for leftover in (partial, replaced):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_replaceable(folder: Path) -> bool:
    """Whether a folder is empty or a mapped trajectory."""
    return folder.is_dir() and ((folder / "system.json").is_file() or not any(folder.iterdir()))


def _check_shape(path: Path, array: np.ndarray, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise ValueError(f"{path}: shape {list(array.shape)}, expected {list(expected)}")


def _open(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        raise ValueError(f"{path}: truncated or not a NumPy array ({error})") from error


def _system(
    files: Files,
    molecule: "Molecule",
    mapping: Mapping,
    interval: float,
    name: str | None,
) -> Callable[[np.ndarray, np.ndarray | None, np.ndarray | None], MappedTrajectory]:
    """A constructor that needs only frames and what they tell of the handedness."""
    from cgsim.io import trajectory_files
    from cgsim.mapping.structure import bead_names

    temperature = read_sidecar(trajectory_files(files)[0]).get("temperature")

    def build(
        pos: np.ndarray, cell: np.ndarray | None, chirality: np.ndarray | None
    ) -> MappedTrajectory:
        return MappedTrajectory(
            name=name or molecule.name,
            atom_type=mapping.types_of(molecule.atom_type),
            atom_bonds=molecule.bond_index,
            bead_index=mapping.bead_index,
            bead_name=tuple(bead_names(molecule, mapping)),
            bead_mass=mapping.bead_mass,
            edge_index=mapping.edge_index,
            pos=pos,
            frame_interval=interval,
            recipe=mapping.recipe,
            cell=cell,
            temperature=temperature,
            chirality=chirality,
        )

    return build


def _append(
    folder: Path, field: str, frames: np.ndarray | None, streams: dict[str, list[int]]
) -> None:
    """Append raw frames, if there are any, to a stream, counting them."""
    if frames is None:
        return
    shape = streams.setdefault(field, [0, *frames.shape[1:]])
    shape[0] += len(frames)
    with open(folder / f"{field}.raw", "ab") as file:
        frames.tofile(file)


def _finish(folder: Path, field: str, shape: list[int]) -> None:
    """Turn a raw stream into a ``.npy`` file."""
    header = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
    with open(folder / f"{field}.npy", "wb") as file, open(folder / f"{field}.raw", "rb") as raw:
        np.lib.format.write_array_header_1_0(file, header)
        shutil.copyfileobj(raw, file)
    os.remove(folder / f"{field}.raw")

"""Molecules and trajectories that are in memory: of MDTraj, of MDAnalysis, or arrays.

A trajectory in memory is written to a file for as long as it is read, so that all that holds of
files holds of it: it is streamed, and checked in the same way.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
from mdtraj.formats import TRRTrajectoryFile

from cgsim.io.frames import standard_vectors
from cgsim.io.mdanalysis import topology_of
from cgsim.io.stated import StatedTopology, stated_by, with_coordinates
from cgsim.units import NM_PER_ANGSTROM

_CHUNK = 500  # frames of an array that are written at a time


def stated_in_memory(source: object) -> StatedTopology | None:
    """Return what an object states of a molecule; None of a path.

    Parameters
    ----------
    source
        `mdtraj.Topology`, `mdtraj.Trajectory`, `MDAnalysis.Universe` or `MDAnalysis.AtomGroup`.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(source, str | Path):
        return None
    if isinstance(source, mdtraj.Topology):
        return stated_by(source)
    if isinstance(source, mdtraj.Trajectory):
        stated = stated_by(source.topology)
        if not source.n_frames:
            return stated
        return replace(
            with_coordinates(source[0], stated.symbols, stated.bonds),
            has_all_bonds=stated.has_all_bonds,
        )
    atoms = _atoms(source)
    loaded = topology_of(atoms)
    stated = replace(stated_by(loaded.topology), symbols=loaded.symbols, masses=loaded.masses)
    if not hasattr(atoms.universe, "trajectory"):
        return stated
    return replace(stated, xyz=atoms.positions.astype(np.float64) * NM_PER_ANGSTROM)


@contextmanager
def on_disk(source: Any) -> Iterator[list[Path]]:
    """Files of a trajectory: those that were named, or one for the time being.

    Parameters
    ----------
    source
        One path or several; `mdtraj.Trajectory`, `MDAnalysis.Universe` or `AtomGroup`; an array
        ``[n_frames, n_atoms, 3]`` nm, or what NumPy makes one of (a tensor of PyTorch on the CPU).

    Raises
    ------
    ValueError
        If it is something else, or an array of another shape.
    """
    if _is_paths(source):
        one = isinstance(source, str | Path)
        yield [Path(source)] if one else [Path(file) for file in source]
        return
    with tempfile.TemporaryDirectory(prefix="cgsim-") as folder:
        path = Path(folder) / f"{type(source).__name__}-in-memory.trr"
        with TRRTrajectoryFile(str(path), "w") as file:
            for xyz, time, cell in _chunks(source):
                file.write(np.ascontiguousarray(xyz, dtype=np.float32), time=time, box=cell)
        try:
            yield [path]
        except ValueError as error:  # that file is nothing to a user
            text = str(error).replace(str(path), f"{type(source).__name__} in memory")
            raise ValueError(text) from error


def _is_paths(source: Any) -> bool:
    if isinstance(source, str | Path):
        return True
    return isinstance(source, Sequence) and all(isinstance(own, str | Path) for own in source)


Chunk = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def _chunks(source: Any) -> Iterator[Chunk]:
    """Positions, times (zeros where there are none) and cell vectors."""
    if isinstance(source, mdtraj.Trajectory):
        yield source.xyz, source.time, source.unitcell_vectors
    elif hasattr(source, "__array__"):
        source = np.asarray(source)
        if source.ndim != 3 or source.shape[2] != 3 or not len(source):
            raise ValueError(
                f"positions must be [n_frames, n_atoms, 3] in nm, got {list(source.shape)}"
            )
        for first in range(0, len(source), _CHUNK):
            part = source[first : first + _CHUNK]
            yield part, np.zeros(len(part)), None
    else:
        atoms = _atoms(source)
        for frame in atoms.universe.trajectory:
            yield (
                atoms.positions[None] * NM_PER_ANGSTROM,
                np.array([frame.time]),
                _cell(frame.dimensions),
            )


def _cell(dimensions: np.ndarray | None) -> np.ndarray | None:
    if dimensions is None:
        return None
    lengths, angles = np.split(np.asarray(dimensions, dtype=np.float64)[None], 2, axis=1)
    return standard_vectors(lengths * NM_PER_ANGSTROM, angles).astype(np.float32)


def _atoms(source: Any) -> Any:
    """The atoms of a Universe or AtomGroup.

    Raises
    ------
    ValueError
        If it is neither.
    """
    atoms = getattr(source, "atoms", None)
    if atoms is None or not hasattr(atoms, "universe"):
        raise ValueError(
            f"a {type(source).__module__}.{type(source).__name__} is no path, mdtraj.Trajectory, "
            "MDAnalysis.Universe, AtomGroup or array of positions"
        )
    return atoms

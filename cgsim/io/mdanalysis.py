"""Formats that MDAnalysis reads (the extra ``mdanalysis``): trajectories and topologies.

Gowers et al., Proc. 15th Python in Science Conf., 98 (2016).
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
from mdtraj.core.element import Element, get_by_symbol, virtual

from cgsim.io.errors import reader_errors
from cgsim.io.frames import Cells, Frames, TruncatedError
from cgsim.io.loaded import LoadedTopology
from cgsim.units import NM_PER_ANGSTROM

_GROMACS = (".itp", ".top")  # of which MDAnalysis guesses elements by the types of atoms
_MEANING = "a, b, c in Å and alpha, beta, gamma in degrees"


def read_mdanalysis(path: Path, n_atoms: int, chunk: int) -> Iterator[Frames]:
    """Yield the frames of a file of any format that MDAnalysis reads, at most `chunk` at a time.

    Raises
    ------
    TruncatedError
        After the last whole frame, if the last one cannot be read.
    """
    reader = _open(path, n_atoms)
    with reader:
        n_read, n_frames = 0, int(reader.n_frames)
        while n_read < n_frames:
            frames: list[tuple[np.ndarray, np.ndarray, float]] = []
            failed: Exception | None = None
            try:
                for row in range(n_read, min(n_read + chunk, n_frames)):
                    with reader_errors(path):
                        frames.append(_copied(reader[row]))
            except ValueError as error:
                failed = error
            if frames:
                yield _joined(frames)
            n_read += len(frames)
            if failed is not None:
                if n_read and n_read == n_frames - 1:
                    raise TruncatedError(path, n_read) from failed
                raise failed


def first_times(path: Path) -> np.ndarray:
    """Return the times in ps of the first two frames."""
    with reader_errors(path), _open(path, None) as reader:
        return np.array([float(frame.time) for frame in islice(reader, 2)])


def load_mdanalysis(path: Path) -> LoadedTopology:
    """Return names, residues, chains (segments), elements, bonds and masses; guess nothing."""
    with reader_errors(path, what="be read as a topology"):
        import MDAnalysis

        kind = "ITP" if path.suffix.lower() in _GROMACS else None
        universe = MDAnalysis.Universe(str(path), topology_format=kind, to_guess=())
        loaded = topology_of(universe.atoms)
        if kind:
            return replace(loaded, symbols=[None] * len(universe.atoms))
        return replace(loaded, frame=_first_frame(universe, loaded.topology))


def _first_frame(universe: Any, topology: mdtraj.Topology) -> mdtraj.Trajectory | None:
    """The first frame of a file that has positions beside names."""
    try:
        now = universe.trajectory.ts
    except AttributeError:  # no positions
        return None
    frame = mdtraj.Trajectory(np.asarray(now.positions) * NM_PER_ANGSTROM, topology)
    if now.dimensions is not None:
        frame.unitcell_lengths = now.dimensions[None, :3] * NM_PER_ANGSTROM
        frame.unitcell_angles = now.dimensions[None, 3:]
    return frame


def topology_of(atoms: Any) -> LoadedTopology:
    """Return the same of a group of atoms; what MDAnalysis has guessed counts for nothing."""
    guessed = {own.attrname for own in getattr(_guessed(atoms), "guessed_attributes", ())}
    topology = mdtraj.Topology()
    _add_atoms(topology, atoms)
    added = list(topology.atoms)
    for i, j in _bonds(atoms):
        topology.add_bond(added[i], added[j])
    elements = [""] * len(atoms) if "elements" in guessed else _elements(atoms)
    masses = None if "masses" in guessed else _masses(atoms)
    return LoadedTopology(topology, _symbols(elements), masses)


def _guessed(atoms: Any) -> Any:
    return getattr(atoms.universe, "_topology", None)


def _open(path: Path, n_atoms: int | None) -> Any:
    with reader_errors(path):
        from MDAnalysis.coordinates.core import reader

        more = {} if n_atoms is None else {"n_atoms": n_atoms}
        return reader(str(path), **more)


def _copied(frame: Any) -> tuple[np.ndarray, np.ndarray, float]:
    cell = np.zeros(6) if frame.dimensions is None else frame.dimensions
    return frame.positions.astype(np.float32), np.array(cell, dtype=np.float64), float(frame.time)


def _joined(frames: list[tuple[np.ndarray, np.ndarray, float]]) -> Frames:
    xyz = np.stack([positions for positions, _, _ in frames]) * np.float32(NM_PER_ANGSTROM)
    raw = np.stack([cell for _, cell, _ in frames])
    cells = Cells(raw[:, :3] * NM_PER_ANGSTROM, raw[:, 3:], raw, _MEANING)
    return Frames(xyz, np.array([time for _, _, time in frames]), cells)


def _attribute(atoms: Any, name: str, absent: Any) -> Any:
    """Return an attribute of all atoms; `absent` where the file has none."""
    from MDAnalysis.exceptions import NoDataError

    try:
        return getattr(atoms, name)
    except (NoDataError, AttributeError):
        return absent


def _elements(atoms: Any) -> list[str]:
    """Return symbols, blank where none are stated: by name, or by number (Desmond)."""
    symbols = _attribute(atoms, "elements", None)
    if symbols is not None:
        return [str(symbol) for symbol in symbols]
    numbers = _attribute(atoms, "atomnums", np.zeros(len(atoms), dtype=int))
    return [Element.getByAtomicNumber(int(n)).symbol if n > 0 else "" for n in numbers]


def _symbols(elements: list[str]) -> list[str | None]:
    """Return symbols of real elements, None for anything else."""
    known: dict[str, str | None] = {}
    for name in set(elements):
        try:
            known[name] = str(get_by_symbol(name.strip().capitalize()).symbol)
        except KeyError:
            known[name] = None
    return [known[name] for name in elements]


def _masses(atoms: Any) -> np.ndarray | None:
    """Return the masses, None unless the file has that of every atom."""
    masses = _attribute(atoms, "masses", None)
    if masses is None or not np.isfinite(masses).all() or not np.any(masses):
        return None
    return np.asarray(masses, dtype=np.float64)


def _add_atoms(topology: mdtraj.Topology, atoms: Any) -> None:
    n = len(atoms)
    names = _attribute(atoms, "names", None)
    if names is None:
        names = _attribute(atoms, "types", [f"A{number}" for number in range(1, n + 1)])
    residue_names = _attribute(atoms, "resnames", ["MOL"] * n)
    numbers = _attribute(atoms, "resids", [1] * n)
    segments = _attribute(atoms, "segids", [""] * n)
    chains = _attribute(atoms, "chainIDs", segments)
    residue_index, segment_index = (
        _attribute(atoms, which, [0] * n) for which in ("resindices", "segindices")
    )
    chain = residue = None
    last_chain = last_residue = None
    for row in range(n):
        chain_key = (segment_index[row], chains[row])
        if chain is None or chain_key != last_chain:
            chain, residue, last_chain = topology.add_chain(str(chains[row])), None, chain_key
        if residue is None or residue_index[row] != last_residue:
            residue = topology.add_residue(
                str(residue_names[row]), chain, int(numbers[row]), str(segments[row])
            )
            last_residue = residue_index[row]
        topology.add_atom(str(names[row]), virtual, residue)


def _bonds(atoms: Any) -> list[tuple[int, int]]:
    """Bonds within the group, by places in it."""
    bonds = _attribute(atoms, "bonds", None)
    if bonds is None:
        return []
    place = {int(index): row for row, index in enumerate(atoms.indices)}
    pairs = ((int(i), int(j)) for i, j in bonds.indices)
    return [(place[i], place[j]) for i, j in pairs if i in place and j in place]

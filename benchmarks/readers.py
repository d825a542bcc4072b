"""Every format against an independent reader, MDAnalysis, on files that nobody here has made.

    python -m benchmarks.readers --data FOLDER...

Folders of test data, for example of the packages MDAnalysisTests, prolif and nglview. Of each
trajectory the first frames are compared: positions, times' number and cells; of each topology
atoms, masses, bonds and elements.
"""

import argparse
import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
from mdtraj.core.element import virtual

from benchmarks.record import write_result
from cgsim.io import Molecule, iter_frames, load_molecule
from cgsim.io.files import file_extension
from cgsim.io.formats import FORMATS

MAX_FRAMES = 100
MAX_BYTES = 60_000_000
SAME_POSITION = 1e-6  # nm, 1e-5 Å: rounding to single precision
SAME_CELL = 1e-4  # Å and degrees
NM = 0.1  # of an Å
UNITLESS = {".gsd"}  # numbers are taken for nm, by MDAnalysis for Å
TOPOLOGIES = (
    *(".tpr", ".itp", ".dms", ".data", ".gsd", ".psf", ".prmtop", ".parm7", ".top"),
    *(".pqr", ".mmtf", ".pdb", ".gro", ".mol2"),
)
AMBER = (".mdcrd", ".trj", ".crd")
FORMAT_NAMES = {".lammpstrj": "LAMMPSDUMP", ".dump": "LAMMPSDUMP", **dict.fromkeys(AMBER, "TRJ")}


@dataclass(frozen=True)
class TrajectoryRow:
    """One trajectory in both readers; differences in nm, and of cells in Å and degrees."""

    file: str
    format: str
    n_frames: int | None
    n_frames_mdanalysis: int | None
    position_difference: float | None
    cell_difference: float | None
    verdict: str


@dataclass(frozen=True)
class TopologyRow:
    """One topology in both readers; masses in Da, bonds that only one of them has."""

    file: str
    format: str
    verdict: str
    n_atoms: int | None = None
    mass_difference: float | None = None
    n_bonds: int | None = None
    n_bonds_mdanalysis: int | None = None
    n_elements_that_differ: int | None = None


def main() -> None:
    """Compare all files of some folders and store the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="FOLDER")
    folders = parser.parse_args().data
    warnings.simplefilter("ignore")
    begin = time.perf_counter()
    trajectories = [asdict(row) for folder in folders for row in compare_trajectories(folder)]
    topologies = [asdict(row) for folder in folders for row in compare_topologies(folder)]
    names = " ".join(_name(folder) for folder in folders)
    metrics = {
        "trajectories": trajectories,
        "topologies": topologies,
        "verdicts": {
            kind: _counted([row["verdict"].partition(":")[0] for row in rows])
            for kind, rows in (("trajectories", trajectories), ("topologies", topologies))
        },
    }
    command = f"python -m benchmarks.readers --data {names}"
    path = write_result("readers", command, metrics, wall_clock=time.perf_counter() - begin)
    print(metrics["verdicts"], path)


def compare_trajectories(folder: Path) -> Iterator[TrajectoryRow]:
    """Rows of all trajectories in a folder, the folders inside it included."""
    for path in _files(folder, FORMATS):
        row = compare_trajectory(path, folder)
        print(*asdict(row).values())
        yield row


def compare_trajectory(path: Path, folder: Path) -> TrajectoryRow:
    """Read one file with both; the number of atoms is what the other reader says."""
    name, kind = f"{_name(folder)}/{path.relative_to(folder)}", _extension(path)
    theirs = _theirs(path)
    if theirs is None:
        return TrajectoryRow(name, kind, None, None, None, None, "not read by MDAnalysis")
    xyz, cells = theirs
    try:
        chunks: list[mdtraj.Trajectory] = []
        for chunk in iter_frames(path, _particles(xyz.shape[1]), chunk=20):
            chunks.append(chunk)
            if sum(len(c) for c in chunks) >= MAX_FRAMES:
                break
    except ValueError as error:
        said = _short(error, path)
        return TrajectoryRow(name, kind, None, len(xyz), None, None, f"refused: {said}")
    ours = np.concatenate([chunk.xyz for chunk in chunks])[:MAX_FRAMES]
    moved, how = _difference(ours, xyz * (1 / NM if kind in UNITLESS else 1))
    unit = 1.0 if kind in UNITLESS else NM
    cell = _cell_difference(chunks, cells * np.array([unit] * 3 + [1] * 3))
    rounding = 2 * float(np.finfo(np.float32).eps * np.abs(xyz).max()) / unit * NM
    same = len(ours) >= len(xyz) and moved < SAME_POSITION + rounding and cell < SAME_CELL
    verdict = f"same{how}" if same else "differs"
    return TrajectoryRow(name, kind, len(ours), len(xyz), moved, cell, verdict)


def compare_topologies(folder: Path) -> Iterator[TopologyRow]:
    """Rows of all topologies in a folder, the folders inside it included."""
    for path in _files(folder, TOPOLOGIES):
        row = compare_topology(path, folder)
        print(*asdict(row).values())
        yield row


def compare_topology(path: Path, folder: Path) -> TopologyRow:
    """Read one file with both; what the other reader does not find is not compared."""
    import MDAnalysis

    name, kind = f"{_name(folder)}/{path.relative_to(folder)}", _extension(path)
    try:
        molecule = load_molecule(path)
    except ValueError as error:
        said = _short(error, path)
        return TopologyRow(name, kind, f"refused: {said}")
    try:
        atoms = MDAnalysis.Universe(str(path), to_guess=()).atoms
    except Exception as error:  # of a dozen kinds
        n = molecule.n_atoms
        return TopologyRow(name, kind, f"not read by MDAnalysis: {type(error).__name__}", n)
    masses, bonds, elements = (_has(atoms, what) for what in ("masses", "bonds", "elements"))
    mass = None
    if masses is not None and len(masses) == molecule.n_atoms:
        mass = float(np.abs(masses - molecule.atom_mass).max())
    ours = {tuple(pair) for pair in molecule.bond_index.T.tolist()}
    theirs = None if bonds is None else {tuple(sorted(pair)) for pair in bonds.indices.tolist()}
    differing = None
    if elements is not None and len(atoms) == molecule.n_atoms:
        pairs = zip(elements, molecule.atom_type, strict=True)
        differing = sum(bool(a) and a.capitalize() != b for a, b in pairs)
    same = len(atoms) == molecule.n_atoms and not mass and not differing
    bonded = theirs is None or theirs <= ours
    more = 0 if theirs is None else len(ours - theirs)
    verdict = "differs"
    if same and bonded:
        verdict = f"same: {more} bonds are added" if more else "same"
    n_theirs = None if theirs is None else len(theirs)
    return TopologyRow(name, kind, verdict, molecule.n_atoms, mass, len(ours), n_theirs, differing)


def _theirs(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Positions in nm and cells in Å and degrees, zeros for none, as MDAnalysis reads them."""
    from MDAnalysis.coordinates.core import reader

    kind = _extension(path)
    for n_atoms in _numbers_of_atoms(path) if kind in AMBER else [None]:
        more: dict[str, Any] = {} if n_atoms is None else {"n_atoms": n_atoms}
        try:
            frames = reader(str(path), format=FORMAT_NAMES.get(kind), **more)
            read = [_copied(frame) for frame in islice(frames, MAX_FRAMES)]
        except Exception:  # of a dozen kinds: MDAnalysis does not read it
            continue
        return np.stack([xyz for xyz, _ in read]), np.stack([cell for _, cell in read])
    return None


def _copied(frame: Any) -> tuple[np.ndarray, np.ndarray]:
    cell = np.zeros(6) if frame.dimensions is None else np.array(frame.dimensions)
    return frame.positions * np.float32(NM), cell


def _numbers_of_atoms(path: Path) -> list[int]:
    """Of all AMBER topologies beside a trajectory that does not tell its own."""
    found = []
    for other in sorted(path.parent.iterdir()):
        if _extension(other) in (".prmtop", ".parm7", ".top"):
            try:
                found.append(load_molecule(other).n_atoms)
            except ValueError:
                continue
    return found


def _difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, str]:
    """Largest difference, if need be after a shift, or of distances in cells that are turned."""
    n = min(len(ours), len(theirs))
    gap = ours[:n].astype(np.float64) - theirs[:n]
    if (moved := float(np.abs(gap).max())) < SAME_POSITION:
        return moved, ""
    shifted = float(np.abs(gap - gap.mean(axis=1, keepdims=True)).max())
    if shifted < SAME_POSITION:
        return shifted, ": by a shift, the origin of the box"
    steps = [np.linalg.norm(np.diff(xyz[:n], axis=1), axis=2) for xyz in (ours, theirs)]
    turned = float(np.abs(steps[0] - steps[1]).max())
    if turned < SAME_POSITION:
        return turned, ": turned with its cell"
    return moved, ""


def _cell_difference(chunks: list[mdtraj.Trajectory], cells: np.ndarray) -> float:
    """Largest difference of lengths and angles; no cell is one of zeros."""
    if chunks[0].unitcell_lengths is None:
        is_dummy = np.allclose(cells[:, :3], NM, rtol=1e-3) or np.isnan(cells).any()
        return 0.0 if is_dummy or not cells[:, :3].any() else float("inf")
    parts = [np.concatenate([c.unitcell_lengths, c.unitcell_angles], axis=1) for c in chunks]
    ours = np.concatenate(parts)[: len(cells)]
    return float(np.abs(ours - cells[: len(ours)]).max() / NM)


def _particles(n_atoms: int) -> Molecule:
    """As many particles without bonds."""
    topology = mdtraj.Topology()
    residue = topology.add_residue("ALL", topology.add_chain())
    for _ in range(n_atoms):
        topology.add_atom("A", virtual, residue)
    none = np.empty((2, 0), dtype=np.int64)
    return Molecule("all", ("A",) * n_atoms, np.ones(n_atoms), none, topology)


def _has(atoms: Any, what: str) -> Any:
    try:
        value = getattr(atoms, what)
    except Exception:  # MDAnalysis has no such attribute of this file
        return None
    return None if what == "masses" and not np.isfinite(value).all() else value


def _files(folder: Path, extensions: Any) -> list[Path]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [p for p in files if _extension(p) in extensions and 0 < p.stat().st_size < MAX_BYTES]


def _extension(path: Path) -> str:
    return file_extension(path).removesuffix(".gz").removesuffix(".bz2")


def _short(error: ValueError, path: Path) -> str:
    """The beginning of a message, without folders of this machine."""
    said = str(error).replace(str(path), path.name).replace(f"{path.parent}/", "")
    return re.sub(r"(/[^/\s]+){2,}/", "", said)[:200]


def _name(folder: Path) -> str:
    return "/".join(folder.parts[-2:])


def _counted(words: list[str]) -> dict[str, int]:
    return {word: words.count(word) for word in sorted(set(words))}


if __name__ == "__main__":
    main()

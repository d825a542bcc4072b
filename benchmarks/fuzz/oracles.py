"""What is true of a damaged file: what an independent reader finds in it, or what must hold.

**Trajectories** are read by MDAnalysis too: frames of both, positions to the rounding
of the format.
**Topologies** too: atoms, their names and residues, and masses and bonds where the file has any.
**Own files** (mapped folders, checkpoints, restart files, sidecars, user mappings) hold to their
own rules: shapes that fit, finite numbers, every atom in one bead.
"""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.seeds import Seed
from cgsim.io import iter_frames, load_molecule, read_frame_interval, read_sidecar
from cgsim.io.compressed import open_text
from cgsim.mapping import map_user
from cgsim.mapping.store import load_mapped
from cgsim.model.checkpoint import load_provenance, load_simulator
from cgsim.rollout.reporters import FileReporter
from cgsim.testing.systems import random_chain

Found = dict[str, Any]
"""What was read; ``{"refused": message}`` where nothing was."""

_FORMATS = {".lammpstrj": "LAMMPSDUMP", ".extxyz": "XYZ"}
_SAME = 2e-3  # nm: the rounding of the coarsest format, twice


def read(seed: Seed, path: Path, home: Path) -> Found:
    """Read a damaged file with cgsim.

    Raises
    ------
    Exception
        Any but the errors that cgsim promises: ValueError or FileNotFoundError that name the file.
    """
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = _READERS.get(seed.kind, _OWN.get(seed.kind, _unknown))(path, home)
        return found | {"is_cut": any("whole frames are read" in str(w.message) for w in said)}
    except (ValueError, FileNotFoundError) as error:
        if path.parent.name not in str(error):
            raise RuntimeError(f"the file is not named: {error!r}") from error
        return {"refused": str(error)}


def _unknown(path: Path, home: Path) -> Found:
    raise LookupError(path)


def _trajectory(path: Path, home: Path) -> Found:
    molecule = load_molecule(home / "molecule.pdb")
    frames = list(iter_frames(path, molecule, chunk=3))
    read_frame_interval(path)
    xyz = np.concatenate([chunk.xyz for chunk in frames]) if frames else np.empty((0, 0, 3))
    if not frames:
        raise AssertionError("no frames and no error")
    wrong = _wrong_frames(frames, molecule.n_atoms)
    return {"xyz": xyz, "wrong": wrong}


def _wrong_frames(frames: list, n_atoms: int) -> str | None:
    """What cannot be of any file."""
    for chunk in frames:
        if chunk.xyz.shape[1:] != (n_atoms, 3):
            return f"shape {chunk.xyz.shape}"
        if not np.isfinite(chunk.xyz).all():
            return "positions that are no numbers"
        cell = chunk.unitcell_vectors
        if cell is not None and not (np.isfinite(cell).all() and (np.linalg.det(cell) > 0).all()):
            return "a cell that cannot be"
    time = np.concatenate([chunk.time for chunk in frames])
    if len(time) > 1 and not (np.diff(time) > 0).all():
        return "times that do not rise"
    return None


def _topology(path: Path, home: Path) -> Found:
    molecule = load_molecule(path)
    atoms = list(molecule.topology.atoms)
    wrong = None
    if not np.isfinite(molecule.atom_mass).all() or (molecule.atom_mass < 0).any():
        wrong = "masses that cannot be"
    elif molecule.bond_index.size and not (
        molecule.bond_index.min() >= 0 and molecule.bond_index.max() < molecule.n_atoms
    ):
        wrong = "bonds of atoms that are not there"
    return {
        "names": [atom.name for atom in atoms],
        "residues": [atom.residue.name for atom in atoms],
        "masses": molecule.atom_mass,
        "bonds": {tuple(sorted(pair)) for pair in molecule.bond_index.T.tolist()},
        "wrong": wrong,
    }


_READERS: dict[str, Callable[[Path, Path], Found]] = {
    "trajectory": _trajectory,
    "topology": _topology,
}


def compare(seed: Seed, path: Path, found: Found) -> tuple[str, str]:
    """Compare with an independent reader: ``equal``, ``different``, ``unchecked`` or ``wrong``.

    ``different`` is a difference with a reason, which is returned; ``unchecked`` what the other
    reader does not read.
    """
    if found.get("wrong"):
        return "wrong", found["wrong"]
    if seed.kind not in _READERS:
        return "equal", "holds to its rules"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return (_compare_frames if seed.kind == "trajectory" else _compare_atoms)(path, found)
    except Exception as error:  # of the other reader, a dozen kinds
        return "unchecked", f"MDAnalysis: {type(error).__name__}"


def _compare_frames(path: Path, found: Found) -> tuple[str, str]:
    from MDAnalysis.coordinates.core import reader

    ours = found["xyz"]
    suffix = Path(path.stem).suffix if path.suffix in (".gz", ".bz2") else path.suffix
    if suffix in (".mdcrd", ".h5", ".cif"):
        return "unchecked", "no second reader"
    with reader(str(path), format=_FORMATS.get(suffix, suffix[1:].upper())) as frames:
        theirs = np.stack([np.array(frame.positions) for frame in frames]) * 0.1
    theirs = theirs / 0.1 if path.suffix == ".gsd" else theirs
    if suffix == ".lammpstrj":  # MDAnalysis moves the corner of the cell to the origin
        ours, theirs = ours - ours[:, :1], theirs - theirs[:, :1]
    if theirs.shape[1:] != ours.shape[1:]:
        return "wrong", f"{ours.shape[1]} atoms, by MDAnalysis {theirs.shape[1]}"
    if suffix == ".pdb" and _has_atoms_before_models(path):
        ours = ours[1:]  # MDAnalysis begins with the first MODEL record
    n = min(len(ours), len(theirs))
    moved = np.abs(ours[:n] - theirs[:n]).max(axis=(1, 2)) if n else np.zeros(0)
    allowed = _SAME + 1e-6 * np.abs(theirs[:n]).max() if n else _SAME
    if not (moved <= allowed).all():
        frame = int(np.argmax(~(moved <= allowed)))
        return "wrong", f"frame {frame} by {moved[frame]:.3g} nm"
    if len(ours) == len(theirs):
        return "equal", ""
    if found["is_cut"]:
        return "different", "only whole frames are read, with a warning"
    if suffix == ".gro" and len(theirs) == 1:
        return "different", "MDAnalysis reads the first frame of a GRO file only"
    if len(ours) > len(theirs):
        return "wrong", "more frames than MDAnalysis reads"
    return "wrong", "fewer frames than MDAnalysis reads"


def _has_atoms_before_models(path: Path) -> bool:
    with open_text(path) as file:
        records = [line[:6] for line in file if line.startswith(("ATOM", "HETATM", "MODEL "))]
    return any(record == "MODEL " for record in records) and records[0] != "MODEL "


def _compare_atoms(path: Path, found: Found) -> tuple[str, str]:
    import MDAnalysis

    if path.suffix == ".psf":
        return _compare_words(path, found)
    if path.suffix in (".cif", ".prmtop"):
        return "unchecked", "no second reader"
    kind = {".data": "DATA"}.get(path.suffix)
    atoms = MDAnalysis.Universe(str(path), topology_format=kind, to_guess=()).atoms
    if len(atoms) != len(found["names"]):
        return "wrong", "another number of atoms than MDAnalysis reads"
    kept = {".pdb": ("residues",), ".bz2": ("residues",), ".gsd": ("names",), ".data": ()}
    for ours, theirs in (("names", "names"), ("residues", "resnames")):
        if ours not in kept.get(path.suffix, ("names", "residues")):
            continue  # MDTraj gives standard names, MDAnalysis numbers for names
        if hasattr(atoms, theirs) and [str(x) for x in getattr(atoms, theirs)] != found[ours]:
            return "wrong", f"other {ours} than MDAnalysis reads"
    if hasattr(atoms, "masses") and np.abs(atoms.masses - found["masses"]).max() > 1e-3:
        return "wrong", "other masses than MDAnalysis reads"
    if hasattr(atoms, "bonds"):
        bonds = {tuple(sorted(pair)) for pair in atoms.bonds.indices.tolist()}
        if not bonds <= found["bonds"]:
            return "wrong", "bonds of MDAnalysis are missing"
    return "equal", ""


def _compare_words(path: Path, found: Found) -> tuple[str, str]:
    """A PSF by its words: MDAnalysis goes by columns, which damage moves."""
    lines = path.read_text(encoding="latin-1").split("\n")
    start = next(number for number, line in enumerate(lines) if "!NATOM" in line)
    n_atoms = int(lines[start].split()[0])
    words = [line.split() for line in lines[start + 1 : start + 1 + n_atoms]]
    if any(len(line) != 9 for line in words):
        return "wrong", "a line of an atom has other than nine words"
    if [line[3] for line in words] != found["residues"]:
        return "wrong", "other residues than the words"
    if not np.allclose([float(line[7]) for line in words], found["masses"]):
        return "wrong", "other masses than the words"
    return "equal", ""


def _mapped(path: Path, home: Path) -> Found:
    folder = path.parent / "chain.cg"
    shutil.copytree(home / "chain.cg", folder, dirs_exist_ok=True)
    path.replace(folder / path.name)
    chain = load_mapped(folder)
    wrong = None
    beads = np.asarray(chain.bead_index)
    if not np.isfinite(np.asarray(chain.pos)).all():
        wrong = "positions that are no numbers"
    elif len(beads) != len(chain.atom_type):
        wrong = "beads of another number of atoms"
    elif not np.array_equal(np.unique(beads), np.arange(len(chain.bead_mass))):
        wrong = "beads without atoms, or atoms without beads"
    elif not (np.isfinite(chain.bead_mass).all() and (chain.bead_mass > 0).all()):
        wrong = "masses that cannot be"
    elif not (np.isfinite(chain.frame_interval) and chain.frame_interval > 0):
        wrong = f"a frame interval of {chain.frame_interval}"
    elif any(
        pairs.size and not (pairs.min() >= 0 and pairs.max() < n)
        for pairs, n in ((chain.atom_bonds, len(beads)), (chain.edge_index, len(chain.bead_mass)))
    ):
        wrong = "bonds of what is not there"
    return {"wrong": wrong}


def _checkpoint(path: Path, home: Path) -> Found:
    simulator = load_simulator(path)
    load_provenance(path)
    finite = all(bool(value.isfinite().all()) for value in simulator.parameters())
    return {"wrong": None if finite else "weights that are no numbers"}


def _restart(path: Path, home: Path) -> Found:
    chain = random_chain()
    for other in (home / "rollout").iterdir():
        if other.name != path.name:
            shutil.copy(other, path.parent)
    reporter = FileReporter([chain], chain.frame_interval, output=path.parent)
    restart = reporter.restart({"seed": 0, "stride": 1})
    if restart is None:
        raise AssertionError("no restart and no error")
    wrong = None
    if not restart.pos.isfinite().all() or restart.pos.shape[-1] != 3:
        wrong = "positions that cannot be"
    elif not isinstance(restart.step, int) or restart.step < 0:
        wrong = f"step {restart.step!r}"
    return {"wrong": wrong}


def _sidecar(path: Path, home: Path) -> Found:
    shutil.copy(home / "run.dcd", path.with_suffix(".dcd"))
    read_sidecar(path.with_suffix(".dcd"))
    interval = read_frame_interval(path.with_suffix(".dcd"))
    wrong = None if interval is None or 0 < interval < np.inf else f"frame interval {interval}"
    return {"wrong": wrong}


def _user_mapping(path: Path, home: Path) -> Found:
    mapping = map_user(load_molecule(home / "molecule.pdb"), path)
    beads = np.unique(mapping.bead_index)
    right = len(mapping.bead_index) == 30 and np.array_equal(beads, np.arange(mapping.n_beads))
    return {"wrong": None if right else "atoms without beads"}


_OWN: dict[str, Callable[[Path, Path], Found]] = {
    "mapped folder, JSON": _mapped,
    "mapped folder, positions": _mapped,
    "checkpoint": _checkpoint,
    "restart": _restart,
    "sidecar": _sidecar,
    "user mapping": _user_mapping,
}

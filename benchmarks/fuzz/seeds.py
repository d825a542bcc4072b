"""Small valid files of every format that cgsim reads, for `mutations` to damage.

Alanine dipeptide with two waters and two ions, in a cell, four frames. All files are written here:
by MDTraj, by MDAnalysis, by cgsim, or by hand where neither writes a format.
"""

import bz2
import gzip
import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import torch

from cgsim.io import load_molecule, write_psf
from cgsim.mapping.store import save_mapped
from cgsim.model.checkpoint import save_simulator
from cgsim.rollout.reporters import FileReporter, Restart
from cgsim.testing.systems import random_chain, random_simulator

N_FRAMES = 4
_ATOMS = """
HH31 ACE 1  2.000 1.000  0.000|CH3 ACE 1  2.000 2.090  0.000|HH32 ACE 1  1.486 2.454  0.890
HH33 ACE 1  1.486 2.454 -0.890|C   ACE 1  3.427 2.641 -0.000|O    ACE 1  4.391 1.877 -0.000
N    ALA 2  3.555 3.970 -0.000|H   ALA 2  2.733 4.556 -0.000|CA   ALA 2  4.853 4.614 -0.000
HA   ALA 2  5.408 4.316  0.890|CB  ALA 2  5.661 4.221 -1.232|HB1  ALA 2  5.123 4.521 -2.131
HB2  ALA 2  6.630 4.719 -1.206|HB3 ALA 2  5.809 3.141 -1.241|C    ALA 2  4.713 6.129  0.000
O    ALA 2  3.601 6.653  0.000|N   NME 3  5.846 6.835  0.000|H    NME 3  6.737 6.359 -0.000
CH3  NME 3  5.846 8.284  0.000|HH31 NME 3 4.819 8.648  0.000|HH32 NME 3  6.360 8.648  0.890
HH33 NME 3  6.360 8.648 -0.890|O   HOH 4 12.000 9.000  7.000|H1   HOH 4 12.957 9.000  7.000
H2   HOH 4 11.760 9.927  7.000|O   HOH 5 15.000 4.000 11.00 |H1   HOH 5 15.957 4.000 11.000
H2   HOH 5 14.760 4.927 11.000|NA  NA  6 10.000 10.00 14.00 |CL   CL  7  7.000 14.00 15.000
"""
_CELL = (20.0, 21.0, 22.0)  # Å


@dataclass(frozen=True)
class Seed:
    """A valid file of one format and how it is read."""

    format: str
    kind: str  # trajectory, topology, or the name of another check in `oracles`
    name: str
    content: bytes
    is_text: bool


def make_seeds(folder: Path) -> list[Seed]:
    """Write all seed files into a folder; ``molecule.pdb`` there is what trajectories are of."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "molecule.pdb").write_text(_pdb())
    trajectory = _trajectory(folder / "molecule.pdb")
    seeds: list[Seed] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, write in _WRITERS.items():
            path = folder / f"run.{name}"
            write(path, trajectory)
            seeds.append(_seed(path, "trajectory"))
        for extension in ("xyz", "gro", "pdb"):
            path = folder / f"run.{extension}.gz"
            path.write_bytes(gzip.compress((folder / f"run.{extension}").read_bytes(), mtime=0))
            seeds.append(_seed(path, "trajectory"))
        for name, topology in _TOPOLOGIES.items():
            path = folder / f"top.{name}"
            path.write_bytes(topology(trajectory, folder))
            seeds.append(_seed(path, "topology"))
    return seeds + _own_files(folder)


def _seed(path: Path, kind: str) -> Seed:
    content = path.read_bytes()
    text = not path.name.endswith((".gz", ".bz2")) and b"\0" not in content
    name = f"{kind} {path.name.partition('.')[2]}" if kind != "own" else path.name
    return Seed(name, kind, path.name, content, text)


def _pdb() -> str:
    words = [atom.split() for line in _ATOMS.strip().splitlines() for atom in line.split("|")]
    lines = ["CRYST1{:9.3f}{:9.3f}{:9.3f}  90.00  90.00  90.00 P 1           1".format(*_CELL)]
    for serial, (name, residue, number, x, y, z) in enumerate(words, 1):
        padded = name if len(name) == 4 or residue in ("NA", "CL") else f" {name}"
        symbol = residue.rjust(2) if residue in ("NA", "CL") else name[0].rjust(2)
        lines.append(
            f"ATOM  {serial:5d} {padded:<4s} {residue:<3s} A{int(number):4d}    "
            f"{float(x):8.3f}{float(y):8.3f}{float(z):8.3f}  1.00  0.00          {symbol}"
        )
    return "\n".join([*lines, "TER", "END", ""])


def _trajectory(path: Path) -> mdtraj.Trajectory:
    first = mdtraj.load(str(path))
    rng = np.random.default_rng(0)
    xyz = first.xyz + rng.normal(0, 0.005, (N_FRAMES, first.n_atoms, 3))
    lengths = np.tile(np.array(_CELL) / 10, (N_FRAMES, 1))
    return mdtraj.Trajectory(
        xyz + 0.1,
        first.topology,
        time=2.0 * np.arange(N_FRAMES),
        unitcell_lengths=lengths,
        unitcell_angles=np.full((N_FRAMES, 3), 90.0),
    )


def _mdtraj(path: Path, trajectory: mdtraj.Trajectory) -> None:
    trajectory.save(str(path))


def _mdanalysis(path: Path, trajectory: mdtraj.Trajectory) -> None:
    import MDAnalysis

    universe = MDAnalysis.Universe(str(path.parent / "molecule.pdb"), str(path.parent / "run.xtc"))
    with MDAnalysis.Writer(str(path), n_atoms=trajectory.n_atoms) as writer:
        for _ in universe.trajectory:
            writer.write(universe.atoms)


def _gsd(path: Path, trajectory: mdtraj.Trajectory) -> None:
    import gsd.hoomd

    with gsd.hoomd.open(str(path), "w") as file:
        for step, xyz in enumerate(trajectory.xyz):
            frame = gsd.hoomd.Frame()
            frame.configuration.step = 1000 * step
            frame.configuration.box = [*np.array(_CELL) / 10, 0, 0, 0]
            frame.particles.N = len(xyz)
            frame.particles.position = xyz
            frame.particles.types = ["C"]
            frame.bonds.N = len(xyz) - 1
            frame.bonds.types = ["b"]
            frame.bonds.group = [[i, i + 1] for i in range(len(xyz) - 1)]
            file.append(frame)


def _extxyz(path: Path, trajectory: mdtraj.Trajectory) -> None:
    a, b, c = _CELL
    lattice = f'Lattice="{a} 0 0 0 {b} 0 0 0 {c}" Properties=species:S:1:pos:R:3'
    symbols = [atom.element.symbol for atom in trajectory.topology.atoms]
    with open(path, "w") as file:
        for xyz in trajectory.xyz * 10:
            file.write(f"{len(xyz)}\n{lattice}\n")
            for symbol, (x, y, z) in zip(symbols, xyz, strict=True):
                file.write(f"{symbol} {x:.5f} {y:.5f} {z:.5f}\n")


def _scaled_dump(path: Path, trajectory: mdtraj.Trajectory) -> None:
    """Scaled positions with image flags, the atoms in another order in every frame."""
    rng = np.random.default_rng(1)
    with open(path, "w") as file:
        for step, xyz in enumerate(trajectory.xyz * 10 / np.array(_CELL)):
            bounds = "\n".join(f"0 {length}" for length in _CELL)
            file.write(f"ITEM: TIMESTEP\n{step * 100}\nITEM: NUMBER OF ATOMS\n{len(xyz)}\n")
            file.write(f"ITEM: BOX BOUNDS pp pp pp\n{bounds}\nITEM: ATOMS id type xs ys zs\n")
            for i in rng.permutation(len(xyz)):
                file.write(f"{i + 1} 1 {xyz[i, 0]:.7f} {xyz[i, 1]:.7f} {xyz[i, 2]:.7f}\n")


def _big_endian_dcd(path: Path, trajectory: mdtraj.Trajectory) -> None:
    """Of CHARMM 36, with a symmetric matrix of the cell, the bytes the other way round."""

    def record(data: bytes) -> bytes:
        size = np.array(len(data), ">i4").tobytes()
        return size + data + size

    control = np.zeros(20, ">i4")
    control[[0, 1, 2, 3, 10, 19]] = N_FRAMES, 1, 1, N_FRAMES, 1, 36
    control[9:10] = np.array([0.04], ">f4").view(">i4")
    a, b, c = _CELL
    parts = [record(b"CORD" + control.tobytes())]
    parts.append(record(np.array(1, ">i4").tobytes() + b"title".ljust(80)))
    parts.append(record(np.array(trajectory.n_atoms, ">i4").tobytes()))
    for xyz in trajectory.xyz * 10:
        parts.append(record(np.array([a, 0, b, 0, 0, c], ">f8").tobytes()))
        parts += [record(xyz[:, axis].astype(">f4").tobytes()) for axis in range(3)]
    path.write_bytes(b"".join(parts))


Write = Callable[[Path, mdtraj.Trajectory], None]
_WRITERS: dict[str, Write] = {
    **dict.fromkeys(("xtc", "trr", "dcd", "nc", "mdcrd", "lammpstrj", "xyz", "gro"), _mdtraj),
    **dict.fromkeys(("pdb", "cif", "h5"), _mdtraj),
    "h5md": _mdanalysis,
    "gsd": _gsd,
    "extxyz": _extxyz,
    "scaled.lammpstrj": _scaled_dump,
    "big.dcd": _big_endian_dcd,
}


def _gro_top(trajectory: mdtraj.Trajectory, folder: Path) -> bytes:
    trajectory[0].save(str(folder / "one.gro"))
    return (folder / "one.gro").read_bytes()


def _pdb_top(trajectory: mdtraj.Trajectory, folder: Path) -> bytes:
    return (folder / "molecule.pdb").read_bytes()


def _cif_top(trajectory: mdtraj.Trajectory, folder: Path) -> bytes:
    trajectory[0].save(str(folder / "one.cif"))
    return (folder / "one.cif").read_bytes()


def _psf_top(trajectory: mdtraj.Trajectory, folder: Path) -> bytes:
    molecule = load_molecule(folder / "molecule.pdb")
    atoms = list(molecule.topology.atoms)
    write_psf(
        folder / "one.psf",
        names=[(str(a.residue.resSeq), a.residue.name, a.name) for a in atoms],
        masses=molecule.atom_mass,
        bond_index=molecule.bond_index,
    )
    return (folder / "one.psf").read_bytes()


def _mol2_top(trajectory: mdtraj.Trajectory, folder: Path) -> bytes:
    molecule = load_molecule(folder / "molecule.pdb")
    lines = ["@<TRIPOS>MOLECULE", "two", f"{molecule.n_atoms} {molecule.bond_index.shape[1]} 1 0 0"]
    lines += ["SMALL", "USER_CHARGES", "", "@<TRIPOS>ATOM"]
    for atom, (x, y, z) in zip(molecule.topology.atoms, trajectory.xyz[0] * 10, strict=True):
        name, residue = atom.name, atom.residue
        symbol = atom.element.symbol
        lines.append(
            f"{atom.index + 1} {name} {x:.4f} {y:.4f} {z:.4f} {symbol} "
            f"{residue.index + 1} {residue.name} 0.0"
        )
    lines.append("@<TRIPOS>BOND")
    for number, (i, j) in enumerate(molecule.bond_index.T, 1):
        lines.append(f"{number} {i + 1} {j + 1} 1")
    return "\n".join([*lines, ""]).encode()


def _data_top(trajectory: mdtraj.Trajectory, folder: Path) -> bytes:
    molecule = load_molecule(folder / "molecule.pdb")
    kinds = sorted(set(molecule.atom_type))
    masses = [molecule.atom_mass[molecule.atom_type.index(kind)] for kind in kinds]
    lines = ["LAMMPS data file: units = real", "", f"{molecule.n_atoms} atoms"]
    lines += [f"{molecule.bond_index.shape[1]} bonds", f"{len(kinds)} atom types", "1 bond types"]
    lines += ["", *(f"0 {length} {a}lo {a}hi" for a, length in zip("xyz", _CELL, strict=True))]
    lines += ["", "Masses", ""]
    lines += [f"{number} {mass:.4f} # {kinds[number - 1]}" for number, mass in enumerate(masses, 1)]
    lines += ["", "Atoms # full", ""]
    for i, (x, y, z) in enumerate(trajectory.xyz[0] * 10):
        kind = kinds.index(molecule.atom_type[i]) + 1
        residue = molecule.topology.atom(i).residue.index
        number = max(1, residue - 1)  # of the molecule: the peptide, then waters and ions
        lines.append(f"{i + 1} {number} {kind} 0.0 {x:.4f} {y:.4f} {z:.4f} 0 0 0")
    lines += ["", "Bonds", ""]
    lines += [f"{n} 1 {i + 1} {j + 1}" for n, (i, j) in enumerate(molecule.bond_index.T, 1)]
    return "\n".join([*lines, ""]).encode()


def _prmtop_top(trajectory: mdtraj.Trajectory, folder: Path) -> bytes:
    molecule = load_molecule(folder / "molecule.pdb")
    atoms = list(molecule.topology.atoms)
    residues = list(molecule.topology.residues)
    pairs = [(int(i), int(j)) for i, j in molecule.bond_index.T]
    with_h = [p for p in pairs if "H" in {atoms[p[0]].element.symbol, atoms[p[1]].element.symbol}]
    heavy = [pair for pair in pairs if pair not in with_h]
    pointers = [0] * 31
    pointers[0], pointers[1], pointers[2] = len(atoms), 1, len(with_h)
    pointers[3], pointers[11], pointers[12], pointers[15] = len(heavy), len(residues), len(heavy), 1

    def section(name: str, values: list, form: str, *, width: int, per: int, spec: str) -> str:
        text = [format(value, spec)[:width] for value in values]
        rows = ["".join(text[at : at + per]) for at in range(0, len(text), per)] or [""]
        return "\n".join([f"%FLAG {name}", f"%FORMAT({form})", *rows])

    ints: dict[str, Any] = {"form": "10I8", "width": 8, "per": 10, "spec": "8d"}
    names: dict[str, Any] = {"form": "20a4", "width": 4, "per": 20, "spec": "<4s"}
    reals: dict[str, Any] = {"form": "5E16.8", "width": 16, "per": 5, "spec": "16.8E"}

    def bonds(of: list[tuple[int, int]]) -> list[int]:
        return [value for i, j in of for value in (3 * i, 3 * j, 1)]

    parts = ["%VERSION  VERSION_STAMP = V0001.000  DATE = 01/01/26  00:00:00"]
    parts.append(section("TITLE", ["two"], **names))
    parts.append(section("POINTERS", pointers, **ints))
    parts.append(section("ATOM_NAME", [a.name for a in atoms], **names))
    parts.append(section("CHARGE", [0.0] * len(atoms), **reals))
    parts.append(section("ATOMIC_NUMBER", [a.element.number for a in atoms], **ints))
    parts.append(section("MASS", molecule.atom_mass.tolist(), **reals))
    parts.append(section("ATOM_TYPE_INDEX", [1] * len(atoms), **ints))
    parts.append(section("RESIDUE_LABEL", [r.name for r in residues], **names))
    starts = [next(r.atoms).index + 1 for r in residues]
    parts.append(section("RESIDUE_POINTER", starts, **ints))
    parts.append(section("BONDS_INC_HYDROGEN", bonds(with_h), **ints))
    parts.append(section("BONDS_WITHOUT_HYDROGEN", bonds(heavy), **ints))
    parts.append(section("AMBER_ATOM_TYPE", [a.element.symbol for a in atoms], **names))
    return "\n".join([*parts, ""]).encode()


def _gsd_top(trajectory: mdtraj.Trajectory, folder: Path) -> bytes:
    return (folder / "run.gsd").read_bytes()


_TOPOLOGIES: dict[str, Callable[[mdtraj.Trajectory, Path], bytes]] = {
    "pdb": _pdb_top,
    "gro": _gro_top,
    "cif": _cif_top,
    "psf": _psf_top,
    "mol2": _mol2_top,
    "data": _data_top,
    "prmtop": _prmtop_top,
    "gsd": _gsd_top,
    "pdb.bz2": lambda trajectory, folder: bz2.compress(_pdb_top(trajectory, folder)),
}


def _own_files(folder: Path) -> list[Seed]:
    """Mapped folders, checkpoints, restart files, sidecars and user mappings."""
    chain = random_chain()
    mapped = save_mapped(chain, folder / "chain.cg")
    model = save_simulator(random_simulator([chain]), folder / "model.safetensors")
    reporter = FileReporter([chain], chain.frame_interval, output=folder / "rollout")
    start = torch.as_tensor(np.array(chain.pos[:2])).transpose(0, 1)
    reporter.record(start[:, 0], [True])
    reporter.flush(
        Restart(1, start, torch.Generator().get_state(), [], 1.0, {"seed": 0, "stride": 1})
    )
    sidecar = {"frame_interval": 2.0, "temperature": 300.0, "masses": {"C": 12.011}}
    (folder / "sidecar.json").write_text(json.dumps(sidecar))
    beads = [list(range(10)), list(range(10, 22)), *([i] for i in range(22, 30))]
    (folder / "mapping.json").write_text(json.dumps(beads))
    return [
        _own("mapped folder, JSON", mapped / "system.json"),
        _own("mapped folder, positions", mapped / "pos.npy"),
        _own("checkpoint", model),
        _own("restart", folder / "rollout" / "restart.safetensors"),
        _own("sidecar", folder / "sidecar.json"),
        _own("user mapping", folder / "mapping.json"),
    ]


def _own(name: str, path: Path) -> Seed:
    content = path.read_bytes()
    return Seed(name, name, path.name, content, path.suffix == ".json")

"""Files of atoms in the names of engines, laid out so that bonded ones are near and others not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_BOND, _OF_HYDROGEN, _DISULFIDE = 0.15, 0.1, 0.205  # nm
_APART, _APART_OF_HYDROGEN = 0.23, 0.17

BACKBONE = ("N", "CA", "C", "O")
BACKBONE_BONDS = {("N", "CA"), ("CA", "C"), ("C", "O")}


@dataclass(frozen=True)
class NamedAtom:
    """An atom as files name it."""

    name: str
    residue: str
    number: int


def laid_out(atoms: Sequence[NamedAtom], bonds: Collection[tuple[int, int]]) -> np.ndarray:
    """Positions ``[n_atoms, 3]`` nm: bonds have their lengths, and no other atoms are near."""
    n = len(atoms)
    rng = np.random.default_rng(0)
    xyz = np.arange(n)[:, None] * np.array([0.07, 0.0, 0.0]) + rng.normal(0, 0.1, (n, 3))
    first, second = np.triu_indices(n, 1)
    is_bond = np.isin(first * n + second, [min(b) * n + max(b) for b in bonds])
    length = np.empty(len(first))
    for at, (i, j) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        letters = {atoms[i].name[0], atoms[j].name[0]}
        if is_bond[at]:
            length[at] = _OF_HYDROGEN if "H" in letters else _BOND
            length[at] = _DISULFIDE if letters == {"S"} else length[at]
        else:
            length[at] = _APART_OF_HYDROGEN if "H" in letters else _APART
    for _ in range(3000):
        apart = xyz[second] - xyz[first]
        distance = np.linalg.norm(apart, axis=1)
        miss = np.where(is_bond | (distance < length), distance - length, 0.0)
        push = 0.2 * apart * (miss / distance)[:, None]
        np.add.at(xyz, first, push)
        np.add.at(xyz, second, -push)
        if np.abs(miss).max() < 0.01:
            return xyz + 2.0
    raise RuntimeError(f"no layout: off by {np.abs(miss).max():.3f} nm")


def write_gro(path: Path, atoms: Sequence[NamedAtom], xyz: np.ndarray, *, box: str) -> Path:
    """Write a GRO file of one frame."""
    lines = ["title", f"{len(atoms):5d}"]
    for serial, (atom, position) in enumerate(zip(atoms, xyz, strict=True), 1):
        place = "".join(f"{value:8.3f}" for value in position)
        lines.append(f"{atom.number:5d}{atom.residue:<5s}{atom.name:>5s}{serial:5d}{place}")
    path.write_text("\n".join([*lines, box, ""]))
    return path


def pdb_lines(atoms: Sequence[NamedAtom], xyz: np.ndarray) -> list[str]:
    """Lines of a PDB file without chain names and elements."""
    lines = []
    for serial, (atom, position) in enumerate(zip(atoms, xyz, strict=True), 1):
        name = atom.name if len(atom.name) > 3 else f" {atom.name}"
        place = "".join(f"{10 * value:8.3f}" for value in position)
        lines.append(
            f"ATOM  {serial:5d} {name:<4s} {atom.residue:>3s}  {atom.number:4d}    {place}"
        )
    return lines


def write_pqr(path: Path, atoms: Sequence[NamedAtom], xyz: np.ndarray) -> Path:
    """Write a PQR file (of APBS), which is words."""
    lines = []
    for serial, (atom, position) in enumerate(zip(atoms, xyz, strict=True), 1):
        place = " ".join(f"{10 * value:.4f}" for value in position)
        lines.append(f"ATOM {serial} {atom.name} {atom.residue} {atom.number} {place} 0.0 1.5")
    path.write_text("\n".join([*lines, "END", ""]))
    return path


def cysteines() -> tuple[list[NamedAtom], set[tuple[int, int]]]:
    """Two cysteines without hydrogens, not next to each other, joined by their sulfurs."""
    names = (*BACKBONE, "CB", "SG")
    own = BACKBONE_BONDS | {("CA", "CB"), ("CB", "SG")}
    atoms = [NamedAtom(name, "CYS", number) for number in (3, 24) for name in names]
    pairs = [(names.index(first), names.index(second)) for first, second in sorted(own)]
    bonds = {(start + min(p), start + max(p)) for start in (0, len(names)) for p in pairs}
    return atoms, bonds | {(5, 11)}

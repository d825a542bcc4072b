"""Topologies of LAMMPS: data files (``read_data``, ``write_data``).

Layout: LAMMPS manual, "read_data command".
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
from mdtraj.core import element as elements
from mdtraj.core.element import Element, virtual
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cgsim.io.compressed import open_text
from cgsim.io.errors import reader_errors
from cgsim.io.files import read_sidecar
from cgsim.io.lammps import units_of
from cgsim.io.loaded import LoadedTopology, with_elements

_WITH_MOLECULE = {"full": 7, "molecular": 6, "bond": 6, "angle": 6}  # id molecule type ...
_WITHOUT = {"atomic": 5, "charge": 6}  # id type ...
_N_IMAGE_FLAGS = 3
_SAME_MASS = 0.012  # Da; less than between nitrogen and a united CH2
_LIGHTEST = 0.5  # Da
_SECTION = re.compile(r"[A-Z][A-Za-z]+( [A-Z][A-Za-z]+)*$")
_UNITS = re.compile(r"units\s*=\s*(\w+)")

Sections = dict[str, tuple[str, list[str]]]
"""Of each section the comment after its name, and its lines."""


@dataclass(frozen=True)
class _Atom:
    number: int  # id
    molecule: int  # 0 for none
    kind: str  # number or label of the type


def load_lammps_data(path: Path) -> LoadedTopology:
    """Return atoms in the order of their ids, with bonds and masses.

    Each molecule (its number in the file, else a bonded component) is a residue and a chain. Atoms
    are elements if all masses are those of elements; else they are named by their types.

    Raises
    ------
    ValueError
        If a section is missing or damaged, or the atom style or the unit of mass is not known.
    """
    with reader_errors(path, what="be read as a LAMMPS data file"):
        title, sections = _read_sections(path)
        in_dalton = _add_masses(sections, read_sidecar(path).get("masses"))
        labels = _labels(sections)
        masses = _masses(sections, labels)
        atoms = sorted(_atoms(sections, labels), key=lambda atom: atom.number)
        pairs = _bonds(sections, [atom.number for atom in atoms])
        style = read_sidecar(path).get("lammps_units")
        found = _UNITS.search(title)
        style = found.group(1) if found else style
        unit = 1.0 if in_dalton else units_of(style or "real").mass
        by_kind = {kind: mass * unit for kind, mass in masses.items()}
        _check_masses(by_kind)
        kinds = {} if style == "lj" else _elements(by_kind, labels)
        mass = np.array([by_kind[atom.kind] for atom in atoms])
        loaded = with_elements(_topology(atoms, pairs, kinds, labels), mass)
        return replace(loaded, lammps_units=style)


def _read_sections(path: Path) -> tuple[str, Sections]:
    """Return the first line and the sections."""
    sections: Sections = {}
    lines: list[str] = []
    with open_text(path) as file:
        title = next(file, "")
        for line in file:
            text, _, comment = line.partition("#")
            if _SECTION.match(text.strip()):
                lines = []
                sections[text.strip()] = (comment.strip(), lines)
            elif text.strip():
                lines.append(line.strip())
    if "Atoms" not in sections:
        raise ValueError("there is no section Atoms")
    return title, sections


def _add_masses(sections: Sections, given: Any) -> bool:
    """Take the masses of the JSON file where an input script gave them; whether that was needed."""
    if "Masses" in sections:
        return False
    if not isinstance(given, dict):
        raise ValueError(
            "there is no section Masses: let LAMMPS write the file (write_data), or put the masses "
            'of the types in Da into a JSON file of the same stem, "masses": {"T1": 1.0}'
        )
    kinds = {name: re.sub(r"^T(?=\d+$)", "", name) for name in given}
    sections["Masses"] = ("", [f"{kinds[name]} {mass}" for name, mass in given.items()])
    return True


def _labels(sections: Sections) -> dict[str, str]:
    """Return the name of each type: its label, the comment after its mass, or ``T<number>``."""
    labels = {}
    for line in sections["Masses"][1]:
        text, _, comment = line.partition("#")
        kind = text.split()[0]
        word = comment.split()[0] if comment.split() else ""
        labels[kind] = word or (f"T{kind}" if kind.isdigit() else kind)
    for line in sections.get("Atom Type Labels", ("", []))[1]:
        kind, label = line.split()[:2]
        labels[kind] = labels[label] = label  # atoms and masses may have either
    return labels


def _masses(sections: Sections, labels: dict[str, str]) -> dict[str, float]:
    rows = [line.partition("#")[0].split() for line in sections["Masses"][1]]
    masses = {row[0]: float(row[1]) for row in rows}
    by_label = {labels[kind]: mass for kind, mass in masses.items()}
    return masses | {kind: by_label[name] for kind, name in labels.items()}


def _check_masses(by_kind: dict[str, float]) -> None:
    light = [kind for kind, mass in by_kind.items() if mass < _LIGHTEST]
    if light:
        raise ValueError(
            f"atoms of type {light[0]} have a mass of {by_kind[light[0]]:g} Da: the file has "
            'another unit; put "lammps_units" or "masses" (Da) into a JSON file of the same stem'
        )


def _atoms(sections: Sections, labels: dict[str, str]) -> list[_Atom]:
    hint, lines = sections["Atoms"]
    rows = [line.partition("#")[0].split() for line in lines]
    style = _atom_style(hint, rows, has_bonds="Bonds" in sections)
    at = 2 if style in _WITH_MOLECULE else 1
    atoms = [_Atom(int(row[0]), int(row[1]) if at == 2 else 0, row[at]) for row in rows]
    unknown = {atom.kind for atom in atoms} - labels.keys()
    if unknown:
        raise ValueError(f"atoms of type {min(unknown)} have no mass")
    return atoms


def _atom_style(hint: str, rows: list[list[str]], *, has_bonds: bool) -> str:
    """Return the style that the file names or, if one alone fits the columns, that one."""
    styles = _WITH_MOLECULE | _WITHOUT
    word = hint.split()[0] if hint.split() else ""
    if word in styles:
        return word
    widths = {len(row) for row in rows}
    fitting = [
        name
        for name, n in styles.items()
        if widths in ({n}, {n + _N_IMAGE_FLAGS}) and not (has_bonds and name in _WITHOUT)
    ]
    has_charges = any(not _is_integer(row[2]) for row in rows)  # where others have the type
    fitting = [name for name in fitting if name == "atomic" or (name == "charge") == has_charges]
    if not fitting:
        raise ValueError(
            f"the atom style is not known ({sorted(widths)} columns): write it after the name of "
            f"the section, 'Atoms # full'; known are {', '.join(styles)}"
        )
    return fitting[0]


def _is_integer(word: str) -> bool:
    return word.lstrip("+-").isdigit()


def _bonds(sections: Sections, numbers: list[int]) -> np.ndarray:
    """Return the pairs of atoms ``[n_bonds, 2]``."""
    index = {number: row for row, number in enumerate(numbers)}
    if len(index) != len(numbers):
        raise ValueError("two atoms have the same id")
    pairs = []
    for line in sections.get("Bonds", ("", []))[1]:
        first, second = (int(word) for word in line.split()[2:4])
        if first not in index or second not in index:
            raise ValueError(f"a bond of atoms {first} and {second}, which are not all there")
        pairs.append((index[first], index[second]))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _elements(by_kind: dict[str, float], labels: dict[str, str]) -> dict[str, Element]:
    """Return the element of each type, or none if one of them is no element."""
    known = [e for e in vars(elements).values() if isinstance(e, Element) and e.number > 0]
    found: dict[str, Element] = {}
    for kind, mass in by_kind.items():
        nearest = min(known, key=lambda e: abs(e.mass - mass))
        label = labels[kind]
        named = label.startswith("T") and label[1:] == kind
        if abs(nearest.mass - mass) > _SAME_MASS or not (
            named or label[0].upper() == nearest.symbol[0]
        ):
            return {}
        found[kind] = nearest
    return {} if {e.symbol for e in found.values()} == {"H"} else found  # beads of mass 1


def _topology(
    atoms: list[_Atom], pairs: np.ndarray, kinds: dict[str, Element], labels: dict[str, str]
) -> mdtraj.Topology:
    n = len(atoms)
    graph = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    topology = mdtraj.Topology()
    residue, before = None, 0
    for atom, own in zip(atoms, component, strict=True):
        molecule = atom.molecule if atom.molecule > 0 else -1 - int(own)
        if residue is None or molecule != before:
            residue = topology.add_residue("MOL", topology.add_chain())
        topology.add_atom(
            labels[atom.kind], kinds.get(atom.kind, virtual), residue, serial=atom.number
        )
        before = molecule
    added = list(topology.atoms)
    for i, j in pairs:
        topology.add_bond(added[i], added[j])
    return topology

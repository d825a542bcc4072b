"""Some atoms of a topology file in place of all: `select` in MDTraj's language."""

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import mdtraj
import numpy as np
from mdtraj.core.selection import parse_selection

from cgsim.io.display import comma_list
from cgsim.io.residues import template_of
from cgsim.io.stated import StatedTopology

_MAX_NAMED = 12


@dataclass(frozen=True)
class _KnownResidue:
    """A residue as MDTraj has it; its kind is that of its template, where it has one."""

    of: mdtraj.core.topology.Residue
    kind: str | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)

    @property
    def is_protein(self) -> bool:
        return self.kind in ("amino", "cap") or self.of.is_protein

    @property
    def is_nucleic(self) -> bool:
        return self.kind == "nucleic" or self.of.is_nucleic

    @property
    def is_water(self) -> bool:
        return self.kind == "water" or self.of.is_water


@dataclass(frozen=True)
class _KnownAtom:
    """An atom as MDTraj has it, in such a residue."""

    of: mdtraj.core.topology.Atom
    residue: _KnownResidue

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)

    @property
    def is_backbone(self) -> bool:
        return self.of.name in ("N", "CA", "C", "O") and self.residue.is_protein

    @property
    def is_sidechain(self) -> bool:
        # MDTraj's rule, hydrogens of the backbone included
        backbone = ("N", "CA", "C", "O", "HA", "H")
        return self.of.name not in backbone and self.residue.is_protein


def _known_atoms(topology: mdtraj.Topology) -> Iterator[_KnownAtom]:
    for residue in topology.residues:
        template = template_of(residue.name)
        fits = template is not None and template.fits([atom.name for atom in residue.atoms])
        known = _KnownResidue(residue, template.kind if template is not None and fits else None)
        for atom in residue.atoms:
            yield _KnownAtom(atom, known)


def select_atoms(stated: StatedTopology, expression: str) -> tuple[StatedTopology, np.ndarray]:
    """Return what a file states of the atoms that an expression of MDTraj selects, and these.

    ``protein``, ``backbone``, ``sidechain``, ``nucleic`` and ``water`` hold the residues that cgsim
    knows, too: MDTraj's lists have no LYSH, HIE, CYX, HSP or NHE. Warns where the selection cuts
    bonds.

    Raises
    ------
    ValueError
        If the expression is not valid, or selects nothing; it names the residues that there are.
    """
    topology = stated.topology
    try:
        selected = parse_selection(expression).expr
        atoms = np.array(
            [atom.index for atom in _known_atoms(topology) if selected(atom)], dtype=np.int64
        )
    except Exception as error:  # of MDTraj's parser, which raises several kinds
        reason = " ".join(str(error).split())
        raise ValueError(
            f"select={expression!r} is not in MDTraj's selection language ({reason}): for example "
            "'protein', 'resname LIG', 'chainid 0 and not water', 'index < 100'"
        ) from error
    if not len(atoms):
        residues = Counter(residue.name for residue in topology.residues)
        named = comma_list((f"{name} ({n})" for name, n in residues.most_common()), _MAX_NAMED)
        raise ValueError(
            f"select={expression!r} selects none of {topology.n_atoms:,} atoms; the file has "
            f"{topology.n_chains} chains of residues {named}"
        )
    place = {int(atom): number for number, atom in enumerate(atoms)}
    kept = {(place[i], place[j]) for i, j in stated.bonds if i in place and j in place}
    cut = [(i, j) for i, j in sorted(stated.bonds) if (i in place) != (j in place)]
    if cut:
        names = list(topology.atoms)
        first, second = (names[atom] for atom in cut[0])
        warnings.warn(
            f"select={expression!r} cuts {len(cut)} bonds, the first {first} to {second}: its "
            "atoms are read without them",
            stacklevel=2,
        )
    part = replace(
        stated,
        topology=topology.subset(atoms),
        symbols=[stated.symbols[atom] for atom in atoms],
        bonds=kept,
        masses=None if stated.masses is None else np.asarray(stated.masses)[atoms],
        xyz=None if stated.xyz is None else stated.xyz[atoms],
    )
    return part, atoms

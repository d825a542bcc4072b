"""Bonds that files leave out: those of standard residues, between residues, and of sites."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import mdtraj
import numpy as np
from mdtraj.core.topology import Atom, Residue

from cgsim.io.bond_lengths import longest_bond
from cgsim.io.elements import VIRTUAL_SITE
from cgsim.io.periodic import minimum_image
from cgsim.io.residues import Template, plain, template_of
from cgsim.io.stated import Pairs

Indices = Sequence[int] | np.ndarray

_HYDROGEN_BONDED = 0.15  # nm: hydrogens are 0.1 from their own heavy atom, 0.2 from the next
_DISULFIDE = 0.25  # nm: 0.205 in equilibrium
_RING_CLOSED = 0.17  # nm: the peptide bond of a cyclic peptide
_HYDROGENS = ("H", "D")
_NO_TAIL = frozenset(("NME", "NMA", "NAC", "CT3", "NH2", "NHE"))
_NO_HEAD = frozenset(("ACE", "FOR"))
_CHAIN_ENDS = frozenset(("OXT", "OT2", "OC2", "O2", "OCT2", "NT"))
_CHAIN_STARTS = frozenset(("H2", "H3", "HT2", "HT3", "HN2", "HN3", "CAY"))
_MAX_NAMED = 3


class StandardBonds:
    """Finds the bonds of standard residues and between them.

    Parameters
    ----------
    topology
        Residues and names.
    symbols
        ``[n_atoms]`` as `cgsim.io.elements.assign_elements` gives them.
    xyz, cell
        ``[n_atoms, 3]`` and ``[3, 3]`` nm, or None. With positions distances decide where a chain
        ends and which cysteines are joined; without, numbers and names do.
    """

    def __init__(
        self,
        topology: mdtraj.Topology,
        symbols: Sequence[str],
        *,
        xyz: np.ndarray | None = None,
        cell: np.ndarray | None = None,
    ) -> None:
        self.topology, self.symbols, self.xyz, self.cell = topology, symbols, xyz, cell
        self.atoms = list(topology.atoms)

    def find(self) -> Pairs:
        """All bonds of the topology."""
        pairs = self.within(self.topology.residues) | self._between()
        return pairs | self._disulfides(pairs)

    def within(self, residues: Iterable[Residue]) -> Pairs:
        """Bonds between the atoms of a residue, of standard ones."""
        pairs: Pairs = set()
        named: list[tuple[int, int | None]] = []
        for residue in residues:
            if residue.n_atoms:
                first = residue.atom(0).index
                heavy, hydrogens = _by_names(residue.name, tuple(a.name for a in residue.atoms))
                pairs |= {(first + i, first + j) for i, j in heavy}
                named += [(first + i, None if j is None else first + j) for i, j in hydrogens]
        return pairs | self._of_hydrogens(named)

    def _distances(self, first: Indices, second: Indices) -> np.ndarray:
        """Distances in nm ``[n]``, by minimum image."""
        if self.xyz is None:
            raise ValueError("there are no positions to measure distances in")
        first, second = np.asarray(first, dtype=int), np.asarray(second, dtype=int)
        apart = self.xyz[second] - self.xyz[first]
        if self.cell is not None:
            apart = minimum_image(apart[None], self.cell[None])[0]
        return np.asarray(np.linalg.norm(apart, axis=1))

    # ------------------------------------------------------------------ within a residue

    def _of_hydrogens(self, named: Sequence[tuple[int, int | None]]) -> Pairs:
        """Bonds of hydrogens to the atom that their name tells, unless they are at another one."""
        named = [(i, j) for i, j in named if self.symbols[i] in _HYDROGENS]
        told = [(i, j) for i, j in named if j is not None]
        pairs = {(min(pair), max(pair)) for pair in told}
        if self.xyz is None:
            return pairs
        distances = self._distances([i for i, _ in told], [j for _, j in told])
        right = {i for (i, _), d in zip(told, distances, strict=True) if d < _HYDROGEN_BONDED}
        open_ = {i: j for i, j in named if i not in right}
        for hydrogen, nearest in self._nearest_heavy(list(open_)):
            parent = open_[hydrogen]
            if parent is not None:
                pairs.discard((min(hydrogen, parent), max(hydrogen, parent)))
            pairs.add((min(hydrogen, nearest), max(hydrogen, nearest)))
        return pairs

    def _nearest_heavy(self, hydrogens: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Hydrogens with the atom of their residue that they are as near to as bonded ones are."""
        by_residue: dict[int, list[int]] = {}
        for hydrogen in hydrogens:
            by_residue.setdefault(self.atoms[hydrogen].residue.index, []).append(hydrogen)
        for ours in by_residue.values():
            heavy = [
                atom.index
                for atom in self.atoms[ours[0]].residue.atoms
                if self.symbols[atom.index] not in (*_HYDROGENS, VIRTUAL_SITE)
            ]
            if heavy:
                first, second = np.repeat(ours, len(heavy)), np.tile(heavy, len(ours))
                distances = self._distances(first, second).reshape(len(ours), -1)
                nearest = distances.argmin(axis=1)
                for hydrogen, at, distance in zip(
                    ours, nearest, distances.min(axis=1), strict=True
                ):
                    if distance < _HYDROGEN_BONDED:
                        yield hydrogen, heavy[at]

    # ------------------------------------------------------------------ between residues

    def _between(self) -> Pairs:
        pairs: Pairs = set()
        far: list[str] = []
        for chain in self.topology.chains:
            residues = list(chain.residues)
            start = 0
            for index, (residue, following) in enumerate(
                zip(residues, [*residues[1:], None], strict=True)
            ):
                ends = None if following is None else _link(residue, following)
                if ends is not None and self._is_linked(ends, far):
                    pairs.add((ends[0].index, ends[1].index))
                    continue
                ring = self._ring(residues[start : index + 1])
                if ring is not None:
                    pairs.add(ring)
                start = index + 1
        if far:
            warnings.warn(
                f"residues that follow each other are not bonded, because they are too far apart: "
                f"{'; '.join(far[:_MAX_NAMED])}{' ...' if len(far) > _MAX_NAMED else ''}. If the "
                "molecule is cut at a periodic boundary, make it whole first",
                stacklevel=2,
            )
        return pairs

    def _is_linked(self, ends: tuple[Atom, Atom], far: list[str]) -> bool:
        """Whether the last atom of a residue is bonded to the first one of the next."""
        first, second = (atom.residue for atom in ends)
        step = second.resSeq - first.resSeq
        is_next = step in (0, 1) and first.segment_id == second.segment_id
        ending = _standard_names(first) & _CHAIN_ENDS
        is_end = bool(ending or _standard_names(second) & _CHAIN_STARTS)
        if self.xyz is None:
            return is_next and not is_end
        distance = self._distance(ends[0].index, ends[1].index)
        if distance <= longest_bond(*(self.symbols[atom.index] for atom in ends)):
            return first.segment_id == second.segment_id
        if is_next and not is_end:
            far.append(f"{ends[0]} and {ends[1]}, {distance:.2f} nm")
        return False

    def _distance(self, first: int, second: int) -> float:
        return float(self._distances([first], [second])[0])

    def _ring(self, residues: Sequence[Residue]) -> tuple[int, int] | None:
        """The bond that closes a cyclic peptide."""
        if len(residues) < 3 or self.xyz is None:
            return None
        ends = _link(residues[-1], residues[0])
        if ends is None or template_kind(residues[0]) != "amino":
            return None
        i, j = sorted(atom.index for atom in ends)
        return (i, j) if self._distance(i, j) < _RING_CLOSED else None

    def _disulfides(self, pairs: Pairs) -> Pairs:
        """Bonds of sulfurs without hydrogen that are near; of several each takes the nearest."""
        if self.xyz is None:
            return set()
        protonated = {i for pair in pairs for i in pair if self._has_hydrogen(pair)}
        sulfurs = [
            atom.index
            for atom in self.atoms
            if atom.name in ("SG", "SG1")
            and self.symbols[atom.index] == "S"
            and atom.index not in protonated
        ]
        close = []
        for number, first in enumerate(sulfurs[:-1]):
            others = sulfurs[number + 1 :]
            distances = self._distances([first] * len(others), others)
            close += [
                (float(distance), first, other)
                for distance, other in zip(distances, others, strict=True)
                if distance < _DISULFIDE
            ]
        found: Pairs = set()
        taken: set[int] = set()
        for _, first, second in sorted(close):
            if not taken & {first, second}:
                found.add((first, second))
                taken |= {first, second}
        return found

    def _has_hydrogen(self, pair: tuple[int, int]) -> bool:
        return any(self.symbols[atom] in _HYDROGENS for atom in pair)


def site_bonds(topology: mdtraj.Topology, symbols: Sequence[str], bonds: Pairs) -> Pairs:
    """Bonds of virtual sites that have none: to the atom that they belong to.

    That is the atom of their name (DCA: CA) or else the last atom before them in their residue.
    """
    bonded = {atom for pair in bonds for atom in pair}
    found: Pairs = set()
    for residue in topology.residues:
        atoms = list(residue.atoms)
        real = [a for a in atoms if symbols[a.index] not in (VIRTUAL_SITE, *_HYDROGENS)]
        for atom in atoms:
            if symbols[atom.index] != VIRTUAL_SITE or atom.index in bonded or not real:
                continue
            named = [other for other in real if other.name == atom.name[1:]]
            before = [other for other in real if other.index < atom.index]
            parent = (named or before[-1:] or real)[0].index
            found.add((min(parent, atom.index), max(parent, atom.index)))
    return found


def template_kind(residue: Residue) -> str | None:
    """Kind of a residue, by its name or, of an amino acid, by its backbone."""
    template = template_of(residue.name)
    if template is None:
        return "amino" if {"N", "CA", "C"} <= {atom.name for atom in residue.atoms} else None
    return template.kind


def _standard_names(residue: Residue) -> set[str]:
    """Names of the atoms of a standard amino acid; none of other residues."""
    template = template_of(residue.name)
    is_amino = template is not None and template.kind == "amino"
    return {atom.name for atom in residue.atoms} if is_amino else set()


def _link(residue: Residue, following: Residue) -> tuple[Atom, Atom] | None:
    """The atoms by which a residue of a chain would be bonded to the next."""
    kinds = {template_kind(residue), template_kind(following)}
    tail: tuple[str, ...]
    head: tuple[str, ...]
    if kinds == {"nucleic"}:
        tail, head = ("O3'", "O3*"), ("P",)
    elif kinds <= {"amino", "cap"} and residue.name not in _NO_TAIL:
        tail = ("C", "CY") if residue.name in _NO_HEAD else ("C",)
        head = ("N", "NT") if following.name in _NO_TAIL else ("N",)
    else:
        return None
    if following.name in _NO_HEAD:
        return None
    last = [atom for atom in residue.atoms if atom.name in tail]
    first = [atom for atom in following.atoms if atom.name in head]
    return (last[0], first[0]) if last and first else None


@lru_cache(maxsize=4096)
def _by_names(
    residue_name: str, names: tuple[str, ...]
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int | None], ...]]:
    """Bonds of heavy atoms, and hydrogens with their heavy atom, by places in the residue."""
    template = template_of(residue_name)
    if template is None or not template.fits(names):
        return (), ()
    place = {plain(name): index for index, name in enumerate(names)}
    heavy = [
        tuple(sorted((place[first], place[second])))
        for first, second in template.bonds
        if first in place and second in place and _are_heavy(template, first, second)
    ]
    hydrogens = []
    for index, name in enumerate(names):
        if template.symbol(name) == "H":
            parent = template.parent(name, names)
            hydrogens.append((index, None if parent is None else names.index(parent)))
    return tuple((i, j) for i, j in heavy), tuple(hydrogens)


def _are_heavy(template: Template, first: str, second: str) -> bool:
    return first in template.element and second in template.element

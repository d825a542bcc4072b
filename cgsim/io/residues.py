"""Standard residues: the elements of their atoms and the bonds between them, by name.

What is known stands in ``residues.txt``, beside this file.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise, product

from mdtraj.core.element import get_by_symbol

_TERMINAL_PREFIXES = "NCD"  # NALA, CALA: ends of chains in old AMBER ports; DALA: D-alanine
_LENGTH_WITH_PREFIX = 4
_VIRTUAL_SITE = re.compile(r"(MW|EPW|EP|M|L|OM|OD|IW|DO|DOH2|DOW)[0-9]*")
_LONE_PAIR = re.compile(r"LP[A-Z0-9]*")
_RANGE = re.compile(r"(\w+)\[(\d+)\.\.(\d+)\]")
_NO_IONS = frozenset(("H", "D", "VS", "B", "C", "N", "O", "Si", "P", "S", "Se"))
_COARSE_NAMES = frozenset(("W", "WF", "PW"))  # water of Martini: no tungsten

POLYMERS = frozenset(("amino", "cap", "nucleic"))
"""Kinds of residues that chains are made of."""


@dataclass(frozen=True)
class Template:
    """What is known of a standard residue.

    Parameters
    ----------
    kind
        ``"amino"``, ``"cap"``, ``"nucleic"``, ``"water"`` or ``"lipid"``.
    mass
        Da, of the residue within a chain; None where the protonation is not told by the name.
    element
        Symbol by the name of each heavy atom, in all its spellings.
    bonds
        Pairs of names of atoms that are bonded where both are there.
    """

    kind: str
    mass: float | None
    element: dict[str, str]
    bonds: tuple[tuple[str, str], ...]

    def fits(self, names: Collection[str]) -> bool:
        """Whether atoms of these names are those of such a residue, and no beads."""
        heavy = [plain(name) for name in names if not is_hydrogen_name(name)]
        if self.kind == "water":
            return sum(name in self.element for name in heavy) == 1
        anchors = {"amino": ("N", "CA", "C"), "nucleic": ("C1'", "C4'")}.get(self.kind)
        if anchors is not None and all(anchor in heavy for anchor in anchors):
            return True
        return bool(heavy) and all(name in self.element for name in heavy)

    def symbol(self, name: str) -> str | None:
        """Element of an atom, ``"VS"`` for a virtual site, None if it is no atom of the residue."""
        if plain(name) in self.element:
            return self.element[plain(name)]
        if _LONE_PAIR.fullmatch(name) or (self.kind == "water" and _VIRTUAL_SITE.fullmatch(name)):
            return "VS"
        if name.startswith("D") and name[1:] in self.element:
            return "VS"  # a Drude particle: DCA on CA
        return "H" if is_hydrogen_name(name) else None

    def parent(self, hydrogen: str, names: Collection[str]) -> str | None:
        """The atom of a residue that a hydrogen of it is bonded to, by name; None if untold.

        Names of hydrogens end like that of their heavy atom, and a number: HD11 at CD1, HH12 at
        NH1, HG at OG, H5'' at C5', HO2' at O2'; H and H1 at N.

        Parameters
        ----------
        hydrogen
            Its name.
        names
            Names of all atoms of the residue.
        """
        heavy = {plain(name): name for name in names if self.symbol(name) not in ("H", "VS", None)}
        if len(heavy) == 1 and self.kind == "water":
            return next(iter(heavy.values()))
        hydrogen = plain(hydrogen)
        for first, second in self.bonds:
            other = {first: second, second: first}.get(hydrogen)
            if other in heavy:
                return heavy[other]
        if hydrogen == "H2'" and "H2''" in names and "O2'" in heavy:
            return heavy["O2'"]  # so CHARMM calls what the PDB calls HO2'
        rest, end = hydrogen[1:], hydrogen[1:].rstrip("0123456789'")
        for length in range(len(rest), len(end) - 1, -1):
            for name in (rest[:length], *(letter + rest[:length] for letter in "CNOS")):
                if length and name in heavy:
                    return heavy[name]
        return heavy.get("N") if self.kind in ("amino", "cap") and end in ("", "T") else None


def template_of(residue_name: str) -> Template | None:
    """Return what is known of a residue of this name; None if it is no standard one."""
    name = residue_name.strip().upper()
    templates, _ = _table()
    if name in templates:
        return templates[name]
    if len(name) == _LENGTH_WITH_PREFIX and name[0] in _TERMINAL_PREFIXES:
        template = templates.get(name[1:])
        return template if template is not None and template.kind == "amino" else None
    return None


def ion_symbol(residue_name: str, atom_name: str) -> str | None:
    """Return the element of a monoatomic ion, None if the names do not tell of one.

    Both names must tell the same (``CAL CAL``, ``CA2+ CA``, ``NA+ NA+``), or the residue be called
    ``ION`` or ``IONS``.
    """
    by_atom, by_residue = _ion(atom_name), _ion(residue_name)
    if residue_name.strip().upper() in ("ION", "IONS"):
        return by_atom
    return by_atom if by_atom == by_residue else None


def is_coarse_name(atom_name: str) -> bool:
    """Whether a name is that of a well-known bead, whatever element it looks like."""
    return atom_name in _COARSE_NAMES or bool(re.fullmatch(r"BB|BAS|SC[1-9]|SIDE|CEN", atom_name))


def is_hydrogen_name(name: str) -> bool:
    """Whether a name is that of a hydrogen (or deuterium) in a standard residue."""
    return name.lstrip("0123456789")[:1] in ("H", "D")


def plain(name: str) -> str:
    """The name as the table has it: primes for asterisks, ``C210`` for ``0C21``, HB1 for 1HB."""
    name = name.replace("*", "'").replace('"', "''")
    digits = len(name) - len(name.lstrip("0123456789"))
    return name[digits:] + name[:digits]


def _ion(name: str) -> str | None:
    """Element of an ion: ``Na`` for ``NA``, ``Na+`` and ``SOD``, ``Ca`` for ``CA2+``."""
    letters = re.sub(r"[^A-Z]", "", name.upper())
    _, ions = _table()
    if letters in ions:
        return ions[letters]
    try:
        symbol = str(get_by_symbol(letters).symbol)
    except KeyError:
        return None
    return None if symbol in _NO_IONS or is_coarse_name(name) else symbol


@cache
def _table() -> tuple[dict[str, Template], dict[str, str]]:
    """Templates by residue name, and elements by the name of an ion."""
    text = files("cgsim.io").joinpath("residues.txt").read_text(encoding="utf-8")
    templates: dict[str, Template] = {}
    ions: dict[str, str] = {}
    paths: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        kind, names, hydrogens, bonds = (field.strip() for field in line.split("|"))
        if kind == "ion":
            ions |= dict(entry.split("=") for entry in names.split())
            continue
        expanded = [
            path
            for word in bonds.split()
            for path in (paths[word[1:]] if word.startswith("@") else [word])
        ]
        count = None if hydrogens == "-" else int(hydrogens)
        for name in names.split():
            paths[name] = expanded
            if kind != "part":
                templates[name] = _template(kind, count, expanded)
    return templates, ions


def _template(kind: str, n_hydrogens: int | None, paths: list[str]) -> Template:
    element: dict[str, str] = {}
    bonds: dict[tuple[str, str], None] = {}
    spellings: dict[str, tuple[str, ...]] = {}
    for path in paths:
        nodes = [_spelled(node, element, spellings) for node in _nodes(path)]
        for first, second in pairwise(nodes):
            bonds |= dict.fromkeys(product(first, second))
    mass = None
    if n_hydrogens is not None:
        optional = {"OXT", "CAY", "CY", "OY", "NT", "CAT", "OP3"} if kind != "cap" else set()
        heavy = [element[names[0]] for names in set(spellings.values()) if names[0] not in optional]
        mass = sum(_mass(symbol) for symbol in [*heavy, *["H"] * n_hydrogens])
    return Template(kind, mass, element, tuple(bonds))


def _nodes(path: str) -> Iterator[str]:
    match = _RANGE.fullmatch(path)
    if match is None:
        yield from path.split("-")
    else:
        stem, first, last = match.groups()
        yield from (f"{stem}{number}" for number in range(int(first), int(last) + 1))


def _spelled(
    node: str, element: dict[str, str], spellings: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """All names of one atom; notes their element, that of their first letter if not told."""
    names = tuple(word.partition("=")[0] for word in node.split("/"))
    if len(names) == 1:
        names = spellings.get(names[0], names)
    if not is_hydrogen_name(names[0]):
        for word in node.split("/"):
            name, _, symbol = word.partition("=")
            element.setdefault(name, symbol or name[0])
        spellings |= dict.fromkeys(names, names)
    return names


def _mass(symbol: str) -> float:
    return float(get_by_symbol(symbol).mass)

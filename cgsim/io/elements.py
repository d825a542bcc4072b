"""Which element each atom is: from its residue, or from what the file states; never a guess."""

import re
from collections.abc import Container, Mapping, Sequence

import numpy as np
from mdtraj.core.element import Element, get_by_symbol
from mdtraj.core.topology import Atom
from scipy.spatial import cKDTree

from cgsim.io.bond_lengths import covalent_radius
from cgsim.io.residues import Template, ion_symbol, is_coarse_name, template_of
from cgsim.io.stated import StatedTopology

VIRTUAL_SITE = "VS"
"""Stands for a site without mass: of a water model, a lone pair, a Drude particle."""

BEAD = ""
"""Stands for a particle with mass that is no chemical element."""

_HYDROGEN_MASS = 1.008
_MAX_HYDROGENS = 4
_HEAVIEST_HYDROGEN = 4.2  # Da; hydrogen mass repartitioning goes to 3 or 4
_SAME_MASS = 0.05  # Da; force fields round
_N_NEIGHBOURS = 4
_COARSE_SPACING = 0.22  # nm to the nearest neighbour, in the median of a residue
_NEIGHBOUR = (0.6, 1.3)  # distance to it, in sums of covalent radii
_NEAR = (0.84, 1.12)  # the same, where a name leaves a choice
_ONE_LETTER = frozenset("HBCNOFPSI")
_TWO_LETTERS = frozenset(
    re.findall(
        "[A-Z][a-z]",
        "LiBeNaMgAlSiClCaScTiCrMnFeCoNiCuZnGaGeAsSeBrRbSrZrNbMoRuRhPdAgCdInSnSbTe"
        "CsBaLaCePrNdSmEuGdTbDyHoErTmYbLuHfTaReOsIrPtAuHgTlPbBi",
    )
)
_IN_AMINO_ACID = re.compile(r"[CNOS][ABGDEZH][0-9]*|H[ABGDEZHN]?[0-9]*")  # CA, NE2, HG11
_BACKBONE = frozenset(("N", "CA", "C"))


def assign_elements(
    stated: StatedTopology, *, named: Mapping[str, str], bead_names: Container[str]
) -> list[str]:
    """Return the element symbol of each atom, `VIRTUAL_SITE` or `BEAD`.

    In standard residues the residue and the name of the atom decide, whatever a column of elements
    says and however masses are repartitioned. Elsewhere what the file states decides, then masses;
    a name alone only if one of its readings is as far from the nearest atom as bonded atoms are.

    Parameters
    ----------
    stated
        What the file states.
    named
        Elements that the user gives, by ``"NAME"`` or ``"RESIDUE:NAME"``.
    bead_names
        Names of particles that are no elements (the user gives their masses).

    Raises
    ------
    ValueError
        Naming all atoms whose element stays doubtful, and how to settle it.
    """
    found = _Assignment(stated).symbols()
    doubtful: list[Atom] = []
    symbols: list[str] = []
    for atom, symbol in zip(stated.topology.atoms, found, strict=True):
        told = named.get(f"{atom.residue.name}:{atom.name}", named.get(atom.name))
        if told is not None:
            symbol = _told(atom, told)
        elif atom.name in bead_names and symbol not in (atom.name, VIRTUAL_SITE):
            symbol = BEAD
        if symbol is None:
            doubtful.append(atom)
        symbols.append(symbol or BEAD)
    if doubtful:
        raise ValueError(_doubt(doubtful))
    return symbols


class _Assignment:
    """The elements of one topology."""

    def __init__(self, stated: StatedTopology) -> None:
        self.stated = stated
        self.names = [atom.name for atom in stated.topology.atoms]
        self.mass_rule = None if stated.masses is None else _MassRule(stated, self.names)
        self.distances, self.neighbours = np.zeros((0, 0)), np.zeros((0, 0), dtype=int)
        if stated.xyz is not None and len(stated.xyz) > 1:
            k = min(_N_NEIGHBOURS + 1, len(stated.xyz))
            self.distances, self.neighbours = cKDTree(stated.xyz).query(stated.xyz, k=k)

    def symbols(self) -> list[str | None]:
        """Symbols of all atoms, None where they are doubtful."""
        residues = [list(residue.atoms) for residue in self.stated.topology.residues]
        templates = [self._template(atoms) for atoms in residues]
        coarse = [
            template is None and self._is_coarse(atoms)
            for template, atoms in zip(templates, residues, strict=True)
        ]
        symbols: list[str | None] = []
        for template, atoms, is_coarse in zip(templates, residues, coarse, strict=True):
            is_whole = {atom.name for atom in atoms} >= _BACKBONE
            for atom in atoms:
                ion = ion_symbol(atom.residue.name, atom.name) if len(atoms) == 1 else None
                if ion is not None and (any(coarse) or self.mass_rule is not None):
                    ion = self._agreed(atom, ion)  # Martini has beads of these names
                known = ion or self._by_template(template, atom, is_whole=is_whole)
                symbols.append(self._symbol(atom, known, is_coarse=is_coarse, is_amino=is_whole))
        return symbols

    def _template(self, atoms: Sequence[Atom]) -> Template | None:
        template = template_of(atoms[0].residue.name) if atoms else None
        fits = template is not None and template.fits([atom.name for atom in atoms])
        return template if fits else None

    def _is_coarse(self, atoms: Sequence[Atom]) -> bool:
        """Whether particles are called beads, or are further apart than atoms are."""
        if any(is_coarse_name(atom.name) for atom in atoms):
            return True
        if len(atoms) < 2 or not len(self.distances):
            return False
        spacing = self.distances[[atom.index for atom in atoms], 1]
        return float(np.median(spacing)) > _COARSE_SPACING

    def _by_template(self, template: Template | None, atom: Atom, *, is_whole: bool) -> str | None:
        """The element by residue and name; where only a site or two are there mass must agree."""
        symbol = None if template is None else template.symbol(atom.name)
        return symbol if symbol in (None, "VS") or is_whole else self._agreed(atom, str(symbol))

    def _agreed(self, atom: Atom, symbol: str) -> str | None:
        """A symbol if the mass of the atom agrees with it, else `BEAD`; None if it has no mass."""
        stated = self.stated.symbols[atom.index]
        if self.mass_rule is not None:
            return symbol if self.mass_rule.allows(atom.index, symbol) else BEAD
        is_ion = len(list(atom.residue.atoms)) == 1 and symbol in _TWO_LETTERS | {"F", "K", "I"}
        return symbol if not is_ion or stated is not None else None

    def _symbol(
        self, atom: Atom, known: str | None, *, is_coarse: bool, is_amino: bool
    ) -> str | None:
        """What is known of the residue comes first; then what the file states, mass, and name."""
        stated = self.stated.symbols[atom.index]
        if stated == "VS":
            is_site = known == "VS" or self._is_massless(atom)
            return VIRTUAL_SITE if is_site else BEAD
        if known is not None:
            return "D" if (stated, known) == ("D", "H") else known
        if is_coarse:
            return None if self.mass_rule is None else BEAD
        if stated is not None:
            return stated
        if self.mass_rule is not None:
            return self.mass_rule.symbol(atom.index)
        return self._by_name(atom, is_amino=is_amino)

    def _is_massless(self, atom: Atom) -> bool:
        masses = self.stated.masses
        return masses is not None and masses[atom.index] == 0

    def _by_name(self, atom: Atom, *, is_amino: bool) -> str | None:
        """The one reading of a name that fits to the distance of a neighbour."""
        readings = _readings(atom.name, is_amino=is_amino)
        if is_amino and len(readings) == 1:
            return readings[0]
        if not len(self.distances):
            return None
        is_sole = len(readings) == 1
        possible = [
            symbol for symbol in readings if self._is_bonded(atom.index, symbol, is_sole=is_sole)
        ]
        return possible[0] if len(possible) == 1 else None

    def _is_bonded(self, atom: int, symbol: str, *, is_sole: bool) -> bool:
        """Whether an atom of this element would be bonded to a neighbour.

        The sole reading of a name needs one of several neighbours (the nearest may be that of a
        hydrogen bond), a choice of readings the nearest.
        """
        bounds = _NEIGHBOUR if is_sole else _NEAR
        n = len(self.distances[atom]) if is_sole else 2
        for distance, other in zip(
            self.distances[atom][:n], self.neighbours[atom][:n], strict=True
        ):
            for reading in (
                _readings(self.names[other], is_amino=False)[:1] if other != atom else ()
            ):
                ratio = distance / (covalent_radius(symbol) + covalent_radius(reading))
                if bounds[0] < ratio < bounds[1]:
                    return True
        return False


class _MassRule:
    """Elements by mass, that of repartitioned hydrogens and of united atoms included."""

    def __init__(self, stated: StatedTopology, names: list[str]) -> None:
        self.masses = np.asarray(stated.masses, dtype=float)
        self.names = names
        self.bonded: dict[int, list[int]] = {}
        for i, j in stated.bonds:
            self.bonded.setdefault(i, []).append(j)
            self.bonded.setdefault(j, []).append(i)

    def allows(self, atom: int, symbol: str) -> bool:
        """Whether an atom of this mass may be of an element, hydrogens put on or taken off."""
        usual = 1.0 if symbol == "D" else float(get_by_symbol(symbol).mass)
        if symbol in ("H", "D"):
            return bool(0 < self.masses[atom] < _HEAVIEST_HYDROGEN)
        shift = self.masses[atom] - usual
        return bool(
            -_MAX_HYDROGENS * (_HEAVIEST_HYDROGEN - 1) < shift < _MAX_HYDROGENS + _SAME_MASS
        )

    def symbol(self, atom: int) -> str:
        """The element of an atom of no standard residue."""
        mass = self.masses[atom]
        if mass == 0:
            return VIRTUAL_SITE
        nearest = Element.getByMass(mass)
        if nearest is not None and abs(nearest.mass - mass) <= max(0.005, 1e-3 * mass):
            return str(nearest.symbol)
        if self._is_light_end(atom):
            return "H" if self._with_hydrogens(self.bonded[atom][0]) != BEAD else BEAD
        return self._with_hydrogens(atom)

    def _is_light_end(self, atom: int) -> bool:
        """Whether an atom may be a hydrogen that has taken mass from its neighbour."""
        is_named = self.names[atom].lstrip("0123456789")[:1] == "H"
        is_end = len(self.bonded.get(atom, ())) == 1
        return bool(is_named and is_end and self.masses[atom] < _HEAVIEST_HYDROGEN)

    def _with_hydrogens(self, atom: int) -> str:
        """The element that has the mass of an atom together with its hydrogens."""
        hydrogens = [other for other in self.bonded.get(atom, ()) if self._is_light_end(other)]
        total = self.masses[atom] + self.masses[hydrogens].sum()
        for symbol in _readings(self.names[atom], is_amino=False):
            n_hydrogens = (total - get_by_symbol(symbol).mass) / _HYDROGEN_MASS
            whole = round(n_hydrogens)
            is_whole = abs(n_hydrogens - whole) * _HYDROGEN_MASS < _SAME_MASS
            if is_whole and len(hydrogens) <= whole <= _MAX_HYDROGENS:
                return symbol
        return BEAD


def _readings(name: str, *, is_amino: bool) -> list[str]:
    """The elements that a name may stand for, the one of a single letter first."""
    name = name.lstrip("0123456789")
    word = re.sub(r"[^A-Za-z].*", "", name)
    one, two = word[:1].upper(), word[:2].capitalize()
    readings = [one] if one in _ONE_LETTER else []
    if two in _TWO_LETTERS and not (is_amino and _IN_AMINO_ACID.fullmatch(name)):
        readings.append(two)
    return readings


def _told(atom: Atom, symbol: str) -> str:
    """The element that the user gives."""
    try:
        return str(get_by_symbol(symbol).symbol)
    except KeyError:
        raise ValueError(
            f"elements: {symbol!r}, given for {atom.name!r}, is no element: give a symbol such as "
            "'C' or 'Cl', or 'VS' for a virtual site without mass"
        ) from None


def _doubt(atoms: Sequence[Atom]) -> str:
    """What is not known, all of it, and the line that settles it."""
    residues: dict[str, dict[str, None]] = {}
    for atom in atoms:
        residues.setdefault(atom.name, {}).setdefault(atom.residue.name)
    listed = [f"{name} in {', '.join(list(where)[:4])}" for name, where in residues.items()]
    masses = ", ".join(f'"{name}": <Da>' for name in residues)
    choices = {name: " or ".join(_readings(name, is_amino=False)) for name in residues}
    elements = ", ".join(f'"{name}": "<{choice or "?"}>"' for name, choice in choices.items())
    advice = f"elements={{{elements}}} or, of beads, masses={{{masses}}}"
    if any(is_coarse_name(name) for name in residues):
        advice = f"of coarse-grained beads masses={{{masses}}}, of atoms elements={{...}}"
    return (
        f"the file does not tell what {len(atoms)} atoms are: {'; '.join(listed)}. Say it, as an "
        f"argument or in a JSON file of the same stem: {advice}; or read other atoms only, for "
        "example select='protein' (--select protein)"
    )

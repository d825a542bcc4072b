"""Bonds that files leave out, against force fields and against what was laid out."""

import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import mdtraj
import numpy as np
import pytest
from mdtraj.core.element import get_by_symbol, virtual

from cgsim.io import load_molecule, molecule_from_topology
from cgsim.io.bonds import StandardBonds
from cgsim.io.elements import assign_elements
from cgsim.io.stated import StatedTopology
from tests.io.laid_out import (
    BACKBONE,
    NamedAtom,
    cysteines,
    laid_out,
    pdb_lines,
    write_gro,
    write_pqr,
)

FORCE_FIELDS = (
    *("amber14/protein.ff14SB", "amber14/DNA.OL15", "amber14/RNA.OL3", "amber19/protein.ff19SB"),
    *("amber14/tip3p", "amber14/tip4pew", "amber14/opc", "charmm36"),
)
SITE = "VS"
OTHERS = {"OHE"}  # half a residue
CHARMM = {
    *("ALA", "ARG", "ASN", "ASP", "ASPP", "CYS", "CYM", "GLN", "GLU", "GLUP", "GLY"),
    *("HSD", "HSE", "HSP", "ILE", "LEU", "LYS", "LSN", "MET", "PHE", "PRO", "SER"),
    *("THR", "TRP", "TYR", "VAL", "ACE", "ADE", "GUA", "CYT", "THY", "URA", "SOD"),
    *("CLA", "POT", "CAL", "MG", "ZN", "CES", "RUB", "LIT", "BAR", "CAD", "TIP3"),
    *("SP2", "TP2"),
}


def _residues(force_field: str) -> list[tuple[str, list[tuple[str, str]], set[tuple[str, str]]]]:
    """Name, atoms with their elements, and bonds of each residue of a force field of OpenMM."""
    app = pytest.importorskip("openmm.app")
    root = ElementTree.parse(Path(app.__file__).parent / "data" / f"{force_field}.xml").getroot()
    element = {kind.get("name"): kind.get("element") or SITE for kind in root.iter("Type")}
    residues = []
    for residue in root.iterfind("Residues/Residue"):
        atoms = [(str(a.get("name")), element[a.get("type")]) for a in residue.iterfind("Atom")]
        ends = [
            sorted(
                str(b.get(f"atomName{k}"))
                if b.get(f"atomName{k}")
                else atoms[int(str(b.get(at)))][0]
                for k, at in ((1, "from"), (2, "to"))
            )
            for b in residue.iterfind("Bond")
        ]
        residues.append((str(residue.get("name")), atoms, {(i, j) for i, j in ends}))
    return residues


@pytest.mark.parametrize("force_field", FORCE_FIELDS)
def test_elements_and_bonds_are_those_of_force_fields(force_field: str) -> None:
    n_compared = 0
    for name, atoms, bonds in _residues(force_field):
        if name in OTHERS or (force_field == "charmm36" and name not in CHARMM):
            continue
        topology = mdtraj.Topology()
        residue = topology.add_residue(name, topology.add_chain(), 1)
        for atom, _ in atoms:
            topology.add_atom(atom, virtual, residue)
        stated = StatedTopology(topology, [None] * len(atoms), set(), has_all_bonds=False)
        symbols = assign_elements(stated, named={}, bead_names=())
        assert symbols == [symbol for _, symbol in atoms], name
        for atom, symbol in zip(topology.atoms, symbols, strict=True):
            atom.element = virtual if symbol == SITE else get_by_symbol(symbol)
        found = {
            tuple(sorted((atoms[i][0], atoms[j][0])))
            for i, j in StandardBonds(topology, symbols).find()
        }
        assert found == bonds, name
        n_compared += 1
    assert n_compared > 0


@pytest.mark.parametrize("kind", ["gro", "pdb", "pqr"])
def test_disulfides_by_distance_in_every_format(tmp_path: Path, kind: str) -> None:
    atoms, bonds = cysteines()
    xyz = laid_out(atoms, bonds)
    path = tmp_path / f"cys.{kind}"
    if kind == "gro":
        write_gro(path, atoms, xyz, box="9.0 9.0 9.0")
    elif kind == "pdb":
        path.write_text("\n".join([*pdb_lines(atoms, xyz), "END", ""]))
    else:
        pytest.importorskip("MDAnalysis")
        write_pqr(path, atoms, xyz)
    molecule = load_molecule(path)
    assert {tuple(pair) for pair in molecule.bond_index.T.tolist()} == bonds
    assert molecule.atom_type == tuple(atom.name[0] for atom in atoms)


def test_hydrogens_that_a_format_leaves_unbonded_are_bonded_by_name() -> None:
    """MMTF has the bonds of the dictionary of the PDB, in which a terminal hydrogen has none."""
    topology = mdtraj.Topology()
    residue = topology.add_residue("ALA", topology.add_chain(), 1)
    names = ("N", "H1", "H2", "H3", "CA", "HA", "CB", "HB1", "HB2", "HB3", "C", "O", "OXT")
    atoms = [topology.add_atom(name, get_by_symbol(name[0]), residue) for name in names]
    place = {name: atom for name, atom in zip(names, atoms, strict=True)}
    bonds = [
        *("N-H1", "N-H2", "N-H3", "N-CA", "CA-HA", "CA-CB", "CB-HB1", "CB-HB2", "CB-HB3"),
        *("CA-C", "C-O", "C-OXT"),
    ]
    for bond in bonds:
        if bond not in ("N-H3", "CB-HB1"):
            topology.add_bond(*(place[name] for name in bond.split("-")))
    molecule = molecule_from_topology(topology)
    found = {frozenset(names[i] for i in pair) for pair in molecule.bond_index.T.tolist()}
    assert found == {frozenset(bond.split("-")) for bond in bonds}


def test_without_any_bond_the_residues_are_named(tmp_path: Path) -> None:
    atoms = [NamedAtom(name, "LIG", 1) for name in ("C1", "C2", "O1")]
    xyz = laid_out(atoms, {(0, 1), (1, 2)})
    path = write_gro(tmp_path / "a.gro", atoms, xyz, box="9.0 9.0 9.0")
    with pytest.raises(ValueError, match=r"a.gro: no bonds.*\(LIG\).*CONECT"):
        load_molecule(path)


def test_a_residue_whose_atoms_stand_in_two_places_is_told_so(tmp_path: Path) -> None:
    heavy, own = ("N", "CA", "C", "O"), {(0, 1), (1, 2), (2, 3)}
    atoms = [NamedAtom(name, "GLY", number) for number in (1, 2) for name in heavy]
    atoms += [NamedAtom(name, "GLY", number) for number in (1, 2) for name in ("HA2", "HA3")]
    bonds = own | {(i + 4, j + 4) for i, j in own} | {(2, 4), (1, 8), (1, 9), (5, 10), (5, 11)}
    path = tmp_path / "a.pdb"
    path.write_text("\n".join([*pdb_lines(atoms, laid_out(atoms, bonds)), "END", ""]))
    with pytest.raises(ValueError, match=r"atoms of GLY1 stand in two places.*atom 0 .*atom 8 on"):
        load_molecule(path)


def test_a_gro_file_of_a_large_box_and_a_title_of_words(tmp_path: Path) -> None:
    atoms, bonds = cysteines()
    path = tmp_path / "a.gro"
    write_gro(path, atoms, laid_out(atoms, bonds), box="40000.0000040000.0000040000.00000")
    path.write_text(path.read_text().replace("title", "start=7 of t= 5", 1))
    assert len(load_molecule(path).bond_index.T) == len(bonds)


@pytest.mark.parametrize(
    ("residue", "name", "symbol"),
    [("IP", "Na+", "Na"), ("IM", "Cl-", "Cl"), ("ION", "CA", "Ca"), ("CAL", "CAL", "Ca")],
)
def test_ions_beside_water(tmp_path: Path, residue: str, name: str, symbol: str) -> None:
    atoms = [NamedAtom(own, "SOL", 1) for own in ("OW", "HW1", "HW2")]
    xyz = np.append(laid_out(atoms, {(0, 1), (0, 2)}), [[4.0, 4.0, 4.0]], axis=0)
    atoms.append(NamedAtom(name, residue, 2))
    molecule = load_molecule(write_gro(tmp_path / "a.gro", atoms, xyz, box="9.0 9.0 9.0"))
    assert molecule.atom_type == ("O", "H", "H", symbol)


def test_c_alphas_in_angstrom_are_told_so(tmp_path: Path) -> None:
    atoms = [NamedAtom("CA", "GLY", number) for number in range(1, 9)]
    xyz = 0.38 * np.arange(8)[:, None] * [0.8, 0.6, 0.0] + 1
    right = write_gro(tmp_path / "nm.gro", atoms, xyz, box="90.0 90.0 90.0")
    assert load_molecule(right, bonds="chain").bond_index.shape == (2, 7)
    wrong = write_gro(tmp_path / "a.gro", atoms, 10 * xyz, box="90.0 90.0 90.0")
    with pytest.raises(ValueError, match=r"a.gro: .*3.80 nm apart.*ångström"):
        load_molecule(wrong, bonds="chain")


_BETWEEN = 17 * " "
LINK = (
    "LINK         {one:<3s} GLY A   1"
    + _BETWEEN
    + "{other:<3s} {residue:<3s} A  50     1555   {copy}"
)


@pytest.mark.parametrize(
    ("copy", "element", "is_bonded"),
    [("1555", "C", True), ("1556", "C", False), ("1555", "ZN", False)],
)
def test_link_records_bond_what_is_no_chain(
    tmp_path: Path, copy: str, element: str, is_bonded: bool
) -> None:
    """But neither copies of other cells, nor metals."""
    name = "ZN" if element == "ZN" else "C1"
    residue = "ZN" if element == "ZN" else "NAG"
    atoms = [NamedAtom(own, "GLY", 1) for own in ("N", "CA", "C", "O")]
    atoms += [NamedAtom(name, residue, 50)]
    xyz = laid_out(atoms, {(0, 1), (1, 2), (2, 3), (1, 4)})
    lines = [f"{line[:21]}A{line[22:]}".ljust(76) for line in pdb_lines(atoms, xyz)]
    lines = [
        f"{line}{own:>2s}" for line, own in zip(lines, ("N", "C", "C", "O", element), strict=True)
    ]
    link = LINK.format(one="CA", other=name, residue=residue, copy=copy)
    path = tmp_path / "a.pdb"
    path.write_text("\n".join([link, *lines, "END", ""]))
    molecule = load_molecule(path)
    bonded = {tuple(pair) for pair in molecule.bond_index.T.tolist()}
    assert ((1, 4) in bonded) == is_bonded


def test_atoms_as_near_as_bonded_ones_are_warned_of(tmp_path: Path) -> None:
    """A lactam, a glycan, a covalent ligand: what no table of residues knows."""
    atoms = [NamedAtom(name, "GLY", number) for number in (1, 9) for name in BACKBONE]
    own = {(4 * k + i, 4 * k + j) for k in (0, 1) for i, j in ((0, 1), (1, 2), (2, 3))}
    path = tmp_path / "a.gro"
    write_gro(path, atoms, laid_out(atoms, own | {(1, 5)}), box="9.0 9.0 9.0")
    with pytest.warns(
        UserWarning, match=r"near as bonded.* GLY1-CA and GLY9-CA 0.15\d nm\. .*CONECT"
    ):
        molecule = load_molecule(path)
    assert {tuple(pair) for pair in molecule.bond_index.T.tolist()} == own
    write_gro(path, atoms, laid_out(atoms, own), box="9.0 9.0 9.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_molecule(path)


@pytest.mark.parametrize(
    "names", [("OW", "HW1", "HW2"), ("OW", "HW1", "HW2", "MW"), ("O", "H1", "H2", "EP1", "EP2")]
)
def test_waters_of_one_number_are_molecules_apart(tmp_path: Path, names: tuple[str, ...]) -> None:
    n = len(names)
    atoms = [NamedAtom(name, "SOL", 1) for _ in range(3) for name in names]
    bonds = {(start, start + k) for start in range(0, 3 * n, n) for k in range(1, n)}
    xyz = laid_out([NamedAtom("O" if k % n == 0 else "H", "SOL", 1) for k in range(3 * n)], bonds)
    molecule = load_molecule(write_gro(tmp_path / "a.gro", atoms, xyz, box="9.0 9.0 9.0"))
    assert {tuple(pair) for pair in molecule.bond_index.T.tolist()} == bonds
    assert molecule.topology.n_residues == 3
    np.testing.assert_allclose(molecule.atom_mass.reshape(3, n).sum(axis=1), 18.015, atol=0.01)

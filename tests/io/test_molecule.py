"""Atoms, masses and bonds from topology files."""

from pathlib import Path

import mdtraj
import numpy as np
import pytest
from mdtraj.core.element import boron, carbon, nitrogen, oxygen, sulfur

from cgsim.io import load_molecule, molecule_from_topology, write_atomic_json, write_psf
from tests.io.systems import bead_topology_of, chain_bonds, comb_bonds, random_walk, save

POLYMER = ("B1", "S1", "B2", "S2")
MASSES = {"B1": 1.0, "S1": 2.0, "B2": 3.0, "S2": 4.0}


def _two_chains() -> tuple[mdtraj.Topology, list[tuple[int, int]]]:
    bonds = comb_bonds(4) + chain_bonds(5, first=8)
    return bead_topology_of(bonds, 13, names=POLYMER), bonds


def test_polymer_survives_a_pdb_round_trip(tmp_path: Path) -> None:
    """Names are not taken for boron and sulfur, CONECT bonds of both chains are right."""
    topology, bonds = _two_chains()
    path = save(tmp_path / "polymer.pdb", topology, random_walk(1, 13))
    molecule = load_molecule(path, masses=MASSES)
    assert molecule.name == "polymer"
    assert molecule.atom_type == tuple(POLYMER[i % 4] for i in range(13))
    np.testing.assert_array_equal(molecule.atom_mass, [1 + i % 4 for i in range(13)])
    np.testing.assert_array_equal(molecule.bond_index.T, sorted(bonds))
    assert molecule.bond_index.dtype == np.int64


def test_masses_come_from_the_sidecar(tmp_path: Path) -> None:
    topology, _ = _two_chains()
    path = save(tmp_path / "polymer.pdb", topology, random_walk(1, 13))
    with pytest.raises(ValueError, match=r"polymer.pdb.*'B1' has no mass.*masses="):
        load_molecule(path)
    write_atomic_json(tmp_path / "polymer.json", {"masses": MASSES})
    assert load_molecule(path).atom_mass[:4].tolist() == [1, 2, 3, 4]
    explicit = load_molecule(path, masses=dict.fromkeys(POLYMER, 7.0))
    assert set(explicit.atom_mass) == {7.0}
    write_atomic_json(tmp_path / "polymer.json", {"masses": list(range(1, 14))})
    assert load_molecule(path).atom_mass.tolist() == list(range(1, 14))


def test_guessed_elements_yield_to_named_types() -> None:
    """MDTraj reads "B1" and "S1" as boron and sulfur where a file has no elements."""
    topology = bead_topology_of(chain_bonds(4), 4, names=("B1", "S1"))
    for atom in topology.atoms:
        atom.element = boron if atom.name == "B1" else sulfur
    assert molecule_from_topology(topology).atom_type == ("B", "S", "B", "S")
    molecule = molecule_from_topology(topology, masses={"B1": 1.0, "S1": 2.0})
    assert molecule.atom_type == ("B1", "S1", "B1", "S1")
    assert molecule.atom_mass.tolist() == [1, 2, 1, 2]
    assert next(topology.atoms).element is boron  # the caller's topology is left alone


def _glycine_dipeptide() -> mdtraj.Topology:
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(2):
        residue = topology.add_residue("GLY", chain)
        for name, element in (("N", nitrogen), ("CA", carbon), ("C", carbon), ("O", oxygen)):
            topology.add_atom(name, element, residue)
    return topology


def test_standard_bonds_and_element_masses_of_a_peptide() -> None:
    molecule = molecule_from_topology(_glycine_dipeptide())
    assert molecule.atom_type == ("N", "C", "C", "O") * 2
    bonds = [(0, 1), (1, 2), (2, 3), (2, 4), (4, 5), (5, 6), (6, 7)]
    np.testing.assert_array_equal(molecule.bond_index.T, bonds)
    np.testing.assert_allclose(molecule.atom_mass[:2], [14.0067, 12.0107], atol=1e-3)


def test_bonds_are_unique_and_sorted() -> None:
    topology = bead_topology_of([(2, 1), (0, 1), (1, 0), (1, 2)], 3)
    molecule = molecule_from_topology(topology, masses={"B1": 1.0})
    assert molecule.bond_index.tolist() == [[0, 1], [1, 2]]


def test_atoms_without_bonds(tmp_path: Path) -> None:
    path = save(tmp_path / "gas.pdb", bead_topology_of([], 3), random_walk(1, 3))
    with pytest.raises(ValueError, match=r"gas.pdb: no bonds.*CONECT"):
        load_molecule(path, masses={"B1": 1.0})
    topology = bead_topology_of(chain_bonds(3), 3)
    chain = topology.add_chain()
    residue = topology.add_residue("LIG", chain)
    topology.add_atom("C1", carbon, residue)
    assert molecule_from_topology(topology, masses={"B1": 1.0}).n_atoms == 4  # an ion
    topology.add_atom("C2", carbon, residue)
    with pytest.raises(ValueError, match=r"atom 3 .*C1.* no bond"):
        molecule_from_topology(topology, masses={"B1": 1.0})


def test_one_atom_needs_no_bond() -> None:
    molecule = molecule_from_topology(bead_topology_of([], 1), masses={"B1": 1.0})
    assert molecule.bond_index.shape == (2, 0)


def test_psf_gives_masses_and_no_false_elements(tmp_path: Path) -> None:
    """A bead of 12.011 Da is no carbon, one of 1 Da no hydrogen."""
    mass = np.array([12.011, 1.0, 1234.5678, 54321.125])
    bonds = np.array([[0, 0, 0], [1, 2, 3]])
    path = tmp_path / "beads.psf"
    write_psf(path, names=[("S1", "BEA", "CG")] * 4, masses=mass, bond_index=bonds)
    molecule = load_molecule(path)
    assert molecule.atom_type == ("CG",) * 4
    np.testing.assert_allclose(molecule.atom_mass, mass, rtol=1e-6)
    np.testing.assert_array_equal(molecule.bond_index, bonds)


def test_all_atom_psf_keeps_elements(tmp_path: Path) -> None:
    path = tmp_path / "water.psf"
    write_psf(
        path,
        names=[("W", "TIP3", name) for name in ("OH2", "H1", "H2")],
        masses=np.array([15.9994, 1.008, 1.008]),
        bond_index=np.array([[0, 0], [1, 2]]),
    )
    path.write_text(path.read_text().replace(" VS ", " XX "))
    molecule = load_molecule(path)
    assert molecule.atom_type == ("O", "H", "H")
    np.testing.assert_allclose(molecule.atom_mass, [15.9994, 1.008, 1.008])


def test_repeated_serials_make_conect_ambiguous(tmp_path: Path) -> None:
    """What a PDB of more than 99,999 atoms looks like."""
    path = save(tmp_path / "big.pdb", bead_topology_of(chain_bonds(4), 4), random_walk(1, 4))
    path.write_text(path.read_text().replace("ATOM      3", "ATOM      1"))
    with pytest.raises(ValueError, match=r"big.pdb.*serial.*PSF"):
        load_molecule(path, masses={"B1": 1.0})


def test_missing_empty_foreign_and_atomless_topologies(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none.pdb"):
        load_molecule(tmp_path / "none.pdb")
    for name, content in (("empty.pdb", ""), ("a.pdb", "REMARK\n"), ("a.txt", "x"), ("a.psf", "P")):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=name):
            load_molecule(tmp_path / name)
    with pytest.raises(ValueError, match="no atoms"):
        molecule_from_topology(mdtraj.Topology())


def test_wrong_masses() -> None:
    topology = bead_topology_of(chain_bonds(3), 3)
    with pytest.raises(ValueError, match=r"2 masses .* 3 atoms"):
        molecule_from_topology(topology, masses=[1.0, 1.0])
    for mass in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="B1"):
            molecule_from_topology(topology, masses={"B1": mass})


def test_topology_from_a_trajectory_format(tmp_path: Path) -> None:
    pytest.importorskip("tables")
    topology = _glycine_dipeptide()
    path = save(tmp_path / "peptide.h5", topology, random_walk(3, 8))
    assert load_molecule(path).bond_index.shape == (2, 7)


@pytest.mark.parametrize("segment", ["A", " "])
def test_a_psf_without_names_of_segments(tmp_path: Path, segment: str) -> None:
    path = tmp_path / "water.psf"
    mass = np.array([15.9994, 1.008, 1.008])
    names = [("A", "TIP3", name) for name in ("OH2", "H1", "H2")]
    write_psf(path, names=names, masses=mass, bond_index=np.array([[0, 0], [1, 2]]))
    path.write_text(path.read_text().replace(" VS ", " XX ").replace(" A    ", f" {segment}    "))
    molecule = load_molecule(path)
    assert molecule.atom_type == ("O", "H", "H")
    np.testing.assert_allclose(molecule.atom_mass, mass)


def test_a_psf_with_a_damaged_last_word_keeps_its_masses(tmp_path: Path) -> None:
    path = tmp_path / "water.psf"
    mass = np.array([15.9994, 1.008, 1.008])
    names = [("A", "TIP3", name) for name in ("OH2", "H1", "H2")]
    write_psf(path, names=names, masses=mass, bond_index=np.array([[0, 0], [1, 2]]))
    lines = path.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if " H1 " in line)
    lines[at] = lines[at].rstrip()[:-1] + "*"
    path.write_text("\n".join([*lines, ""]))
    np.testing.assert_allclose(load_molecule(path).atom_mass, mass)


def test_a_psf_without_any_bonds_is_no_row_of_separate_residues(tmp_path: Path) -> None:
    path = tmp_path / "peptide.psf"
    names = [("A", residue, name) for residue in ("GLY", "ALA") for name in ("N", "CA", "C", "O")]
    mass = np.array([14.007, 12.011, 12.011, 15.999] * 2)
    write_psf(path, names=names, masses=mass, bond_index=np.empty((2, 0), dtype=int))
    lines = path.read_text().replace(" VS ", " XX ").splitlines()
    for number, line in enumerate(lines):
        for residue, own in (("GLY", "1"), ("ALA", "2")):
            if f" {residue} " in line:
                words = line.split()
                lines[number] = line.replace(f" {words[2]:<4s} {residue}", f" {own:<4s} {residue}")
    path.write_text("\n".join([*lines, ""]))
    with pytest.raises(ValueError, match=r"peptide.psf: no bonds.*GLY, ALA"):
        load_molecule(path)

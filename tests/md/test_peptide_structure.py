from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.io import load_molecule
from cgsim.md.peptide_chain import Peptide
from cgsim.md.peptide_structure import build_peptide, read_peptide

ALL = "ACDEFGHIKLMNPQRSTVWY"


@pytest.fixture(scope="module")
def dipeptide() -> Peptide:
    return build_peptide("GA")


@pytest.fixture
def file(dipeptide: Peptide, tmp_path: Path) -> Path:
    path = tmp_path / "pep.pdb"
    dipeptide.to_mdtraj().save_pdb(str(path))
    return path


def edit(file: Path, *, without: str = "", replace: tuple[str, str] = ("", "")) -> None:
    """Drop lines that hold a text and all CONECT records; replace a text in the others."""
    lines = [x for x in file.read_text().splitlines() if not x.startswith("CONECT")]
    kept = [x.replace(*replace) for x in lines if not without or without not in x]
    file.write_text("\n".join(kept) + "\n")


def test_all_amino_acids_are_built_and_read_back_with_their_bonds(tmp_path: Path) -> None:
    peptide = build_peptide(ALL)
    codes = mdtraj.Topology.from_openmm(peptide.topology).to_fasta()[0]
    assert peptide.residues[0] == "ACE"
    assert peptide.residues[-1] == "NME"
    assert codes.strip("X?") == ALL
    path = tmp_path / "all.pdb"
    peptide.to_mdtraj().save_pdb(str(path))
    molecule = load_molecule(path)
    bonds = sorted(sorted((a.index, b.index)) for a, b in peptide.topology.bonds())
    assert molecule.bond_index.T.tolist() == bonds
    i, j = molecule.bond_index
    length = np.linalg.norm(peptide.xyz[i] - peptide.xyz[j], axis=1)
    assert length.min() > 0.08
    assert length.max() < 0.19
    back = read_peptide(path)
    assert back.residues == peptide.residues
    assert back.n_atoms == peptide.n_atoms


def test_chain_is_extended_and_trans() -> None:
    chain = build_peptide("AAA").to_mdtraj()
    for compute, angle in ((mdtraj.compute_phi, -120.0), (mdtraj.compute_psi, 140.0)):
        np.testing.assert_allclose(np.degrees(compute(chain)[1]), angle, atol=0.5)
    np.testing.assert_allclose(np.abs(np.degrees(mdtraj.compute_omega(chain)[1])), 180, atol=0.5)


def test_ends_without_caps_are_charged() -> None:
    peptide = build_peptide("GA", capped=False)
    names = [atom.name for atom in peptide.topology.atoms()]
    assert peptide.name == "GA-uncapped"
    assert peptide.residues == ("GLY", "ALA")
    assert {"H", "H2", "H3", "OXT"} <= set(names)


def test_building_is_reproducible(dipeptide: Peptide) -> None:
    np.testing.assert_array_equal(build_peptide("GA").xyz, dipeptide.xyz)


@pytest.mark.parametrize(
    ("sequence", "message"),
    [("", "empty"), ("AaA", "a2.*D-amino"), ("AXZ", "X2, Z3"), ("A A", "2 is no amino acid")],
)
def test_bad_sequences(sequence: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_peptide(sequence)


def test_one_residue_needs_caps() -> None:
    with pytest.raises(ValueError, match="caps"):
        build_peptide("A", capped=False)


def test_file_keeps_heavy_atoms_where_they_are(file: Path, dipeptide: Peptide) -> None:
    peptide = read_peptide(file, name="mine")
    assert (peptide.name, peptide.source) == ("mine", "pep.pdb")
    heavy = [a.index for a in dipeptide.topology.atoms() if a.element.symbol != "H"]
    again = [a.index for a in peptide.topology.atoms() if a.element.symbol != "H"]
    a, b = dipeptide.xyz[heavy], peptide.xyz[again]
    np.testing.assert_allclose(a - a.mean(axis=0), b - b.mean(axis=0), atol=2e-4)


def test_water_and_ions_are_left_out_with_a_warning(file: Path, dipeptide: Peptide) -> None:
    edit(file, without="END")
    extra = "HETATM  900  O   HOH B 100      30.000  30.000  30.000  1.00  0.00           O\n"
    extra += "HETATM  901 NA    NA C 101      35.000  30.000  30.000  1.00  0.00          NA\n"
    file.write_text(file.read_text() + extra + "END\n")
    with pytest.warns(UserWarning, match=r"left out 2 residues \['HOH', 'NA'\]"):
        peptide = read_peptide(file)
    assert peptide.residues == dipeptide.residues


@pytest.mark.parametrize(
    ("without", "replace", "message"),
    [
        (" CB  ALA", ("", ""), "ALA.*missing"),
        (" O   GLY", ("", ""), "GLY.*missing"),
        ("", ("ALA", "MSE"), "MSE 2"),
        ("GLY A", ("", ""), "broken between ACE 0 and ALA 2"),
        ("NME", ("", ""), "missing"),
        ("ATOM", ("", ""), "cannot be read|no peptide"),
    ],
)
def test_incomplete_files(file: Path, without: str, replace: tuple[str, str], message: str) -> None:
    edit(file, without=without, replace=replace)
    with pytest.raises(ValueError, match=message) as caught:
        read_peptide(file)
    assert "pep.pdb" in str(caught.value)


def test_mirror_image_is_an_error(file: Path, dipeptide: Peptide) -> None:
    frame = dipeptide.to_mdtraj()
    frame.xyz = frame.xyz * np.array([1.0, 1.0, -1.0], dtype=np.float32)
    frame.save_pdb(str(file))
    with pytest.raises(ValueError, match="ALA 2 is a D-amino acid"):
        read_peptide(file)


def test_several_chains_are_an_error(file: Path, dipeptide: Peptide) -> None:
    frame = dipeptide.to_mdtraj()
    frame.stack(frame).save_pdb(str(file))
    with pytest.raises(ValueError, match="several chains"):
        read_peptide(file)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pdb"):
        read_peptide(tmp_path / "none.pdb")
    (tmp_path / "text.pdb").write_text("not a structure\n")
    with pytest.raises(ValueError, match=r"text\.pdb"):
        read_peptide(tmp_path / "text.pdb")

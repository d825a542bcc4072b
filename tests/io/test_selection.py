"""Some atoms in place of all: only they are known, bonded, read and mapped."""

from pathlib import Path

import mdtraj
import numpy as np
import pytest
from mdtraj.core.element import get_by_symbol, hydrogen, oxygen, virtual

from cgsim.io import Molecule, iter_frames, load_molecule, write_psf
from cgsim.mapping import build_mapping
from cgsim.mapping.store import map_trajectory
from cgsim.md import build_peptide

PROTEIN = "protein"
N_FRAMES, BOX = 7, 4.0


def solution() -> mdtraj.Trajectory:
    """A peptide, waters before and behind it, and a particle of which nothing is known."""
    peptide = build_peptide("AG").to_mdtraj()
    topology = mdtraj.Topology()
    xyz: list[np.ndarray] = []
    random = np.random.default_rng(0)

    def add_waters(n: int) -> None:
        chain = topology.add_chain()
        for number in range(n):
            residue = topology.add_residue("SOL", chain, resSeq=number + 1)
            for name, element in (("OW", oxygen), ("HW1", hydrogen), ("HW2", hydrogen)):
                topology.add_atom(name, element, residue)
            xyz.extend(random.uniform(0, BOX, 3) + 0.1 * np.eye(4, 3, k=1)[:3])

    add_waters(3)
    chain = topology.add_chain()
    for own in peptide.topology.residues:
        residue = topology.add_residue(own.name, chain, resSeq=own.resSeq)
        for atom in own.atoms:
            topology.add_atom(atom.name, atom.element, residue)
    xyz.extend(peptide.xyz[0] + BOX / 2)
    add_waters(2)
    strange = topology.add_residue("XYZ", topology.add_chain())
    topology.add_atom("Q1", virtual, strange)
    xyz.append(np.ones(3))
    frames = np.array(xyz) + 0.003 * random.normal(size=(N_FRAMES, len(xyz), 3))
    lengths = np.full((N_FRAMES, 3), BOX)
    return mdtraj.Trajectory(
        frames, topology, 2.0 * np.arange(N_FRAMES), lengths, np.full((N_FRAMES, 3), 90.0)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The solution as sys.gro and full.*, the peptide alone as part.xtc."""
    folder, system = tmp_path_factory.mktemp("solution"), solution()
    system[0].save(str(folder / "sys.gro"))
    for kind in ("xtc", "trr", "dcd", "nc", "pdb", "gro"):
        system.save(str(folder / f"full.{kind}"))
    system.atom_slice(system.topology.select(PROTEIN)).save(str(folder / "part.xtc"))
    return folder


@pytest.fixture(scope="module")
def molecule(folder: Path) -> Molecule:
    return load_molecule(folder / "sys.gro", select=PROTEIN)


def test_without_a_selection_the_unknown_atom_is_refused_with_that_way_on(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"Q1 in XYZ.*select='protein'"):
        load_molecule(folder / "sys.gro")


def test_the_molecule_is_the_peptide(molecule: Molecule) -> None:
    alone = build_peptide("AG")
    assert molecule.n_atoms == alone.n_atoms
    assert molecule.n_file_atoms == solution().n_atoms
    assert molecule.component.max() == 0
    assert [atom.name for atom in molecule.topology.atoms] == [
        atom.name for atom in alone.topology.atoms()
    ]


@pytest.mark.parametrize("kind", ["xtc", "trr", "dcd", "nc", "pdb", "gro"])
@pytest.mark.parametrize("chunk", [3, 500])
def test_only_its_atoms_are_read(folder: Path, molecule: Molecule, kind: str, chunk: int) -> None:
    system = solution()
    expected = system.atom_slice(system.topology.select(PROTEIN))
    file = folder / f"full.{kind}"
    found = list(iter_frames(file, molecule, chunk=chunk, frame_interval=2.0))
    assert sum(part.n_frames for part in found) == N_FRAMES
    xyz = np.concatenate([part.xyz for part in found])
    np.testing.assert_allclose(xyz, expected.xyz, atol=6e-4)  # three digits in GRO and XTC
    for part in found:
        np.testing.assert_allclose(part.unitcell_lengths, BOX, rtol=1e-5)


def test_a_trajectory_of_the_selection_alone_will_do(folder: Path, molecule: Molecule) -> None:
    mapping = build_mapping(molecule, {"method": "residues"})
    whole, part = (
        map_trajectory(folder / name, molecule, mapping) for name in ("full.xtc", "part.xtc")
    )
    np.testing.assert_array_equal(whole.pos, part.pos)
    assert whole.n_beads == 4


def test_a_file_of_other_atoms_is_refused(folder: Path, tmp_path: Path, molecule: Molecule) -> None:
    solution().atom_slice(range(10)).save(str(tmp_path / "ten.xtc"))
    numbers = rf"has 10 atoms.* has {molecule.n_file_atoms}, {molecule.n_atoms} of them selected"
    with pytest.raises(ValueError, match=numbers):
        next(iter_frames(tmp_path / "ten.xtc", molecule))


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("resname LIG", r"selects none of \d+ atoms.*HOH \(5\)"),
        ("this is ((", "selection language.*'protein'"),
    ],
)
def test_a_selection_that_says_nothing_names_what_there_is(
    folder: Path, select: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said) as error:
        load_molecule(folder / "sys.gro", select=select)
    assert str(error.value).startswith(f"{folder / 'sys.gro'}: ")
    assert "\n" not in str(error.value)


def test_a_cut_bond_is_said(tmp_path: Path) -> None:
    peptide = build_peptide("AG").to_mdtraj()
    peptide.save(str(tmp_path / "a.pdb"))
    molecule = load_molecule(tmp_path / "a.pdb")
    atoms = list(molecule.topology.atoms)
    write_psf(
        tmp_path / "a.psf",
        names=[("A", atom.residue.name, atom.name) for atom in atoms],
        masses=molecule.atom_mass,
        bond_index=molecule.bond_index,
    )
    backbone = "name N or name CA or name C or name O or name CH3"
    with pytest.warns(UserWarning, match=r"cuts \d+ bonds, the first .* to "):
        part = load_molecule(tmp_path / "a.psf", select=backbone)
    assert {atom.name for atom in part.topology.atoms} == {"N", "CA", "C", "O", "CH3"}
    assert part.component.max() == 0


def test_masses_are_those_of_the_selected_atoms(folder: Path, molecule: Molecule) -> None:
    masses = np.arange(1.0, molecule.n_atoms + 1)
    found = load_molecule(folder / "sys.gro", select=PROTEIN, masses=masses)
    np.testing.assert_array_equal(found.atom_mass, masses)


def named_residues(*residues: tuple[str, str]) -> mdtraj.Topology:
    """Residues of these names and atoms, in one chain, without bonds."""
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for number, (name, atoms) in enumerate(residues):
        residue = topology.add_residue(name, chain, resSeq=number + 1)
        for atom in atoms.split():
            topology.add_atom(atom, get_by_symbol(atom[0]), residue)
    return topology


@pytest.mark.parametrize(
    "residue",
    # of GROMACS ports of OPLS and AMBER, AMBER, CHARMM: none is in MDTraj's list
    ["LYSH", "HISB", "HIE", "HID", "CYX", "CYS2", "ASPH", "HSP", "GLH", "NALA", "CLYS"],
)
@pytest.mark.filterwarnings("ignore:select=")
def test_protein_has_all_states_of_protonation(residue: str) -> None:
    glycine = ("GLY", "N H CA HA1 HA2 C O")
    topology = named_residues(glycine, (residue, "N H CA HA C O CB"), ("SOL", "OW HW1 HW2"))
    for select in ("protein", "not water", f"resname GLY {residue}"):
        assert load_molecule(topology, select=select).n_atoms == 14, select
    assert load_molecule(topology, select="backbone").n_atoms == 8
    side = load_molecule(topology, select="sidechain or name CA").topology
    assert "CB" in {atom.name for atom in side.atoms}
    assert not {"N", "C", "O"} & {atom.name for atom in side.atoms}


def test_protein_has_its_caps_and_no_ligand_of_such_a_name() -> None:
    topology = named_residues(
        ("ACE", "C O CH3"), ("LYS", "N CA C O"), ("NHE", "N HN1 HN2"), ("HIE", "C7 C8 N9")
    )
    assert load_molecule(topology, select="protein").n_atoms == 10


@pytest.mark.parametrize("residue", ["SPC", "OPC", "TIP4P", "T3P", "SOL", "WAT"])
def test_water_is_water_of_all_models(residue: str) -> None:
    topology = named_residues(("GLY", "N CA C O"), (residue, "OW HW1 HW2"))
    assert load_molecule(topology, select="not water").n_atoms == 4
    assert load_molecule(topology, select="water").n_atoms == 3

"""Beads of proteins: C-alpha, backbone and side chain; the twenty residues told apart."""

import json
from pathlib import Path

import mdtraj
import numpy as np
import pytest
import torch

from cgsim.config import EmbeddingConfig
from cgsim.io import Molecule, load_molecule, molecule_from_topology
from cgsim.mapping import (
    Mapping,
    bead_chirality,
    bead_names,
    build_mapping,
    map_backbone_sidechain,
    map_calpha,
    map_residues,
    write_bead_structure,
)
from cgsim.mapping.store import load_mapped, map_to_folder, map_trajectory
from cgsim.md import build_peptide
from cgsim.model.embedding import GraphEmbedding

SEQUENCE = "ACDEFGHIKLMNPQRSTVWY"
MAPPINGS = [map_calpha, map_residues, map_backbone_sidechain]


@pytest.fixture(scope="module")
def complete() -> mdtraj.Trajectory:
    """All twenty amino acids between caps, with all hydrogens."""
    return build_peptide(SEQUENCE).to_mdtraj()


@pytest.fixture(scope="module", params=["all atoms", "heavy atoms"])
def peptide(request: pytest.FixtureRequest, complete: mdtraj.Trajectory) -> mdtraj.Trajectory:
    chosen = "all" if request.param == "all atoms" else "element != H"
    return complete.atom_slice(complete.topology.select(chosen))


def molecule_of(peptide: mdtraj.Trajectory) -> Molecule:
    return molecule_from_topology(peptide.topology, name="peptide")


def without(peptide: mdtraj.Trajectory, atom: str, residue: int) -> Molecule:
    """The peptide with one atom of a residue left out."""
    top = peptide.topology
    kept = [a.index for a in top.atoms if not (a.name == atom and a.residue.index == residue)]
    assert len(kept) == top.n_atoms - 1
    return molecule_of(peptide.atom_slice(kept))


# ------------------------------------------------------------------------------ C-alpha


def test_calpha_beads_sit_at_the_calpha(peptide: mdtraj.Trajectory) -> None:
    """All atoms belong to a bead, its mass is theirs, its place is that of one of them."""
    molecule = molecule_of(peptide)
    mapping = map_calpha(molecule)
    assert mapping.n_beads == len(SEQUENCE) + 2
    residue = [atom.residue.index for atom in molecule.topology.atoms]
    assert mapping.bead_index.tolist() == residue
    np.testing.assert_allclose(mapping.bead_mass, map_residues(molecule).bead_mass)
    sites = peptide.topology.select("name CA or name CH3 or (resname NME and name C)")
    np.testing.assert_array_equal(mapping(peptide.xyz)[0], peptide.xyz[0, sites])
    names = bead_names(molecule, mapping)
    assert names[0] == ("ACE", "CH3")
    assert names[1] == ("ALA", "CA")
    assert mapping.edge_index.T.tolist() == [[i, i + 1] for i in range(len(SEQUENCE) + 1)]


def test_caps_are_where_calphas_would_be(complete: mdtraj.Trajectory) -> None:
    pos = map_calpha(molecule_of(complete))(complete.xyz)[0]
    np.testing.assert_allclose(np.linalg.norm(np.diff(pos, axis=0), axis=1), 0.38, atol=0.01)


def test_calpha_structure_is_read_back(tmp_path: Path, complete: mdtraj.Trajectory) -> None:
    """Bead CA of residue ALA, in PDB and PSF: no calcium."""
    molecule = molecule_of(complete)
    mapping = map_calpha(molecule)
    files = write_bead_structure(
        tmp_path / "beads",
        bead_names(molecule, mapping),
        bead_mass=mapping.bead_mass,
        edge_index=mapping.edge_index,
        xyz=mapping(complete.xyz)[0],
    )
    for file in files:
        found = mdtraj.load_topology(str(file))
        assert [r.name for r in found.residues] == [r.name for r in molecule.topology.residues]
        assert found.n_bonds == mapping.edge_index.shape[1]
    assert load_molecule(files[1]).atom_type[1:3] == ("CA", "CA")


def test_any_residue_with_a_calpha_is_one(complete: mdtraj.Trajectory) -> None:
    """Non-standard residues (here a renamed one) are mapped by what they hold."""
    molecule = molecule_of(complete)
    molecule.topology.residue(3).name = "SEP"
    assert map_calpha(molecule).n_beads == len(SEQUENCE) + 2
    assert map_backbone_sidechain(molecule).n_beads == 2 * len(SEQUENCE) - 1 + 2


def test_several_chains_are_several_components(complete: mdtraj.Trajectory) -> None:
    pair = complete.stack(complete)
    for method in MAPPINGS:
        one, two = method(molecule_of(complete)), method(molecule_of(pair))
        assert two.n_beads == 2 * one.n_beads
        both = np.concatenate([one.edge_index, one.edge_index + one.n_beads], axis=1)
        np.testing.assert_array_equal(two.edge_index, both)


# ------------------------------------------------------------- backbone and side chain


def members(molecule: Molecule, mapping: Mapping, bead: int) -> set[str]:
    atoms = zip(molecule.topology.atoms, mapping.bead_index, strict=True)
    return {atom.name for atom, owner in atoms if owner == bead}


def test_backbone_and_side_chain(complete: mdtraj.Trajectory) -> None:
    """Two beads per residue, one of glycine and of the caps, at their centres of mass."""
    molecule = molecule_of(complete)
    mapping = map_backbone_sidechain(molecule)
    assert mapping.n_beads == 2 * len(SEQUENCE) - 1 + 2
    assert members(molecule, mapping, 1) == {"N", "H", "CA", "HA", "C", "O"}
    assert members(molecule, mapping, 2) == {"CB", "HB1", "HB2", "HB3"}
    glycine = 1 + 2 * SEQUENCE.index("G")
    assert members(molecule, mapping, glycine) == {"N", "H", "CA", "HA2", "HA3", "C", "O"}
    assert {(0, 1), (1, 2), (1, 3), (3, 4)} <= set(map(tuple, mapping.edge_index.T.tolist()))
    assert (0, 2) not in set(map(tuple, mapping.edge_index.T.tolist()))
    chosen = [a.index for a in molecule.topology.atoms if mapping.bead_index[a.index] == 1]
    expected = np.average(complete.xyz[0, chosen], axis=0, weights=molecule.atom_mass[chosen])
    np.testing.assert_allclose(mapping(complete.xyz)[0, 1], expected, atol=1e-6)


def test_charged_ends_belong_to_the_backbone() -> None:
    molecule = molecule_of(build_peptide("AG", capped=False).to_mdtraj())
    mapping = map_backbone_sidechain(molecule)
    assert mapping.n_beads == 3
    assert {"H", "H2", "H3", "HA"} <= members(molecule, mapping, 0)
    assert "OXT" in members(molecule, mapping, 2)


# ------------------------------------------------------------------------------ bad input


def test_missing_atoms_are_named(complete: mdtraj.Trajectory) -> None:
    heavy = complete.atom_slice(complete.topology.select("element != H"))
    with pytest.raises(
        ValueError, match=r"residue CYS 2 of chain .* has no atom CA .*PDBFixer.*--select protein"
    ):
        map_calpha(without(heavy, "CA", 2))
    with pytest.raises(ValueError, match=r"residue CYS 2 of chain .* has no atom N, so no backb"):
        map_backbone_sidechain(without(heavy, "N", 2))
    with pytest.raises(ValueError, match=r"residue ACE 0 of chain .* has no atom CH3"):
        map_calpha(without(heavy, "CH3", 0))


def with_residue(name: str, atom: str, element: mdtraj.element.Element) -> Molecule:
    """A dipeptide beside a residue of one atom."""
    topology = build_peptide("AG").to_mdtraj().topology
    residue = topology.add_residue(name, topology.add_chain(), resSeq=77)
    topology.add_atom(atom, element, residue)
    return molecule_from_topology(topology)


@pytest.mark.parametrize(
    ("name", "atom", "element"),
    [("HOH", "O", mdtraj.element.oxygen), ("CA", "CA", mdtraj.element.calcium)],
)
@pytest.mark.parametrize("method", [map_calpha, map_backbone_sidechain])
def test_water_and_ions_are_no_residues(
    name: str, atom: str, element: mdtraj.element.Element, method: type
) -> None:
    """A calcium ion is called CA, too."""
    with pytest.raises(ValueError, match=rf"residue {name} 77 of chain .* has no atom .*remove it"):
        method(with_residue(name, atom, element))


def test_two_calphas_are_refused(complete: mdtraj.Trajectory) -> None:
    molecule = molecule_of(complete)
    next(atom for atom in molecule.topology.residue(2).atoms if atom.name == "CB").name = "CA"
    with pytest.raises(ValueError, match=r"residue CYS 2 of chain .* has 2 atoms CA"):
        map_calpha(molecule)


def test_recipes(complete: mdtraj.Trajectory) -> None:
    molecule = molecule_of(complete)
    for method in MAPPINGS:
        mapping = method(molecule)
        again = build_mapping(molecule, json.loads(json.dumps(mapping.recipe)))
        np.testing.assert_array_equal(again.bead_index, mapping.bead_index)
        np.testing.assert_array_equal(again.atom_weight, mapping.atom_weight)
        with pytest.raises(ValueError, match="size"):
            build_mapping(molecule, mapping.recipe | {"size": 3})


# ------------------------------------------------------------------------------ chirality


@pytest.mark.parametrize("method", MAPPINGS)
def test_l_is_plus_one_and_d_minus_one(method: type, peptide: mdtraj.Trajectory) -> None:
    """Every residue but glycine, cysteine included, with hydrogens and without."""
    molecule, xyz = molecule_of(peptide), peptide.xyz[0].astype(float)
    mapping = method(molecule)
    found = bead_chirality(molecule, mapping, xyz)
    names = {atom.index: atom.name for atom in molecule.topology.atoms}
    alpha = np.array([names[a] == "CA" for a in range(molecule.n_atoms)])
    of_alpha = np.zeros(mapping.n_beads, dtype=int)
    of_alpha[mapping.bead_index[alpha]] = 1
    of_alpha[mapping.bead_index[molecule.topology.select("resname GLY and name CA")]] = 0
    is_backbone = np.isin(np.arange(mapping.n_beads), mapping.bead_index[alpha])
    np.testing.assert_array_equal(found[is_backbone], of_alpha[is_backbone])
    mirrored = xyz * np.array([-1, 1, 1])
    np.testing.assert_array_equal(bead_chirality(molecule, mapping, mirrored), -found)
    if method is not map_backbone_sidechain:
        np.testing.assert_array_equal(found, of_alpha)
        return
    chiral_sides = {  # isoleucine and threonine have a second stereocentre, in the side chain
        molecule.topology.atom(int(np.argmax(mapping.bead_index == bead))).residue.name: sign
        for bead, sign in enumerate(found)
        if sign and not is_backbone[bead]
    }
    assert chiral_sides == {"ILE": 1, "THR": -1}


@pytest.mark.parametrize("mirror", [1, -1])
def test_chirality_is_mapped(tmp_path: Path, complete: mdtraj.Trajectory, mirror: int) -> None:
    """From the first frame, in memory and in folders, as files hold them."""
    molecule = molecule_of(complete)
    xyz = np.repeat(complete.xyz * np.array([mirror, 1, 1]), 3, axis=0)
    file = tmp_path / "run.xtc"
    mdtraj.Trajectory(xyz, complete.topology, time=np.arange(3.0)).save_xtc(str(file))
    mapping = map_calpha(molecule)
    expected = mirror * np.array([0, *(int(letter != "G") for letter in SEQUENCE), 0])
    found = map_trajectory(file, molecule, mapping)
    np.testing.assert_array_equal(found.chirality, expected)
    folder = tmp_path / "run.cg"
    map_to_folder(file, molecule, mapping, folder=folder)
    np.testing.assert_array_equal(load_mapped(folder).chirality, expected)


# ------------------------------------------------------------------------------ residue types


def embedding(molecule: Molecule, mapping: Mapping, *, n_layers: int) -> torch.Tensor:
    """Of random weights, scaled to unit variance: from elements and bonds, no names."""
    types = sorted(set(molecule.atom_type))
    network = GraphEmbedding(len(types), EmbeddingConfig(n_layers=n_layers)).double()
    both = np.concatenate([molecule.bond_index, molecule.bond_index[::-1]], axis=1)
    with torch.no_grad():
        rows = network(
            torch.tensor([types.index(name) for name in molecule.atom_type]),
            atom_edge_index=torch.as_tensor(both),
            atom_kind=torch.arange(len(molecule.atom_type)),
            bead_index=torch.as_tensor(mapping.bead_index),
        )
    return (rows - rows.mean(dim=0)) / rows.std()


def nearest(rows: torch.Tensor) -> float:
    """Least distance of two rows."""
    return float(torch.pdist(rows).min())


@pytest.mark.parametrize("method", [map_calpha, map_residues])
def test_twenty_residues_are_told_apart(method: type, peptide: mdtraj.Trajectory) -> None:
    """By the default three rounds; after one, leucine and isoleucine are still the same."""
    molecule = molecule_of(peptide)
    rows = embedding(molecule, method(molecule), n_layers=EmbeddingConfig().n_layers)
    assert len(rows) == len(SEQUENCE) + 2
    assert nearest(rows) > 0.01
    inner = embedding(molecule, method(molecule), n_layers=1)
    leucines = inner[[1 + SEQUENCE.index(letter) for letter in "IL"]]
    assert nearest(leucines) < 1e-10


def test_side_chains_are_told_apart(peptide: mdtraj.Trajectory) -> None:
    """Backbones are alike three bonds from the difference; residues are not, by their side."""
    molecule = molecule_of(peptide)
    mapping = map_backbone_sidechain(molecule)
    rows = embedding(molecule, mapping, n_layers=EmbeddingConfig().n_layers)
    residue = [
        molecule.topology.atom(int(np.argmax(mapping.bead_index == bead))).residue.index
        for bead in range(mapping.n_beads)
    ]
    sides = [bead for bead in range(1, len(rows)) if residue[bead] == residue[bead - 1]]
    assert len(sides) == len(SEQUENCE) - 1
    assert nearest(rows[sides]) > 0.01

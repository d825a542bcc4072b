"""Mappings: partitions of the bond graph, centres of mass, recipes and structure files."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mdtraj.core.element import carbon, nitrogen, oxygen
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cgsim.io import Molecule, load_molecule, molecule_from_topology
from cgsim.mapping import (
    Mapping,
    bead_names,
    bead_topology,
    build_mapping,
    map_atoms,
    map_metis,
    map_residues,
    map_user,
    write_bead_structure,
)
from tests.io.systems import chain_bonds, comb_bonds, molecule_of, random_walk


def _n_components(bonds: np.ndarray, n: int) -> int:
    graph = coo_array((np.ones(bonds.shape[1]), tuple(bonds)), shape=(n, n))
    return int(connected_components(graph, directed=False)[0])


def _check_partition(molecule: Molecule, mapping: Mapping, atoms_per_bead: float) -> np.ndarray:
    """Every bead non-empty, connected and within a component; the right number of them."""
    bead = mapping.bead_index
    sizes = np.bincount(bead, minlength=mapping.n_beads)
    assert sizes.min() >= 1
    i, j = molecule.bond_index
    inside = molecule.bond_index[:, bead[i] == bead[j]]
    assert _n_components(inside, molecule.n_atoms) == mapping.n_beads  # each is one piece
    n = _n_components(molecule.bond_index, molecule.n_atoms)
    assert _n_components(mapping.edge_index, mapping.n_beads) == n
    _, first = np.unique(bead, return_index=True)
    assert (np.diff(first) > 0).all()  # numbered by the first atom
    assert abs(mapping.n_beads - molecule.n_atoms / atoms_per_bead) <= max(n, 1) * 0.5 + n
    return sizes


@st.composite
def _trees(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """A random forest with random labels and some rings closed."""
    n = draw(st.integers(1, 60))
    reach = draw(st.sampled_from([1, 3, 60]))
    seed = draw(st.integers(0, 2**31))
    n_roots, n_rings = draw(st.integers(1, 4)), draw(st.integers(0, 5))
    rng = np.random.default_rng(seed)
    bonds = [(int(rng.integers(max(0, i - reach), i)), i) for i in range(min(n_roots, n), n)]
    bonds += [tuple(sorted(rng.integers(0, n, 2).tolist())) for _ in range(n_rings if bonds else 0)]
    label = rng.permutation(n)
    return n, [(int(label[a]), int(label[b])) for a, b in bonds if a != b]


@given(graph=_trees(), atoms_per_bead=st.sampled_from([1, 1.5, 2, 3, 7, 10, 100]))
def test_metis_parts_any_graph(
    graph: tuple[int, list[tuple[int, int]]], atoms_per_bead: float
) -> None:
    n, bonds = graph
    if n > 1 and not bonds:
        return
    molecule = molecule_of(bonds, n)
    mapping = map_metis(molecule, atoms_per_bead=atoms_per_bead)
    _check_partition(molecule, mapping, atoms_per_bead)
    again = map_metis(molecule, atoms_per_bead=atoms_per_bead)
    np.testing.assert_array_equal(mapping.bead_index, again.bead_index)
    assert mapping.bead_mass.sum() == pytest.approx(molecule.atom_mass.sum())


@given(seed=st.integers(0, 2**31), n_beads=st.integers(1, 8))
def test_beads_are_at_the_centres_of_mass_of_their_atoms(seed: int, n_beads: int) -> None:
    """By a loop over beads; their atoms lie anywhere among the others, as those of side chains."""
    rng = np.random.default_rng(seed)
    bead_index = rng.permutation(np.arange(20) % n_beads)
    molecule = replace(molecule_of(chain_bonds(20), 20), atom_mass=rng.uniform(1.0, 40.0, size=20))
    mapping = map_user(molecule, bead_index.tolist())
    xyz = rng.normal(size=(3, 20, 3))
    for bead in range(n_beads):
        own = bead_index == bead
        mass = molecule.atom_mass[own]
        centre = (mass[:, None] * xyz[:, own]).sum(axis=1) / mass.sum()
        np.testing.assert_allclose(mapping(xyz)[:, bead], centre, atol=1e-12)
        assert mapping.bead_mass[bead] == pytest.approx(mass.sum())


def test_a_bead_of_two_molecules_is_refused() -> None:
    two = molecule_of([*chain_bonds(3), *chain_bonds(3, first=3)], 6)
    assert map_user(two, [0, 0, 0, 1, 1, 1]).n_beads == 2
    with pytest.raises(ValueError, match=r"bead 1 joins 2 molecules: no bonds lead from .*atom 2"):
        map_user(two, [0, 0, 1, 1, 2, 2])


def test_a_virtual_site_is_in_the_bead_of_its_atom() -> None:
    """Water of four sites: the last one, without mass, belongs to the oxygen, the first."""
    water = molecule_of([(0, 1), (0, 2), (0, 3)], 4)
    water = replace(water, atom_mass=np.array([16.0, 1.0, 1.0, 0.0]))
    for mapping in (map_atoms(water), map_metis(water, atoms_per_bead=1)):
        assert mapping.bead_index[3] == mapping.bead_index[0]
        assert sorted(mapping.bead_mass) == [1.0, 1.0, 16.0]
        at = mapping(np.eye(4)[None, :, 1:])[0, mapping.bead_index[0]]
        np.testing.assert_array_equal(at, [0.0, 0.0, 0.0])


@pytest.mark.parametrize("n_tooth", [1, 4])
def test_comb_of_250_in_36_contiguous_beads(n_tooth: int) -> None:
    """Plain k-way METIS leaves 7 to 19 of these beads in pieces."""
    molecule = molecule_of(comb_bonds(250 // (n_tooth + 1), n_tooth), 250)
    mapping = map_metis(molecule, atoms_per_bead=7)
    sizes = _check_partition(molecule, mapping, 7)
    assert mapping.n_beads == 36
    assert sizes.max() <= 14
    assert sizes.min() >= 3
    if n_tooth == 1:  # each bead is a stretch of the backbone with its teeth
        np.testing.assert_array_equal(mapping.edge_index.T, chain_bonds(36))


def test_linear_chain_gets_beads_in_order() -> None:
    molecule = molecule_of(chain_bonds(100), 100)
    mapping = map_metis(molecule, atoms_per_bead=10)
    np.testing.assert_array_equal(np.bincount(mapping.bead_index), 10)
    assert (np.diff(mapping.bead_index) >= 0).all()
    np.testing.assert_array_equal(mapping.edge_index.T, chain_bonds(10))


def test_ring_stays_a_ring() -> None:
    molecule = molecule_of([*chain_bonds(60), (0, 59)], 60)
    mapping = map_metis(molecule, atoms_per_bead=10)
    assert mapping.n_beads == 6
    np.testing.assert_array_equal(np.bincount(mapping.edge_index.ravel()), 2)


def test_star_cannot_be_balanced_but_is_connected() -> None:
    molecule = molecule_of([(0, i) for i in range(1, 30)], 30)
    mapping = map_metis(molecule, atoms_per_bead=5)
    assert sorted(_check_partition(molecule, mapping, 5)) == [1] * 5 + [25]


def test_components_are_never_joined() -> None:
    """Two chains, an ion and a dimer."""
    bonds = chain_bonds(20) + chain_bonds(11, first=20) + [(32, 33)]
    molecule = molecule_of(bonds, 34)
    mapping = map_metis(molecule, atoms_per_bead=10)
    assert [len(set(mapping.bead_index[part])) for part in _parts()] == [2, 1, 1, 1]
    assert mapping.n_beads == 5


def _parts() -> list[slice]:
    return [slice(0, 20), slice(20, 31), slice(31, 32), slice(32, 34)]


@pytest.mark.parametrize("atoms_per_bead", [0, 0.99, -3, float("nan"), float("inf")])
def test_metis_refuses_other_bead_sizes(atoms_per_bead: float) -> None:
    with pytest.raises(ValueError, match="atoms_per_bead"):
        map_metis(molecule_of(chain_bonds(5), 5), atoms_per_bead=atoms_per_bead)


def _peptide() -> Molecule:
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for name in ("GLY", "ALA", "CYS"):
        residue = topology.add_residue(name, chain)
        atoms = [("N", nitrogen), ("CA", carbon), ("C", carbon), ("O", oxygen)]
        for atom, element in atoms + ([] if name == "GLY" else [("CB", carbon)]):
            topology.add_atom(atom, element, residue)
    return molecule_from_topology(topology)


def test_residues() -> None:
    molecule = _peptide()
    mapping = map_residues(molecule)
    assert mapping.bead_index.tolist() == [0] * 4 + [1] * 5 + [2] * 5
    assert mapping.edge_index.tolist() == [[0, 1], [1, 2]]
    assert bead_names(molecule, mapping) == [("GLY", "CG"), ("ALA", "CG"), ("CYS", "CG")]


def test_centre_of_mass() -> None:
    """Against the definition, far from the origin; total mass and centre are conserved."""
    molecule = molecule_of(comb_bonds(10), 20, names=("B1", "S1", "B2"))
    mapping = map_metis(molecule, atoms_per_bead=4)
    xyz = random_walk(5, 20) + 1e4
    beads = mapping(xyz)
    assert beads.shape == (5, mapping.n_beads, 3)
    for bead in range(mapping.n_beads):
        members = mapping.bead_index == bead
        expected = np.average(xyz[:, members], axis=1, weights=molecule.atom_mass[members])
        np.testing.assert_allclose(beads[:, bead], expected, rtol=1e-14)
    assert mapping.bead_mass.sum() == molecule.atom_mass.sum()
    centre = np.average(xyz, axis=1, weights=molecule.atom_mass)
    np.testing.assert_allclose(np.average(beads, axis=1, weights=mapping.bead_mass), centre)


def test_identity_changes_nothing() -> None:
    molecule = molecule_of(chain_bonds(6), 6, names=("B1", "S1"))
    mapping = map_atoms(molecule)
    xyz = random_walk(3, 6)
    np.testing.assert_array_equal(mapping(xyz), xyz)
    np.testing.assert_array_equal(mapping.bead_mass, molecule.atom_mass)
    np.testing.assert_array_equal(mapping.edge_index, molecule.bond_index)


def test_positions_of_another_shape() -> None:
    mapping = map_atoms(molecule_of(chain_bonds(6), 6))
    for shape in ((3, 5, 3), (6, 3), (3, 6, 2)):
        with pytest.raises(ValueError, match=r"\[n_frames, 6, 3\]"):
            mapping(np.zeros(shape))


USER_FORMS: list[Any] = [
    [0, 0, 1, 1, 2, 2],
    np.array([0, 0, 1, 1, 2, 2]),
    [[0, 1], [2, 3], [4, 5]],
    np.arange(6).reshape(3, 2),
    lambda topology: [atom.index // 2 for atom in topology.atoms],
    lambda topology: np.arange(topology.n_atoms) // 2,
]


@pytest.mark.parametrize("assignment", USER_FORMS)
def test_user_mapping_in_every_form(tmp_path: Path, assignment: Any) -> None:
    molecule = molecule_of(chain_bonds(6), 6)
    mapping = map_user(molecule, assignment)
    assert mapping.bead_index.tolist() == [0, 0, 1, 1, 2, 2]
    assert mapping.edge_index.tolist() == [[0, 1], [1, 2]]
    if isinstance(assignment, list):
        path = tmp_path / "beads.json"
        path.write_text(json.dumps(assignment))
        assert map_user(molecule, path).bead_index.tolist() == [0, 0, 1, 1, 2, 2]
        assert map_user(molecule, str(path)).n_beads == 3


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ([[0, 1], [2, 3], [4]], "atom 5 is in no bead"),
        ([[0, 1], [2, 3], [4, 5, 0]], "atom 0 is in bead 0 and in bead 2"),
        ([[0, 1, 2], [], [3, 4, 5]], "bead 1 has no atoms"),
        ([[0, 1, 2], [3, 4, 6]], "6 is no atom"),
        ([[0, 1, 2], [3, 4, -1]], "-1 is no atom"),
        ([[0, 1, 2], [3, 4, 5.0]], "5.0 is no atom"),
        ([0, 0, 1, 1, 3, 3], "bead 2 has no atoms"),
        ([1, 1, 2, 2, 3, 3], "bead 0 has no atoms"),
        ([0, 0, 1, 1, 2], "5 atoms, the molecule has 6"),
        ([0, 0, 1, 1, -1, 2], "atom 4 is in no bead"),
        ([0, 0, 1, 1, None, 2], "atom 4 is in no bead"),
        ([0, 0, 1, 1, True, 2], "atom 4 is in no bead"),
        ([0, 0, 1, 1, 10**30, 2], "atom 4 is in no bead"),
        ([0, 0, 1, 1, "2", 2], "atom 4 is in no bead"),
        ([], "atom 0 is in no bead"),
        ({"0": [1]}, "dict"),
        (3, "int"),
        (np.zeros(6), "atom 0 is in no bead"),
    ],
)
def test_bad_user_mappings_say_why(tmp_path: Path, assignment: Any, fault: str) -> None:
    molecule = molecule_of(chain_bonds(6), 6)
    with pytest.raises(ValueError, match=fault):
        map_user(molecule, assignment)
    with pytest.raises(ValueError, match=fault):
        map_user(molecule, lambda topology: assignment)
    if not isinstance(assignment, np.ndarray):
        path = tmp_path / "beads.json"
        path.write_text(json.dumps(assignment))
        with pytest.raises(ValueError, match=rf"beads\.json: .*{fault}"):
            map_user(molecule, path)


def test_missing_and_corrupt_mapping_files(tmp_path: Path) -> None:
    molecule = molecule_of(chain_bonds(6), 6)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        map_user(molecule, tmp_path / "none.json")
    path = tmp_path / "beads.json"
    path.write_text("[[0, 1], [2, 3")
    with pytest.raises(ValueError, match=r"beads\.json"):
        map_user(molecule, path)


def test_recipes_rebuild_the_mapping() -> None:
    molecule = _peptide()
    for mapping in (
        map_metis(molecule, atoms_per_bead=3),
        map_residues(molecule),
        map_atoms(molecule),
        map_user(molecule, [[0, 1, 2], list(range(3, 14))]),
    ):
        recipe = json.loads(json.dumps(mapping.recipe))
        again = build_mapping(molecule, recipe)
        np.testing.assert_array_equal(again.bead_index, mapping.bead_index)
        assert again.recipe == recipe
    longer = build_mapping(
        molecule_of(chain_bonds(30), 30), {"method": "metis", "atoms_per_bead": 3}
    )
    assert longer.n_beads == 10


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        ({}, "unknown mapping method None"),
        ({"method": "kmeans"}, "kmeans.*metis"),
        ({"method": "metis"}, "atoms_per_bead"),
        ({"method": "residues", "size": 3}, "size"),
        ({"method": "metis", "atoms_per_bead": "ten"}, "atoms_per_bead"),
        ({"method": "user", "bead_index": [0, 1]}, "2 atoms, the molecule has 6"),
    ],
)
def test_bad_recipes(recipe: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        build_mapping(molecule_of(chain_bonds(6), 6), recipe)


def _write(stem: Path, molecule: Molecule, mapping: Mapping) -> tuple[Path, Path, np.ndarray]:
    xyz = mapping(random_walk(1, molecule.n_atoms))[0]
    pdb, psf = write_bead_structure(
        stem,
        bead_names(molecule, mapping),
        bead_mass=mapping.bead_mass,
        edge_index=mapping.edge_index,
        xyz=xyz,
    )
    return pdb, psf, xyz


def _molecules() -> dict[str, tuple[Molecule, Mapping]]:
    peptide = _peptide()
    comb = molecule_of(comb_bonds(30), 60, names=("B1", "S1"))
    bonds = [bond for start in range(0, 90, 3) for bond in chain_bonds(3, first=start)]
    many = molecule_of(bonds, 90)
    star = molecule_of([(0, i) for i in range(1, 12)], 12)
    return {
        "residues": (peptide, map_residues(peptide)),
        "atoms of residues": (peptide, map_atoms(peptide)),
        "comb": (comb, map_metis(comb, atoms_per_bead=7)),
        "30 molecules": (many, map_metis(many, atoms_per_bead=1)),
        "11 bonds on one bead": (star, map_atoms(star)),
    }


@pytest.mark.parametrize("name", _molecules())
def test_bead_structure_is_read_back(tmp_path: Path, name: str) -> None:
    """MDTraj finds the same beads, bonds and chains in PDB and PSF; the PSF has the masses."""
    molecule, mapping = _molecules()[name]
    pdb, psf, xyz = _write(tmp_path / "beads", molecule, mapping)
    expected = bead_topology(molecule, mapping)
    for path in (pdb, psf):
        found = mdtraj.load_topology(str(path))
        bonds = sorted((bond[0].index, bond[1].index) for bond in found.bonds)
        np.testing.assert_array_equal(bonds, mapping.edge_index.T)
        assert [atom.name for atom in found.atoms] == [atom.name for atom in expected.atoms]
        names = [residue.name for residue in found.residues]
        assert names == [residue.name for residue in expected.residues]
        assert found.n_chains == expected.n_chains
    np.testing.assert_allclose(mdtraj.load(str(pdb)).xyz[0], xyz, atol=1e-4)
    again = load_molecule(psf)
    np.testing.assert_allclose(again.atom_mass, mapping.bead_mass, rtol=0, atol=5.1e-5)
    np.testing.assert_array_equal(again.bond_index, mapping.edge_index)
    assert set(again.atom_type) == {atom.name for atom in expected.atoms}


@pytest.mark.parametrize("n", [30, 10_000])
def test_psf_columns(tmp_path: Path, n: int) -> None:
    """The fixed columns by which VMD reads: the narrow layout, and EXT beyond 9999 residues."""
    molecule = molecule_of(chain_bonds(n), n, names=("B1", "S1"))
    _, psf, _ = _write(tmp_path / "beads", molecule, map_atoms(molecule))
    lines = psf.read_text().splitlines()
    atoms = lines.index(next(line for line in lines if "!NATOM" in line))
    assert int(lines[atoms].split()[0]) == n
    last = lines[atoms + n]
    starts = (0, 9, 14, 19, 24, 29, 34) if n < 10_000 else (0, 11, 20, 29, 38, 47, 54)
    assert lines[0] == ("PSF" if n < 10_000 else "PSF EXT XPLOR")
    fields = [last[a:b].strip() for a, b in pairwise(starts)]
    assert fields == [str(n), "S1", str(n), "POL", "S1", "VS"]
    assert last[starts[-1] :].split() == ["0.000000", "2.0000", "0"]
    bonds = lines.index(next(line for line in lines if "!NBOND" in line))
    assert int(lines[bonds].split()[0]) == n - 1
    width = 8 if n < 10_000 else 10
    assert [lines[bonds + 1][i : i + width] for i in (0, width)] == [
        f"{i:{width}d}" for i in (1, 2)
    ]


def test_bead_structure_of_wrong_positions(tmp_path: Path) -> None:
    molecule = molecule_of(chain_bonds(6), 6)
    mapping = map_atoms(molecule)
    for xyz in (np.zeros((5, 3)), np.full((6, 3), np.nan)):
        with pytest.raises(ValueError, match=r"\[6, 3\]"):
            write_bead_structure(
                tmp_path / "beads",
                bead_names(molecule, mapping),
                bead_mass=mapping.bead_mass,
                edge_index=mapping.edge_index,
                xyz=xyz,
            )
    assert not list(tmp_path.iterdir())

from itertools import product
from pathlib import Path

import mdtraj
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cgsim.md.polymer import (
    BEADS_PER_CHAIN,
    N_PATTERNS,
    PATTERN_LENGTH,
    UNITS,
    build_chain,
    chain_topology,
    initial_coordinates,
    sample_chains,
)


def is_periodic(sequence: tuple[int, ...]) -> bool:
    return sequence[PATTERN_LENGTH:] == sequence[:-PATTERN_LENGTH]


@pytest.mark.parametrize("size", BEADS_PER_CHAIN)
@pytest.mark.parametrize("kind", ["I", "II"])
def test_chains_are_trees_of_exactly_the_size(kind: str, size: str) -> None:
    for chain in sample_chains(kind, size=size, n_chains=5, seed=3):
        assert chain.n_atoms == BEADS_PER_CHAIN[size]
        assert set(chain.atom_type) <= {"B1", "B2", "S1", "S2"}
        i, j = chain.bond_index
        assert (i < j).all()
        assert len(set(zip(i.tolist(), j.tolist(), strict=True))) == chain.n_atoms - 1
        graph = coo_array((np.ones(len(i)), (i, j)), shape=(chain.n_atoms, chain.n_atoms))
        assert connected_components(graph, directed=False)[0] == 1


def test_beads_are_those_of_the_units() -> None:
    for chain in sample_chains("II", size="tiny", n_chains=4, seed=0):
        spelled = sum((UNITS[unit].bead_type for unit in chain.unit_sequence), ())
        assert chain.atom_type == spelled[: chain.n_atoms]
        one_less = sum((UNITS[unit].bead_type for unit in chain.unit_sequence[:-1]), ())
        assert len(one_less) < chain.n_atoms


def test_pendants_hang_on_the_backbone() -> None:
    chain = build_chain("x", "II", size="tiny", unit_sequence=[7, 9] * 8)
    # B1(S1 S1) B1 | B1(S1) B2(S2): beads 0 1 2 3 | 4 5 6 7, next unit on bead 6
    expected = [[0, 1], [0, 3], [1, 2], [3, 4], [4, 5], [4, 6], [6, 7], [6, 8]]
    assert chain.bond_index.T[:8].tolist() == expected


@pytest.mark.parametrize("kind", ["I", "II"])
def test_sampling_is_deterministic_distinct_and_does_not_depend_on_n_chains(kind: str) -> None:
    chains = sample_chains(kind, size="mini", n_chains=40, seed=7)
    assert chains == sample_chains(kind, size="mini", n_chains=40, seed=7)
    assert chains[:10] == sample_chains(kind, size="mini", n_chains=10, seed=7)
    assert len({chain.unit_sequence for chain in chains}) == 40
    assert len({chain.name for chain in chains}) == 40
    other = sample_chains(kind, size="mini", n_chains=40, seed=8)
    assert [c.unit_sequence for c in other] != [c.unit_sequence for c in chains]


def test_class_one_is_periodic_and_class_two_is_not() -> None:
    assert all(
        is_periodic(c.unit_sequence) for c in sample_chains("I", size="mini", n_chains=30, seed=0)
    )
    assert not any(
        is_periodic(c.unit_sequence) for c in sample_chains("II", size="mini", n_chains=30, seed=0)
    )


def test_class_one_patterns_are_distinct_up_to_rotation() -> None:
    patterns = [
        chain.unit_sequence[:PATTERN_LENGTH]
        for chain in sample_chains("I", size="tiny", n_chains=300, seed=5)
    ]
    rotations = [{p[i:] + p[:i] for i in range(PATTERN_LENGTH)} for p in patterns]
    assert len(set().union(*rotations)) == sum(len(r) for r in rotations)


def test_number_of_patterns() -> None:
    patterns = product(range(len(UNITS)), repeat=PATTERN_LENGTH)
    assert len({min(p[i:] + p[:i] for i in range(PATTERN_LENGTH)) for p in patterns}) == N_PATTERNS


def test_class_two_compositions_differ_widely() -> None:
    chains = sample_chains("II", size="paper", n_chains=30, seed=0)
    fraction = [chain.atom_type.count("B1") / chain.n_atoms for chain in chains]
    assert np.std(fraction) > 0.1  # one composition for all would give about 0.02


def test_topology_has_virtual_beads_bonds_and_a_residue_per_unit(tmp_path: Path) -> None:
    chain = sample_chains("II", size="mini", n_chains=1, seed=2)[0]
    file = tmp_path / "chain.pdb"
    xyz = initial_coordinates(chain, seed=0)
    mdtraj.Trajectory(xyz, chain_topology(chain)).save_pdb(str(file))
    topology = mdtraj.load(str(file)).topology
    assert tuple(atom.name for atom in topology.atoms) == chain.atom_type
    assert {atom.element.symbol for atom in topology.atoms} == {"VS"}
    assert sorted((a.index, b.index) for a, b in topology.bonds) == sorted(
        map(tuple, chain.bond_index.T.tolist())
    )
    assert [r.name for r in topology.residues] == [f"U{unit}" for unit in chain.unit_sequence]


def test_initial_coordinates_have_unit_bonds_and_no_overlaps() -> None:
    chain = sample_chains("I", size="mini", n_chains=1, seed=0)[0]
    xyz = initial_coordinates(chain, seed=4)
    i, j = chain.bond_index
    np.testing.assert_allclose(np.linalg.norm(xyz[i] - xyz[j], axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(xyz.mean(axis=0), 0.0, atol=1e-10)
    distance = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)[np.triu_indices(len(xyz), 1)]
    assert distance.min() > 0.7
    np.testing.assert_array_equal(xyz, initial_coordinates(chain, seed=4))
    assert not np.allclose(xyz, initial_coordinates(chain, seed=5))


@pytest.mark.parametrize(
    ("kind", "size", "n_chains", "seed", "message"),
    [
        ("III", "tiny", 1, 0, "kind"),
        ("I", "huge", 1, 0, "size"),
        ("I", "tiny", 0, 0, "n_chains"),
        ("I", "tiny", 1, -1, "seed"),
        ("I", "tiny", N_PATTERNS + 1, 0, "distinct"),
    ],
)
def test_bad_sampling_arguments(
    kind: str, size: str, n_chains: int, seed: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        sample_chains(kind, size=size, n_chains=n_chains, seed=seed)


@pytest.mark.parametrize(("units", "message"), [([0, 1], "longer"), ([0, 10] * 20, "unknown")])
def test_bad_unit_sequences(units: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_chain("x", "II", size="tiny", unit_sequence=units)

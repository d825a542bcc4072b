"""Handedness of any molecule: stereocentres by their substituents, whatever the numbering."""

import mdtraj
import numpy as np
import pytest
from mdtraj.core.element import Element, bromine, carbon, chlorine, fluorine, hydrogen, oxygen

from cgsim.io import Molecule, molecule_from_topology
from cgsim.mapping import bead_chirality, map_atoms, map_residues
from cgsim.md import build_peptide
from tests.io.systems import chain_bonds
from tests.io.systems import molecule_of as beads_of

CORNERS = 0.11 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
FLUOROFORM_LIKE = (bromine, chlorine, fluorine, hydrogen)


def molecule(elements: list[Element], bonds: list[tuple[int, int]]) -> Molecule:
    topology = mdtraj.Topology()
    residue = topology.add_residue("MOL", topology.add_chain())
    atoms = [topology.add_atom(f"{e.symbol}{i}", e, residue) for i, e in enumerate(elements)]
    for i, j in bonds:
        topology.add_bond(atoms[i], atoms[j])
    return molecule_from_topology(topology)


def methane(substituents: tuple[Element, ...]) -> Molecule:
    """A carbon with its substituents at the corners of a tetrahedron."""
    bonds = [(0, i + 1) for i in range(len(substituents))]
    return molecule([carbon, *substituents], bonds)


def handedness(molecule: Molecule, xyz: np.ndarray) -> int:
    return int(bead_chirality(molecule, map_residues(molecule), xyz)[0])


def test_four_different_substituents() -> None:
    xyz = np.concatenate([np.zeros((1, 3)), CORNERS])
    expected = int(np.sign(np.linalg.det(CORNERS[:3])))  # heaviest three in order
    assert handedness(methane(FLUOROFORM_LIKE), xyz) == expected
    assert handedness(methane(FLUOROFORM_LIKE), -xyz) == -expected
    assert handedness(methane(FLUOROFORM_LIKE), xyz + 7) == expected


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (3, 2, 1, 0), (1, 2, 0, 3)])
def test_numbering_has_no_say(order: tuple[int, ...]) -> None:
    elements = tuple(FLUOROFORM_LIKE[i] for i in order)
    xyz = np.concatenate([np.zeros((1, 3)), CORNERS[list(order)]])
    straight = np.concatenate([np.zeros((1, 3)), CORNERS])
    assert handedness(methane(elements), xyz) == handedness(methane(FLUOROFORM_LIKE), straight)


def test_equal_substituents_have_no_handedness() -> None:
    xyz = np.concatenate([np.zeros((1, 3)), CORNERS])
    assert handedness(methane((bromine, chlorine, hydrogen, hydrogen)), xyz) == 0


def test_three_substituents_unless_planar() -> None:
    """A hydrogen that is left out, and a carbonyl carbon."""
    three = methane((bromine, chlorine, fluorine))
    xyz = np.concatenate([np.zeros((1, 3)), CORNERS[:3]])
    assert handedness(three, xyz) == np.sign(np.linalg.det(CORNERS[:3]))
    angle = 2 * np.pi / 3 * np.arange(3)
    flat = 0.12 * np.stack([np.cos(angle), np.sin(angle), 0.08 + 0 * angle], axis=1)
    assert handedness(three, np.concatenate([np.zeros((1, 3)), flat])) == 0


def test_substituents_that_differ_further_out() -> None:
    """Chains of two and of three carbons on one centre, beside F and H."""
    elements = [carbon, fluorine, carbon, carbon, hydrogen, carbon, carbon, carbon]
    bonds = [(0, 1), (0, 2), (0, 3), (0, 4), (2, 5), (3, 6), (6, 7)]
    xyz = np.zeros((8, 3))
    xyz[1:5] = CORNERS
    xyz[5:] = xyz[[2, 3, 3]] * np.array([[2], [2], [3]])
    found = handedness(molecule(elements, bonds), xyz)
    assert found == np.sign(np.linalg.det(CORNERS[[0, 2, 1]]))  # the longer chain counts more
    assert handedness(molecule(elements[:7], bonds[:6]), xyz[:7]) == 0


def test_beads_add_up_and_keep_the_sign() -> None:
    """Two centres of one hand in a bead are +1 or -1, of opposite hands 0."""
    elements = [carbon, *FLUOROFORM_LIKE[:3], carbon, *FLUOROFORM_LIKE[:3], oxygen]
    bonds = [(0, 1), (0, 2), (0, 3), (4, 5), (4, 6), (4, 7), (0, 8), (8, 4)]
    one = np.concatenate([np.zeros((1, 3)), CORNERS[:3]])
    for sign, bead in ((1, 1), (-1, 0)):
        other = one * np.array([sign, 1, 1]) + 1.0
        xyz = np.concatenate([one, other, [[0.1, 0.0, 0.0]]])
        both = molecule(elements, bonds)
        single = bead_chirality(both, map_atoms(both), xyz)
        assert abs(single[0]) == 1
        assert single[4] == sign * single[0]
        assert np.flatnonzero(single).tolist() == [0, 4]
        assert handedness(both, xyz) == bead * single[0]


@pytest.mark.parametrize("swapped", [False, True], ids=["threonine", "allothreonine"])
def test_a_residue_has_the_hand_of_its_alpha_carbon(swapped: bool) -> None:
    """L-threonine is +1 and so is L-allothreonine, whose side chain has the other hand."""
    peptide = build_peptide("T", name="T")
    made = molecule_from_topology(peptide.to_mdtraj().topology)
    xyz = np.array(peptide.xyz, dtype=np.float64)
    named = {a.name: a.index for a in made.topology.atoms if a.residue.name == "THR"}
    if swapped:
        xyz[[named["OG1"], named["CG2"]]] = xyz[[named["CG2"], named["OG1"]]]
    residue = made.topology.atom(named["CA"]).residue.index
    alone = bead_chirality(made, map_atoms(made), xyz)
    assert alone[named["CA"]] == 1
    assert alone[named["CB"]] == (1 if swapped else -1)
    assert bead_chirality(made, map_residues(made), xyz)[residue] == 1
    assert bead_chirality(made, map_residues(made), -xyz)[residue] == -1


def test_virtual_particles_have_none() -> None:
    chain = beads_of([*chain_bonds(4), (1, 4), (1, 5)], 6, names=("C", "B1", "B2", "S1"))
    xyz = np.random.default_rng(0).normal(size=(6, 3))
    assert not bead_chirality(chain, map_atoms(chain), xyz).any()

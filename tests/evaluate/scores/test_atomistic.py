"""Scores of atoms that were put back on beads."""

import numpy as np
import pytest

from cgsim.evaluate.observables.covalent import (
    angle_index,
    bond_angles,
    distant_pairs,
    handedness,
    heavy_atoms,
    stereocentres,
)
from cgsim.evaluate.scores.atomistic import chirality_errors, count_clashes, score_atoms
from cgsim.io import Molecule, molecule_from_topology
from cgsim.md import build_peptide

PEPTIDE = build_peptide("GV").to_mdtraj()
XYZ = PEPTIDE.xyz.astype(np.float64)


@pytest.fixture(scope="module")
def valine() -> Molecule:
    return molecule_from_topology(PEPTIDE.topology, name="GV")


def names(molecule: Molecule, atoms: np.ndarray) -> list[str]:
    return [str(molecule.topology.atom(int(atom))) for atom in atoms]


def test_covalent_geometry_of_a_peptide(valine: Molecule) -> None:
    assert names(valine, stereocentres(valine)[0]) == ["VAL2-CA", "VAL2-CB"]  # not of glycine
    assert set(valine.atom_type[i] for i in heavy_atoms(valine)) == {"C", "N", "O"}
    angles = angle_index(valine)
    degree = np.bincount(valine.bond_index.ravel())
    assert angles.shape == (3, (degree * (degree - 1) // 2).sum())
    assert np.degrees(bond_angles(XYZ, angles)).min() > 90.0


def test_distant_pairs_are_more_than_three_bonds_apart() -> None:
    topology = PEPTIDE.topology.subset(range(6))  # the acetyl cap: CH3 with three H, C, O
    cap = molecule_from_topology(topology, name="ACE")
    assert distant_pairs(cap).shape == (2, 0)
    apart = {tuple(pair) for pair in distant_pairs(cap, n_bonds=2).T.tolist()}
    hydrogens = [a.index for a in topology.atoms if a.element.symbol == "H"]
    (oxygen,) = (a.index for a in topology.atoms if a.element.symbol == "O")
    assert apart == {tuple(sorted((h, oxygen))) for h in hydrogens}


def test_the_truth_has_no_errors(valine: Molecule) -> None:
    score = score_atoms(XYZ, XYZ, valine)
    assert score.rmsd_heavy == score.bond_length_error == score.bond_angle_error == 0.0
    assert (score.chirality_errors, score.n_stereocentres, score.clashes_per_frame) == (0, 2, 0.0)


def test_a_shift_is_in_the_rmsd_and_nowhere_else(valine: Molecule) -> None:
    score = score_atoms(XYZ + np.array([0.03, 0.0, 0.04]), XYZ, valine)
    assert score.rmsd_heavy == pytest.approx(0.05)
    assert score.bond_length_error == pytest.approx(0.0, abs=1e-12)


def test_a_stretched_molecule(valine: Molecule) -> None:
    score = score_atoms(1.1 * XYZ, XYZ, valine)
    i, j = valine.bond_index
    length = np.linalg.norm(XYZ[:, i] - XYZ[:, j], axis=-1)
    assert score.bond_length_error == pytest.approx(0.1 * np.sqrt((length**2).mean()))
    assert score.bond_length_max == pytest.approx(0.1 * length.max())
    assert score.bond_angle_error == pytest.approx(0.0, abs=1e-5)


def test_a_mirror_image_is_all_wrong(valine: Molecule) -> None:
    mirror = XYZ * [1.0, 1.0, -1.0]
    assert chirality_errors(mirror, XYZ, valine).all()
    centres = stereocentres(valine)
    assert np.array_equal(handedness(mirror, centres), -handedness(XYZ, centres))


def test_clashes_are_counted(valine: Molecule) -> None:
    first, last = heavy_atoms(valine)[[0, -1]]
    xyz = np.repeat(XYZ, 2, axis=0)
    xyz[1, last] = xyz[1, first] + [0.0, 0.0, 0.1]
    assert count_clashes(xyz, valine)[0] == 0
    assert count_clashes(xyz, valine)[1] >= 1


@pytest.mark.parametrize("shape", [(0, 32, 3), (1, 3, 3), (2, 32, 3)])
def test_other_shapes_are_refused(valine: Molecule, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[n_frames, .*, 3\]"):
        score_atoms(np.zeros(shape), XYZ, valine)

"""Atoms on beads: exact answers, handedness, held beads, and what is refused."""

from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cgsim.backmapping import (
    Backmapper,
    Minimisation,
    backmap,
    backmap_file,
    geometry_energy,
    peptide_energy,
)
from cgsim.backmapping.energy import torsions
from cgsim.backmapping.files import read_reference
from cgsim.evaluate.observables.covalent import handedness, stereocentres
from cgsim.evaluate.scores.atomistic import score_atoms
from cgsim.io import Molecule, append_frames, load_molecule, molecule_from_topology
from cgsim.mapping import Mapping, build_mapping, map_metis, map_residues
from cgsim.md import build_peptide, sample_chains, write_chain

PEPTIDE = build_peptide("AVA").to_mdtraj()
XYZ = PEPTIDE.xyz.astype(np.float64)
RECIPES: list[dict[str, Any]] = [
    {"method": "residues"},
    {"method": "calpha"},
    {"method": "backbone-sidechain"},
    {"method": "metis", "atoms_per_bead": 4},
    {"method": "metis", "atoms_per_bead": 8},
    {"method": "atoms"},
]


@pytest.fixture(scope="module")
def molecule() -> Molecule:
    return molecule_from_topology(PEPTIDE.topology, name="AVA")


def turn_bonds(molecule: Molecule, n_frames: int, *, seed: int) -> np.ndarray:
    """Frames of other phi and psi: rigid parts turned about N-CA and CA-C bonds."""
    random = np.random.default_rng(seed)
    atoms = list(molecule.topology.atoms)
    frames = np.repeat(XYZ, n_frames, axis=0)
    for i, j in molecule.bond_index.T.tolist():
        if {atoms[i].name, atoms[j].name} not in ({"N", "CA"}, {"CA", "C"}):
            continue
        moved = branch(molecule, i, j)
        for frame in frames:
            axis = frame[j] - frame[i]
            turn = Rotation.from_rotvec(random.normal(scale=0.5) * axis / np.linalg.norm(axis))
            frame[moved] = turn.apply(frame[moved] - frame[j]) + frame[j]
    return frames


def branch(molecule: Molecule, i: int, j: int) -> list[int]:
    """The atoms beyond the bond from i to j, j among them."""
    reached, ahead = {i, j}, [j]
    while ahead:
        atom = ahead.pop()
        for first, second in (*molecule.bond_index.T.tolist(), *molecule.bond_index.T[:, ::-1]):
            if first == atom and second not in reached:
                reached.add(int(second))
                ahead.append(int(second))
    return sorted(reached - {i})


@pytest.fixture(scope="module")
def frames(molecule: Molecule) -> np.ndarray:
    return turn_bonds(molecule, 12, seed=0)


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_a_rigid_molecule_is_recovered(molecule: Molecule, recipe: dict[str, Any]) -> None:
    turn = Rotation.random(3, random_state=0).as_matrix()
    moved = XYZ @ turn + np.array([[[1.0, -2.0, 3.0]]])
    mapping = build_mapping(molecule, recipe)
    made = backmap(mapping(moved), molecule, mapping, reference=XYZ, minimise="none")
    np.testing.assert_allclose(made.xyz, moved, atol=1e-6)


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_beads_are_exact_and_bonds_closed(
    molecule: Molecule, frames: np.ndarray, recipe: dict[str, Any]
) -> None:
    mapping = build_mapping(molecule, recipe)
    beads, truth = mapping(frames[:4]), frames[:4]
    xyz = Backmapper(molecule, mapping, reference=frames[4:], minimise="none")(beads)
    np.testing.assert_allclose(mapping(xyz), beads, atol=1e-12)
    score = score_atoms(xyz, truth, molecule)
    assert score.chirality_errors == 0
    assert score.bond_length_max < 0.03


def test_the_most_alike_reference_frame_is_taken(molecule: Molecule, frames: np.ndarray) -> None:
    mapping = map_residues(molecule)
    made = backmap(mapping(frames), molecule, mapping, reference=frames, minimise="none")
    np.testing.assert_allclose(made.xyz, frames, atol=1e-6)


@pytest.mark.parametrize("minimise", ["geometry", "peptide"])
def test_minimised_atoms(molecule: Molecule, frames: np.ndarray, minimise: Any) -> None:
    mapping = map_metis(molecule, atoms_per_bead=8)
    beads, truth = mapping(frames[:2]), frames[:2]
    xyz = Backmapper(molecule, mapping, reference=frames[2:], minimise=minimise)(beads)
    score = score_atoms(xyz, truth, molecule)
    assert score.chirality_errors == 0
    assert score.bond_length_max < 0.01
    assert score.clashes_per_frame == 0
    assert np.abs(mapping(xyz) - beads).max() < 0.02


def test_the_hand_is_that_of_the_reference(molecule: Molecule, frames: np.ndarray) -> None:
    mapping = map_residues(molecule)
    mirrored = mapping(frames[:2]) * [1.0, 1.0, -1.0]  # a left-handed trace of L-amino acids
    xyz = Backmapper(molecule, mapping, reference=frames)(mirrored)
    centres = stereocentres(molecule)
    assert (handedness(xyz, centres) == handedness(frames[:1], centres)).all()


def test_a_wrong_hand_is_warned_of(
    molecule: Molecule, frames: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = map_residues(molecule)
    backmapper = Backmapper(molecule, mapping, reference=frames, minimise="none")
    mirror = frames[:1] * [1.0, 1.0, -1.0]
    monkeypatch.setattr(backmapper, "_placement", lambda beads: mirror)
    with pytest.warns(UserWarning, match=r"4 stereocentres in 1 of 1 frames.*ALA1-CA in frame 0"):
        backmapper(mapping(mirror))


def test_geometry_does_not_move_its_reference(molecule: Molecule) -> None:
    mapping = map_residues(molecule)
    minimisation = Minimisation(geometry_energy(molecule, XYZ), mapping)
    np.testing.assert_allclose(minimisation(XYZ[0], mapping(XYZ)[0]), XYZ[0], atol=1e-3)


def test_geometry_sets_bonds_right(molecule: Molecule) -> None:
    mapping = map_residues(molecule)
    random = np.random.default_rng(0)
    bent = XYZ[0] + random.normal(scale=0.01, size=XYZ[0].shape)
    minimisation = Minimisation(geometry_energy(molecule, XYZ), mapping)
    made = minimisation(bent, mapping(XYZ)[0])
    score = score_atoms(made[None], XYZ, molecule)
    assert score.bond_length_error < 1e-3 < score_atoms(bent[None], XYZ, molecule).bond_length_error
    assert np.abs(mapping(made[None]) - mapping(XYZ)).max() < 1e-3


def test_torsions() -> None:
    angle = np.radians([-170.0, -60.0, 0.0, 90.0])
    four = np.array(
        [[[1.0, 0, 0], [0, 0, 0], [0, 0, 1.0], [np.cos(a), np.sin(a), 1.0]] for a in angle]
    )
    np.testing.assert_allclose(torsions(four, np.arange(4)[:, None])[:, 0], angle, atol=1e-12)


def test_a_polymer_without_a_force_field(tmp_path: Path) -> None:
    (chain,) = sample_chains("I", size="tiny", n_chains=1, seed=0)
    file = write_chain(chain, tmp_path)
    polymer = load_molecule(file)
    reference = mdtraj.load(str(file)).xyz.astype(np.float64)
    mapping = map_metis(polymer, atoms_per_bead=6)
    beads = mapping(reference)
    beads += np.random.default_rng(0).normal(scale=0.2, size=beads.shape)
    xyz = Backmapper(polymer, mapping, reference=reference)(beads)
    assert score_atoms(xyz, reference, polymer).bond_length_max < 0.2  # of bonds of about 1 nm
    assert np.abs(mapping(xyz) - beads).max() < 0.2


def test_files(tmp_path: Path, molecule: Molecule, frames: np.ndarray) -> None:
    PEPTIDE.save_pdb(tmp_path / "AVA.pdb")
    atoms = load_molecule(tmp_path / "AVA.pdb")
    mapping = map_residues(atoms)
    time = 2.0 * np.arange(len(frames))
    append_frames(tmp_path / "md.xtc", frames, time=time)
    append_frames(tmp_path / "beads.xtc", mapping(frames), time=time)
    files: dict[str, Any] = {"reference": [tmp_path / "md.xtc"], "minimise": "none"}
    n = backmap_file(tmp_path / "beads.xtc", atoms, mapping, output=tmp_path / "atoms.xtc", **files)
    made = mdtraj.load(str(tmp_path / "atoms.xtc"), top=str(tmp_path / "AVA.pdb"))
    assert n == len(made) == len(frames)
    np.testing.assert_allclose(made.time, time)
    np.testing.assert_allclose(made.xyz, frames, atol=5e-3)  # XTC beads are rounded to 0.001 nm
    wrong = map_metis(atoms, atoms_per_bead=4)
    with pytest.raises(ValueError, match="5 atoms"):
        backmap_file(tmp_path / "beads.xtc", atoms, wrong, output=tmp_path / "no.xtc", **files)
    assert not list(tmp_path.glob("*no.xtc"))
    with pytest.raises(ValueError, match=r"xtc and \.dcd"):
        backmap_file(tmp_path / "beads.xtc", atoms, mapping, output=tmp_path / "a.gro", **files)
    assert len(read_reference(files["reference"], atoms, n_frames=5)) == 5
    with pytest.raises(ValueError, match="at least one"):
        read_reference(files["reference"], atoms, n_frames=0)


@pytest.fixture
def mapping(molecule: Molecule) -> Mapping:
    return map_residues(molecule)


def test_wrong_beads_are_refused(molecule: Molecule, mapping: Mapping) -> None:
    beads = mapping(XYZ)
    for wrong in (beads[:, 1:], beads[0], beads[:0]):
        with pytest.raises(ValueError, match=r"\[n_frames, 5, 3\]"):
            backmap(wrong, molecule, mapping, reference=XYZ, minimise="none")
    bad = np.repeat(beads, 3, axis=0)
    bad[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"frame 1 .*not finite"):
        backmap(bad, molecule, mapping, reference=XYZ, minimise="none")
    with pytest.raises(ValueError, match="minimise must be one of none, geometry, peptide"):
        backmap(beads, molecule, mapping, reference=XYZ, minimise="Peptide")  # type: ignore[arg-type]


def test_other_references_are_refused(molecule: Molecule, mapping: Mapping) -> None:
    beads = mapping(XYZ)

    def refused(reference: Any, match: str) -> None:
        with pytest.raises(ValueError, match=match):
            backmap(beads, molecule, mapping, reference=reference, minimise="none")

    refused(XYZ[:, 1:], r"reference must be \[n_reference")
    refused(XYZ[:0], r"reference must be \[n_reference")
    refused(XYZ[:, ::-1], "another molecule, or not made whole")
    refused(np.where(np.arange(3) == 1, np.inf, XYZ), "reference frame 0 .*not finite")
    refused(build_peptide("VAA").to_mdtraj(), "another molecule: its atom")
    other = molecule_from_topology(build_peptide("G").to_mdtraj().topology, name="G")
    with pytest.raises(ValueError, match="the mapping is of"):
        Backmapper(molecule, map_residues(other), reference=XYZ)


def test_energies_of_other_molecules_are_refused(molecule: Molecule, mapping: Mapping) -> None:
    other = molecule_from_topology(build_peptide("G").to_mdtraj().topology, name="G")
    with pytest.raises(ValueError, match="the energy is of"):
        Minimisation(peptide_energy(other), mapping)
    with pytest.raises(ValueError, match="stiffness"):
        Minimisation(peptide_energy(molecule), mapping, stiffness=0.0)
    part = molecule_from_topology(PEPTIDE.topology.subset(range(10)), name="part")
    with pytest.raises(ValueError, match="'part' is no peptide"):
        peptide_energy(part)

"""Molecules and trajectories in memory: the same as from their files."""

from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest
import torch

from cgsim.io import Molecule, load_molecule
from cgsim.io.in_memory import on_disk
from cgsim.mapping import build_mapping
from cgsim.mapping.store import map_trajectory
from cgsim.mapping.trajectory import MappedTrajectory
from tests.io.test_selection import PROTEIN, solution

mda = pytest.importorskip("MDAnalysis")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, system = tmp_path_factory.mktemp("memory"), solution()
    system[0].save(str(folder / "sys.gro"))
    system.save(str(folder / "full.trr"))
    return folder


@pytest.fixture(scope="module")
def molecule(folder: Path) -> Molecule:
    return load_molecule(folder / "sys.gro", select=PROTEIN)


def mapped(source: Any, molecule: Molecule, **more: Any) -> MappedTrajectory:
    return map_trajectory(source, molecule, build_mapping(molecule, {"method": "residues"}), **more)


def universe(folder: Path) -> Any:
    return mda.Universe(str(folder / "sys.gro"), str(folder / "full.trr"))


def test_trajectories_of_mdtraj(folder: Path, molecule: Molecule) -> None:
    expected = mapped(folder / "full.trr", molecule)
    whole = mdtraj.load(str(folder / "full.trr"), top=str(folder / "sys.gro"))
    for source in (whole, whole.atom_slice(molecule.file_atoms)):
        found = mapped(source, molecule)
        np.testing.assert_allclose(found.pos, expected.pos, atol=1e-6)
        assert found.cell is not None and expected.cell is not None  # noqa: PT018
        np.testing.assert_allclose(found.cell, expected.cell, rtol=1e-6)
        assert found.frame_interval == expected.frame_interval


def test_arrays_need_a_frame_interval(molecule: Molecule) -> None:
    xyz = solution().xyz
    found = mapped(xyz, molecule, frame_interval=2.0)
    assert (found.n_frames, found.frame_interval, found.cell) == (len(xyz), 2.0, None)
    with pytest.raises(ValueError, match="frame_interval"):
        mapped(xyz, molecule)


def test_what_is_wrong_with_them_is_said_of_them_and_of_no_file(molecule: Molecule) -> None:
    xyz = solution().xyz
    for wrong, said in ((10 * xyz, "ångström"), (xyz[:, :5], "has 5 atoms")):
        with pytest.raises(ValueError, match=said) as error:
            mapped(wrong, molecule, frame_interval=2.0)
        assert str(error.value).startswith("ndarray in memory")


def test_tensors_are_arrays(molecule: Molecule) -> None:
    xyz = solution().xyz
    found = mapped(torch.as_tensor(xyz), molecule, frame_interval=2.0)
    np.testing.assert_array_equal(found.pos, mapped(xyz, molecule, frame_interval=2.0).pos)


def test_universes_and_groups_of_atoms(folder: Path, molecule: Molecule) -> None:
    expected = mapped(folder / "full.trr", molecule)
    atoms = universe(folder).select_atoms(PROTEIN)
    assert len(atoms) == molecule.n_atoms
    for source in (universe(folder), atoms):
        found = mapped(source, molecule)
        np.testing.assert_allclose(found.pos, expected.pos, atol=1e-6)
        assert found.cell is not None and expected.cell is not None  # noqa: PT018
        np.testing.assert_allclose(found.cell, expected.cell, rtol=1e-6)


def test_molecules_are_judged_as_those_of_files(folder: Path, molecule: Molecule) -> None:
    system = mdtraj.load(str(folder / "full.trr"), top=str(folder / "sys.gro"))
    part = system.atom_slice(molecule.file_atoms)
    for source in (part, universe(folder).select_atoms(PROTEIN)):
        found = load_molecule(source, name="peptide")
        assert found.name == "peptide"
        assert found.atom_type == molecule.atom_type
        np.testing.assert_array_equal(found.bond_index, molecule.bond_index)
        np.testing.assert_allclose(found.atom_mass, molecule.atom_mass)
    with pytest.raises(ValueError, match="Q1 in XYZ"):
        load_molecule(universe(folder))


def test_what_mdanalysis_has_guessed_counts_for_nothing(folder: Path) -> None:
    """It takes masses and types from names: of CA in a peptide for calcium."""
    group = universe(folder).select_atoms(PROTEIN)
    group.universe.guess_TopologyAttrs(to_guess=["elements"], force_guess=["masses"])
    found = load_molecule(group)
    assert {atom.element.symbol for atom in found.topology.atoms if atom.name == "CA"} == {"C"}


def test_other_things_are_refused(molecule: Molecule) -> None:
    with pytest.raises(ValueError, match=r"builtins\.float is no path, mdtraj\.Trajectory"):
        mapped(3.0, molecule)
    with pytest.raises(ValueError, match=r"\[n_frames, n_atoms, 3\].*got \[3, 4\]"):
        mapped(np.zeros((3, 4)), molecule)


def test_nothing_stays_on_the_disk(molecule: Molecule) -> None:
    with on_disk(solution()) as paths:
        (path,) = paths
        assert path.exists()
    assert not path.parent.exists()
    assert not list(Path.cwd().glob("*in-memory*"))

"""Structure-based models: the native structure is a minimum, forces are right, runs go on."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.cli import command_line as cli
from cgsim.md import FoldedProtein, FoldedRun, generate_folded, read_folded
from cgsim.md.folded import MergedFolded


def helix(n_residues: int = 16) -> np.ndarray:
    """C-alphas of an alpha helix [n_residues, 3], nm."""
    turn = np.deg2rad(100.0) * np.arange(n_residues)
    return np.stack([0.23 * np.cos(turn), 0.23 * np.sin(turn), 0.15 * np.arange(n_residues)], 1)


def protein(n_residues: int = 16, *, name: str = "helix") -> FoldedProtein:
    return FoldedProtein(name, ("ALA",) * n_residues, helix(n_residues), "helix.pdb")


def test_contacts_are_near_and_far_along_the_chain() -> None:
    first, second = protein().contacts
    assert (second - first >= 4).all()
    distance = np.linalg.norm(helix()[first] - helix()[second], axis=1)
    assert (distance < 0.8).all()
    assert {(i, i + 4) for i in range(12)} <= set(zip(first.tolist(), second.tolist(), strict=True))


def test_the_energy_of_the_native_structure_is_that_of_its_contacts() -> None:
    one, run = protein(), FoldedRun(duration=1.0, contact_energy=2.0)
    merged = MergedFolded([one], run, platform="Reference")
    energy, _ = merged.forces([one.xyz])
    pairs = np.linalg.norm(one.xyz[:, None] - one.xyz[None], axis=2)
    is_other = np.triu(pairs < 1.0, k=4)
    is_other[tuple(one.contacts)] = False
    expected = -2.0 * one.contacts.shape[1] + 2.0 * ((0.4 / pairs[is_other]) ** 12).sum()
    assert energy == pytest.approx(expected, abs=1e-3)


def test_the_native_structure_is_where_contacts_bonds_and_angles_rest() -> None:
    short = protein(8)  # no pair but contacts and near neighbours: nothing pushes
    merged = MergedFolded([short], FoldedRun(duration=1.0), platform="Reference")
    energy, (forces,) = merged.forces([short.xyz])
    assert np.abs(forces).max() < 0.05
    random = np.random.default_rng(0)
    for _ in range(5):
        assert merged.forces([short.xyz + 0.01 * random.normal(size=(8, 3))])[0] > energy


def test_forces_are_the_slope_of_the_energy() -> None:
    one = protein()
    merged = MergedFolded([one], FoldedRun(duration=1.0), platform="Reference")
    random = np.random.default_rng(1)
    xyz = one.xyz + 0.02 * random.normal(size=one.xyz.shape)
    direction = random.normal(size=one.xyz.shape)
    _, (forces,) = merged.forces([xyz])
    step = 1e-4
    slope = (
        merged.forces([xyz + step * direction])[0] - merged.forces([xyz - step * direction])[0]
    ) / (2 * step)
    assert slope == pytest.approx(-(forces * direction).sum(), rel=1e-3)


def test_a_run_that_goes_on_is_the_whole_run(tmp_path: Path) -> None:
    run = FoldedRun(duration=2.0, equilibration=0.0, platform="Reference", format="dcd")
    longer = replace(run, duration=4.0)
    for own in (run, longer):
        (part,) = generate_folded([protein()], tmp_path, own)
    frames = mdtraj.load(str(part), top=str(tmp_path / "helix.pdb"))
    assert frames.n_frames == 4
    bonds = np.linalg.norm(np.diff(frames.xyz, axis=1), axis=2)
    assert np.abs(bonds - np.linalg.norm(np.diff(helix(), axis=0), axis=1)).max() < 0.08
    with pytest.raises(ValueError, match=r"contact_energy 2\.75 there, 2\.0 now"):
        generate_folded([protein()], tmp_path, replace(longer, contact_energy=2.0))


def write(file: Path, xyz: np.ndarray, *, chains: int = 1) -> None:
    topology = mdtraj.Topology()
    for part in np.array_split(np.arange(len(xyz)), chains):
        chain = topology.add_chain()
        for index in part.tolist():
            residue = topology.add_residue("ALA", chain, resSeq=index + 1)
            topology.add_atom("CA", mdtraj.element.carbon, residue)
    mdtraj.Trajectory(xyz[None], topology).save_pdb(str(file))


def test_what_is_no_whole_chain_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "two.pdb", helix(), chains=2)
    with pytest.raises(ValueError, match=r"two.pdb: C-alphas of several chains"):
        read_folded(tmp_path / "two.pdb")
    write(tmp_path / "gap.pdb", np.delete(helix(), [7, 8], axis=0))
    with pytest.raises(ValueError, match=r"residues are missing between ALA7 and ALA8"):
        read_folded(tmp_path / "gap.pdb")
    write(tmp_path / "short.pdb", helix(3))
    with pytest.raises(ValueError, match="3 C-alphas"):
        read_folded(tmp_path / "short.pdb")


def test_the_command_says_what_it_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "native.pdb", helix())
    words = ["--run.duration", "2", "--run.equilibration", "0", "--run.platform", "Reference"]
    path = str(tmp_path / "native.pdb")
    assert cli.main(["md", "protein", path, "--output", str(tmp_path / "md"), *words]) == 0
    n_contacts = read_folded(path).contacts.shape[1]
    assert f"native: 16 residues, {n_contacts} native contacts" in capsys.readouterr().out
    assert (tmp_path / "md" / "native-r0.xtc").exists()


def test_bonds_are_those_of_the_chain() -> None:
    bonds = [(one.index, other.index) for one, other in protein().to_mdtraj().topology.bonds]
    assert bonds == list(pairwise(range(16)))

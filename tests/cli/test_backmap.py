"""Atoms from files: the command, and where it reads mappings."""

from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.cli import command_line as cli
from cgsim.cli.backmap import read_mapping
from cgsim.io import append_frames, load_molecule
from cgsim.mapping import map_calpha, map_residues
from cgsim.mapping.store import map_to_folder
from cgsim.md import build_peptide

PEPTIDE = build_peptide("GA").to_mdtraj()
N_FRAMES = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """GA.pdb; md.xtc, shifted copies of it; beads.xtc, its C-alphas; GA.cg, its residues."""
    PEPTIDE.save_pdb(tmp_path / "GA.pdb")
    molecule = load_molecule(tmp_path / "GA.pdb")
    frames = PEPTIDE.xyz + np.arange(N_FRAMES)[:, None, None]
    time = np.arange(float(N_FRAMES))
    append_frames(tmp_path / "md.xtc", frames, time=time)
    append_frames(tmp_path / "beads.xtc", map_calpha(molecule)(frames), time=time)
    map_to_folder(tmp_path / "md.xtc", molecule, map_residues(molecule), folder=tmp_path / "GA.cg")
    (tmp_path / "calpha.json").write_text('{"method": "calpha"}')
    return tmp_path


def run(folder: Path, *options: str | Path) -> int:
    files = ["--topology", folder / "GA.pdb", "--output", folder / "atoms.xtc"]
    return cli.main([str(word) for word in ("backmap", folder / "beads.xtc", *files, *options)])


@pytest.mark.parametrize("reference", [[], ["--reference", "md.xtc"]])
def test_the_command_writes_atoms(
    folder: Path, capsys: pytest.CaptureFixture[str], reference: list[str]
) -> None:
    options: list[str | Path] = [
        folder / word if word.endswith("xtc") else word for word in reference
    ]
    mapping = folder / "calpha.json"
    assert run(folder, "--mapping", mapping, "--minimise", "none", *options) == 0
    assert "3 frames of" in capsys.readouterr().out
    made = mdtraj.load(str(folder / "atoms.xtc"), top=str(folder / "GA.pdb"))
    truth = mdtraj.load(str(folder / "md.xtc"), top=str(folder / "GA.pdb"))
    np.testing.assert_allclose(made.xyz, truth.xyz, atol=0.01)  # XTC rounds to 0.001 nm
    np.testing.assert_allclose(made.time, truth.time)


def test_beads_of_another_mapping_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "one.json").write_text('{"method": "metis", "atoms_per_bead": 100}')
    assert run(folder, "--mapping", folder / "one.json") == 1
    assert "beads.xtc has 4 atoms" in capsys.readouterr().err
    assert not (folder / "atoms.xtc").exists()
    assert run(folder, "--mapping", folder / "none.safetensors") == 1
    assert "none.safetensors: no such" in capsys.readouterr().err


def test_where_mappings_are_read(folder: Path) -> None:
    molecule = load_molecule(folder / "GA.pdb")
    assert read_mapping(folder / "calpha.json", molecule).recipe == {"method": "calpha"}
    assert read_mapping(folder / "GA.cg", molecule).recipe == {"method": "residues"}
    (folder / "whole.json").write_text(str([0] * molecule.n_atoms))
    assert read_mapping(folder / "whole.json", molecule).n_beads == 1

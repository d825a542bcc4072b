"""The mapper of examples/extend: in the table, and through every command that maps atoms."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cgsim import build_mapping, map_structure, map_trajectory
from cgsim.cli import command_line as cli
from cgsim.io import load_molecule
from cgsim.mapping import MAPPERS
from cgsim.mapping.store import load_mapped
from cgsim.md import build_peptide
from cgsim.model.checkpoint import read_simulator
from examples.extend.residue_groups import map_residue_groups
from tests.io.systems import save

MAPPER = "examples.extend.residue_groups:map_residue_groups"
RECIPE = {"method": "map_residue_groups", "n_residues": 3}
TINY = """\
model:
  embedding: {n_channels: 4, n_layers: 1}
  graph: {n_hops: 2, n_radial: 4}
  dynamics: {n_channels: 4, n_layers: 1}
  score: {n_channels: 4, n_layers: 1}
training: {n_steps: 2, batch_size: 2, steps_per_epoch: 2}
hardware: {accelerator: cpu}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A peptide of eight residues with its caps, and frames of it; the table is restored."""
    peptide = build_peptide("AGAGAG").to_mdtraj()
    random = np.random.default_rng(0)
    xyz = peptide.xyz + 0.01 * random.normal(size=(60, peptide.n_atoms, 3))
    peptide.save(str(tmp_path / "a.pdb"))
    save(tmp_path / "a.xtc", peptide.topology, xyz)
    (tmp_path / "tiny.yaml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = dict(MAPPERS)
    yield tmp_path
    MAPPERS.clear()
    MAPPERS.update(before)


def run(*words: str) -> None:
    assert cli.main(list(words)) == 0


def test_in_python(folder: Path) -> None:
    MAPPERS["map_residue_groups"] = map_residue_groups
    molecule = load_molecule("a.pdb")
    mapping = build_mapping(molecule, RECIPE)
    assert mapping.n_beads == 3  # of three, three and two residues
    residue = [atom.residue.index for atom in molecule.topology.atoms]
    np.testing.assert_array_equal(mapping.bead_index, np.array(residue) // 3)
    assert map_trajectory("a.xtc", molecule, mapping).recipe == RECIPE
    with pytest.raises(ValueError, match="n_residues must be at least 1"):
        build_mapping(molecule, RECIPE | {"n_residues": 0})


def test_through_the_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ("--parameters.n_residues", "3")
    run("map", "a.pdb", "a.xtc", "--output", "mapped", "--mapper", MAPPER, *size)
    assert load_mapped("mapped/a.cg").recipe == RECIPE
    run("train", "mapped", "--output", "model", "--config", "tiny.yaml")
    MAPPERS.pop("map_residue_groups")  # as in another session
    rollout = ("rollout", "model/simulator.safetensors", "a.pdb", "--n_steps", "2")
    assert cli.main([*rollout, "--output", "out"]) == 1
    assert "--mapper package.module:map_residue_groups" in capsys.readouterr().err
    run(*rollout, "--output", "out", "--mapper", MAPPER)
    tuned = ("finetune", "model/simulator.safetensors", "a.xtc", "--topology", "a.pdb")
    short = ("--finetuning.n_steps", "1", "--finetuning.steps_per_epoch", "1")
    run(*tuned, "--output", "tuned", *short, "--hardware.accelerator", "cpu", "--mapper", MAPPER)
    simulator = read_simulator(Path("tuned/simulator.safetensors"))
    assert map_structure("a.pdb", simulator).n_beads == 3
    back = ("backmap", "out/a-r0.xtc", "--topology", "a.pdb", "--mapping", "mapped/a.cg")
    run(*back, "--output", "atoms.xtc", "--mapper", MAPPER)

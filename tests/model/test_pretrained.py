"""Packaged weights: what is there, what it says of itself, and polymers from nothing but units."""

import json
import re
import shutil
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

import cgsim
from benchmarks import publish as publishing
from benchmarks.publish import MAX_BYTES, machine_paths, publish
from cgsim.cli import main
from cgsim.cli.quickstart_config import PretrainedConfig
from cgsim.cli.quickstart_run import quickstart_pretrained
from cgsim.data.scales import Scales
from cgsim.md import (
    BEADS_PER_CHAIN,
    PolymerRun,
    build_chain,
    build_peptide,
    sample_chains,
    write_chain,
)
from cgsim.model.checkpoint import (
    WEIGHTS,
    Provenance,
    load_provenance,
    pretrained_file,
    read_header,
    save_simulator,
)
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY

RECIPES: dict[str, dict[str, Any]] = {
    "peptides": {"method": "residues", "rigid_motion": False},
    "polymer-mini": {"method": "metis", "atoms_per_bead": 10},
}
LEARNED = {"peptides": r"[AFGLSV]{3}", "polymer-mini": r"mini-I-.*"}  # names of trajectories
NAMES = tuple(RECIPES)
ROOT = Path(__file__).parents[2]
DATA = {"trajectories": [{"name": "a", "n_frames": 10, "frame_interval": 1.0}]}


def untrained() -> Simulator:
    scales = Scales(
        timestep=2.0, frame_interval=1.0, length_scale=2.8, step_scale=0.1, mass_scale=10.0
    )
    return Simulator(TINY, atom_types=("B1", "B2", "S1", "S2"), scales=scales)


def saved(folder: Path, **provenance: Any) -> Path:
    """A training directory of a simulator of polymers."""
    stated: dict[str, Any] = {
        "recipe": {"method": "metis", "atoms_per_bead": 10.0},
        "data": DATA,
    } | provenance
    save_simulator(untrained(), folder / "simulator.safetensors", provenance=Provenance(**stated))
    return folder


@pytest.fixture
def simulator(tmp_path: Path) -> Simulator:
    return cgsim.load_simulator(saved(tmp_path / "model") / "simulator.safetensors")


def test_names() -> None:
    assert cgsim.pretrained_names() == NAMES


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no .* 'protein'.*'peptides', 'polymer-mini'"):
        cgsim.load_pretrained("protein")


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_small_and_say_where_they_come_from(name: str) -> None:
    file = pretrained_file(name)
    assert file.stat().st_size < MAX_BYTES
    provenance = load_provenance(file)
    assert provenance.recipe == RECIPES[name]
    assert provenance.training["n_steps"] > 0
    learned = [known["name"] for known in provenance.data["trajectories"]]
    assert all(re.fullmatch(LEARNED[name], known) for known in learned)
    assert provenance.data["command"].startswith("python -m benchmarks.")
    assert machine_paths(json.dumps(read_header(file), ensure_ascii=False)) == []


def test_weights_go_into_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["cgsim"]
    for name in NAMES:
        path = str((WEIGHTS / f"{name}.safetensors").relative_to(ROOT / "cgsim"))
        assert any(fnmatch(path, pattern) for pattern in patterns)


@pytest.mark.parametrize("size", ["tiny", "mini"])
def test_a_chain_that_was_never_simulated_rolls_out(size: str, tmp_path: Path) -> None:
    simulator = cgsim.load_pretrained("polymer-mini")
    (chain,) = sample_chains("II", size=size, n_chains=1, seed=5)
    start = cgsim.map_structure(write_chain(chain, tmp_path), simulator)
    rollout = cgsim.simulate(simulator, start, 5)
    (made,) = rollout.trajectories
    assert made.pos.shape == (5, BEADS_PER_CHAIN[size] // 10, 3)
    assert np.isfinite(made.pos).all()
    assert rollout.failures == []
    assert not np.allclose(made.pos[-1], start.pos[0], atol=1e-2)


def test_a_peptide_that_was_never_simulated_rolls_out(tmp_path: Path) -> None:
    simulator = cgsim.load_pretrained("peptides")
    structure = tmp_path / "VGS.pdb"
    build_peptide("VGS", name="VGS").to_mdtraj().save_pdb(str(structure))
    start = cgsim.map_structure(structure, simulator)
    assert start.n_beads == 5
    rollout = cgsim.simulate(simulator, start, 5)
    assert np.isfinite(rollout.trajectories[0].pos).all()
    assert rollout.failures == []
    assert not np.allclose(rollout.trajectories[0].pos[-1], start.pos[0], atol=1e-2)


@pytest.mark.parametrize("side", [0.1, 3.0])  # nm; the record of a file that has no cell, and one
def test_the_cell_of_one_structure_is_no_reason_to_stop(tmp_path: Path, side: float) -> None:
    simulator = cgsim.load_pretrained("peptides")
    peptide = build_peptide("VGS", name="VGS").to_mdtraj()
    free = tmp_path / "free.pdb"
    peptide.save_pdb(str(free))
    peptide.unitcell_lengths, peptide.unitcell_angles = [[side] * 3], [[90.0] * 3]
    boxed = tmp_path / "boxed.pdb"
    peptide.save_pdb(str(boxed))
    assert "CRYST1" in boxed.read_text()
    start = cgsim.map_structure(boxed, simulator)
    assert start.cell is None
    np.testing.assert_array_equal(start.pos, cgsim.map_structure(free, simulator).pos)


def test_a_structure_is_mapped_as_the_training_data_were(
    simulator: Simulator, tmp_path: Path
) -> None:
    (chain,) = sample_chains("I", size="tiny", n_chains=1, seed=0)
    structure = write_chain(chain, tmp_path, seed=3)
    start = cgsim.map_structure(structure, simulator)
    assert (start.name, start.n_frames, start.n_beads) == (chain.name, 1, 6)
    assert start.atom_type == chain.atom_type
    assert start.recipe == {"method": "metis", "atoms_per_bead": 10.0}
    molecule = cgsim.load_molecule(structure)
    xyz = mdtraj.load(str(structure)).xyz[0]
    for bead in range(start.n_beads):  # equal masses: plain means of the METIS clusters
        own = cgsim.map_metis(molecule, atoms_per_bead=10).bead_index == bead
        np.testing.assert_allclose(start.pos[0, bead], xyz[own].mean(axis=0), atol=1e-5)


def test_only_the_first_frame_starts_and_atoms_may_come_from_elsewhere(
    simulator: Simulator, tmp_path: Path
) -> None:
    (chain,) = sample_chains("I", size="tiny", n_chains=1, seed=0)
    structure = write_chain(chain, tmp_path / "made")
    frame = mdtraj.load(str(structure))
    both = mdtraj.join([frame, frame])
    both.xyz[1] += 5.0
    both.save_pdb(str(tmp_path / "several.pdb"))  # no masses beside it
    with pytest.raises(ValueError, match=r"several\.pdb.*has no mass"):
        cgsim.map_structure(tmp_path / "several.pdb", simulator)
    start = cgsim.map_structure(
        tmp_path / "several.pdb", simulator, molecule=cgsim.load_molecule(structure)
    )
    np.testing.assert_allclose(start.pos, cgsim.map_structure(structure, simulator).pos, atol=2e-3)


def test_structures_that_do_not_fit_are_refused(simulator: Simulator, tmp_path: Path) -> None:
    (chain,) = sample_chains("I", size="tiny", n_chains=1, seed=0)
    structure = write_chain(chain, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pdb"):
        cgsim.map_structure(tmp_path / "nowhere.pdb", simulator)
    with pytest.raises(ValueError, match="does not know how its atoms became beads"):
        cgsim.map_structure(structure, untrained())


def test_chains_of_ones_own_are_written_once(tmp_path: Path) -> None:
    chain = build_chain("mine", "II", size="tiny", unit_sequence=[0, 3, 9] * 8)
    structure = write_chain(chain, tmp_path)
    molecule = cgsim.load_molecule(structure)
    assert molecule.atom_type == chain.atom_type
    np.testing.assert_array_equal(molecule.bond_index, chain.bond_index)
    np.testing.assert_array_equal(molecule.atom_mass, 1.0)
    before = structure.read_bytes()
    with pytest.raises(ValueError, match="there already"):
        write_chain(chain, tmp_path, seed=1)
    assert structure.read_bytes() == before
    other = write_chain(chain, tmp_path / "other", seed=1)
    assert other.read_bytes() != before


def test_the_command_line_rolls_out_structures_with_packaged_weights(tmp_path: Path) -> None:
    (chain,) = sample_chains("II", size="tiny", n_chains=1, seed=5)
    structure = write_chain(chain, tmp_path)
    command = ["rollout", "polymer-mini", str(structure), "--n_steps", "3"]
    assert main([*command, "--output", str(tmp_path / "out")]) == 0
    (ensemble,) = cgsim.read_ensembles([tmp_path / "out"])
    assert ensemble.name == chain.name
    assert [xyz.shape for xyz in ensemble.xyz] == [(3, 6, 3)]
    timestep = cgsim.load_pretrained("polymer-mini").timestep
    assert ensemble.frame_interval == pytest.approx(timestep)


@pytest.fixture
def small_packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packaged weights that cost nothing, named ``small``."""
    weights = tmp_path / "weights"
    weights.mkdir()
    shutil.copy(saved(tmp_path / "model") / "simulator.safetensors", weights / "small.safetensors")
    monkeypatch.setattr("cgsim.model.checkpoint.WEIGHTS", weights)
    return weights


SMALL = PretrainedConfig(
    weights="small", size="tiny", n_test=2, test_duration=30.0, equilibration=1.0
)


@pytest.mark.usefixtures("small_packaged")
def test_quickstart_without_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgsim.cli.quickstart_run.PolymerRun", on_reference_platform)
    folder = tmp_path / "quickstart"
    first = quickstart_pretrained(folder, sizes=SMALL)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == first.to_dict()
    for row in ("learned", "floor", "md_equal_time"):
        assert len(metrics[row]["molecules"]) == SMALL.n_test
    assert not (folder / "model").exists()
    assert not list((folder / "md").glob("tiny-I-*"))
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "cgsim quickstart --pretrained" in report

    def never(*arguments: Any) -> None:
        raise RuntimeError("computed again")

    monkeypatch.setattr(Simulator, "step", never)
    monkeypatch.setattr("cgsim.md.polymer_system.MergedChains.advance", never)
    assert quickstart_pretrained(folder, sizes=SMALL).to_dict() == first.to_dict()


def on_reference_platform(**settings: Any) -> PolymerRun:
    return PolymerRun(**settings | {"platform": "Reference"})


def test_the_flag_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called: list[Path] = []
    monkeypatch.setattr("cgsim.cli.quickstart_run.quickstart_pretrained", called.append)
    assert main(["quickstart", "--pretrained", "--output", str(tmp_path)]) == 0
    assert called == [tmp_path]
    assert main(["quickstart", "--pretrained", "--sizes.n_train", "3"]) == 1
    assert "--pretrained trains nothing" in capsys.readouterr().err
    assert called == [tmp_path]


def test_publishing_adds_the_command_and_changes_no_weight(tmp_path: Path) -> None:
    run = saved(tmp_path / "run")
    path = publish(run, "mine", command="python -m benchmarks.x", directory=tmp_path / "weights")
    assert path == tmp_path / "weights" / "mine.safetensors"
    provenance = load_provenance(path)
    assert provenance.data["command"] == "python -m benchmarks.x"
    assert provenance.data["trajectories"] == DATA["trajectories"]
    assert provenance.data["versions"]["cgsim"] == cgsim.__version__
    before = cgsim.load_simulator(run / "simulator.safetensors").state_dict()
    after = cgsim.load_simulator(path).state_dict()
    assert all((after[key] == value).all() for key, value in before.items())


@pytest.mark.parametrize(
    ("provenance", "message"),
    [
        ({"recipe": {}}, "lacks the mapping recipe"),
        ({"data": {}}, "lacks the mapping recipe or the training data"),
        ({"data": DATA | {"made_in": "/home/me/runs"}}, "/home/me/runs"),
        ({"data": DATA | {"made_in": r"C:\Users\me"}}, "path of this machine"),
    ],
)
def test_what_does_not_belong_into_the_package_is_refused(
    provenance: dict[str, Any], message: str, tmp_path: Path
) -> None:
    run = saved(tmp_path / "run", **provenance)
    with pytest.raises(ValueError, match=message):
        publish(run, "mine", command="make", directory=tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_large_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved(tmp_path / "run")
    monkeypatch.setattr(publishing, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="less than 1,000 go into a package"):
        publish(run, "mine", command="make", directory=tmp_path / "weights")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("in /home/me/runs now", ["/home/me/runs"]),
        ("~/runs/a", ["~/runs/a"]),
        ("kJ/mol, nats/dof, a/b/c", []),
        ("python -m benchmarks.polymers --output runs/polymer_mini", []),
    ],
)
def test_paths_are_found(text: str, found: list[str]) -> None:
    assert machine_paths(text) == found

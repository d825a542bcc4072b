"""`cgsim map`: options of mappers, and mappers of the user's own."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import mdtraj
import numpy as np
import pytest
from mdtraj.core.element import get_by_symbol

from cgsim.cli import command_line as cli
from cgsim.cli.backmap import read_mapping
from cgsim.io import load_molecule
from cgsim.mapping import MAPPERS, build_mapping
from cgsim.mapping.store import load_mapped
from cgsim.md import build_peptide
from tests.io.systems import save

MAPPER = '''
"""A mapper of a user."""
import mdtraj
import numpy as np
from cgsim.mapping import map_user


def map_pieces(molecule, *, n_atoms: int):
    return map_user(molecule, np.arange(molecule.n_atoms) // n_atoms)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory: a peptide, two frames, and a mapper; the table is restored."""
    peptide = build_peptide("AA").to_mdtraj()
    peptide.save(str(tmp_path / "a.pdb"))
    save(tmp_path / "a.xtc", peptide.topology, np.repeat(peptide.xyz, 2, axis=0))
    (tmp_path / "my_beads_of_tests.py").write_text(MAPPER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = dict(MAPPERS)
    yield tmp_path
    MAPPERS.clear()
    MAPPERS.update(before)
    sys.modules.pop("my_beads_of_tests", None)


def run(*arguments: str) -> int:
    return cli.main(["map", "a.pdb", "a.xtc", "--output", "out", *arguments])


def test_the_bead_size_is_ten_atoms_if_nothing_is_said(folder: Path) -> None:
    assert run() == 0
    assert load_mapped(folder / "out" / "a.cg").recipe == {"method": "metis", "atoms_per_bead": 10}
    assert run("--atoms_per_bead", "4") == 1  # nothing is replaced without being asked
    assert run("--atoms_per_bead", "4", "--overwrite") == 0
    assert load_mapped(folder / "out" / "a.cg").recipe == {"method": "metis", "atoms_per_bead": 4}


def test_a_mapper_of_the_users_own(folder: Path) -> None:
    assert run("--mapper", "my_beads_of_tests:map_pieces", "--parameters.n_atoms", "8") == 0
    mapped = load_mapped(folder / "out" / "a.cg")
    assert mapped.recipe == {"method": "map_pieces", "n_atoms": 8}
    assert mapped.bead_index.tolist() == [atom // 8 for atom in range(len(mapped.bead_index))]
    mapping = read_mapping(folder / "out" / "a.cg", load_molecule("a.pdb"))
    np.testing.assert_array_equal(mapping.bead_index, mapped.bead_index)


def test_another_command_is_told_of_the_mapper(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapper = ("--mapper", "my_beads_of_tests:map_pieces")
    run(*mapper, "--parameters.n_atoms", "8")
    MAPPERS.pop("map_pieces")
    backmap = ["backmap", "out/a.cg/beads.pdb", "--topology", "a.pdb", "--mapping", "out/a.cg"]
    assert cli.main([*backmap, "--output", "b.xtc"]) == 1
    assert "--mapper package.module:map_pieces" in capsys.readouterr().err
    assert cli.main([*backmap, "--output", "b.xtc", *mapper]) == 0
    assert (folder / "b.xtc").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "residues", "--atoms_per_bead", "4"), "'residues' has no parameter 'atoms"),
        (("--parameters.size", "4"), "--mapper"),
        (("--mapper", "my_beads_of_tests:map_all"), "map_all"),
        (("--mapper", "my_beads_of_tests:map_pieces"), "needs 'n_atoms'"),
        (("--method", "user"), "--assignment"),
    ],
)
def test_options_that_do_not_fit(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(*arguments) == 1
    assert said in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_the_help_speaks_of_every_mapper(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["map", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, mapper in MAPPERS.items():
        assert f"{name}: {(mapper.__doc__ or '').split()[0]}" in said
    assert "For metis: Mean size wanted" in said


def test_files_of_one_name_are_told_apart_by_their_folders(folder: Path) -> None:
    for run_name in ("run1", "run2"):
        (folder / run_name).mkdir()
        shutil.copy(folder / "a.xtc", folder / run_name / "prod.xtc")
    files = ["run1/prod.xtc", "run2/prod.xtc", "a.xtc"]
    assert cli.main(["map", "a.pdb", *files, "--output", "out", "--name", "polymer"]) == 0
    written = sorted(path.name for path in (folder / "out").iterdir())
    assert written == ["a.cg", "run1-prod.cg", "run2-prod.cg"]
    assert {load_mapped(folder / "out" / own).name for own in written} == {"polymer"}


def test_files_that_cannot_be_told_apart_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for files in (["a.xtc", "a.xtc"], ["a.xtc", "a.dcd"]):
        assert cli.main(["map", "a.pdb", *files, "--output", "out"]) == 1
        assert re.search("given twice|another file", capsys.readouterr().err)
    assert not (folder / "out").exists()


def test_warnings_are_said_as_errors_are(folder: Path) -> None:
    # In a process of its own: pytest keeps warnings from being printed.
    call = "import sys; from cgsim.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", call, "map", "a.pdb", "a.xtc", "--output", "out"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    (said,) = [line for line in done.stderr.splitlines() if "same" in line]
    assert said.startswith("cgsim: warning: all 2 frames")
    assert "UserWarning" not in done.stderr


@pytest.mark.parametrize(
    ("select", "is_said"), [("all", True), ("protein", False), ("water", False)]
)
def test_much_water_is_said(
    folder: Path, select: str, is_said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    peptide = build_peptide("AA").to_mdtraj()
    topology, n_waters = peptide.topology, 9
    for _ in range(n_waters):
        residue = topology.add_residue("HOH", topology.add_chain())
        for name in ("O", "H1", "H2"):
            topology.add_atom(name, get_by_symbol(name[0]), residue)
    water = np.array([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]])
    xyz = np.concatenate([peptide.xyz[0], *(water + 3 + number for number in range(n_waters))])
    mdtraj.Trajectory(xyz, topology).save(str(folder / "a.pdb"))
    save(folder / "a.xtc", topology, np.stack([xyz, xyz + 0.01]))
    assert run("--select", select, "--method", "residues") == 0
    assert ("9 of 13 residues are water" in capsys.readouterr().err) is is_said


# ------------------------------------------------------------------ references and own types


def compact(n_residues: int = 27, *, n_frames: int = 40) -> mdtraj.Trajectory:
    """C-alphas of a chain that fills a cube, shaken a little and turned."""
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for index in range(n_residues):
        residue = topology.add_residue("ALA" if index else "MET", chain, resSeq=index + 1)
        topology.add_atom("CA", mdtraj.element.carbon, residue)
    atoms = list(topology.atoms)
    for pair in pairwise(atoms):
        topology.add_bond(*pair)
    z, y, x = np.unravel_index(np.arange(n_residues), (3, 3, 3))
    y = np.where(z % 2, 2 - y, y)
    x = np.where((y + z) % 2, 2 - x, x)
    random = np.random.default_rng(0)
    still = 0.38 * np.stack([x, y, z], axis=1)
    xyz = still + 0.03 * random.normal(size=(n_frames, n_residues, 3))
    return mdtraj.Trajectory(xyz, topology, time=np.arange(n_frames, dtype=float))


def map_protein(*arguments: str) -> int:
    trajectories = [word for word in arguments[:1] if word == "b.xtc"]
    options = [*arguments[len(trajectories) :], "--method", "calpha", "--bonds", "chain"]
    return cli.main(["map", "a.pdb", "a.xtc", *trajectories, "--output", "out", *options])


@pytest.fixture
def protein(folder: Path) -> mdtraj.Trajectory:
    """Instead of the peptide a folded chain of C-alphas, in two runs, and one of its frames."""
    frames = compact()
    frames[0].save(str(folder / "a.pdb"))
    frames[7].save(str(folder / "crystal.pdb"))
    save(folder / "a.xtc", frames.topology, frames.xyz[:20])
    save(folder / "b.xtc", frames.topology, frames.xyz[20:])
    return frames


def distances(pos: np.ndarray) -> np.ndarray:
    return np.linalg.norm(pos[..., :, None, :] - pos[..., None, :, :], axis=-1)


def test_one_folded_protein_gets_its_mean_by_itself(
    folder: Path, protein: mdtraj.Trajectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert map_protein("b.xtc") == 0
    assert "reference: mean" in capsys.readouterr().out
    found = [load_mapped(folder / "out" / f"{name}.cg").reference for name in ("a", "b")]
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_array_equal(found[0], found[1])  # of both runs
    mean = protein.superpose(protein).xyz.mean(axis=0)
    np.testing.assert_allclose(distances(found[0][0]), distances(mean), atol=0.01)


def test_none_is_none_and_others_get_none_by_themselves(
    folder: Path, protein: mdtraj.Trajectory
) -> None:
    assert map_protein("--reference", "none") == 0
    assert load_mapped(folder / "out" / "a.cg").reference is None
    assert run("--bonds", "chain", "--atoms_per_bead", "3", "--overwrite") == 0
    assert load_mapped(folder / "out" / "a.cg").reference is None


def test_given_structures_are_references(folder: Path, protein: mdtraj.Trajectory) -> None:
    assert map_protein("--reference", "crystal.pdb", "mean") == 0
    found = load_mapped(folder / "out" / "a.cg").reference
    assert found is not None
    assert found.shape == (2, 27, 3)
    np.testing.assert_allclose(distances(found[0]), distances(protein.xyz[7]), atol=2e-3)


def test_references_that_do_not_fit(
    folder: Path, protein: mdtraj.Trajectory, capsys: pytest.CaptureFixture[str]
) -> None:
    compact(24)[0].save(str(folder / "short.pdb"))
    other = compact()
    other.topology.residue(3).name = "GLY"
    other[0].save(str(folder / "mutant.pdb"))
    for words, said in (
        (("short.pdb",), "short.pdb: 24 beads, but the trajectories have 27"),
        (("mutant.pdb",), "mutant.pdb: bead 3 is GLY-CA, in the trajectories ALA-CA"),
        (("none", "mean"), "--reference none stands alone"),
        (("crystall.pdb",), "crystall.pdb"),
    ):
        assert map_protein("--overwrite", "--reference", *words) == 1
        assert said in capsys.readouterr().err


def test_every_bead_a_type_of_its_own(folder: Path, protein: mdtraj.Trajectory) -> None:
    assert map_protein("--own_types") == 0
    mapped = load_mapped(folder / "out" / "a.cg")
    assert mapped.atom_type[:3] == ("MET#0", "ALA#1", "ALA#2")
    molecule = load_molecule(folder / "a.pdb", bonds="chain")
    again = build_mapping(molecule, mapped.recipe)
    assert again.recipe == mapped.recipe
    assert again.types_of(("MET", *["ALA"] * 26)) == mapped.atom_type

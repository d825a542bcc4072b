import json
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

from cgsim.io import iter_frames, load_molecule, read_frame_interval, read_sidecar
from cgsim.md import MergedPeptides, PeptideRun, build_peptide, generate_peptides
from cgsim.md.peptide_chain import Peptide

SETTINGS: dict[str, Any] = {"frame_interval": 0.02, "equilibration": 0.1, "platform": "CPU"}
RUN = PeptideRun(duration=0.2, **SETTINGS)
SHORT_CHUNK = 3


@pytest.fixture(scope="module")
def alanine() -> Peptide:
    return build_peptide("A")


@pytest.fixture(scope="module")
def glycine() -> Peptide:
    return build_peptide("G")


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run consist of several chunks, in one worker."""
    monkeypatch.setattr(MergedPeptides, "n_frames_per_chunk", lambda self, steps: SHORT_CHUNK)
    monkeypatch.setattr("cgsim.md.schedule.n_workers", lambda platform: 1)


def interrupt_after(n_chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise KeyboardInterrupt instead of the next chunk."""
    advance = MergedPeptides.advance
    calls = iter(range(n_chunks))

    def limited(*args: Any, **kwargs: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return advance(*args, **kwargs)

    monkeypatch.setattr(MergedPeptides, "advance", limited)


def test_files_are_what_the_library_reads(
    tmp_path: Path, alanine: Peptide, glycine: Peptide
) -> None:
    run = PeptideRun(duration=0.2, n_replicas=2, temperature=320.0, **SETTINGS)
    files = generate_peptides([alanine, glycine], tmp_path, run)
    assert [f.name for f in files] == ["A-r0.xtc", "A-r1.xtc", "G-r0.xtc", "G-r1.xtc"]
    molecule = load_molecule(tmp_path / "A.pdb")
    assert molecule.n_atoms == alanine.n_atoms
    assert molecule.bond_index.shape[1] == alanine.n_atoms - 1
    assert set(molecule.atom_type) == {"C", "H", "N", "O"}
    assert molecule.atom_mass.min() == pytest.approx(1.008, abs=1e-3)
    for file in files[:2]:
        assert sum(len(chunk) for chunk in iter_frames([file], molecule)) == 10
        assert read_frame_interval(file) == pytest.approx(0.02)
    sidecar = read_sidecar(files[0])
    assert sidecar["n_frames"] == {"A-r0.xtc": 10, "A-r1.xtc": 10}
    assert sidecar["temperature"] == 320.0
    assert sidecar["parameters"] == {
        "force_field": "ff14SBonlysc",
        "solvent": "GBn2",
        "constraints": "bonds to hydrogen",
        "hydrogen_mass": 3.0,
        "friction": 1.0,
        "timestep": 0.004,
        "equilibration": 0.1,
        "seed": 0,
        "format": "xtc",
        "source": "sequence",
        "residues": ["ACE", "ALA", "NME"],
    }


def test_seeds_and_replicas_differ_and_the_same_seed_repeats(
    tmp_path: Path, alanine: Peptide
) -> None:
    def trajectories(folder: str, seed: int) -> list[bytes]:
        run = PeptideRun(duration=0.1, seed=seed, n_replicas=2, **SETTINGS)
        return [f.read_bytes() for f in generate_peptides([alanine], tmp_path / folder, run)]

    first, again, other = trajectories("a", 0), trajectories("b", 0), trajectories("c", 1)
    assert first == again
    assert len({*first, *other}) == 4


@pytest.mark.usefixtures("short_chunks")
@pytest.mark.parametrize("n_chunks", [0, 1, 3])
def test_an_interrupted_run_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alanine: Peptide, n_chunks: int
) -> None:
    run = PeptideRun(duration=0.2, n_replicas=2, **SETTINGS)
    whole = generate_peptides([alanine], tmp_path / "whole", run)
    with monkeypatch.context() as patch:
        interrupt_after(n_chunks, patch)
        with pytest.raises(KeyboardInterrupt):
            generate_peptides([alanine], tmp_path / "cut", run)
    cut = tmp_path / "cut" / whole[0].name
    if n_chunks == 3:  # a kill in the middle of an append leaves half a frame behind
        cut.write_bytes(cut.read_bytes() + cut.read_bytes()[:50])
    resumed = generate_peptides([alanine], tmp_path / "cut", run)
    assert [f.read_bytes() for f in resumed] == [f.read_bytes() for f in whole]


def test_a_finished_run_is_not_touched_and_a_longer_one_extends(
    tmp_path: Path, alanine: Peptide
) -> None:
    (file,) = generate_peptides([alanine], tmp_path, RUN)
    before = {f: f.read_bytes() for f in tmp_path.iterdir()}
    generate_peptides([alanine], tmp_path, RUN)
    assert {f: f.read_bytes() for f in tmp_path.iterdir()} == before
    generate_peptides([alanine], tmp_path, PeptideRun(duration=0.3, **SETTINGS))
    assert file.read_bytes().startswith(before[file])
    assert len(mdtraj.load(str(file), top=str(tmp_path / "A.pdb"))) == 15


def test_large_groups_are_cut_into_several_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alanine: Peptide
) -> None:
    sizes: list[int] = []
    create = MergedPeptides.__init__

    def spy(self: MergedPeptides, peptides: list[Peptide], *args: Any, **kwargs: Any) -> None:
        sizes.append(len(peptides))
        create(self, peptides, *args, **kwargs)

    monkeypatch.setattr(MergedPeptides, "__init__", spy)
    monkeypatch.setattr("cgsim.md.peptide_run.MAX_MERGED_ATOMS_ON_CPU", 2 * alanine.n_atoms)
    monkeypatch.setattr("cgsim.md.schedule.n_workers", lambda platform: 1)
    run = PeptideRun(duration=0.02, frame_interval=0.02, equilibration=0.0, n_replicas=5)
    assert len(generate_peptides([alanine], tmp_path, run)) == 5
    assert sorted(sizes) == [1, 2, 2]


@pytest.mark.parametrize("changed", [{"seed": 1}, {"temperature": 310.0}, {"equilibration": 0.2}])
def test_other_settings_do_not_touch_the_data(
    tmp_path: Path, alanine: Peptide, changed: dict[str, Any]
) -> None:
    (file,) = generate_peptides([alanine], tmp_path, RUN)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=next(iter(changed))):
        generate_peptides(
            [alanine], tmp_path, PeptideRun(**({"duration": 0.2} | SETTINGS | changed))
        )
    assert file.read_bytes() == before


def test_ends_that_differ_are_other_settings(tmp_path: Path, alanine: Peptide) -> None:
    generate_peptides([alanine], tmp_path, RUN)
    with pytest.raises(ValueError, match="residues"):
        generate_peptides([build_peptide("G", name="A")], tmp_path, RUN)
    assert json.loads((tmp_path / "A.json").read_text())["parameters"]["residues"][1] == "ALA"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"frame_interval": 0.003}, "frame_interval"),
        ({"platform": "TPU"}, "platform"),
    ],
)
def test_bad_run_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PeptideRun(**({"duration": 3.0} | settings))


def test_names_must_be_unique(tmp_path: Path, alanine: Peptide) -> None:
    with pytest.raises(ValueError, match="each name once"):
        generate_peptides([alanine, alanine], tmp_path, RUN)


def test_frames_are_of_one_whole_molecule(tmp_path: Path, alanine: Peptide) -> None:
    (file,) = generate_peptides([alanine], tmp_path, RUN)
    xyz = mdtraj.load(str(file), top=str(tmp_path / "A.pdb")).xyz
    i, j = load_molecule(tmp_path / "A.pdb").bond_index
    length = np.linalg.norm(xyz[:, i] - xyz[:, j], axis=2)
    assert length.min() > 0.09
    assert length.max() < 0.18

"""Steered MD: a helix, one end fixed and one on a spring that moves."""

from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

from cgsim.cli import command_line as cli
from cgsim.evaluate.observables.pulling import measure_pulling
from cgsim.io import read_sidecar
from cgsim.md import MergedPeptides, PeptideForceField, SteeredRun, build_helix, generate_steered
from cgsim.md.peptide_chain import Peptide
from cgsim.md.steered import MergedSteered, SteeredForceField, aligned, end_to_end, ends
from cgsim.units import BOLTZMANN

SETTINGS: dict[str, Any] = {"frame_interval": 0.02, "equilibration": 0.04, "platform": "CPU"}
RUN = SteeredRun(duration=0.4, velocity=0.5, **SETTINGS)


@pytest.fixture(scope="module")
def peptide() -> Peptide:
    return build_helix("AAA", name="A3")


def test_the_sequence_is_built_as_a_helix() -> None:
    helix = build_helix("A" * 12)
    chain = helix.to_mdtraj()
    assert mdtraj.compute_dssp(chain)[0, 3:-3].tolist() == ["H"] * 8
    assert end_to_end(helix) == pytest.approx(11 * 0.15, abs=0.1)  # 1.5 A a residue


def test_a_helix_is_turned_onto_the_axis_of_the_spring(peptide: Peptide) -> None:
    turned = aligned(peptide)
    fixed, pulled = ends(peptide)
    np.testing.assert_allclose(turned.xyz[fixed], 0.0, atol=1e-12)
    np.testing.assert_allclose(turned.xyz[pulled], [end_to_end(peptide), 0, 0], atol=1e-12)
    first, second = (own.xyz - own.xyz[0] for own in (peptide, turned))
    np.testing.assert_allclose(first @ first.T, second @ second.T, atol=1e-12)
    volumes = [np.linalg.det(xyz[[1, 4, 9]]) for xyz in (first, second)]
    assert volumes[0] == pytest.approx(volumes[1])  # no mirror image
    assert abs(volumes[0]) > 1e-6


def test_forces_are_those_of_the_peptide_and_the_spring(peptide: Peptide) -> None:
    turned = aligned(peptide)
    fixed, pulled = ends(turned)
    xyz = turned.xyz.copy()
    xyz[pulled] += [0.01, 0.005, 0.0]
    water = SteeredForceField(solvent_dielectric=PeptideForceField().dielectric)
    steered = MergedSteered([turned], water, platform="Reference").forces([xyz])[1][0]
    free = MergedPeptides([turned], PeptideForceField(), platform="Reference").forces([xyz])[1][0]
    expected = np.zeros_like(free)
    expected[pulled, 0] = -0.01 * 2928.8  # 7 kcal/mol/A^2, along x only
    expected[fixed, 0] = 0.01 * 2928.8
    np.testing.assert_allclose(steered - free, expected, atol=1e-6)
    other = MergedSteered([turned], SteeredForceField(), platform="Reference").forces([xyz])[1][0]
    assert np.abs(other - steered).max() > 1.0  # the dielectric constant counts


def test_one_end_stays_and_the_other_follows_the_spring(tmp_path: Path, peptide: Peptide) -> None:
    (file,) = generate_steered([peptide], tmp_path, RUN)
    fixed, pulled = ends(peptide)
    xyz = mdtraj.load(str(file), top=str(tmp_path / "A3.pdb")).xyz
    assert np.abs(xyz[:, fixed]).max() == 0.0
    spring = end_to_end(peptide) + 0.5 * 0.02 * np.arange(1, 21)
    noise = np.sqrt(BOLTZMANN * 300.0 / RUN.spring_constant)
    assert np.abs(xyz[:, pulled, 0] - spring).max() < 6 * noise
    assert xyz[-5:, pulled, 0].mean() > xyz[:5, pulled, 0].mean() + 0.04
    curve = measure_pulling(file)
    np.testing.assert_allclose(curve.spring, spring)
    np.testing.assert_allclose(
        curve.force, RUN.spring_constant * (spring - xyz[:, pulled, 0]), atol=1e-3
    )
    parameters = read_sidecar(file)["parameters"]
    assert parameters["solvent_dielectric"] == 20.0
    assert (parameters["fixed_atom"], parameters["pulled_atom"]) == (fixed, pulled)


@pytest.mark.parametrize("n_chunks", [1, 4])
def test_an_interrupted_run_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peptide: Peptide, n_chunks: int
) -> None:
    monkeypatch.setattr(MergedSteered, "n_frames_per_chunk", lambda self, steps: 3)
    run = SteeredRun(duration=0.2, velocity=0.5, **SETTINGS)
    (whole,) = generate_steered([peptide], tmp_path / "whole", run)
    advance, calls = MergedSteered.advance, iter(range(n_chunks))

    def limited(*args: Any, **kwargs: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return advance(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MergedSteered, "advance", limited)
        with pytest.raises(KeyboardInterrupt):
            generate_steered([peptide], tmp_path / "cut", run)
    (resumed,) = generate_steered([peptide], tmp_path / "cut", run)
    assert resumed.read_bytes() == whole.read_bytes()


def test_another_spring_does_not_touch_the_data(tmp_path: Path, peptide: Peptide) -> None:
    short = SteeredRun(duration=0.02, **SETTINGS)
    (file,) = generate_steered([peptide], tmp_path, short)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="velocity"):
        generate_steered([peptide], tmp_path, SteeredRun(duration=0.02, velocity=0.1, **SETTINGS))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"velocity": 0.0}, "velocity must be positive"),
        ({"spring_constant": float("nan")}, "spring_constant must be positive"),
        ({"solvent_dielectric": 0.5}, "solvent_dielectric must be at least 1"),
        ({"temperature": -1.0}, "temperature must be positive"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SteeredRun(**settings)


def test_a_single_residue_cannot_be_pulled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two amino acids"):
        generate_steered([build_helix("A")], tmp_path, RUN)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_curve_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"duration": 0.04, "frame_interval": 0.02, "equilibration": 0, "platform": "CPU"}
    options = [part for key, value in settings.items() for part in (f"--run.{key}", str(value))]
    assert cli.main(["md", "steered", str(tmp_path), "--n_residues", "3", *options]) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert {"helix-A3.pdb", "helix-A3-r0.xtc", "helix-A3.json", "helix-A3.html"} < written
    lines = (tmp_path / "helix-A3-r0.csv").read_text().splitlines()
    assert lines[0].startswith("time_ps,distance_nm")
    assert [float(line.split(",")[0]) for line in lines[1:]] == [0.02, 0.04]
    assert "data:image/svg" in (tmp_path / "helix-A3.html").read_text()
    assert cli.main(["md", "steered", str(tmp_path / "b"), "--n_residues", "1"]) == 1
    assert "n_residues" in capsys.readouterr().err

"""`cgsim baseline`: a fitted propagator goes the way of a simulator through the other commands."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cgsim
from cgsim.baselines import PROPAGATORS, fit_propagator, load_propagator
from cgsim.cli import command_line as cli
from cgsim.io.headers import read_file_header
from cgsim.mapping.store import load_mapped_folders, save_mapped
from cgsim.testing.exact import rouse_chain

CHAIN = rouse_chain(4)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MD of two chains of one size, two runs of the second."""
    folder = tmp_path_factory.mktemp("baseline") / "mapped"
    for seed, (name, replica) in enumerate((("a", 0), ("b", 0), ("b", 1))):
        own = replace(CHAIN.trajectory(400, 0.5, seed=seed), name=name)
        save_mapped(own, folder / f"{name}-r{replica}.cg")
    return folder


@pytest.fixture(scope="module")
def file(mapped: Path) -> Path:
    """A vector autoregression of two frames, fitted by the command."""
    output = mapped.parent / "var.safetensors"
    run("baseline", mapped, "--output", output, "--stride", 2, "--history", 2)
    return output


def run(*arguments: object) -> None:
    """A command that must succeed."""
    assert cli.main([str(argument) for argument in arguments]) == 0


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command with bad input says."""
    capsys.readouterr()
    assert cli.main([str(argument) for argument in arguments]) == 1
    return capsys.readouterr().err


def test_the_command_fits_as_the_function_does(mapped: Path, file: Path) -> None:
    expected = fit_propagator("var", load_mapped_folders([mapped]), stride=2, history=2)
    found = load_propagator(file)
    assert (found.timestep, found.length_scale) == (expected.timestep, expected.length_scale)
    for name, value in expected.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], value)
    fitted = read_file_header(file)["fitted"]
    assert (fitted["kind"], fitted["stride"], fitted["history"]) == ("var", 2, 2)
    assert fitted["trajectories"][0] == {"name": "a", "n_frames": 400}


def test_it_is_rolled_out_continued_scored_and_reported(
    mapped: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = mapped / "b-r0.cg"
    for n_steps in (60, 120):
        run("rollout", file, start, "--n_steps", n_steps, "--output", tmp_path / "out")
    assert "1 trajectories, 120 steps" in capsys.readouterr().out
    (found,) = cgsim.read_ensembles([tmp_path / "out"])
    assert (found.name, found.n_frames, found.frame_interval) == ("b", 120, 1.0)
    expected = cgsim.simulate(load_propagator(file), cgsim.load_mapped(start), 120)
    np.testing.assert_allclose(found.xyz[0], expected.trajectories[0].pos, atol=6e-4)
    rows = (start, tmp_path / "out")
    run("evaluate", *rows, "--output", tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["learned"]
    run("report", *rows, "--output", tmp_path / "report", "--title", "Autoregression")
    assert "Autoregression" in (tmp_path / "report" / "report.html").read_text()


def test_help_names_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["baseline", "--help"])
    said = capsys.readouterr().out
    assert all(f"`{kind}`" in said for kind in PROPAGATORS)


def test_mistakes_are_told(
    mapped: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ("--output", tmp_path / "x.safetensors")
    said = fails(capsys, "baseline", mapped, *output, "--kind", "arima")
    assert "no propagator 'arima'; there are persistence, random-walk" in said
    assert not (tmp_path / "x.safetensors").exists()
    other = save_mapped(rouse_chain(5).trajectory(20, 1.0, seed=0), tmp_path / "long.cg")
    rollout = ("rollout", file, other, "--n_steps", 3, "--output", tmp_path / "out")
    assert "5 beads, but the propagator was fitted to molecules of 4" in fails(capsys, *rollout)
    (tmp_path / "a.pdb").write_text("ATOM\n")
    rollout = ("rollout", file, tmp_path / "a.pdb", "--n_steps", 3, "--output", tmp_path / "out")
    assert "a.pdb: a propagator starts from frames of beads" in fails(capsys, *rollout)

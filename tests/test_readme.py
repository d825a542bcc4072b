"""README.md is true: its Python example runs, and the commands it names exist."""

import re
from itertools import pairwise
from pathlib import Path

import mdtraj
import numpy as np
import pytest

import cgsim
from cgsim import md

ROOT = Path(__file__).parents[1]


def blocks(language: str) -> list[str]:
    """Return the fenced code blocks of the README in a language."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def quoted_files(code: str, suffix: str) -> list[str]:
    """Return the file names in quotes that end in a suffix, in order."""
    return re.findall(rf'"([^"*]+\.{suffix})"', code)


def shortened(code: str) -> str:
    """Return the code with training and roll-out cut to 20 steps."""
    return re.sub(r"\bn_steps=[\d_]+", "n_steps=20", code)


def write_chain(topology_file: str, trajectory_file: str, *, n_atoms: int = 40) -> None:
    """Write a fluctuating chain of carbon atoms: 400 frames, 1 ps apart."""
    random = np.random.default_rng(0)
    topology = mdtraj.Topology()
    residue = topology.add_residue("CHN", topology.add_chain())
    atoms = [topology.add_atom(f"C{i}", mdtraj.element.carbon, residue) for i in range(n_atoms)]
    for first, second in pairwise(atoms):
        topology.add_bond(first, second)
    mean = np.linspace(0, 0.15 * n_atoms, n_atoms)[:, None] * np.array([1.0, 0.0, 0.0])
    xyz = [mean]
    for _ in range(399):
        xyz.append(mean + 0.9 * (xyz[-1] - mean) + 0.005 * random.normal(size=mean.shape))
    trajectory = mdtraj.Trajectory(np.array(xyz), topology, time=np.arange(400.0))
    trajectory[0].save_pdb(topology_file)
    trajectory.save_xtc(trajectory_file)


def test_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _ = blocks("python")
    write_chain(quoted_files(code, "pdb")[0], quoted_files(code, "xtc")[0])
    exec(compile(shortened(code), "README.md", "exec"), {"__name__": "readme"})
    for name in quoted_files(code, "(?:pdb|xtc|dcd|html|json)"):
        assert (tmp_path / name).exists(), f"the example names {name} and did not write it"


def test_three_lines_with_packaged_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, code = blocks("python")
    chain = md.build_chain("my_chain", "II", size="tiny", unit_sequence=[0, 3, 9] * 8)
    assert md.write_chain(chain, tmp_path).name == quoted_files(code, "pdb")[0]
    exec(compile(shortened(code), "README.md", "exec"), {"cgsim": cgsim})
    assert mdtraj.load("runs/my_chain/my_chain-r0.xtc", top="runs/my_chain/my_chain.pdb")


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)", "\n".join(blocks("bash"))))
    assert {"quickstart", "test"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

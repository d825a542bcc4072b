"""The benchmark of implicit solvents: what it writes, and the table of it."""

import json
from pathlib import Path

from benchmarks.speed.md_solvents import main
from benchmarks.tables.baselines import solvent_table
from cgsim.md import build_helix


def test_every_molecule_has_every_solvent(tmp_path: Path) -> None:
    build_helix("AG").to_mdtraj().save_pdb(tmp_path / "own.pdb")
    molecules = ["--residues", "2", "--pdb", str(tmp_path / "own.pdb")]
    main([*molecules, "--steps", "20", "--repeats", "1", "--output", str(tmp_path)])
    result = json.loads((tmp_path / "md_solvent_speed.json").read_text())
    assert result["command"].startswith("python -m benchmarks.speed.md_solvents --residues 2 --pdb")
    metrics = result["metrics"]
    assert {name: found["n_atoms"] for name, found in metrics.items()} == {
        "helix-A2": build_helix("AA").n_atoms,
        "own": build_helix("AG").n_atoms,
    }
    assert all(list(found["ms_per_step"]) == ["GBn2", "OBC2"] for found in metrics.values())


def test_a_molecule_is_a_line() -> None:
    found = {"n_atoms": 1012, "ms_per_step": {"GBn2": 152.0, "OBC2": 16.7}}
    lines = solvent_table({"helix": found}).splitlines()
    assert lines[0] == "| molecule | atoms | GBn2 (ms a step) | OBC2 (ms a step) |"
    assert lines[2:] == ["| helix | 1,012 | 152 | 16.7 |"]

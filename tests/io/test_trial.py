"""Damaged files on which the C library of their format would end this process."""

from pathlib import Path

import numpy as np
import pytest

from cgsim.io import iter_frames, load_molecule, write_psf
from tests.io.systems import chain_bonds, molecule_of


def test_gsd_with_a_damaged_header(tmp_path: Path) -> None:
    hoomd = pytest.importorskip("gsd.hoomd")
    path = tmp_path / "run.gsd"
    with hoomd.open(str(path), "w") as file:
        frame = hoomd.Frame()
        frame.particles.N = 3
        frame.particles.position = np.zeros((3, 3))
        file.append(frame)
    whole = path.read_bytes()
    molecule = molecule_of(chain_bonds(3), 3)
    for at in range(8, 40, 8):  # places and sizes of the index and of the list of names
        path.write_bytes(whole[:at] + (2**40 + 1).to_bytes(8, "little") + whole[at + 8 :])
        with pytest.raises(ValueError, match=r"run\.gsd"):
            list(iter_frames(path, molecule))


def test_psf_with_a_word_too_many(tmp_path: Path) -> None:
    """A blank inside a word would make the charge the mass."""
    path = tmp_path / "beads.psf"
    names = [("S1", "BEA", "CG")] * 3
    write_psf(path, names=names, masses=np.full(3, 50.0), bond_index=np.array([[0, 1], [1, 2]]))
    assert load_molecule(path).atom_mass == pytest.approx([50.0] * 3)
    lines = path.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if "!NATOM" in line) + 2
    lines[at] = lines[at].replace("BEA", "B A", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"beads.psf: .*atom 1: 10 words"):
        load_molecule(path)

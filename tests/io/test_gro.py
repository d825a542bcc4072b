"""GRO files: what stands around the atoms."""

from pathlib import Path

import numpy as np
import pytest

from cgsim.io import Molecule, iter_frames, load_molecule
from tests.io.laid_out import cysteines, laid_out, write_gro


@pytest.fixture(scope="module")
def xyz() -> np.ndarray:
    atoms, bonds = cysteines()
    return laid_out(atoms, bonds)


def _file(folder: Path, xyz: np.ndarray, *, title: str) -> tuple[Path, Molecule]:
    atoms, _ = cysteines()
    path = write_gro(folder / "a.gro", atoms, xyz, box="9.0 9.0 9.0")
    molecule = load_molecule(path)
    path.write_text(path.read_text().replace("title", title, 1))
    return path, molecule


@pytest.mark.parametrize("title", ["", "  ", "12", "start=3 of t= 5", "t= 5 step= 2500"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_title(tmp_path: Path, xyz: np.ndarray, title: str, end: str) -> None:
    path, molecule = _file(tmp_path, xyz, title=title)
    path.write_bytes(path.read_bytes().replace(b"\n", end.encode()))
    assert load_molecule(path).bond_index.tolist() == molecule.bond_index.tolist()
    (frame,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frame.xyz[0], xyz, atol=1e-3)


@pytest.mark.parametrize("title", ["", "run"])
@pytest.mark.parametrize("between", ["", "\n", "\n\n"])
def test_frames_with_and_without_blank_lines_between(
    tmp_path: Path, xyz: np.ndarray, title: str, between: str
) -> None:
    path, molecule = _file(tmp_path, xyz, title=title)
    text = path.read_text()
    path.write_text(between.join([text] * 3))
    frames = list(iter_frames(path, molecule, chunk=1))
    assert len(frames) == 3
    for frame in frames:
        np.testing.assert_allclose(frame.xyz[0], xyz, atol=1e-3)

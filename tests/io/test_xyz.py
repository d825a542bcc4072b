"""XYZ files, plain and extended."""

from pathlib import Path

import numpy as np
import pytest

from cgsim.io import Molecule, iter_frames, unwrap
from tests.io.systems import chain_bonds, molecule_of, random_walk, shape_of, wrapped

N_ATOMS, N_FRAMES = 12, 5
TRICLINIC = np.array([[2.0, 0, 0], [0.6, 2.2, 0], [-0.5, 0.7, 2.4]])


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


@pytest.fixture
def walk() -> np.ndarray:
    return random_walk(N_FRAMES, N_ATOMS)


def _write_xyz(path: Path, walk: np.ndarray, comment: str, row: str = "C {x} {y} {z}") -> Path:
    lines = []
    for frame in 10 * walk:
        lines += [str(len(frame)), comment]
        lines += [row.format(x=x, y=y, z=z) for x, y, z in frame.round(6)]
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.mark.parametrize("quote", ['"{}"', "'{}'", "{{{}}}"])
@pytest.mark.parametrize("is_turned", [False, True])
def test_the_lattice_of_extended_xyz(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, quote: str, is_turned: bool
) -> None:
    vectors = TRICLINIC[:, [2, 0, 1]] if is_turned else TRICLINIC
    lattice = quote.format(" ".join(str(10 * value) for value in vectors.reshape(-1)))
    comment = f'Properties=species:S:1:pos:R:3 Lattice={lattice} energy=-1.0 pbc="T T T"'
    path = _write_xyz(tmp_path / "run.xyz", wrapped(walk, vectors), comment)
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_vectors[0], TRICLINIC, atol=1e-5)
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(walk), atol=1e-5)


def test_the_columns_of_extended_xyz(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    comment = (
        'Properties=id:I:1:forces:R:3:pos:R:3:species:S:1 pbc="F F F" Lattice="9 0 0 0 9 0 0 0 9"'
    )
    path = _write_xyz(tmp_path / "run.extxyz", walk, comment, "7 0.1 0.2 0.3 {x} {y} {z} C")
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.xyz, walk, atol=1e-5)
    assert frames.unitcell_lengths is None


def test_extended_xyz_that_cannot_be_read(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray
) -> None:
    for comment, said in {
        'Lattice="9 0 0 0 9 0 0 0"': "nine numbers",
        'Lattice="9 0 0 0 9 0 0 0 9" pbc="T T"': "three values",
        "Properties=species:S:1:forces:R:3": "no positions",
    }.items():
        path = _write_xyz(tmp_path / "run.xyz", walk, comment)
        with pytest.raises(ValueError, match=f"run.xyz: frame 0 .*{said}"):
            list(iter_frames(path, molecule))


@pytest.mark.parametrize("has_end", [True, False])
def test_a_last_line_without_an_end(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, has_end: bool
) -> None:
    """Scripts leave the last newline out; a number that is cut off has fewer decimals."""
    path = _write_xyz(tmp_path / "run.xyz", walk, "", "C {x:.5f} {y:.5f} {z:.5f}")
    path.write_text(path.read_text().rstrip("\n") if has_end else path.read_text()[:-3])
    if has_end:
        np.testing.assert_allclose(next(iter_frames(path, molecule)).xyz, walk, atol=1e-5)
        return
    with pytest.warns(UserWarning, match="4 whole frames"):
        assert sum(frames.n_frames for frames in iter_frames(path, molecule)) == 4

"""Text trajectories of AMBER, and the angles of their cells."""

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest

from cgsim.io import Molecule, iter_frames, load_molecule, unwrap, write_atomic_json
from tests.io.systems import chain_bonds, molecule_of, random_walk, save, shape_of, wrapped

N_ATOMS, N_FRAMES = 12, 5


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


@pytest.fixture
def walk() -> np.ndarray:
    return random_walk(N_FRAMES, N_ATOMS)


def _write_mdcrd(path: Path, walk: np.ndarray, cell: str, *, before: str = "") -> Path:
    lines = ["a title"]
    for frame in 10 * walk:
        lines += [before] if before else []
        words = [f"{value:8.3f}" for value in frame.reshape(-1)]
        lines += ["".join(words[at : at + 10]) for at in range(0, len(words), 10)]
        lines += [cell] if cell else []
    path.write_text("\n".join([*lines, ""]))
    return path


OCTAHEDRON = (109.4712206,) * 3


def _octahedron(side: float) -> np.ndarray:
    return side * np.array(
        [[1, 0, 0], [-1 / 3, 8**0.5 / 3, 0], [-1 / 3, -(2**0.5) / 3, (2 / 3) ** 0.5]]
    )


@pytest.mark.parametrize("source", ["the file", "the JSON", "the topology"])
def test_angles_of_mdcrd_cells(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, source: str
) -> None:
    cell = "  20.000  20.000  20.000"
    if source == "the file":
        cell += "".join(f"{angle:8.3f}" for angle in OCTAHEDRON)
    path = _write_mdcrd(tmp_path / "run.mdcrd", wrapped(walk, _octahedron(2.0)), cell)
    if source == "the JSON":
        write_atomic_json(tmp_path / "run.json", {"cell_angles": list(OCTAHEDRON)})
    if source == "the topology":
        structure = save(
            tmp_path / "a.pdb", molecule.topology, walk[:1],
            unitcell_lengths=np.full((1, 3), 2.0), unitcell_angles=np.array([OCTAHEDRON]),
        )  # fmt: skip
        molecule = load_molecule(structure, masses={"B1": 1.0})
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_angles, OCTAHEDRON[0], atol=5e-3)
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(walk), atol=2e-3)


def test_angles_that_nobody_says(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    path = _write_mdcrd(tmp_path / "run.mdcrd", walk, "  90.000  90.000  90.000")
    with pytest.warns(UserWarning, match=r"run.mdcrd: the angles .* taken for 90°.*cell_angles"):
        (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_angles, 90.0)


@pytest.mark.parametrize("cell", ["", "  90.000  80.000  70.000"])
def test_mdcrd_of_replica_exchange(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, cell: str
) -> None:
    path = _write_mdcrd(tmp_path / "run.crd.gz", walk, cell, before="REMD  0  1  1  300.0")
    path.write_bytes(gzip.compress(path.read_bytes()))
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.xyz, walk, atol=1e-4)
    assert (frames.unitcell_lengths is None) == (cell == "")


def test_mdcrd_of_other_atoms(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    path = _write_mdcrd(tmp_path / "run.mdcrd", walk[:, :11], "")
    with pytest.raises(ValueError, match=r"run.mdcrd: frame 0 .* 12 atoms"):
        list(iter_frames(path, molecule))
    path = _write_mdcrd(tmp_path / "run.mdcrd", walk, "")
    path.write_text(path.read_text()[:-9] + "********\n")
    with pytest.raises(ValueError, match=r"run.mdcrd: frame 4 .*\*\*\*.*NetCDF"):
        list(iter_frames(path, molecule))


@pytest.mark.parametrize(("beta", "angles"), [(109.4712190, OCTAHEDRON), (90.0, (90.0,) * 3)])
def test_prmtop_tells_the_angles_of_its_cell(
    tmp_path: Path, beta: float, angles: tuple[float, ...]
) -> None:
    path = tmp_path / "water.prmtop"
    path.write_text(_water_prmtop(beta))
    molecule = load_molecule(path)
    assert molecule.cell_angles == pytest.approx(angles, abs=1e-3)
    assert molecule.atom_type == ("O", "H", "H")
    packed = tmp_path / "packed.parm7.bz2"
    packed.write_bytes(bz2.compress(path.read_bytes()))
    assert load_molecule(packed).bond_index.tolist() == [[0, 0], [1, 2]]


def _water_prmtop(beta: float) -> str:
    """As much of a topology as MDTraj asks for."""

    def section(name: str, kind: str, body: str) -> str:
        return f"%FLAG {name}\n%FORMAT({kind})\n{body}\n"

    pointers = [3, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    rows = [*pointers, 3, 0, 0]
    lines = "\n".join("".join(f"{p:8d}" for p in rows[at : at + 10]) for at in range(0, 31, 10))
    return (
        "%VERSION  VERSION_STAMP = V0001.000  DATE = 01/01/00  00:00:00\n"
        + section("TITLE", "20a4", "water")
        + section("POINTERS", "10I8", lines)
        + section("ATOM_NAME", "20a4", "O   H1  H2  ")
        + section("CHARGE", "5E16.8", "".join(f"{q:16.8E}" for q in (-15.0, 7.5, 7.5)))
        + section("ATOMIC_NUMBER", "10I8", "".join(f"{n:8d}" for n in (8, 1, 1)))
        + section("MASS", "5E16.8", "".join(f"{m:16.8E}" for m in (16.0, 1.008, 1.008)))
        + section("RESIDUE_LABEL", "20a4", "WAT ")
        + section("RESIDUE_POINTER", "10I8", "       1")
        + section("BONDS_INC_HYDROGEN", "10I8", "".join(f"{n:8d}" for n in (0, 3, 1, 0, 6, 1)))
        + section("BONDS_WITHOUT_HYDROGEN", "10I8", "")
        + section("AMBER_ATOM_TYPE", "20a4", "OW  HW  HW  ")
        + section("BOX_DIMENSIONS", "5E16.8", "".join(f"{v:16.8E}" for v in (beta, 20, 20, 20)))
    )

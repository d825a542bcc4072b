"""Cells in every format: what they are, and what is said of those that cannot be."""

import struct
import warnings
from pathlib import Path

import mdtraj
import numpy as np
import pytest
from mdtraj.formats import XTCTrajectoryFile

from cgsim.io import Molecule, iter_frames, unwrap
from cgsim.io.frames import standard_vectors
from tests.io.systems import chain_bonds, molecule_of, random_walk, shape_of, wrapped

N_ATOMS = 12
SIDE = 2.0  # nm; the chain is longer than half a cell
LATTICES: dict[str, tuple[list[float], list[float]]] = {  # lengths in units of the side, and angles
    "cube": ([1, 1, 1], [90, 90, 90]),
    "truncated octahedron": ([1, 1, 1], [109.4712206] * 3),
    "rhombic dodecahedron": ([1, 1, 1], [60, 90, 60]),
    "hexagonal": ([1, 1, 1.2], [90, 90, 120]),
    "monoclinic": ([1, 1.1, 1.2], [90, 91.5, 90]),
    "triclinic": ([1, 1.1, 1.2], [80, 95, 100]),
}


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


def _lattice(name: str) -> np.ndarray:
    lengths, angles = LATTICES[name]
    vectors = standard_vectors(SIDE * np.array([lengths]), np.array([angles]))
    return np.asarray(vectors[0], dtype=np.float64)


def _symmetric(vectors: np.ndarray) -> np.ndarray:
    """The same lattice turned until its matrix is symmetric, as CHARMM keeps it."""
    values, axes = np.linalg.eigh(vectors @ vectors.T)
    return np.asarray(axes @ np.diag(np.sqrt(values)) @ axes.T)


def _write_dcd(path: Path, xyz: np.ndarray, cells: np.ndarray, *, version: int) -> Path:
    """The six numbers in the order of the file: a lower triangle, row by row."""

    def record(content: bytes) -> bytes:
        return struct.pack("<i", len(content)) + content + struct.pack("<i", len(content))

    control = np.zeros(20, dtype="<i4")
    control[[0, 10, 19]] = len(xyz), 1, version
    content = record(b"CORD" + control.tobytes()) + record(struct.pack("<i", 1) + b" " * 80)
    content += record(struct.pack("<i", xyz.shape[1]))
    for frame, cell in zip(10 * xyz, cells, strict=True):
        content += record(cell.astype("<f8").tobytes())
        for axis in range(3):
            content += record(frame[:, axis].astype("<f4").tobytes())
    path.write_bytes(content)
    return path


def _numbers(name: str, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """The six numbers of a lattice in Å, and its vectors as the positions are turned."""
    vectors = _lattice(name)
    if layout == "matrix":
        vectors = _symmetric(vectors)
        return 10 * vectors[[0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]], vectors
    lengths, (alpha, beta, gamma) = LATTICES[name]
    if layout == "cosines":
        alpha, beta, gamma = (np.sin(np.radians(90 - x)) for x in (alpha, beta, gamma))
    a, b, c = 10 * SIDE * np.array(lengths)
    return np.array([a, gamma, b, beta, alpha, c]), vectors


@pytest.mark.parametrize("name", LATTICES)
@pytest.mark.parametrize(
    ("layout", "version"), [("degrees", 24), ("degrees", 21), ("cosines", 24), ("matrix", 36)]
)
def test_all_layouts_of_the_cell_in_a_dcd_file(
    tmp_path: Path, molecule: Molecule, name: str, layout: str, version: int
) -> None:
    numbers, vectors = _numbers(name, layout)
    walk = random_walk(6, N_ATOMS)
    inside = wrapped(walk, vectors)
    path = _write_dcd(tmp_path / "run.dcd", inside, np.tile(numbers, (6, 1)), version=version)
    (frames,) = iter_frames(path, molecule)
    lengths, angles = LATTICES[name]
    np.testing.assert_allclose(frames.unitcell_lengths, SIDE * np.tile(lengths, (6, 1)), rtol=1e-5)
    np.testing.assert_allclose(frames.unitcell_angles, np.tile(angles, (6, 1)), rtol=1e-5)
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(walk), atol=1e-5)


@pytest.mark.parametrize("name", ["truncated octahedron", "rhombic dodecahedron", "hexagonal"])
def test_a_matrix_is_seen_by_its_values_too(tmp_path: Path, molecule: Molecule, name: str) -> None:
    """Programs other than CHARMM pass its numbers on under another version."""
    numbers, vectors = _numbers(name, "matrix")
    walk = random_walk(3, N_ATOMS)
    path = _write_dcd(
        tmp_path / "run.dcd", wrapped(walk, vectors), np.tile(numbers, (3, 1)), version=24
    )
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_angles[0], LATTICES[name][1], rtol=1e-5)
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(walk), atol=1e-5)


def test_a_matrix_that_fluctuates_about_a_right_angle(tmp_path: Path, molecule: Molecule) -> None:
    """In some frames its elements could be cosines; the file as a whole says that they are none."""
    vectors = np.tile(_lattice("cube"), (8, 1, 1))
    vectors[:, 1, 0] = vectors[:, 0, 1] = 0.05 * np.linspace(-3, 3, 8)
    numbers = 10 * vectors[:, [0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]]
    walk = random_walk(8, N_ATOMS)
    inside = np.concatenate([wrapped(walk[k : k + 1], vectors[k]) for k in range(8)])
    path = _write_dcd(tmp_path / "run.dcd", inside, numbers, version=24)
    (frames,) = iter_frames(path, molecule)
    assert np.abs(frames.unitcell_angles - 90).max() < 10
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(walk), atol=1e-5)


def test_an_impossible_cell_is_shown_as_it_stands_in_the_file(
    tmp_path: Path, molecule: Molecule
) -> None:
    numbers = np.tile([35.4, 90.0, 35.1, 90.0, 90.0, 34.2], (5, 1))
    numbers[3, 4] = -15.5
    path = _write_dcd(tmp_path / "run.dcd", random_walk(5, N_ATOMS), numbers, version=24)
    said = r"run.dcd: frame 3 has an impossible periodic cell: 35.4, 90, 35.1, 90, -15.5, 34.2 \(a"
    with pytest.raises(ValueError, match=said):
        list(iter_frames(path, molecule, chunk=2))


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        (np.diag([5.0, 5.0, 0.0]), "5, 0, 0, 0, 5, 0, 0, 0, 0"),
        (np.diag([5.0, -5.0, 5.0]), "5, 0, 0, 0, -5, 0, 0, 0, 5"),
        (np.diag([np.nan, 5.0, 5.0]), "nan, 0"),
        (0.02 * np.eye(3), "0.02, 0"),  # nm read from a file in km, or the like
    ],
)
def test_cells_that_cannot_be(
    tmp_path: Path, molecule: Molecule, box: np.ndarray, shown: str
) -> None:
    path = tmp_path / "run.xtc"
    with XTCTrajectoryFile(str(path), "w") as file:
        xyz = random_walk(2, N_ATOMS).astype(np.float32)
        file.write(xyz, time=np.arange(2.0), step=np.arange(2), box=np.tile(box, (2, 1, 1)))
    with pytest.raises(ValueError, match=f"run.xtc: frame 0 has an impossible.* {shown}.*take"):
        list(iter_frames(path, molecule))


@pytest.mark.parametrize("extension", ["pdb", "dcd", "gro", "xtc", "nc", "lammpstrj", "h5"])
def test_a_cell_of_one_angstrom_is_none(tmp_path: Path, molecule: Molecule, extension: str) -> None:
    if extension == "h5":
        pytest.importorskip("tables")
    walk = random_walk(3, N_ATOMS)
    trajectory = mdtraj.Trajectory(walk, molecule.topology, time=np.arange(3.0))
    trajectory.unitcell_lengths = np.full((3, 3), 0.1)
    trajectory.unitcell_angles = np.full((3, 3), 90.0)
    path = tmp_path / f"run.{extension}"
    trajectory.save(str(path))
    (frames,) = iter_frames(path, molecule)
    assert frames.unitcell_lengths is None
    np.testing.assert_allclose(unwrap(frames, molecule), walk, atol=2e-3)


@pytest.mark.parametrize("extension", ["pdb", "dcd", "gro", "xtc", "trr", "nc", "lammpstrj", "h5"])
@pytest.mark.parametrize(("spread", "is_cell"), [(0.1, True), (3.0, False)])
def test_a_cell_of_one_nanometre_is_none_of_what_is_larger(
    tmp_path: Path, molecule: Molecule, extension: str, spread: float, is_cell: bool
) -> None:
    if extension == "h5":
        pytest.importorskip("tables")
    xyz = spread * np.random.default_rng(0).uniform(size=(1, N_ATOMS, 3)).repeat(3, axis=0)
    trajectory = mdtraj.Trajectory(xyz, molecule.topology, time=np.arange(3.0))
    trajectory.unitcell_lengths = np.full((3, 3), 1.0)
    trajectory.unitcell_angles = np.full((3, 3), 90.0)
    path = tmp_path / f"run.{extension}"
    trajectory.save(str(path))
    if is_cell:
        (frames,) = iter_frames(path, molecule)
    else:
        with pytest.warns(UserWarning, match="cell of 1 nm on each side.*is taken for none"):
            (frames,) = iter_frames(path, molecule)
    assert (frames.unitcell_lengths is not None) == is_cell


@pytest.mark.parametrize("extension", ["xtc", "trr"])
def test_cells_in_any_orientation(tmp_path: Path, molecule: Molecule, extension: str) -> None:
    """The whole system turned by some angle: the cell vectors are turned with it."""
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    vectors = _lattice("triclinic") @ rotation
    walk = random_walk(6, N_ATOMS)
    inside = wrapped(walk, vectors).astype(np.float32)
    path, box = tmp_path / f"run.{extension}", np.tile(vectors, (6, 1, 1)).astype(np.float32)
    with mdtraj.open(str(path), "w") as file:
        file.write(inside, time=np.arange(6.0), step=np.arange(6), box=box)
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(walk), atol=3e-3)


def _write_pdb(path: Path, walk: np.ndarray, cells: list[str], *, end: str = "ENDMDL") -> Path:
    lines = []
    for number, (frame, cell) in enumerate(zip(10 * walk, cells, strict=True), 1):
        lines += [cell] if cell else []
        lines += [f"MODEL     {number:4d}"] if end == "ENDMDL" else []
        lines += [
            f"ATOM  {k + 1:5d}  B1  POL A{k + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00"
            for k, (x, y, z) in enumerate(frame)
        ]
        lines.append(end)
    path.write_text("\n".join([*lines, ""]))
    return path


def test_each_model_of_a_pdb_file_has_its_own_cell(tmp_path: Path, molecule: Molecule) -> None:
    walk, sides = random_walk(4, N_ATOMS), np.array([2.0, 2.01, 1.98, 2.03])
    cells = [f"CRYST1{10 * s:9.3f}{10 * s:9.3f}{10 * s:9.3f}  90.00  90.00  90.00" for s in sides]
    inside = np.concatenate(
        [wrapped(walk[k : k + 1], side * np.eye(3)) for k, side in enumerate(sides)]
    )
    path = _write_pdb(tmp_path / "run.pdb", inside, cells)
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_lengths[:, 0], sides, rtol=1e-5)
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(walk), atol=1e-3)
    one = _write_pdb(tmp_path / "one.pdb", wrapped(walk, 2 * np.eye(3)), [cells[0], "", "", ""])
    (frames,) = iter_frames(one, molecule)
    np.testing.assert_allclose(frames.unitcell_lengths, 2.0, rtol=1e-5)


def test_a_gro_file_of_a_large_box(tmp_path: Path) -> None:
    """Lengths of five digits leave no blanks between the columns."""
    molecule = molecule_of(chain_bonds(2), 2)
    lines = ["two atoms, t= 3.5", "2"]
    lines += [f"    1MOL     B1    {k}{0.1 * k:8.3f}{0.0:8.3f}{0.0:8.3f}" for k in (1, 2)]
    path = tmp_path / "big.gro"
    path.write_text("\n".join([*lines, "40000.0000040000.0000050000.00000", ""]))
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_lengths, [[40000, 40000, 50000]])
    assert frames.time.tolist() == [3.5]


def test_a_dcd_file_of_more_titles_than_its_record_says(tmp_path: Path, molecule: Molecule) -> None:
    """As MDAnalysis writes them."""
    numbers, vectors = _numbers("cube", "cosines")
    walk = random_walk(3, N_ATOMS)
    path = _write_dcd(tmp_path / "run.dcd", walk, np.tile(numbers, (3, 1)), version=24)
    content = path.read_bytes()
    path.write_bytes(content[:96] + struct.pack("<i", 3) + b" " * 240 + content[180:])
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.xyz, walk, atol=1e-6)
    np.testing.assert_allclose(frames.unitcell_vectors[0], vectors, atol=1e-6)


@pytest.mark.parametrize(
    ("number", "at"),
    [(1e300, 1), (1e7, 1), (20_000.0, 1)],  # finite in double precision, or of no simulation
)
def test_a_length_after_a_flipped_bit(
    tmp_path: Path, molecule: Molecule, number: float, at: int
) -> None:
    cells = np.tile([35.0, 0.0, 35.0, 0.0, 0.0, 35.0], (4, 1))
    cells[at, 2] = number
    path = _write_dcd(tmp_path / "run.dcd", random_walk(4, N_ATOMS), cells, version=24)
    if number > 1e6:
        with pytest.raises(ValueError, match=r"run.dcd: frame 1 has an impossible periodic cell"):
            list(iter_frames(path, molecule))
    else:
        with pytest.warns(UserWarning, match="run.dcd: the periodic cell of frame 1 has a volume"):
            list(iter_frames(path, molecule, chunk=1))


def test_a_cell_as_flat_as_a_sheet(tmp_path: Path, molecule: Molecule) -> None:
    box = np.array([[5.0, 0, 0], [0, 5.0, 0], [5000.0, 0, 5.0]])
    path = tmp_path / "run.xtc"
    with XTCTrajectoryFile(str(path), "w") as file:
        xyz = random_walk(2, N_ATOMS).astype(np.float32)
        file.write(xyz, time=np.arange(2.0), step=np.arange(2), box=np.tile(box, (2, 1, 1)))
    with pytest.raises(ValueError, match=r"run.xtc: frame 0 has an impossible.* 5000"):
        list(iter_frames(path, molecule))


def test_a_cell_that_a_barostat_shrinks_is_not_warned_of(
    tmp_path: Path, molecule: Molecule
) -> None:
    cells = np.array([[35 * f, 0.0, 35 * f, 0.0, 0.0, 35 * f] for f in (1.0, 0.92, 0.85, 0.85)])
    path = _write_dcd(tmp_path / "run.dcd", random_walk(4, N_ATOMS), cells, version=24)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(frames.n_frames for frames in iter_frames(path, molecule, chunk=2)) == 4

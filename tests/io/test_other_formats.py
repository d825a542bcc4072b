"""Extended XYZ, AMBER text, TRR of velocities, GSD, MDAnalysis, compressed topologies."""

import bz2
import gzip
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.io import (
    Molecule,
    iter_frames,
    load_molecule,
    read_frame_interval,
    unwrap,
    write_atomic_json,
    write_psf,
)
from tests.io.systems import bead_topology_of, chain_bonds, molecule_of, random_walk, save

N_ATOMS, N_FRAMES = 12, 5
TRICLINIC = np.array([[2.0, 0, 0], [0.6, 2.2, 0], [-0.5, 0.7, 2.4]])


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


@pytest.fixture
def walk() -> np.ndarray:
    return random_walk(N_FRAMES, N_ATOMS)


def _wrapped(walk: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    fraction = walk @ np.linalg.inv(vectors)
    return np.asarray((fraction - np.floor(fraction)) @ vectors)


def _shape(xyz: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(xyz[:, :, None] - xyz[:, None], axis=3))


# ------------------------------------------------------------------ XYZ


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
    path = _write_xyz(tmp_path / "run.xyz", _wrapped(walk, vectors), comment)
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_vectors[0], TRICLINIC, atol=1e-5)
    np.testing.assert_allclose(_shape(unwrap(frames, molecule)), _shape(walk), atol=1e-5)


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


# ------------------------------------------------------------------ AMBER


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
    path = _write_mdcrd(tmp_path / "run.mdcrd", _wrapped(walk, _octahedron(2.0)), cell)
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
    np.testing.assert_allclose(_shape(unwrap(frames, molecule)), _shape(walk), atol=2e-3)


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


# ------------------------------------------------------------------ TRR


def _trr_frame(time: float, *, real: str, step: int, **parts: np.ndarray) -> bytes:
    size = int(real[-1])
    order = ("cell", "x", "v", "f")
    sizes = {part: size * parts[part].size if part in parts else 0 for part in order}
    content = struct.pack(">iii", 1993, 13, 12) + b"GMX_trn_file"
    content += struct.pack(">10i", 0, 0, sizes["cell"], 0, 0, 0, 0, *(sizes[p] for p in "xvf"))
    content += struct.pack(">iii", N_ATOMS, step, 0) + np.array([time, 0.0], dtype=real).tobytes()
    return content + b"".join(parts[p].astype(real).tobytes() for p in order if p in parts)


@pytest.mark.parametrize("real", [">f4", ">f8"])
def test_frames_without_positions_are_passed_over(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, real: str
) -> None:
    """Velocities every ps, forces every 2 ps and positions every 4 ps."""
    box, path = 5 * np.eye(3), tmp_path / "run.trr"
    content = b""
    for step in range(4 * N_FRAMES):
        parts = {"cell": box, "v": np.ones((N_ATOMS, 3))}
        if step % 2 == 0:
            parts["f"] = np.ones((N_ATOMS, 3))
        if step % 4 == 0:
            parts["x"] = walk[step // 4]
        content += _trr_frame(float(step), real=real, step=step, **parts)
    path.write_bytes(content)
    chunks = list(iter_frames(path, molecule, chunk=2))
    np.testing.assert_allclose(np.concatenate([c.xyz for c in chunks]), walk, atol=1e-6)
    np.testing.assert_array_equal(
        np.concatenate([c.time for c in chunks]), 4.0 * np.arange(N_FRAMES)
    )
    assert read_frame_interval(path) == 4.0
    path.write_bytes(_trr_frame(0.0, real=real, step=0, v=np.ones((N_ATOMS, 3))))
    with pytest.raises(ValueError, match=r"run.trr: no frame has positions.*nstxout"):
        list(iter_frames(path, molecule))


# ------------------------------------------------------------------ packages of the extra


def test_gsd(tmp_path: Path) -> None:
    """HOOMD's numbers are nm and Da; its box has tilt factors; its images are counted in steps."""
    hoomd = pytest.importorskip("gsd.hoomd")
    walk, path = random_walk(N_FRAMES, 10), tmp_path / "run.gsd"
    bonds = [*chain_bonds(6), *chain_bonds(4, first=6)]
    with hoomd.open(str(path), "w") as file:
        for step, xyz in enumerate(walk):
            frame = hoomd.Frame()
            frame.configuration.step = 100 * step
            frame.configuration.box = [2.0, 2.2, 2.4, 0.3, -0.2, 0.1]
            vectors = np.array([[2, 0, 0], [0.3 * 2.2, 2.2, 0], [-0.2 * 2.4, 0.1 * 2.4, 2.4]])
            frame.particles.N = 10
            frame.particles.position = _wrapped(xyz[None], vectors)[0] - vectors.sum(axis=0) / 2
            frame.particles.types, frame.particles.typeid = ["P", "Q"], [0, 1] * 5
            frame.particles.mass = [1.0, 2.5] * 5
            frame.bonds.N, frame.bonds.group = len(bonds), bonds
            frame.bonds.types, frame.bonds.typeid = ["b"], [0] * len(bonds)
            file.append(frame)
    molecule = load_molecule(path)
    assert molecule.atom_type == ("P", "Q") * 5
    assert molecule.atom_mass.tolist() == [1.0, 2.5] * 5
    assert molecule.bond_index.T.tolist() == sorted(list(bond) for bond in bonds)
    assert [residue.n_atoms for residue in molecule.topology.residues] == [6, 4]
    chunks = list(iter_frames(path, molecule, chunk=2, frame_interval=0.5))
    found = np.concatenate([unwrap(chunk, molecule) for chunk in chunks])
    for part in (slice(0, 6), slice(6, 10)):
        np.testing.assert_allclose(_shape(found[:, part]), _shape(walk[:, part]), atol=1e-5)
    write_atomic_json(tmp_path / "run.json", {"length_unit": 0.1})
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_lengths[0, 0], 0.2, rtol=1e-6)


def _write_h5md(path: Path, walk: np.ndarray) -> None:
    h5py = pytest.importorskip("h5py")
    steps, times = np.arange(len(walk)), 2.0 * np.arange(len(walk))
    with h5py.File(path, "w") as file:
        file.create_group("h5md").attrs["version"] = [1, 1]
        group = file.create_group("particles/trajectory")
        group.create_group("box").attrs.update({"dimension": 3, "boundary": ["periodic"] * 3})
        edges = np.tile(np.diag([5.0, 6.0, 7.0]), (len(walk), 1, 1))
        for name, value in (("position", walk), ("box/edges", edges)):
            group[f"{name}/value"], group[f"{name}/step"] = value, steps
            group[f"{name}/time"] = times
            group[f"{name}/value"].attrs["unit"] = "nm"
            group[f"{name}/time"].attrs["unit"] = "ps"


def _write_trz(path: Path, walk: np.ndarray) -> None:
    mda = pytest.importorskip("MDAnalysis")
    universe = mda.Universe.empty(N_ATOMS, trajectory=True, velocities=True)
    with mda.Writer(str(path), N_ATOMS) as writer:
        for number, xyz in enumerate(walk):
            universe.atoms.positions = 10 * xyz
            universe.dimensions = [50, 60, 70, 90, 90, 90]
            universe.trajectory.ts.time, universe.trajectory.ts.frame = 2.0 * number, number
            writer.write(universe)


@pytest.mark.parametrize("write", [_write_h5md, _write_trz])
def test_trajectories_through_mdanalysis(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, write: Callable[[Path, np.ndarray], None]
) -> None:
    pytest.importorskip("MDAnalysis")
    path = tmp_path / f"run.{write.__name__.removeprefix('_write_')}"
    write(path, walk)
    chunks = list(iter_frames(path, molecule, chunk=2, frame_interval=2.0))
    np.testing.assert_allclose(np.concatenate([c.xyz for c in chunks]), walk, atol=1e-6)
    lengths = np.concatenate([chunk.unitcell_lengths for chunk in chunks])
    np.testing.assert_allclose(lengths, np.tile([5.0, 6.0, 7.0], (N_FRAMES, 1)), rtol=1e-6)
    if path.suffix == ".h5md":
        assert read_frame_interval(path) == 2.0


def test_a_desmond_structure_through_mdanalysis(tmp_path: Path) -> None:
    """Elements are those of its atomic numbers, a name is none; masses are as they are there."""
    pytest.importorskip("MDAnalysis")
    path = tmp_path / "ligand.dms"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE particle (id integer primary key, anum integer, name text, x float, "
            "y float, z float, vx float, vy float, vz float, resname text, resid integer, "
            "chain text, segid text, mass float, charge float, insertion text)"
        )
        database.execute("CREATE TABLE global_cell (id integer primary key, x, y, z)")
        database.execute(
            "INSERT INTO global_cell VALUES (1, 20, 0, 0), (2, 0, 20, 0), (3, 0, 0, 20)"
        )
        database.execute('CREATE TABLE bond (p0 integer, p1 integer, "order" integer)')
        rows = [(0, 6, "CA"), (1, 1, "HA"), (2, 17, "CL")]
        for index, number, name in rows:
            values = (
                index,
                number,
                name,
                0.0,
                0,
                0,
                0,
                0,
                0,
                "LIG",
                1,
                "A",
                "S",
                3.0 + index,
                0,
                "",
            )
            database.execute(f"INSERT INTO particle VALUES ({','.join('?' * 16)})", values)
        database.execute("INSERT INTO bond VALUES (0, 1, 1)")
        database.execute("INSERT INTO bond VALUES (2, 0, 1)")
    molecule = load_molecule(path)
    assert molecule.atom_type == ("C", "H", "Cl")
    assert molecule.atom_mass.tolist() == [3.0, 4.0, 5.0]
    assert molecule.bond_index.T.tolist() == [[0, 1], [0, 2]]
    assert [residue.name for residue in molecule.topology.residues] == ["LIG"]


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("run.tpr", "MDAnalysis", "mdanalysis"),
        ("run.gsd", "gsd", "mdanalysis"),
        ("run.h5", "tables", "formats"),
    ],
)
def test_the_advice_names_what_holds_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    said = rf"{name}.*needs the package {package}.*pip install 'cgsim\[{extra}\]'"
    with pytest.raises(ValueError, match=said):
        load_molecule(tmp_path / name)


# ------------------------------------------------------------------ compressed topologies


@pytest.mark.parametrize(("extension", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress)])
@pytest.mark.parametrize("kind", ["pdb", "gro", "psf"])
def test_compressed_topologies(
    tmp_path: Path, kind: str, extension: str, compress: Callable[[bytes], bytes]
) -> None:
    plain = tmp_path / f"chain.{kind}"
    bonds = np.array(chain_bonds(4)).T
    if kind == "psf":
        write_psf(plain, names=[("S1", "BEA", "CG")] * 4, masses=np.full(4, 50.0), bond_index=bonds)
    elif kind == "pdb":
        save(plain, bead_topology_of(chain_bonds(4), 4), random_walk(1, 4))
    else:
        topology = mdtraj.Topology()
        residue = topology.add_residue("SOL", topology.add_chain())
        for name in ("OW", "HW1", "HW2"):
            topology.add_atom(name, mdtraj.element.hydrogen, residue)
        water = np.array([[[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]]])
        save(plain, topology, water)
    packed = tmp_path / f"packed.{kind}.{extension}"
    packed.write_bytes(compress(plain.read_bytes()))
    masses = {"B1": 1.0} if kind == "pdb" else None
    one, other = (load_molecule(path, masses=masses) for path in (plain, packed))
    assert other.name == "packed"
    assert one.atom_type == other.atom_type
    np.testing.assert_array_equal(one.bond_index, other.bond_index)
    np.testing.assert_array_equal(one.atom_mass, other.atom_mass)
    packed.write_bytes(plain.read_bytes())
    with pytest.raises(ValueError, match=rf"packed.{kind}.{extension}.*decompressed"):
        load_molecule(packed)

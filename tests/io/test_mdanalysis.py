"""What MDAnalysis reads: trajectories and topologies."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cgsim.io import (
    Molecule,
    iter_frames,
    load_molecule,
    read_frame_interval,
    write_psf,
)
from tests.io.systems import chain_bonds, molecule_of, random_walk

N_ATOMS, N_FRAMES = 12, 5


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


@pytest.fixture
def walk() -> np.ndarray:
    return random_walk(N_FRAMES, N_ATOMS)


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


def test_a_psf_whose_columns_and_words_differ_is_refused(tmp_path: Path) -> None:
    """A flipped bit between two columns: what MDAnalysis reads by columns is not what stands."""
    pytest.importorskip("MDAnalysis")
    path = tmp_path / "beads.psf"
    names = [("A", "BEA", "CG")] * 3
    write_psf(path, names=names, masses=np.full(3, 72.0), bond_index=np.array([[0, 1], [1, 2]]))
    whole = path.read_text().replace(" 3    BEA", " 2A   BEA")  # which MDTraj does not read
    path.write_text(whole)
    assert [atom.residue.name for atom in load_molecule(path).topology.atoms] == ["BEA"] * 3
    path.write_text(whole.replace(" 2    BEA", ' 2   "BEA'))
    with pytest.raises(ValueError, match=r"beads.psf: .*line of atom 1 is damaged.*BEA"):
        load_molecule(path)

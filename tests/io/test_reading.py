"""Streaming: any format, in chunks, over several files, and what is refused."""

import bz2
import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.io import (
    Molecule,
    common_frame_interval,
    iter_frames,
    load_molecule,
    read_frame_interval,
    write_atomic_json,
)
from cgsim.md import build_peptide
from tests.io.systems import chain_bonds, molecule_of, random_walk, save

N_ATOMS, N_FRAMES = 12, 23
FORMATS = {  # and the rounding of each, nm
    "xtc": 1e-3,
    "trr": 1e-6,
    "dcd": 1e-6,
    "pdb": 1e-4,
    "pdb.gz": 1e-4,
    "xyz": 1e-4,
    "xyz.gz": 1e-4,
    "gro": 1e-3,
    "lammpstrj": 1e-4,
    "mdcrd": 1e-4,
    "nc": 1e-6,
    "cif": 1e-4,
    "h5": 1e-6,
}
CUBE = {
    "unitcell_lengths": np.full((N_FRAMES, 3), 5.0),
    "unitcell_angles": np.full((N_FRAMES, 3), 90.0),
}


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


@pytest.fixture
def walk() -> np.ndarray:
    return random_walk(N_FRAMES, N_ATOMS)


def _save(path: Path, molecule: Molecule, xyz: np.ndarray) -> Path:
    if path.suffix == ".h5":
        pytest.importorskip("tables")
    n = len(xyz)
    return save(path, molecule.topology, xyz, **{key: cell[:n] for key, cell in CUBE.items()})


def _positions(files: Path | list[Path], molecule: Molecule, *, chunk: int = 500) -> np.ndarray:
    return np.concatenate([frames.xyz for frames in iter_frames(files, molecule, chunk=chunk)])


@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_is_read_in_chunks(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, extension: str
) -> None:
    path = _save(tmp_path / f"walk.{extension}", molecule, walk)
    chunks = list(iter_frames(path, molecule, chunk=7))
    assert max(chunk.n_frames for chunk in chunks) <= 7
    xyz = np.concatenate([chunk.xyz for chunk in chunks])
    np.testing.assert_allclose(xyz, walk, atol=FORMATS[extension])
    assert all(chunk.topology is molecule.topology for chunk in chunks)
    if not extension.startswith("xyz"):
        lengths = np.concatenate([chunk.unitcell_lengths for chunk in chunks])
        np.testing.assert_allclose(lengths, 5.0, atol=1e-3)


WHOLE_ONLY = {"cif", "h5"}  # of these a part cannot be read


@pytest.mark.parametrize("extension", sorted(FORMATS.keys() - {"pdb.gz"}))
def test_whole_frames_of_a_truncated_file_are_read(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, extension: str
) -> None:
    """Cut inside the coordinates of the last frame, wherever other readers stop silently."""
    path = _save(tmp_path / f"walk.{extension}", molecule, walk)
    content = path.read_bytes()
    n_cut = 30 if extension == "xyz.gz" else int(len(content) / N_FRAMES * 0.8)
    path.write_bytes(content[:-n_cut])
    if extension in WHOLE_ONLY:
        with pytest.raises(ValueError, match=path.name):
            _positions(path, molecule)
        return
    n_whole = N_FRAMES - 1
    said = rf"walk.{extension}: frame {n_whole} is cut off.*its {n_whole} whole frames are read"
    with pytest.warns(UserWarning, match=said):
        xyz = _positions(path, molecule, chunk=5)
    np.testing.assert_allclose(xyz, walk[:n_whole], atol=FORMATS[extension])


@pytest.mark.parametrize("extension", ["xtc", "trr", "dcd"])
def test_blocks_that_were_not_written(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, extension: str
) -> None:
    """After a crash a file system may fill up a file with zeros."""
    path = _save(tmp_path / f"walk.{extension}", molecule, walk)
    content = path.read_bytes()
    n_whole = N_FRAMES - 4
    frame = (len(content) - 276 * (extension == "dcd")) // N_FRAMES
    end = content.rindex(b"\x00\x00\x07\xcb") if extension == "xtc" else len(content) - 4 * frame
    n_whole = N_FRAMES - 1 if extension == "xtc" else n_whole
    path.write_bytes(content[:end] + bytes(len(content) - end))
    with pytest.warns(UserWarning, match=rf"walk.{extension}: .*its {n_whole} whole frames"):
        xyz = _positions(path, molecule)
    np.testing.assert_allclose(xyz, walk[:n_whole], atol=FORMATS[extension])


@pytest.mark.parametrize("extension", ["pdb.gz", "gro.bz2"])
def test_whole_frames_of_a_compressed_file_that_is_cut_off(
    tmp_path: Path, molecule: Molecule, extension: str
) -> None:
    kind, _, packed = extension.partition(".")
    walk = random_walk(200, N_ATOMS)  # bzip2 packs in blocks of 100 kB
    path = save(tmp_path / f"walk.{kind}", molecule.topology, walk)
    content = {"gz": gzip.compress, "bz2": lambda b: bz2.compress(b, 1)}[packed](path.read_bytes())
    path = tmp_path / f"walk.{extension}"
    path.write_bytes(content[: int(0.9 * len(content))])
    with pytest.warns(UserWarning, match=rf"walk.{extension}: frame \d+ is cut off"):
        xyz = _positions(path, molecule)
    assert 80 < len(xyz) < 200
    np.testing.assert_allclose(xyz, walk[: len(xyz)], atol=1e-3)


@pytest.mark.parametrize("extension", sorted(FORMATS.keys() - WHOLE_ONLY - {"xyz.gz", "pdb.gz"}))
def test_a_file_cut_off_in_the_middle_of_a_trajectory(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, extension: str
) -> None:
    """Frames would be missing between the two files."""
    files = [_save(tmp_path / f"{name}.{extension}", molecule, walk) for name in "ab"]
    content = files[0].read_bytes()
    files[0].write_bytes(content[: -int(len(content) / N_FRAMES * 0.8)])
    with pytest.raises(ValueError, match=rf"a.{extension}: frame 22 is cut.*b.{extension} follows"):
        list(iter_frames(files, molecule, frame_interval=1.0))


@pytest.mark.parametrize("extension", sorted(FORMATS.keys() - WHOLE_ONLY - {"xyz.gz", "pdb.gz"}))
def test_a_file_without_a_whole_frame(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, extension: str
) -> None:
    path = _save(tmp_path / f"walk.{extension}", molecule, walk[:1])
    content = path.read_bytes()
    path.write_bytes(content[: int(0.3 * len(content))])
    with pytest.raises(ValueError, match=f"walk.{extension}"):
        _positions(path, molecule)


def test_consecutive_files_are_one_trajectory(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray
) -> None:
    """A frame that ends one file and begins the next counts once; mixed formats work."""
    times = 2.0 * np.arange(N_FRAMES)
    first, second = tmp_path / "a.trr", tmp_path / "b.nc"
    for path, part in ((first, slice(0, 10)), (second, slice(9, None))):
        mdtraj.Trajectory(walk[part], molecule.topology, time=times[part]).save(str(path))
    chunks = list(iter_frames([first, second], molecule, chunk=4))
    np.testing.assert_allclose(np.concatenate([c.xyz for c in chunks]), walk, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([c.time for c in chunks]), times)


def test_files_with_a_gap_in_time(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    files = [_save(tmp_path / name, molecule, walk) for name in ("a.xtc", "b.xtc")]
    with pytest.raises(ValueError, match=r"b.xtc.*evenly"):
        _positions(files, molecule)
    chunks = list(iter_frames(files, molecule, frame_interval=2.0))
    times = np.concatenate([chunk.time for chunk in chunks])
    np.testing.assert_array_equal(times, 2.0 * np.arange(2 * N_FRAMES))


def test_uneven_times_within_a_file(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    time = np.arange(N_FRAMES, dtype=float)
    time[15:] += 1
    path = tmp_path / "walk.xtc"
    mdtraj.Trajectory(walk, molecule.topology, time=time).save(str(path))
    for read in (lambda: _positions(path, molecule, chunk=4), lambda: read_frame_interval(path)):
        with pytest.raises(ValueError, match=r"walk.xtc: from frame 14 to 15"):
            read()


def test_times_that_go_back_are_no_intervals(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray
) -> None:
    path = tmp_path / "walk.xtc"
    time = 100.0 - 2 * np.arange(N_FRAMES)
    mdtraj.Trajectory(walk, molecule.topology, time=time).save(str(path))
    for read in (lambda: _positions(path, molecule, chunk=4), lambda: read_frame_interval(path)):
        with pytest.raises(ValueError, match=r"walk.xtc: from frame 0 to 1 .*evenly"):
            read()


@pytest.mark.parametrize("time", [0.0, 100.0])
def test_times_that_stand_still_were_not_written(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, time: float
) -> None:
    path = tmp_path / "walk.xtc"
    mdtraj.Trajectory(walk, molecule.topology, time=np.full(N_FRAMES, time)).save(str(path))
    assert read_frame_interval(path) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # they are at odds with nothing
        assert len(_positions(path, molecule, chunk=4)) == N_FRAMES


def test_times_rounded_to_single_precision_are_even(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray
) -> None:
    time = 1e6 + 0.1 * np.arange(N_FRAMES)  # a float32 is good to 0.06 ps here
    path = tmp_path / "walk.xtc"
    mdtraj.Trajectory(walk, molecule.topology, time=time).save(str(path))
    assert len(_positions(path, molecule, chunk=5)) == N_FRAMES


@pytest.mark.parametrize("extension", ["xtc", "trr", "nc", "h5"])
def test_stored_frame_interval(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, extension: str
) -> None:
    path = _save(tmp_path / f"walk.{extension}", molecule, walk)
    assert read_frame_interval(path) == 2.0
    write_atomic_json(tmp_path / "walk.json", {"frame_interval": 0.5})
    assert read_frame_interval(path) == 0.5


def test_dcd_needs_a_frame_interval(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    path = _save(tmp_path / "walk-r0.dcd", molecule, walk)
    assert read_frame_interval(path) is None
    with pytest.raises(ValueError, match=r"walk-r0.dcd.*frame_interval=<ps>.*JSON"):
        common_frame_interval(path)
    assert common_frame_interval(path, frame_interval=3) == 3.0
    write_atomic_json(tmp_path / "walk.json", {"frame_interval": 0.25})
    assert common_frame_interval(path) == 0.25
    (chunk,) = iter_frames(path, molecule)
    np.testing.assert_array_equal(chunk.time, 0.25 * np.arange(N_FRAMES))


def test_different_frame_intervals(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    every, second = tmp_path / "every.xtc", tmp_path / "second.xtc"
    for path, step in ((every, 1.0), (second, 2.0)):
        time = step * np.arange(N_FRAMES)
        mdtraj.Trajectory(walk, molecule.topology, time=time).save(str(path))
    with pytest.raises(ValueError, match=r"second.xtc has a frame every 2 ps.*every.xtc every 1"):
        common_frame_interval([every, second])
    for interval in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="frame_interval"):
            common_frame_interval(every, frame_interval=interval)


def test_other_number_of_atoms(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    other = molecule_of(chain_bonds(11), 11)
    for extension in ("xtc", "trr", "dcd", "pdb", "xyz", "nc"):
        path = save(tmp_path / f"walk.{extension}", molecule.topology, walk)
        with pytest.raises(ValueError, match=f"walk.{extension}.*(12|11)"):
            _positions(path, other)


def test_other_elements(tmp_path: Path) -> None:
    topology = molecule_of(chain_bonds(3), 3).topology
    for atom, element in zip(topology.atoms, ("carbon", "oxygen", "carbon"), strict=True):
        atom.element = getattr(mdtraj.element, element)
    path = save(tmp_path / "walk.pdb", topology, random_walk(2, 3))
    molecule = molecule_of(chain_bonds(3), 3)
    assert len(_positions(path, molecule)) == 2  # unknown elements agree with any
    for atom in molecule.topology.atoms:
        atom.element = mdtraj.element.carbon
    with pytest.raises(ValueError, match=r"walk.pdb: atom 1"):
        _positions(path, molecule)


@pytest.mark.parametrize("extension", ["xtc", "dcd", "nc"])
def test_frames_that_are_not_finite(tmp_path: Path, walk: np.ndarray, extension: str) -> None:
    nine = molecule_of(chain_bonds(9), 9)  # XTC stores up to nine atoms as plain numbers
    xyz = walk[:, :9].copy()
    xyz[13, 4, 1] = np.nan
    path = save(tmp_path / f"walk.{extension}", nine.topology, xyz)
    with pytest.raises(ValueError, match=f"walk.{extension}: frame 13 .*finite"):
        _positions(path, nine, chunk=5)


def _without_cell_in(frame: int) -> Callable[[Path, Molecule, np.ndarray], None]:
    def write(path: Path, molecule: Molecule, xyz: np.ndarray) -> None:
        box = np.tile(5 * np.eye(3), (len(xyz), 1, 1))
        box[frame:] = 0
        with mdtraj.formats.XTCTrajectoryFile(str(path), "w") as file:
            file.write(xyz, time=np.arange(len(xyz)), box=box)

    return write


@pytest.mark.parametrize("chunk", [5, 10, 500])
def test_cell_in_some_frames_only(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, chunk: int
) -> None:
    path = tmp_path / "walk.xtc"
    _without_cell_in(10)(path, molecule, walk)
    with pytest.raises(ValueError, match=r"walk.xtc: frame 10 has no periodic cell"):
        _positions(path, molecule, chunk=chunk)
    _without_cell_in(0)(path, molecule, walk)
    (frames,) = iter_frames(path, molecule)
    assert frames.unitcell_vectors is None


def test_cell_in_one_of_two_files(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    plain = save(tmp_path / "plain.dcd", molecule.topology, walk)
    periodic = _save(tmp_path / "periodic.dcd", molecule, walk)
    with pytest.raises(ValueError, match=r"periodic.dcd: frame 0 has a periodic cell"):
        _positions([plain, periodic], molecule)


def test_files_that_are_no_trajectories(tmp_path: Path, molecule: Molecule) -> None:
    with pytest.raises(FileNotFoundError, match=r"none.xtc"):
        _positions(tmp_path / "none.xtc", molecule)
    with pytest.raises(ValueError, match="no trajectory files"):
        _positions([], molecule)
    for extension in FORMATS:
        path = tmp_path / f"empty.{extension}"
        path.touch()
        with pytest.raises(ValueError, match=f"{path.name}.*empty"):
            _positions(path, molecule)
    path = tmp_path / "frames.abc"
    path.write_text("x")
    with pytest.raises(ValueError, match=r"frames.abc.*unknown.*\.xtc"):
        _positions(path, molecule)


def test_no_frames(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    path = save(tmp_path / "walk.dcd", molecule.topology, walk)
    content = bytearray(path.read_bytes()[: 4 + 84 + 4 + 4 + 164 + 4 + 12])
    content[8:12] = bytes(4)  # the number of frames in the header
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"walk.dcd: there are no frames"):
        _positions(path, molecule)
    with pytest.raises(ValueError, match="chunk"):
        _positions(path, molecule, chunk=0)


def test_dcd_header_that_claims_more_frames(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray
) -> None:
    path = save(tmp_path / "walk.dcd", molecule.topology, walk)
    size = len(path.read_bytes())
    frame = 3 * (4 * N_ATOMS + 8)
    path.write_bytes(path.read_bytes()[: size - 2 * frame])
    with pytest.warns(UserWarning, match=r"walk.dcd: .*truncated.* 21 whole frames"):
        assert len(_positions(path, molecule)) == 21


def test_dcd_of_other_programs(tmp_path: Path, molecule: Molecule, walk: np.ndarray) -> None:
    """Big-endian, and with fixed atoms, which are stored in the first frame only."""

    def record(content: np.ndarray | bytes) -> bytes:
        content = content if isinstance(content, bytes) else content.tobytes()
        return len(content).to_bytes(4, "big") + content + len(content).to_bytes(4, "big")

    fixed, free = np.array([0, 5]), np.delete(np.arange(N_ATOMS), [0, 5])
    xyz = walk.copy()
    xyz[:, fixed] = xyz[0, fixed]
    control = np.zeros(20, dtype=">i4")
    control[[0, 8, 10, 19]] = N_FRAMES, len(fixed), 1, 24
    cell = np.array([60.0, np.sin(np.radians(10)), 50.0, 0.0, 0.5, 40.0], dtype=">f8")
    content = record(b"CORD" + control.tobytes())
    content += record(np.array([1], dtype=">i4").tobytes() + b" " * 80)
    content += record(np.array([N_ATOMS], dtype=">i4")) + record((free + 1).astype(">i4"))
    for number, frame in enumerate(10 * xyz):
        content += record(cell)
        for axis in range(3):
            stored = frame[:, axis] if number == 0 else frame[free, axis]
            content += record(stored.astype(">f4"))
    path = tmp_path / "fixed.dcd"
    path.write_bytes(content)
    chunks = list(iter_frames(path, molecule, chunk=6))
    np.testing.assert_allclose(np.concatenate([c.xyz for c in chunks]), xyz, atol=1e-6)
    np.testing.assert_allclose(chunks[1].unitcell_lengths[0], [6, 5, 4], rtol=1e-6)
    np.testing.assert_allclose(chunks[1].unitcell_angles[0], [60, 90, 80], rtol=1e-6)


def test_xtc_with_a_flipped_bit_is_found(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray
) -> None:
    """The run lengths of the compressed coordinates no longer add up."""
    path = save(tmp_path / "walk.xtc", molecule.topology, walk)
    content = bytearray(path.read_bytes())
    found = [_is_refused(path, content, at, molecule) for at in range(92, 140)]
    assert sum(found) >= 5


def _is_refused(path: Path, content: bytearray, at: int, molecule: Molecule) -> bool:
    changed = bytearray(content)
    changed[at] ^= 0xFF
    path.write_bytes(changed)
    try:
        _positions(path, molecule)
    except ValueError as error:
        return path.name in str(error)
    return False


def test_a_pdb_without_elements_is_read_with_itself_as_topology(tmp_path: Path) -> None:
    """As CHARMM and VMD write it: MDTraj takes its CA for calcium."""
    path = tmp_path / "a.pdb"
    peptide = build_peptide("AG").to_mdtraj()
    peptide.save(str(path))
    rows = [line for line in path.read_text().splitlines() if line.startswith("ATOM")]
    path.write_text("\n".join([*(row[:76] for row in rows), "END", ""]))
    molecule = load_molecule(path)
    (frames,) = iter_frames(path, molecule, frame_interval=1.0)
    np.testing.assert_allclose(frames.xyz, peptide.xyz, atol=1e-3)


def test_a_pdb_of_atoms_in_another_order_is_refused(tmp_path: Path) -> None:
    peptide = build_peptide("AG").to_mdtraj()
    peptide.save(str(tmp_path / "a.pdb"))
    order = list(range(peptide.n_atoms))
    order[4:8] = order[7:3:-1]  # within a residue, as another program would write it
    lines = (tmp_path / "a.pdb").read_text().splitlines()
    rows = [line for line in lines if line.startswith("ATOM")]
    (tmp_path / "b.pdb").write_text("\n".join([*(rows[atom] for atom in order), "END", ""]))
    molecule = load_molecule(tmp_path / "a.pdb")
    with pytest.raises(
        ValueError, match=r"b\.pdb: atom \d+ is .* \(\w+\), but .* it is .* \(\w+\)"
    ):
        list(iter_frames(tmp_path / "b.pdb", molecule, frame_interval=1.0))


@pytest.mark.parametrize("extension", ["pdb", "gro", "xyz"])
def test_atoms_in_another_order_in_a_later_frame(
    tmp_path: Path, walk: np.ndarray, extension: str
) -> None:
    """As of models that were put together, or of a file that two programs have written."""
    own = molecule_of(chain_bonds(N_ATOMS), N_ATOMS, names=("B1", "B2"))
    path = save(tmp_path / f"walk.{extension}", own.topology, walk)
    assert len(_positions(path, own)) == N_FRAMES
    lines = path.read_text().splitlines(keepends=True)
    atoms = [number for number, line in enumerate(lines) if "B1" in line]
    at = atoms[len(atoms) * 2 // N_FRAMES]  # the first of frame 2
    lines[at : at + 2] = lines[at : at + 2][::-1]
    path.write_text("".join(lines))
    with pytest.raises(ValueError, match=rf"walk.{extension}: .*(frame|model) 2.* order"):
        _positions(path, own, chunk=5)

"""Appending frames: exact restarts, other programs' readers, full disks."""

import resource
import signal
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.io import append_frames, trajectory_size, truncate_trajectory
from tests.io.systems import chain_bonds, molecule_of, random_walk

N_ATOMS = 15
WALK = random_walk(30, N_ATOMS)
TIME = 0.5 * np.arange(30)
CELL = np.array([[2.0, 0, 0], [0.9, 2.2, 0], [-0.7, 1.0, 2.4]])
TOLERANCE = {"xtc": 6e-4, "dcd": 2e-6}

pytestmark = pytest.mark.parametrize("extension", ["xtc", "dcd"])


def _load(path: Path) -> mdtraj.Trajectory:
    return mdtraj.load(str(path), top=molecule_of(chain_bonds(N_ATOMS), N_ATOMS).topology)


def _append(path: Path, part: slice, *, cell: np.ndarray | None = None) -> None:
    append_frames(path, WALK[part], time=TIME[part], cell=cell)


@pytest.mark.parametrize("cell", [None, CELL])
def test_file_is_complete_after_each_append(
    tmp_path: Path, extension: str, cell: np.ndarray | None
) -> None:
    path = tmp_path / "new" / f"walk.{extension}"
    for start in range(0, 30, 10):
        _append(path, slice(start, start + 10), cell=cell)
        trajectory = _load(path)
        assert trajectory.n_frames == start + 10
        np.testing.assert_allclose(trajectory.xyz, WALK[: start + 10], atol=TOLERANCE[extension])
    if extension == "xtc":
        np.testing.assert_array_equal(trajectory.time, TIME)
    if cell is None:
        assert trajectory.unitcell_vectors is None
    else:
        np.testing.assert_allclose(trajectory.unitcell_vectors[-1], CELL, atol=1e-5)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_interrupted_equals_uninterrupted(tmp_path: Path, extension: str) -> None:
    """Killed at any byte of an append, cut back and continued: the same bytes."""
    path = tmp_path / f"walk.{extension}"
    _append(path, slice(0, 10))
    noted = trajectory_size(path)
    _append(path, slice(10, 30))
    complete = path.read_bytes()
    for n_written in (noted, noted + 1, noted + 17, (noted + len(complete)) // 2, len(complete)):
        path.write_bytes(complete[:n_written])
        truncate_trajectory(path, noted)
        assert _load(path).n_frames == 10
        _append(path, slice(10, 30))
        assert path.read_bytes() == complete


def test_equal_frames_are_equal_files(tmp_path: Path, extension: str) -> None:
    """No time of day, nothing of the memory of the writer."""
    contents = set()
    for number in range(3):
        _append(tmp_path / f"other.{extension}", slice(number, 30))  # the writer's memory changes
        _append(path := tmp_path / f"{number}.{extension}", slice(0, 4))
        contents.add(path.read_bytes())
    assert len(contents) == 1
    if extension == "dcd":
        assert contents.pop()[100:260] == b"REMARKS cgsim".ljust(160)


def test_dcd_header_counts_the_frames(tmp_path: Path, extension: str) -> None:
    """What VMD and other readers rely on."""
    path = tmp_path / f"walk.{extension}"
    if extension == "xtc":
        _append(path, slice(0, 10))
        first = path.read_bytes()
        _append(path, slice(10, 20))
        assert path.read_bytes().startswith(first)  # XTC has no header at all
        return
    for n_frames in (10, 20):
        _append(path, slice(n_frames - 10, n_frames))
        assert int(np.fromfile(path, "<i4", 1, offset=8)[0]) == n_frames
    frame = 3 * (4 * N_ATOMS + 8)
    truncate_trajectory(path, trajectory_size(path) - 7 * frame)
    assert int(np.fromfile(path, "<i4", 1, offset=8)[0]) == 13


def test_truncate_to_nothing_and_wrong_sizes(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"walk.{extension}"
    assert trajectory_size(path) == 0
    truncate_trajectory(path, 0)
    with pytest.raises(FileNotFoundError, match=path.name):
        truncate_trajectory(path, 100)
    _append(path, slice(0, 10))
    content = path.read_bytes()
    for n_bytes in (len(content) + 1, len(content) - 1, -5):
        with pytest.raises(ValueError, match=path.name):
            truncate_trajectory(path, n_bytes)
        assert path.read_bytes() == content
    truncate_trajectory(path, 0)
    assert not path.exists()


def test_frames_that_do_not_fit(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"walk.{extension}"
    _append(path, slice(0, 10))
    content = path.read_bytes()
    bad: list[tuple[np.ndarray, np.ndarray | None, str]] = [
        (WALK[:2, :14], None, "15 atoms"),
        (WALK[:2], CELL, "cell"),
        (WALK[0], None, "n_frames"),
        (WALK[:2] * np.nan, None, "frame 0"),
        (WALK[:2], -CELL, "cell"),
        (WALK[:2], CELL[:2], "cell"),
    ]
    for xyz, cell, fault in bad:
        with pytest.raises(ValueError, match=f"walk.{extension}.*{fault}"):
            append_frames(path, xyz, time=np.arange(len(xyz)), cell=cell)
    with pytest.raises(ValueError, match="time"):
        append_frames(path, WALK[:2], time=TIME[:3])
    with pytest.raises(ValueError, match=r"walk.pdb.*\.xtc and \.dcd"):
        append_frames(tmp_path / "walk.pdb", WALK)
    append_frames(path, WALK[:0], time=TIME[:0])
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_xtc_limits(tmp_path: Path, extension: str) -> None:
    """Positions beyond the 32-bit integers of XTC are refused, DCD takes them."""
    path = tmp_path / f"far.{extension}"
    far = WALK[:1] + 3e6
    if extension == "dcd":
        append_frames(path, far)
        np.testing.assert_allclose(_load(path).xyz, far, rtol=1e-6)
        return
    with pytest.raises(ValueError, match=r"far.xtc: frame 0 .*too large"):
        append_frames(path, far, time=TIME[:1])
    with pytest.raises(ValueError, match="time of each frame"):
        append_frames(path, WALK)


def test_full_disk_keeps_the_earlier_frames(tmp_path: Path, extension: str) -> None:
    """A limit on the size of files stands for the disk; writing beyond it fails the same way."""
    path = tmp_path / f"walk.{extension}"
    _append(path, slice(0, 20))
    content = path.read_bytes()
    for limit in (len(content) + 300, len(content) // 4):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(OSError, match=path.name):
                _append(path, slice(20, 30))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
    _append(path, slice(20, 30))
    assert _load(path).n_frames == 30

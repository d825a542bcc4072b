"""TRR files in which positions are rarer than velocities and forces."""

import struct
from pathlib import Path

import numpy as np
import pytest

from cgsim.io import Molecule, iter_frames, read_frame_interval
from tests.io.systems import chain_bonds, molecule_of, random_walk

N_ATOMS, N_FRAMES = 12, 5


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


@pytest.fixture
def walk() -> np.ndarray:
    return random_walk(N_FRAMES, N_ATOMS)


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


@pytest.mark.parametrize("bad", [0, 3])
def test_a_time_that_is_no_number_is_refused_unless_times_are_given(
    tmp_path: Path, molecule: Molecule, walk: np.ndarray, bad: int
) -> None:
    path = tmp_path / "run.trr"
    times = 2.0 * np.arange(N_FRAMES)
    times[bad] = np.nan
    frames = zip(times, walk, strict=True)
    path.write_bytes(b"".join(_trr_frame(t, real=">f4", step=0, x=x) for t, x in frames))
    for chunk in (1, 500):
        with pytest.raises(ValueError, match=f"run.trr: the time of frame {bad} is nan"):
            list(iter_frames(path, molecule, chunk=chunk))
    with pytest.warns(UserWarning, match="run.trr: the times in the file go from"):
        (given,) = iter_frames(path, molecule, frame_interval=2.0)
    np.testing.assert_array_equal(given.time, 2.0 * np.arange(N_FRAMES))

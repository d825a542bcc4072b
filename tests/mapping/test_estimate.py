"""What mapping is said to take."""

from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.mapping import estimate, map_metis
from cgsim.mapping.estimate import count_frames
from cgsim.mapping.store import map_to_folder, map_trajectory
from tests.io.systems import chain_bonds, molecule_of, random_walk

MOLECULE = molecule_of(chain_bonds(6), 6)
MAPPING = map_metis(MOLECULE, atoms_per_bead=3)


def written(path: Path, n_frames: int) -> Path:
    xyz, time = random_walk(n_frames, 6), 2.0 * np.arange(n_frames)
    mdtraj.Trajectory(xyz, MOLECULE.topology, time=time).save(str(path))
    return path


def test_frames_are_counted_where_the_format_tells(tmp_path: Path) -> None:
    files = [written(tmp_path / f"a{end}", 30) for end in (".xtc", ".trr", ".dcd", ".nc")]
    assert count_frames(files) == 120
    assert count_frames([*files, written(tmp_path / "a.xyz", 30)]) is None


@pytest.mark.parametrize(("end", "frames"), [(".xtc", "1,100 frames"), (".xyz", "frames")])
def test_a_long_mapping_says_what_it_will_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], end: str, frames: str
) -> None:
    map_trajectory(written(tmp_path / f"short{end}", 40), MOLECULE, MAPPING, frame_interval=2.0)
    assert capsys.readouterr().err == ""
    map_trajectory(written(tmp_path / f"long{end}", 1100), MOLECULE, MAPPING, frame_interval=2.0)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"map: {frames} of 6 atoms to 2 beads, 1.0 bonds per bead; about 0.0")
    assert line.endswith(" minutes") == (frames != "frames")


def test_what_has_no_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 40 frames of 2 beads: 960 bytes on disk, and twice that in memory."""
    file = written(tmp_path / "run.xtc", 40)
    for free, fits in ((1920, True), (1900, False)):
        monkeypatch.setattr(estimate, "free_memory", lambda free=free: free)
        if fits:
            assert map_trajectory(file, MOLECULE, MAPPING).n_frames == 40
            continue
        with pytest.raises(MemoryError, match=r"of memory.*cgsim\.map_to_folder"):
            map_trajectory(file, MOLECULE, MAPPING)
    monkeypatch.setattr(estimate, "free_disk", lambda _: 900)
    with pytest.raises(MemoryError, match=r"run\.cg needs .* of the disk.*fewer beads"):
        map_to_folder(file, MOLECULE, MAPPING, folder=tmp_path / "run.cg")
    assert not (tmp_path / "run.cg").exists()

"""Reporters: what is kept of every frame, and a restart file that is read with suspicion."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cgsim.io import trajectory_size
from cgsim.rollout.reporters import FileReporter, MemoryReporter, Restart
from cgsim.testing.systems import random_chain

SYSTEMS = [
    random_chain(n_beads, n_frames=3, name=name) for n_beads, name in ((4, "a"), (3, "b"), (3, "b"))
]
SETTINGS: dict[str, int | str] = {"every": 1, "seed": 0}


def positions(number: int) -> torch.Tensor:
    return number + torch.arange(30.0).reshape(10, 3) / 100


def restart(step: int, **changes: Any) -> Restart:
    point = Restart(
        step=step,
        pos=torch.arange(60.0, dtype=torch.float64).reshape(10, 2, 3),
        generator=torch.Generator().manual_seed(step).get_state(),
        failures=[{"name": "a", "replica": 0, "step": 3, "reason": "NaN"}],
        seconds=1.5,
        settings=SETTINGS,
    )
    return replace(point, **changes)


def test_memory_keeps_the_frames_of_those_alive() -> None:
    reporter = MemoryReporter(SYSTEMS, 2.5)
    reporter.record(positions(0), [True, True, True])
    reporter.record(positions(1), [True, False, True])
    reporter.flush(restart(2))
    assert reporter.restart(SETTINGS) is None
    assert reporter.files() == []
    kept = reporter.trajectories()
    assert [trajectory.n_frames for trajectory in kept] == [2, 1, 2]
    assert [trajectory.frame_interval for trajectory in kept] == [2.5] * 3
    np.testing.assert_array_equal(kept[0].pos[1], positions(1)[:4].numpy())
    np.testing.assert_array_equal(kept[1].pos[0], positions(0)[4:7].numpy())
    np.testing.assert_array_equal(kept[2].pos[1], positions(1)[7:].numpy())


def test_memory_of_one_that_failed_at_once_is_empty_but_shaped() -> None:
    cell = np.repeat(np.eye(3)[None], 3, axis=0)
    reporter = MemoryReporter([replace(SYSTEMS[0], cell=cell)], 1.0)
    (kept,) = reporter.trajectories()
    assert kept.pos.shape == (0, 4, 3)
    assert kept.cell is not None
    assert kept.cell.shape == (0, 3, 3)


def test_the_restart_point_comes_back(tmp_path: Path) -> None:
    reporter = FileReporter(SYSTEMS, 1.0, output=tmp_path)
    assert reporter.restart(SETTINGS) is None
    reporter.record(positions(0), [True, True, False])
    point = restart(7)
    reporter.flush(point)
    other = FileReporter(SYSTEMS, 1.0, output=tmp_path)
    found = other.restart(SETTINGS)
    assert found is not None
    assert torch.equal(found.pos, point.pos)
    assert found.pos.dtype == torch.float64
    assert torch.equal(found.generator, point.generator)
    assert (found.step, found.failures, found.seconds) == (7, point.failures, 1.5)
    assert other.n_written == [1, 1, 0]
    assert [path.name for path in other.files()] == ["a-r0.xtc", "b-r0.xtc"]


def test_frames_after_the_restart_point_are_cut_off(tmp_path: Path) -> None:
    reporter = FileReporter(SYSTEMS, 1.0, output=tmp_path)
    reporter.record(positions(0), [True, False, False])
    reporter.flush(restart(1))
    sizes = [trajectory_size(path) for path in reporter.paths]
    noted = (tmp_path / "restart.safetensors").read_bytes()
    reporter.record(positions(1), [True, True, True])
    reporter.flush(restart(2))
    (tmp_path / "restart.safetensors").write_bytes(noted)  # killed before it was noted
    other = FileReporter(SYSTEMS, 1.0, output=tmp_path)
    found = other.restart(SETTINGS)
    assert found is not None
    assert found.step == 1
    assert [trajectory_size(path) for path in other.paths] == sizes
    assert sizes[1:] == [0, 0]


def test_two_writers_stop_before_they_mix(tmp_path: Path) -> None:
    first, second = (FileReporter(SYSTEMS, 1.0, output=tmp_path) for _ in range(2))
    for reporter in (first, second):
        assert reporter.restart(SETTINGS) is None
        reporter.record(positions(0), [True, False, False])
    first.flush(restart(1))
    content = first.paths[0].read_bytes()
    with pytest.raises(ValueError, match=r"a-r0\.xtc: another process"):
        second.flush(restart(1))
    assert first.paths[0].read_bytes() == content
    first.record(positions(1), [True, False, False])
    first.flush(restart(2))
    assert first.n_written == [2, 0, 0]


@pytest.mark.parametrize("content", [b"", b"junk", b"\x10\0\0\0\0\0\0\0{}", "cut", "foreign"])
def test_a_damaged_restart_file_is_named(tmp_path: Path, content: bytes | str) -> None:
    reporter = FileReporter(SYSTEMS, 1.0, output=tmp_path)
    reporter.record(positions(0), [True, True, True])
    reporter.flush(restart(1))
    file = tmp_path / "restart.safetensors"
    if content == "cut":
        file.write_bytes(file.read_bytes()[:-10])
    elif content == "foreign":
        save_file({"pos": torch.zeros(2)}, str(file))
    else:
        assert isinstance(content, bytes)
        file.write_bytes(content)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"restart\.safetensors: not a restart file"):
        FileReporter(SYSTEMS, 1.0, output=tmp_path).restart(SETTINGS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_trajectory_shorter_than_noted_is_named(tmp_path: Path) -> None:
    reporter = FileReporter(SYSTEMS, 1.0, output=tmp_path)
    reporter.record(positions(0), [True, True, True])
    reporter.flush(restart(1))
    path = tmp_path / "b-r1.xtc"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"b-r1\.xtc has \d+ bytes"):
        FileReporter(SYSTEMS, 1.0, output=tmp_path).restart(SETTINGS)


@pytest.mark.parametrize("output", ["*.xyz", "a.dcd", "a.xtc", "*"])
def test_an_output_that_is_no_folder_is_refused(tmp_path: Path, output: str) -> None:
    with pytest.raises(ValueError, match="give a directory"):
        FileReporter(SYSTEMS, 1.0, output=tmp_path / output)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["pos", "generator", '"step"', '"seconds"'])
def test_a_flipped_bit_in_a_restart_file_is_seen(tmp_path: Path, where: str) -> None:
    reporter = FileReporter(SYSTEMS, 1.0, output=tmp_path)
    reporter.record(positions(0), [True, True, True])
    reporter.flush(restart(1))
    file = tmp_path / "restart.safetensors"
    content = bytearray(file.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    if where in ("pos", "generator"):
        begin, _ = json.loads(content[8:start])[where]["data_offsets"]
        content[start + begin + 17] ^= 1
    else:
        at = content.index(where.replace('"', '\\"').encode())
        digit = next(i for i in range(at, start) if chr(content[i]).isdigit())
        content[digit] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"restart\.safetensors: .*damaged"):
        FileReporter(SYSTEMS, 1.0, output=tmp_path).restart(SETTINGS)


def test_a_restart_file_from_before_digests_is_gone_on_with(tmp_path: Path) -> None:
    reporter = FileReporter(SYSTEMS, 1.0, output=tmp_path)
    reporter.record(positions(0), [True, True, True])
    reporter.flush(restart(1))
    file = tmp_path / "restart.safetensors"
    with safe_open(str(file), framework="pt") as stored:
        header = json.loads(stored.metadata()["restart"])
        tensors = {name: stored.get_tensor(name) for name in ("pos", "generator")}
    del header["digest"]
    save_file(tensors, str(file), metadata={"restart": json.dumps(header)})
    found = FileReporter(SYSTEMS, 1.0, output=tmp_path).restart(SETTINGS)
    assert found is not None
    assert found.step == 1

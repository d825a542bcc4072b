import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

from cgsim.io import iter_frames, load_molecule, read_frame_interval, read_sidecar, trajectory_size
from cgsim.md import PolymerRun, generate_polymers, sample_chains
from cgsim.md.polymer_system import MergedChains
from cgsim.md.runs import Format

CHAINS = sample_chains("I", size="tiny", n_chains=2, seed=0)
RUN = PolymerRun(duration=2.0, frame_interval=0.1, equilibration=0.5, platform="Reference")
SHORT_CHUNK = 3


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run consist of several chunks, in one worker."""
    monkeypatch.setattr(MergedChains, "n_frames_per_chunk", lambda self, steps: SHORT_CHUNK)
    monkeypatch.setattr("cgsim.md.schedule.n_workers", lambda platform: 1)


def read(trajectory: Path) -> np.ndarray:
    structure = trajectory.with_name(trajectory.stem.rpartition("-r")[0] + ".pdb")
    return mdtraj.load(str(trajectory), top=str(structure)).xyz


def interrupt_after(n_chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise KeyboardInterrupt instead of the next chunk."""
    advance = MergedChains.advance
    calls = iter(range(n_chunks))

    def limited(*args: Any, **kwargs: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return advance(*args, **kwargs)

    monkeypatch.setattr(MergedChains, "advance", limited)


@pytest.mark.parametrize("file_format", ["xtc", "dcd"])
def test_files_are_what_the_library_reads(tmp_path: Path, file_format: Format) -> None:
    run = PolymerRun(
        duration=1.0, frame_interval=0.1, equilibration=0.0, n_replicas=2, format=file_format
    )
    files = generate_polymers(CHAINS, tmp_path, run)
    expected = [f"{c.name}-r{r}.{file_format}" for c in CHAINS for r in range(2)]
    assert [file.name for file in files] == expected
    for chain in CHAINS:
        molecule = load_molecule(tmp_path / f"{chain.name}.pdb")
        assert molecule.atom_type == chain.atom_type
        np.testing.assert_array_equal(molecule.bond_index, chain.bond_index)
        np.testing.assert_array_equal(molecule.atom_mass, 1.0)
        own = [file for file in files if file.name.startswith(chain.name)]
        for file in own:
            frames = list(iter_frames([file], molecule))
            assert sum(len(chunk) for chunk in frames) == 10
            assert read_frame_interval(file) == pytest.approx(0.1)
        assert not np.allclose(read(own[0]), read(own[1]))
        sidecar = read_sidecar(own[0])
        assert sidecar["n_frames"] == {file.name: 10 for file in own}
        assert sidecar["temperature"] == pytest.approx(120.27, abs=0.01)
        assert sidecar["parameters"]["unit_sequence"] == list(chain.unit_sequence)
        assert sidecar["provenance"]["chain_steps_per_second"] > 0


def test_times_follow_the_frame_interval(tmp_path: Path) -> None:
    file = generate_polymers(CHAINS[:1], tmp_path, RUN)[0]
    stored = mdtraj.load(str(file), top=str(tmp_path / f"{CHAINS[0].name}.pdb")).time
    np.testing.assert_allclose(stored, 0.1 * np.arange(1, 21), atol=1e-5)


def test_finished_chains_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = generate_polymers(CHAINS, tmp_path, RUN)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    interrupt_after(0, monkeypatch)
    assert generate_polymers(CHAINS, tmp_path, RUN) == files
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.usefixtures("short_chunks")
@pytest.mark.parametrize("n_chunks", [0, 1, 2, 5])
def test_an_interrupted_run_resumes_to_the_same_trajectory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_chunks: int
) -> None:
    whole = generate_polymers(CHAINS, tmp_path / "whole", RUN)
    with monkeypatch.context() as patch:
        interrupt_after(n_chunks, patch)
        with pytest.raises(KeyboardInterrupt):
            generate_polymers(CHAINS, tmp_path / "cut", RUN)
    # two chunks of equilibration (5 frames), then 3 frames a chunk
    written = json.loads((tmp_path / "cut" / f"{CHAINS[0].name}.json").read_text())["n_frames"]
    assert list(written.values()) == [max(0, n_chunks - 2) * SHORT_CHUNK]
    resumed = generate_polymers(CHAINS, tmp_path / "cut", RUN)
    for one, other in zip(whole, resumed, strict=True):
        assert len(read(other)) == RUN.n_frames
        np.testing.assert_array_equal(read(one), read(other))


@pytest.mark.usefixtures("short_chunks")
def test_a_half_written_chunk_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupt_after(4, patch)
        with pytest.raises(KeyboardInterrupt):
            generate_polymers(CHAINS, tmp_path, RUN)
    file = tmp_path / f"{CHAINS[0].name}-r0.xtc"
    content = file.read_bytes()
    file.write_bytes(content + content[:100])
    generate_polymers(CHAINS, tmp_path, RUN)
    xyz = read(file)
    assert len(xyz) == RUN.n_frames
    assert file.read_bytes().startswith(content)
    assert np.abs(np.diff(xyz, axis=0)).max() < 1.0


@pytest.mark.usefixtures("short_chunks")
def test_two_runs_at_once_stop_before_they_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance, other = MergedChains.advance, iter([True])

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        if len(list(tmp_path.glob("*.xtc"))) == len(CHAINS) and next(other, False):
            generate_polymers(CHAINS, tmp_path, RUN)  # meanwhile, by another process
        return advance(*args, **kwargs)

    monkeypatch.setattr(MergedChains, "advance", overtaken)
    with pytest.raises(ValueError, match="another process has written"):
        generate_polymers(CHAINS, tmp_path, RUN)
    for file in generate_polymers(CHAINS, tmp_path, RUN):
        xyz = read(file)
        assert len(xyz) == RUN.n_frames
        assert np.abs(np.diff(xyz, axis=0)).max() < 1.0


@pytest.mark.usefixtures("short_chunks")
def test_replicas_out_of_step_catch_up(tmp_path: Path) -> None:
    short = PolymerRun(duration=1.0, frame_interval=0.1, equilibration=0.5, platform="Reference")
    generate_polymers(CHAINS[:1], tmp_path, short)
    files = generate_polymers(CHAINS, tmp_path, RUN)  # the first is half way, the second not begun
    for file in files:
        xyz = read(file)
        assert len(xyz) == RUN.n_frames
        assert np.abs(np.diff(xyz, axis=0)).max() < 1.0


def test_a_killed_process_resumes(tmp_path: Path) -> None:
    run = "PolymerRun(duration=40.0, frame_interval=0.1, equilibration=0.0, platform='Reference')"
    script = (
        "import sys\n"
        "from cgsim.md import MergedChains, PolymerRun, generate_polymers, sample_chains\n"
        "MergedChains.n_frames_per_chunk = lambda self, steps: 10\n"
        "chains = sample_chains('I', size='tiny', n_chains=2, seed=0)\n"
        f"generate_polymers(chains, sys.argv[1], {run})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.DEVNULL
    )
    file = tmp_path / f"{CHAINS[0].name}-r0.xtc"
    deadline = time.monotonic() + 60
    while trajectory_size(file) < 20_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    with np.load(file.with_name(f"{file.stem}.state.npz")) as state:
        kept = file.read_bytes()[: int(state["n_bytes"])]
    assert len(kept) > 0
    files = generate_polymers(
        CHAINS,
        tmp_path,
        PolymerRun(duration=40.0, frame_interval=0.1, equilibration=0.0, platform="Reference"),
    )
    for trajectory in files:
        xyz = read(trajectory)
        assert len(xyz) == 400
        assert np.abs(np.diff(xyz, axis=0)).max() < 1.0
    assert file.read_bytes().startswith(kept)


def test_a_longer_duration_extends(tmp_path: Path) -> None:
    file = generate_polymers(CHAINS[:1], tmp_path, RUN)[0]
    before = read(file)
    longer = PolymerRun(duration=3.0, frame_interval=0.1, equilibration=0.5, platform="Reference")
    generate_polymers(CHAINS[:1], tmp_path, longer)
    after = read(file)
    assert len(after) == 30
    np.testing.assert_array_equal(after[:20], before)


@pytest.mark.parametrize("changed", [{"seed": 1}, {"frame_interval": 0.2}, {"equilibration": 1.0}])
def test_other_settings_do_not_touch_the_data(tmp_path: Path, changed: dict[str, float]) -> None:
    settings: dict = {"duration": 2.0, "frame_interval": 0.1, "equilibration": 0.5}
    generate_polymers(CHAINS[:1], tmp_path, PolymerRun(**settings))
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=next(iter(changed))):
        generate_polymers(CHAINS[:1], tmp_path, PolymerRun(**(settings | changed)))
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_foreign_trajectory_is_not_overwritten(tmp_path: Path) -> None:
    foreign = tmp_path / f"{CHAINS[0].name}-r0.xtc"
    foreign.write_bytes(b"mine")
    with pytest.raises(ValueError, match="move it away"):
        generate_polymers(CHAINS, tmp_path, RUN)
    assert foreign.read_bytes() == b"mine"


@pytest.mark.parametrize("damage", ["trajectory", "state"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    file = generate_polymers(CHAINS[:1], tmp_path, RUN)[0]
    damaged = file if damage == "trajectory" else file.with_name(f"{file.stem}.state.npz")
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(ValueError, match=damaged.stem):
        generate_polymers(CHAINS[:1], tmp_path, RUN)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"duration": 0.0}, "duration"),
        ({"duration": -1.0}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"duration": 10.5, "frame_interval": 1.0}, "duration"),
        ({"duration": 1.0, "frame_interval": 0.015}, "frame_interval"),
        ({"duration": 1.0, "frame_interval": 0.001}, "frame_interval"),
        ({"duration": 1.0, "frame_interval": 0.0}, "frame_interval"),
        ({"duration": 1.0, "equilibration": 0.5}, "equilibration"),
        ({"duration": 1.0, "equilibration": -1.0}, "equilibration"),
        ({"duration": 1.0, "n_replicas": 0}, "n_replicas"),
        ({"duration": 1.0, "seed": -1}, "seed"),
        ({"duration": 1.0, "platform": "TPU"}, "platform"),
        ({"duration": 1.0, "format": "pdb"}, "format"),
    ],
)
def test_bad_run_settings(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PolymerRun(**settings)


def test_chain_names_must_be_unique(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="each name once"):
        generate_polymers([CHAINS[0], CHAINS[0]], tmp_path, RUN)
    with pytest.raises(ValueError, match="at least one"):
        generate_polymers([], tmp_path, RUN)

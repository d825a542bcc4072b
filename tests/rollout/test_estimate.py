"""What a roll-out is said to take."""

from pathlib import Path

import pytest
import torch

import cgsim
from cgsim.rollout import estimate
from cgsim.rollout.estimate import frame_bytes, step_bytes, total_seconds
from cgsim.testing.systems import random_chain
from cgsim.training.fit import new_simulator

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_frames_in_memory() -> None:
    """Three numbers of four bytes for each bead, and once more when they are joined."""
    assert frame_bytes(100, 1000, kept=False) == 100 * 1000 * 3 * 4
    assert frame_bytes(100, 1000, kept=True) == 2 * 100 * 1000 * 3 * 4


def test_memory_of_a_step_grows_with_edges() -> None:
    """Measured: 20 MB of 7,776 edges, 229 MB of 182,739, 798 MB of 732,023 (melts and chains)."""
    for n_edges, n_beads, measured in ((7776, 240, 20e6), (182739, 5000, 229e6)):
        found = step_bytes(n_edges, n_beads, device=CPU, n_channels=32)
        assert found == pytest.approx(measured, rel=0.33)
    found = step_bytes(732_023, 20_000, device=CPU, n_channels=32)
    assert found == pytest.approx(798e6, rel=0.05)
    wide = step_bytes(10_000, 300, device=GPU, n_channels=64)
    assert wide - step_bytes(10_000, 300, device=GPU, n_channels=32) == 10_000 * 128 * 32


def test_time_of_all_steps() -> None:
    """Two seconds for the four steps after the first one: half a second each."""
    assert total_seconds(2.0, 5, 1000) == 500.0
    assert total_seconds(2.0, 1, 1) == 2.0


@pytest.mark.parametrize("n_steps", [1, 2, 50])
def test_a_roll_out_says_what_it_will_take_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], n_steps: int
) -> None:
    chain = random_chain(9, n_frames=60, seed=2)
    simulator = new_simulator([chain]).eval()
    cgsim.simulate(simulator, chain, n_steps, n_replicas=3, output=tmp_path / "out")
    said = [part for part in capsys.readouterr().err.replace("\r", "\n").splitlines()]
    (line,) = [part for part in said if part.startswith("roll-out: 3 traj")]
    start = f"roll-out: 3 trajectories, 27 beads in all, 9 edges per bead, {n_steps} steps of "
    assert line.startswith(start)
    assert line.endswith(" minutes")
    assert " GB and " in line


def test_a_roll_out_that_cannot_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = random_chain(9, n_frames=60, seed=2)
    simulator = new_simulator([chain]).eval()
    monkeypatch.setattr(estimate, "free_memory", lambda _: 1e8)
    with pytest.raises(MemoryError, match=r"of memory, but only 0.1 GB.*output=<folder>"):
        cgsim.simulate(simulator, chain, 10_000_000)
    monkeypatch.setattr(estimate, "free_memory", lambda _: 1e3)
    with pytest.raises(MemoryError, match="helps: a smaller cutoff"):
        cgsim.simulate(simulator, chain, 10, output=tmp_path / "out")

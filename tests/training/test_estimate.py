"""What a training is said to take, and what it takes."""

from pathlib import Path

import pytest
import torch

import cgsim
from cgsim.config import TrainingConfig
from cgsim.data.sampling import WindowSampler
from cgsim.testing.systems import random_chain
from cgsim.training import estimate
from cgsim.training.estimate import Probe, measured, training_need
from cgsim.training.fit import new_simulator

PROBE = Probe(n_edges=1000, n_bytes=8e6, seconds=0.5)


def test_memory_and_time_follow_the_edges() -> None:
    need = training_need(PROBE, [2000, 4000], TrainingConfig(), n_steps=10)
    assert need.n_bytes == pytest.approx(4 * PROBE.bytes_for(1000))
    assert 8e6 < PROBE.bytes_for(1000) < 1.4 * 8e6
    assert need.seconds == pytest.approx(10 * 3 * 0.5, rel=0.02)


def test_small_batches_take_no_less_time_than_what_was_measured() -> None:
    assert PROBE.seconds_for(10) == 0.5
    assert PROBE.seconds_for(2000) == 1.0


def test_validation_and_compilation_count() -> None:
    def seconds(n_validation: int = 0, compiled_sizes: int = 0) -> float:
        need = training_need(
            PROBE,
            [1000],
            TrainingConfig(),
            n_steps=100,
            n_validation=n_validation,
            compiled_sizes=compiled_sizes,
        )
        assert need.seconds is not None
        return need.seconds

    assert seconds() < seconds(n_validation=100) < 2 * seconds()
    assert seconds(compiled_sizes=2) - seconds(compiled_sizes=1) == pytest.approx(40.0)


def test_bytes_are_in_proportion_to_windows() -> None:
    """What is saved of one window, times eight, is what is saved of eight of them."""
    chain = random_chain(20, n_frames=40, seed=1)
    simulator = new_simulator([chain]).train()
    windows = simulator.windows([chain])
    one, eight = measured(simulator, windows[[3]]), measured(simulator, windows[[3] * 8])
    ratio = eight.n_edges / one.n_edges  # nearly: every copy has noise of its own
    assert ratio == pytest.approx(8, rel=0.02)
    assert eight.n_bytes == pytest.approx(ratio * one.n_bytes, rel=0.05)
    n_weights = sum(weight.nbytes for weight in simulator.parameters())
    assert one.n_bytes > 1000 * one.n_edges > n_weights / 1000


def fitted(directory: Path, capsys: pytest.CaptureFixture[str]) -> tuple[torch.Tensor, str]:
    chain = random_chain(9, n_frames=60, seed=2)
    simulator = cgsim.fit([chain], directory, training={"n_steps": 4, "batch_size": 8})
    return next(simulator.parameters()).detach(), capsys.readouterr().err


def test_a_training_says_what_it_will_take_and_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, said = fitted(tmp_path / "a", capsys)
    (line,) = [line for line in said.splitlines() if line.startswith("training: ")]
    assert "54 frames every" in line
    assert "9 beads per window, 9 edges per bead, 4 steps of 8 windows; about 0.0" in line
    assert line.endswith(" minutes")
    with monkeypatch.context() as patched:
        patched.setattr("cgsim.training.trainer.announce_training", lambda *_, **__: None)
        alone, _ = fitted(tmp_path / "b", capsys)
    assert torch.equal(weights, alone)


def test_a_training_that_cannot_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = random_chain(14, n_frames=60, seed=2)
    monkeypatch.setattr(estimate, "free_memory", lambda _: 2e7)
    with pytest.raises(MemoryError, match=r"batches of 64 windows needs.*training\.batch_size"):
        cgsim.fit([chain], tmp_path / "a", training={"n_steps": 4})
    monkeypatch.setattr(estimate, "free_memory", lambda _: 1e6)
    with pytest.raises(MemoryError, match=r"on one window needs.*training\.n_window_beads"):
        cgsim.fit([chain], tmp_path / "b", training={"n_steps": 4})


def test_where_memory_is_short_a_larger_system_is_learnt_in_smaller_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is learnt is the same."""
    chain = random_chain(40, n_frames=60, seed=2)
    training = {"n_steps": 2, "batch_size": 64}
    found, memory = [], []
    for free in (1e12, 2e7):
        monkeypatch.setattr(estimate, "free_memory", lambda _, free=free: free)
        simulator = cgsim.fit([chain], tmp_path / f"{free}", training=training)
        found.append(next(simulator.parameters()).detach())
        (line,) = [row for row in capsys.readouterr().err.splitlines() if "edges per bead" in row]
        memory.append(float(line.rpartition("about ")[2].split(" GB")[0]))
    assert memory[1] <= 0.011 < 0.03 < memory[0]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


def test_a_sampler_is_not_moved_by_the_estimate() -> None:
    """Both draw from generators of their own."""
    chain = random_chain(9, n_frames=60, seed=2)
    windows = new_simulator([chain]).windows([chain])
    sampler = WindowSampler(windows, batch_size=4, n_batches=2, seed=0)
    before = list(sampler)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    measured(new_simulator([chain]), windows[before[0]])
    assert list(sampler) == before
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state)

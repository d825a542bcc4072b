"""The clock: what it changes and leaves alone, and that it is read right."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cgsim.clock
from cgsim.checkpoint import load_simulator, save_simulator
from cgsim.clock import ClockReading, read_clock, with_clock
from cgsim.data import MappedTrajectory
from cgsim.rollout import simulate
from cgsim.testing import random_chain, random_simulator

CHAIN = random_chain(4, n_frames=12)


def breathing(n_frames: int, *, memory: float, seed: int, name: str = "chain") -> MappedTrajectory:
    """Three beads, one of which moves along a line and forgets where in ``memory`` frames."""
    random, decay = np.random.default_rng(seed), np.exp(-1 / memory)
    noise = random.normal(size=n_frames) * np.sqrt(1 - decay**2)
    place = np.empty(n_frames)
    place[0] = random.normal()
    for frame in range(1, n_frames):
        place[frame] = decay * place[frame - 1] + noise[frame]
    pos = np.zeros((n_frames, 3, 3), dtype=np.float32)
    pos[:, 1, 0], pos[:, 2, 0] = 0.3, 0.6 + 0.02 * place
    pos[:, 2, 1] = 0.3
    return replace(random_chain(3, n_frames=n_frames, name=name), pos=pos)


@dataclass(frozen=True)
class Rolled:
    trajectories: list[MappedTrajectory]


def test_a_step_is_worth_more_time_and_stays_the_same_otherwise() -> None:
    simulator = random_simulator([CHAIN])
    slower = with_clock(simulator, 4.0)
    assert slower.timestep == 4 * simulator.timestep
    assert simulator.statistics.clock == 1.0
    plain, other = (simulate(own, CHAIN, 3, seed=2).trajectories[0] for own in (simulator, slower))
    np.testing.assert_array_equal(plain.pos, other.pos)
    assert other.frame_interval == 4 * plain.frame_interval


def test_windows_are_those_of_the_time_step() -> None:
    simulator = with_clock(random_simulator([CHAIN]), 2.0)
    assert simulator.statistics.stride == 1
    assert len(simulator.windows([CHAIN])) == len(random_simulator([CHAIN]).windows([CHAIN]))


def test_checkpoint_keeps_the_clock(tmp_path: Path) -> None:
    file = save_simulator(with_clock(random_simulator([CHAIN]), 1.5), tmp_path / "a.safetensors")
    assert load_simulator(file).statistics.clock == 1.5


@pytest.mark.parametrize("clock", [0.0, -1.0])
def test_clock_must_be_positive(clock: float) -> None:
    with pytest.raises(ValueError, match="clock must be positive"):
        with_clock(random_simulator([CHAIN]), clock)


@pytest.mark.parametrize("expected", [1.0, 2.0, 4.0])
def test_reading(expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """MD forgets ``expected`` times as slowly as the simulator; one molecule has two runs."""
    md = [
        breathing(8000, memory=40, seed=seed, name=name)
        for seed, name in enumerate(["a", "a", "b"])
    ]
    simulator = with_clock(random_simulator([md[0]]), 3.0)

    def rolled(simulator: Any, starts: Any, n_steps: int, **kwargs: Any) -> Rolled:
        assert simulator.statistics.clock == 1.0
        assert n_steps == 8000  # four times the 16,000 frames of molecule a, by eight replicas
        assert [own.name for own in starts] == ["a", "b"]
        memory = 40 / expected
        return Rolled(
            [breathing(16000, memory=memory, seed=ord(own.name), name=own.name) for own in starts]
        )

    monkeypatch.setattr(cgsim.clock, "simulate", rolled)
    interval = md[0].frame_interval
    reading = read_clock(simulator, md, lag_time=4 * interval)
    assert reading.names == ("a", "b")
    np.testing.assert_allclose(reading.clocks, [1, 4 / 3, 2, 4])
    assert reading.best == expected


def test_best_is_by_factors() -> None:
    """0.5 is farther from 1 than 1.6."""
    reading = ClockReading(("a",), np.array([1.0, 2.0]), np.array([[0.5], [1.6]]))
    assert reading.best == 2.0
    unknown = ClockReading(("a", "b"), np.array([1.0, 2.0]), np.array([[0.9, np.nan], [1.6, 0.1]]))
    assert unknown.best == 1.0


def test_lag_must_be_a_multiple() -> None:
    simulator = random_simulator([CHAIN])
    with pytest.raises(ValueError, match="multiple of the time step"):
        read_clock(simulator, [CHAIN], lag_time=1.5 * simulator.timestep)

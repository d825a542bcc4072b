"""What all propagators share: samples of one step, and the frames that count."""

import numpy as np
import pytest

from tests.model.drift import Drift


class Walk(Drift):
    """A random walk."""

    def step(self, history: np.ndarray, random: np.random.Generator) -> np.ndarray:
        present = history[:, :, -1]
        return present + random.normal(size=present.shape)


def test_samples_are_steps_of_every_window() -> None:
    """One generator for all: sample by sample, window by window."""
    history = np.random.default_rng(0).normal(size=(3, 4, 2, 3))
    random = np.random.default_rng(7)
    expected = [history[:, :, -1] + random.normal(size=(3, 4, 3)) for _ in range(5)]
    np.testing.assert_array_equal(Walk(np.zeros(3)).sample(history, 5, seed=7), expected)


def test_the_last_frames_count() -> None:
    history = np.random.default_rng(0).normal(size=(3, 4, 5, 3))
    drift = Drift(np.zeros(3), history=2)
    np.testing.assert_array_equal(drift.last_frames(history), history[:, :, 3:])
    with pytest.raises(ValueError, match=r"\[n_windows, n_beads, 2 or more frames, 3\], got"):
        drift.last_frames(history[:, :, :1])
    with pytest.raises(ValueError, match=r"got \(4, 5, 3\)"):
        drift.last_frames(history[0])

"""The scores and linear bars of folded proteins: known answers."""

import numpy as np
import pytest

from benchmarks.proteins.linear import autoregression, gaussian_frames, with_bonds
from benchmarks.proteins.scores import Judge


def helix(n_beads: int = 16) -> np.ndarray:
    turn = np.deg2rad(100.0) * np.arange(n_beads)
    return np.stack([0.23 * np.cos(turn), 0.23 * np.sin(turn), 0.15 * np.arange(n_beads)], 1)


def shaken(width: float, *, seed: int, n_frames: int = 2000) -> np.ndarray:
    random = np.random.default_rng(seed)
    return helix() + width * random.normal(size=(n_frames, 16, 3))


def test_an_independent_run_of_the_same_scores_as_the_same() -> None:
    judge = Judge(helix(), [shaken(0.02, seed=0)], 1.0)
    score = judge.score([shaken(0.02, seed=1)], interval=1.0, floor=[shaken(0.02, seed=2)])
    for name in ("rmsf_ratio", "bond_width_ratio", "rg_ratio"):
        assert score[name] == pytest.approx(1.0, abs=0.03), name
    assert score["q_mean"] == pytest.approx(score["q_mean_md"], abs=0.01)
    assert score["pairs_js"] < 0.15
    assert score["n_lost"] == 0


def test_a_wider_and_an_unfolded_run_are_told() -> None:
    judge = Judge(helix(), [shaken(0.02, seed=0)], 1.0)
    floor = [shaken(0.02, seed=2)]
    wide = judge.score([shaken(0.04, seed=1)], interval=1.0, floor=floor)
    assert wide["rmsf_ratio"] == pytest.approx(2.0, rel=0.1)
    assert wide["bond_width_ratio"] == pytest.approx(2.0, rel=0.1)
    assert wide["pairs_js"] > 2 * wide["pairs_js_floor"]
    rod = np.tile(0.38 * np.arange(16)[:, None] * np.eye(3)[0], (50, 1, 1))
    lost = judge.score([rod, shaken(0.02, seed=1)], interval=1.0, floor=floor)
    assert lost["n_lost"] == 1


def test_bonds_are_projected() -> None:
    lengths = np.linalg.norm(np.diff(helix(), axis=0), axis=1)
    found = with_bonds(shaken(0.03, seed=0, n_frames=20), lengths)
    bonds = np.linalg.norm(np.diff(found, axis=1), axis=2)
    np.testing.assert_allclose(bonds, np.tile(lengths, (20, 1)), rtol=1e-3)


def test_linear_models_have_the_covariance_that_they_were_fitted_to() -> None:
    random = np.random.default_rng(0)
    series = np.zeros((20_000, 2))
    matrix, noise = np.array([[0.9, 0.2], [0.0, 0.7]]), random.normal(size=(20_000, 2))
    for t in range(1, len(series)):
        series[t] = series[t - 1] @ matrix + noise[t]
    expected = np.cov(series.T)
    linear = np.concatenate(
        autoregression(series, stride=3, n_frames=3000, n_replicas=8, random=random)
    )
    np.testing.assert_allclose(np.cov(linear.T), expected, rtol=0.15)
    np.testing.assert_allclose(
        np.cov(gaussian_frames(series, 20_000, random).T), expected, rtol=0.1
    )

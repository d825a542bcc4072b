"""Calibration scores where the right answer is known: Gaussians, and counting on one's fingers."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.stats import norm

from cgsim.evaluate.scores.calibration import (
    StepQuantities,
    bead_energy_score,
    configuration_energy_score,
    coverage,
    energy_score,
    mean_estimate,
    pit_histogram,
    pit_values,
    skill,
    step_quantities,
)
from cgsim.testing.checks import random_rotation

N_WINDOWS = 20_000
CHAIN = np.array([[0, 1, 2], [1, 2, 3]])


def gaussian_pit(spread: float, *, shift: float = 0.0, n_samples: int = 19) -> np.ndarray:
    """PIT values [N_WINDOWS] of standard normal observations among samples of N(shift, spread²)."""
    rng = np.random.default_rng(0)
    samples = rng.normal(shift, spread, size=(n_samples, N_WINDOWS))
    return pit_values(samples, rng.normal(size=N_WINDOWS), seed=1)


def crps_of_gaussian(mean: float, deviation: float, observed: np.ndarray) -> np.ndarray:
    """The energy score of a Gaussian in one dimension (Gneiting and Raftery, 2007, section 4.2)."""
    z = (observed - mean) / deviation
    return deviation * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


def test_pit_counts_samples_below() -> None:
    samples = np.arange(9.0)[:, None] + np.zeros((9, 1000))
    values = pit_values(samples, np.full(1000, 3.5))
    assert values.min() >= 0.4
    assert values.max() <= 0.5
    assert np.ptp(values) > 0.09  # one of ten ranks: 0.4 to 0.5, drawn at random inside


def test_pit_spreads_over_ties() -> None:
    samples = np.array([0.0, 1.0, 1.0, 2.0])[:, None] + np.zeros((4, 4000))
    values = pit_values(samples, np.ones(4000))
    counts = np.histogram(values, bins=5, range=(0, 1))[0]
    assert counts[[0, 4]].tolist() == [0, 0]
    np.testing.assert_allclose(counts[1:4], 4000 / 3, rtol=0.1)


@pytest.mark.parametrize("n_samples", [1, 7, 40])
def test_pit_of_a_calibrated_prediction_is_uniform(n_samples: int) -> None:
    values = gaussian_pit(1.0, n_samples=n_samples)
    shape = pit_histogram(values)
    assert 0.3 < shape.reduced_chi_square < 2.0
    np.testing.assert_allclose(shape.deviation, shape.floor, rtol=0.5)
    np.testing.assert_allclose(values.mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(values.var(), 1 / 12, rtol=0.03)


def test_pit_of_discrete_quantities_is_uniform() -> None:
    rng = np.random.default_rng(0)
    samples, observed = rng.integers(3, size=(10, N_WINDOWS)), rng.integers(3, size=N_WINDOWS)
    assert pit_histogram(pit_values(samples, observed)).reduced_chi_square < 2.0


def test_pit_is_u_shaped_if_too_narrow_and_humped_if_too_wide() -> None:
    narrow, wide = (pit_histogram(gaussian_pit(spread)) for spread in (0.5, 2.0))
    assert narrow.density[[0, -1]].min() > 2 > 0.8 > narrow.density[8:12].max()
    assert wide.density[[0, -1]].max() < 0.5 < 1.2 < wide.density[8:12].min()
    assert min(narrow.reduced_chi_square, wide.reduced_chi_square) > 100


def test_histogram_deviation_is_exact() -> None:
    shape = pit_histogram(np.array([0.1, 0.2, 0.3, 0.9]), n_bins=2)
    assert shape.density.tolist() == [1.5, 0.5]
    assert shape.deviation == 0.5
    assert shape.floor == 0.5
    assert shape.reduced_chi_square == 1.0  # (3 − 2)² / 2 + (1 − 2)² / 2


def test_coverage_is_nominal_if_calibrated() -> None:
    for level, estimate in coverage(gaussian_pit(1.0)).items():
        binomial = np.sqrt(level * (1 - level) / N_WINDOWS)
        np.testing.assert_allclose(estimate.error, binomial, rtol=0.1)
        assert abs(estimate.value - level) < 4 * binomial


def test_coverage_of_known_gaussians() -> None:
    # From the exact distribution function, as of infinitely many samples.
    observed = np.random.default_rng(0).normal(size=N_WINDOWS)
    for level, estimate in coverage(norm.cdf(observed / 0.5)).items():
        half_width = 0.5 * norm.ppf((1 + level) / 2)
        expected = norm.cdf(half_width) - norm.cdf(-half_width)
        assert abs(estimate.value - expected) < 4 * estimate.error


def test_coverage_error_counts_windows_not_beads() -> None:
    values = np.random.default_rng(0).random(100)
    single = coverage(values)[0.5]
    repeated = coverage(np.stack([values] * 50, axis=1))[0.5]
    assert repeated == single


def test_energy_score_by_hand() -> None:
    samples = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert energy_score(samples, np.zeros(2)) == pytest.approx(2.5 - 2.5)
    assert energy_score(samples, np.array([6.0, 8.0])) == pytest.approx(7.5 - 2.5)


def test_energy_score_of_a_gaussian() -> None:
    observed = np.array([-2.0, 0.0, 0.7, 5.0])
    samples = np.random.default_rng(0).normal(0.5, 2.0, size=(6000, 4, 1))
    expected = crps_of_gaussian(0.5, 2.0, observed)
    np.testing.assert_allclose(energy_score(samples, observed[:, None]), expected, atol=0.08)


def test_energy_score_is_unbiased_for_two_samples() -> None:
    samples = np.random.default_rng(0).normal(0.5, 2.0, size=(2, 100_000, 1))
    mean = mean_estimate(energy_score(samples, np.full((100_000, 1), 0.7)))
    expected = crps_of_gaussian(0.5, 2.0, np.array([0.7]))[0]
    assert abs(mean.value - expected) < 4 * mean.error
    assert mean.error < 0.01


def test_truth_has_the_best_energy_score() -> None:
    rng = np.random.default_rng(0)
    root = np.linalg.cholesky(np.array([[1.0, 0.9], [0.9, 1.0]]))
    observed = rng.normal(size=(N_WINDOWS, 2)) @ root.T
    noise = rng.normal(size=(20, N_WINDOWS, 2))
    best = energy_score(noise @ root.T, observed)
    others = {
        "shifted": noise @ root.T + 0.3,
        "narrow": 0.7 * noise @ root.T,
        "wide": 1.4 * noise @ root.T,
        "uncorrelated": noise,
    }
    for label, samples in others.items():
        loss = mean_estimate(energy_score(samples, observed) - best)
        assert loss.value > 4 * loss.error, label


def test_configurations_and_beads() -> None:
    rng = np.random.default_rng(0)
    samples, observed = rng.normal(size=(6, 5, 4, 3)), rng.normal(size=(5, 4, 3))
    whole, beads = (
        configuration_energy_score(samples, observed),
        bead_energy_score(samples, observed),
    )
    assert whole.shape == (5,)
    assert beads.shape == (5, 4)
    alone = configuration_energy_score(samples[:, :, 2:3], observed[:, 2:3])
    np.testing.assert_allclose(beads[:, 2], alone)
    rotation, shift = random_rotation().numpy(), np.array([3.0, -2.0, 1.0])
    moved = configuration_energy_score(samples @ rotation.T + shift, observed @ rotation.T + shift)
    np.testing.assert_allclose(moved, whole)


def test_skill() -> None:
    reference = np.random.default_rng(0).random(50) + 1
    assert skill(0.25 * reference, reference).value == pytest.approx(0.75)
    assert skill(0.25 * reference, reference).error == pytest.approx(0, abs=1e-12)
    assert skill(reference, reference).value == 0


def test_error_of_skill_is_the_spread_over_repeats() -> None:
    rng = np.random.default_rng(0)
    repeats = []
    for _ in range(400):
        reference = 2 + rng.normal(size=200)
        repeats.append(skill(0.5 * reference + rng.normal(size=200), reference))
    errors = [estimate.error for estimate in repeats]
    np.testing.assert_allclose(
        np.mean(errors), np.std([estimate.value for estimate in repeats]), rtol=0.15
    )


def step() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    current = rng.normal(size=(5, 4, 3))
    return current, current + 0.1 * rng.normal(size=(7, 5, 4, 3))


def quantities(current: np.ndarray, next_pos: np.ndarray) -> StepQuantities:
    mass = np.arange(1.0, 5.0)
    return step_quantities(current, next_pos, edge_index=CHAIN, bead_mass=mass)


def test_quantities_of_a_step_by_hand() -> None:
    current = np.array([[[0.0, 0, 0], [2, 0, 0]]])
    next_pos = np.array([[[1.0, 0, 0], [4, 4, 0]]])
    found = step_quantities(
        current, next_pos, edge_index=np.array([[0], [1]]), bead_mass=np.ones(2)
    )
    assert found.bond_length.tolist() == [[5]]
    assert found.along_bond.tolist() == [[1.5]]
    assert found.rg.tolist() == [[2.5]]
    assert found.component.tolist() == [[1, 0, 0, 2, 4, 0]]


def test_samples_are_measured_like_observations() -> None:
    current, samples = step()
    together = quantities(current, samples)
    for field in fields(StepQuantities):
        each = np.stack([getattr(quantities(current, sample), field.name) for sample in samples])
        np.testing.assert_allclose(getattr(together, field.name), each)


def test_scalar_quantities_do_not_depend_on_the_frame_of_reference() -> None:
    current, samples = step()
    rotation, shift = random_rotation().numpy(), np.array([3.0, -2.0, 1.0])
    before = quantities(current, samples)
    after = quantities(current @ rotation.T + shift, samples @ rotation.T + shift)
    for name in ("bond_length", "along_bond", "rg"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=1e-12)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="n_samples"):
        pit_values(np.zeros((3, 4)), np.zeros(5))
    with pytest.raises(ValueError, match="finite"):
        energy_score(np.full((3, 4), np.nan), np.zeros(4))
    with pytest.raises(ValueError, match="two samples, got 1"):
        energy_score(np.zeros((1, 4)), np.zeros(4))
    with pytest.raises(ValueError, match="n_beads, 3"):
        configuration_energy_score(np.zeros((3, 4, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="PIT values"):
        pit_histogram(np.array([1.5]))
    with pytest.raises(ValueError, match="n_bins"):
        pit_histogram(np.array([0.5]), n_bins=1)
    with pytest.raises(ValueError, match="levels"):
        coverage(np.array([0.5]), levels=(90,))
    with pytest.raises(ValueError, match="per window"):
        skill(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="positive"):
        skill(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="current"):
        quantities(np.zeros((5, 4, 3)), np.zeros((5, 3, 3)))

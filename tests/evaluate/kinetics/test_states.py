"""Statistics of sequences of states: by hand, and of a Markov chain."""

import numpy as np
import pytest

from cgsim.evaluate.kinetics.states import compare_states, measure_states

LINE = np.array([0, 0, 0, 1, 1, 0, 0, 2, 2, 2])


def test_counted_by_hand() -> None:
    found = measure_states([LINE], 3, frame_interval=0.5)
    np.testing.assert_allclose(found.populations, np.array([5, 2, 2]) / 9)
    np.testing.assert_allclose(found.residence_times, np.array([1.25, 1.0, np.inf]))
    np.testing.assert_allclose(found.rates, np.array([[0, 0.4, 0.4], [1, 0, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(found.n_transitions, [[0, 1, 1], [1, 0, 0], [0, 0, 0]])
    first = 0.6 * np.log(0.6) + 0.4 * np.log(0.2)
    assert found.path_entropy == pytest.approx(-(5 * first + 2 * np.log(0.5)) / 9)


def test_replicas_are_not_joined() -> None:
    found = measure_states([np.zeros(5, int), np.ones(5, int)], 2, frame_interval=1.0)
    assert (found.rates == 0).all()
    np.testing.assert_allclose(found.populations, 0.5)
    assert found.path_entropy == 0


def test_cyclic_states_have_no_entropy() -> None:
    found = measure_states([np.arange(300) % 3], 3, frame_interval=1.0)
    assert found.path_entropy == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.rates, np.roll(np.eye(3), 1, axis=1))


def independent_states(seed: int, n_replicas: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.choice(2, size=500, p=[0.7, 0.3]) for _ in range(n_replicas)]


def test_errors_are_those_of_repeated_experiments() -> None:
    found = measure_states(independent_states(0, 40), 2, frame_interval=1.0)
    n_frames = 40 * 499
    assert found.populations[0] == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / n_frames))
    assert found.population_errors[0] == pytest.approx(np.sqrt(0.21 / n_frames), rel=0.4)
    entropy = -0.7 * np.log(0.7) - 0.3 * np.log(0.3)
    assert found.path_entropy == pytest.approx(entropy, abs=5 * found.path_entropy_error)
    assert 0 < found.path_entropy_error < 0.01


def test_one_long_replica_has_errors_too() -> None:
    found = measure_states([np.concatenate(independent_states(1, 40))], 2, frame_interval=1.0)
    assert found.population_errors[0] == pytest.approx(np.sqrt(0.21 / 20000), rel=0.5)


def test_comparison() -> None:
    reference = measure_states(independent_states(0, 20), 2, frame_interval=1.0)
    slower = measure_states(independent_states(0, 20), 2, frame_interval=2.0)
    found = compare_states(reference, slower)
    np.testing.assert_allclose(found.population_difference, 0)
    np.testing.assert_allclose(found.residence_ratio, 2)
    np.testing.assert_allclose(found.rate_ratio[[0, 1], [1, 0]], 0.5)
    assert found.largest_rate_factor == pytest.approx(2)
    assert found.largest_population_difference == pytest.approx(0)
    assert found.path_entropy_difference == 0
    both = compare_states(measure_states(independent_states(2, 8), 2, frame_interval=1.0), slower)
    other = compare_states(slower, measure_states(independent_states(2, 8), 2, frame_interval=1.0))
    assert both.path_entropy_error == pytest.approx(other.path_entropy_error)
    assert both.path_entropy_error > 1.3 * slower.path_entropy_error
    rare = compare_states(reference, slower, min_transitions=10**6)
    assert np.isnan(rare.rate_ratio).all()
    assert np.isnan(rare.largest_rate_factor)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="at least one sequence"):
        measure_states([], 2, frame_interval=1.0)
    with pytest.raises(ValueError, match="replica 0 holds states 0 to 2, not 0 to 1"):
        measure_states([LINE], 2, frame_interval=1.0)
    with pytest.raises(ValueError, match="replica 1 must be two or more integers"):
        measure_states([LINE, LINE[:1]], 3, frame_interval=1.0)
    one = measure_states([LINE], 3, frame_interval=1.0)
    other = measure_states([LINE], 4, frame_interval=1.0)
    with pytest.raises(ValueError, match="3 states, the other 4"):
        compare_states(one, other)

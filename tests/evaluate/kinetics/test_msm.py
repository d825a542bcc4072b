from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Ensemble
from cgsim.evaluate.kinetics.msm import (
    Clusters,
    StateTrajectories,
    fit_clusters,
    markov_model,
    metastable_states,
)
from cgsim.evaluate.kinetics.tica import fit_tica
from cgsim.evaluate.kinetics.validation import (
    ChapmanKolmogorov,
    chapman_kolmogorov,
    implied_timescales,
)
from tests.evaluate.kinetics.slow_systems import (
    TRANSITIONS,
    sample_states,
    sliding_beads,
    stationary,
    three_shapes,
)

POPULATIONS = stationary(TRANSITIONS)
TIMES = -2.0 / np.log(np.sort(np.linalg.eigvals(TRANSITIONS).real)[-2::-1])
# Counts of a chain that is exactly reversible, which TRANSITIONS is not.
REVERSIBLE = np.array([[80.0, 10.0, 1.0], [10.0, 30.0, 2.0], [1.0, 2.0, 60.0]])


@pytest.fixture(scope="module")
def jumper() -> Ensemble:
    return three_shapes([sample_states(20_000, seed) for seed in (0, 1)])


@pytest.fixture(scope="module")
def clusters(jumper: Ensemble) -> Clusters:
    return fit_clusters(fit_tica(jumper, lag_time=2.0), jumper, n_clusters=3)


def test_model_of_exact_counts() -> None:
    model = markov_model(REVERSIBLE, 5.0)
    exact = REVERSIBLE / REVERSIBLE.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.transition_matrix, exact, atol=1e-6)
    np.testing.assert_allclose(model.stationary, REVERSIBLE.sum(axis=1) / REVERSIBLE.sum())
    eigenvalues = np.sort(np.linalg.eigvals(exact).real)[::-1]
    np.testing.assert_allclose(model.eigenvalues, eigenvalues, atol=1e-6)
    np.testing.assert_allclose(model.timescales(2), -5 / np.log(eigenvalues[1:]), rtol=1e-5)
    assert np.isnan(model.timescales(4)[2:]).all()
    assert model.connected == 1
    lumped = model.populations(np.array([0, 0, 1]))
    np.testing.assert_allclose(lumped, [133 / 196, 63 / 196], atol=1e-7)


def test_model_is_of_the_set_with_most_transitions() -> None:
    counts = np.zeros((6, 6))
    counts[3:5, 3:5] = [[50, 10], [10, 30]]
    counts[:3, :3] = 1.0
    counts[0, 5] = 1.0  # no way back
    model = markov_model(counts, 1.0)
    np.testing.assert_allclose(model.stationary, [0, 0, 0, 0.6, 0.4, 0], atol=1e-7)
    assert model.connected == pytest.approx(100 / 110)
    assert not model.transition_matrix[[0, 1, 2, 5]].any()


@pytest.mark.parametrize("counts", [np.zeros((2, 2)), np.array([[0.0, 5.0], [0.0, 0.0]])])
def test_model_of_no_return_is_unknown(counts: np.ndarray) -> None:
    model = markov_model(counts, 1.0)
    assert np.isnan(model.stationary).all()
    assert np.isnan(model.timescales(1)).all()


def test_negative_eigenvalues_have_no_timescale() -> None:
    assert np.isnan(markov_model(np.array([[1.0, 9.0], [9.0, 1.0]]), 1.0).timescales(1)[0])


def test_transitions_of_blocks_add_up(jumper: Ensemble, clusters: Clusters) -> None:
    trajectories = clusters.assign(jumper)
    counts = trajectories.count_transitions(6.0)
    assert len(counts) == 20
    direct = np.zeros((3, 3))
    for states in trajectories.states:
        np.add.at(direct, (states[:-3], states[3:]), 1)
    np.testing.assert_array_equal(counts.sum(axis=0), direct)


def test_transitions_by_hand(jumper: Ensemble) -> None:
    short = replace(jumper, xyz=(jumper.xyz[0][:5], jumper.xyz[0][:2]))
    states = (np.array([0, 1, 1, 0, 2]), np.array([2, 2]))
    trajectories = StateTrajectories(short, tuple(np.zeros((len(s), 1)) for s in states), states, 3)
    assert trajectories.count_transitions(4.0).sum(axis=0).tolist() == [
        [0, 1, 0],
        [1, 0, 1],
        [0, 0, 0],
    ]


def test_markov_chain_timescales(jumper: Ensemble, clusters: Clusters) -> None:
    times = implied_timescales(clusters, jumper, lag_times=[2.0, 4.0, 8.0], n_timescales=2)
    assert times.values.shape == times.errors.shape == (3, 2)
    # Not reversible: its second eigenvalue is off by a little in a reversible model.
    np.testing.assert_allclose(times.values[:, 0], TIMES[0], rtol=0.1)
    np.testing.assert_allclose(times.values[:2, 1], TIMES[1], rtol=0.1)
    assert (np.abs(times.values[:, 0] - TIMES[0]) < 3 * times.errors[:, 0]).all()
    assert (times.errors[:, 0] < 0.1 * TIMES[0]).all()


def test_errors_shrink_with_data(clusters: Clusters) -> None:
    few, many = (
        implied_timescales(
            clusters,
            three_shapes([sample_states(n, seed) for seed in range(4)]),
            lag_times=[2.0],
            n_timescales=1,
        ).errors[0, 0]
        for n in (2_000, 32_000)
    )
    assert 2 < few / many < 8  # √16 = 4


def test_ornstein_uhlenbeck_timescale_from_clusters() -> None:
    slider = sliding_beads((40.0, 4.0), n_frames=20_000, seeds=(0, 1))
    clusters = fit_clusters(fit_tica(slider, lag_time=10.0), slider, n_clusters=60)
    times = implied_timescales(clusters, slider, lag_times=[20.0], n_timescales=1, n_bootstrap=2)
    assert times.values[0, 0] == pytest.approx(40.0, rel=0.15)


def test_metastable_populations(jumper: Ensemble, clusters: Clusters) -> None:
    model = markov_model(clusters.assign(jumper).count_transitions(2.0).sum(axis=0), 2.0)
    states = metastable_states(model, clusters, 2)
    # The third shape is the slow one.
    slow = clusters.assign(replace(jumper, xyz=(three_shapes([np.full(1, 2)]).xyz[0],))).states[0]
    alone = states[slow[0]]
    assert (states == alone).sum() == 1
    assert model.populations(states)[alone] == pytest.approx(POPULATIONS[2], abs=0.03)
    means = [clusters.centres[states == state, 0].mean() for state in (0, 1)]
    assert means[0] < means[1]


def test_unconnected_clusters_join_the_nearest_state(clusters: Clusters) -> None:
    counts = np.zeros((4, 4))
    counts[:2, :2] = [[90, 10], [10, 90]]
    centres = np.array([[0.0], [1.0], [0.2], [5.0]])
    states = metastable_states(markov_model(counts, 1.0), replace(clusters, centres=centres), 2)
    assert states.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("n_states", [1, 4])
def test_metastable_states_are_counted(clusters: Clusters, n_states: int) -> None:
    with pytest.raises(ValueError, match="n_states must be from 2 to the 3"):
        metastable_states(markov_model(REVERSIBLE, 1.0), clusters, n_states)


@pytest.mark.parametrize("n_clusters", [1, 40_001])
def test_clusters_are_counted(jumper: Ensemble, clusters: Clusters, n_clusters: int) -> None:
    with pytest.raises(ValueError, match="n_clusters must be from 2 to the 40000 frames"):
        fit_clusters(clusters.tica, jumper, n_clusters=n_clusters)


def test_clusters_are_those_of_the_seed() -> None:
    slider = sliding_beads((40.0, 4.0), n_frames=2_000, seeds=(0,))
    tica = fit_tica(slider, lag_time=10.0)
    first, second, other = (fit_clusters(tica, slider, n_clusters=9, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.centres, second.centres)
    assert not np.array_equal(first.centres, other.centres)


def test_deviations_are_the_largest_and_the_root_mean_square() -> None:
    off = np.array([0.3, -0.1, 0.0, np.nan]).reshape(1, 2, 2)
    test = ChapmanKolmogorov("x", np.ones(1), 0.5 + off, np.full((1, 2, 2), 0.5), 0 * off)
    assert test.max_deviation == pytest.approx(0.3)
    assert test.rms_deviation == pytest.approx(np.sqrt(0.1 / 3))


def test_chapman_kolmogorov_holds_for_a_markov_chain(jumper: Ensemble, clusters: Clusters) -> None:
    states = np.arange(3)
    test = chapman_kolmogorov(clusters, jumper, states=states, lag_time=4.0, n_steps=4)
    np.testing.assert_allclose(test.times, [4, 8, 12, 16])
    np.testing.assert_allclose(test.predicted[0], test.estimated[0])
    np.testing.assert_allclose(test.predicted.sum(axis=2), 1)
    assert test.max_deviation < 0.03
    assert 0 < test.rms_deviation < test.max_deviation
    assert (np.abs(test.predicted - test.estimated) < 4 * test.errors + 1e-9).mean() > 0.9


def test_chapman_kolmogorov_fails_for_a_chain_with_memory(clusters: Clusters) -> None:
    # Every state lasts exactly ten frames: far from exponential.
    jumps = np.random.default_rng(0).integers(3, size=2_000)
    rhythm = three_shapes([np.repeat(jumps, 10)])
    test = chapman_kolmogorov(clusters, rhythm, states=np.arange(3), lag_time=2.0, n_steps=10)
    # Every tenth frame is drawn anew, so a model at a lag of one frame has eigenvalues of 0.9. It
    # predicts 1/3 + 2/3 0.9^10 to stay for ten frames, when nothing is left but the 1/3.
    stay = np.arange(3), np.arange(3)
    np.testing.assert_allclose(test.predicted[9][stay], 1 / 3 + 2 / 3 * 0.9**10, atol=0.03)
    np.testing.assert_allclose(test.estimated[9][stay], 1 / 3, atol=0.04)
    assert test.max_deviation == pytest.approx(2 / 3 * 0.9**10, abs=0.05)


def test_states_of_several_clusters_are_left_from_equilibrium_within() -> None:
    """Three of four frames in the first state are in a cluster that no way leads out of."""
    matrix = np.array([[0.8, 0.2, 0.0], [0.6, 0.3, 0.1], [0.0, 0.05, 0.95]])
    weights = stationary(matrix)
    np.testing.assert_allclose(weights[0], 3 * weights[1])
    ensemble = three_shapes([sample_states(20_000, seed, matrix) for seed in (0, 1)])
    found = fit_clusters(fit_tica(ensemble, lag_time=2.0), ensemble, n_clusters=3)
    (number,) = found.assign(three_shapes([np.arange(3)])).states
    test = chapman_kolmogorov(
        found, ensemble, states=np.array([0, 0, 1])[np.argsort(number)], lag_time=2.0, n_steps=3
    )
    inside = np.array([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]])
    for step, predicted in enumerate(test.predicted, 1):
        moved = inside @ np.linalg.matrix_power(matrix, step)
        exact = np.stack([moved[:, :2].sum(axis=1), moved[:, 2]], axis=1)
        np.testing.assert_allclose(predicted, exact, atol=0.01)


def test_validation_errors(jumper: Ensemble, clusters: Clusters) -> None:
    with pytest.raises(ValueError, match="lag_time of 3 ps must be a positive multiple"):
        implied_timescales(clusters, jumper, lag_times=[2.0, 3.0])
    short = replace(jumper, xyz=(jumper.xyz[0][:10],))
    with pytest.raises(ValueError, match="the longest replica in xyz has only 10"):
        chapman_kolmogorov(clusters, short, states=np.arange(3), lag_time=4.0, n_steps=5)
    with pytest.raises(ValueError, match=r"states must be \[3\]"):
        chapman_kolmogorov(clusters, jumper, states=np.arange(2), lag_time=4.0)
    with pytest.raises(ValueError, match="name"):
        implied_timescales(clusters, replace(jumper, name="other"), lag_times=[2.0])

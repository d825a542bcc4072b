from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Ensemble
from cgsim.evaluate.kinetics.features import ContactFeatures, DistanceFeatures, feature_pairs
from cgsim.evaluate.kinetics.tica import TicaModel, fit_tica, js_tic0, js_tic01
from cgsim.testing.checks import random_rotation
from tests.evaluate.kinetics.slow_systems import (
    TRANSITIONS,
    sample_states,
    sliding_beads,
    three_shapes,
)

TIMES = (60.0, 12.0)


@pytest.fixture(scope="module")
def slider() -> Ensemble:
    return sliding_beads(TIMES, n_frames=20_000, seeds=(0, 1))


@pytest.fixture(scope="module")
def tica(slider: Ensemble) -> TicaModel:
    return fit_tica(slider, lag_time=6.0)


def test_ornstein_uhlenbeck_times_and_directions(slider: Ensemble, tica: TicaModel) -> None:
    # Three distances, of which one is the sum of the others: two components.
    assert tica.n_components == 2
    np.testing.assert_allclose(tica.eigenvalues, np.exp(-6 / np.array(TIMES)), atol=0.015)
    np.testing.assert_allclose(tica.implied_timescales, TIMES, rtol=0.15)
    tics = np.concatenate(tica.project(slider))
    lengths = np.concatenate([np.diff(xyz[:, :, 0], axis=1) for xyz in slider.xyz])
    correlation = np.corrcoef(tics.T, lengths.T)[:2, 2:]
    np.testing.assert_allclose(np.abs(correlation), np.eye(2), atol=0.1)


def test_components_are_scaled_to_the_kinetic_map(slider: Ensemble, tica: TicaModel) -> None:
    tics = np.concatenate(tica.project(slider))
    np.testing.assert_allclose(tics.std(axis=0), tica.eigenvalues, rtol=2e-3)
    np.testing.assert_allclose(tics.mean(axis=0), 0, atol=5e-3)


def test_markov_chain_eigenvalues() -> None:
    jumper = three_shapes([sample_states(40_000, seed) for seed in (0, 1)])
    tica = fit_tica(jumper, lag_time=2.0)
    exact = np.sort(np.linalg.eigvals(TRANSITIONS))[-2::-1]
    np.testing.assert_allclose(tica.eigenvalues, exact, atol=0.01)
    np.testing.assert_allclose(tica.implied_timescales, -2.0 / np.log(exact), rtol=0.1)


def test_chunks_make_no_difference(slider: Ensemble, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_tica(slider, lag_time=6.0)
    monkeypatch.setattr("cgsim.evaluate.observables.structure._CHUNK_DISTANCES", 9 * 1234)
    pieces = fit_tica(slider, lag_time=6.0)
    np.testing.assert_allclose(pieces.eigenvalues, whole.eigenvalues, rtol=1e-9)
    for first, second in zip(pieces.project(slider), whole.project(slider), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-9)


def test_projection_is_free_of_rigid_motion(slider: Ensemble, tica: TicaModel) -> None:
    rotation = random_rotation(seed=3).numpy()
    moved = replace(slider, xyz=tuple(xyz @ rotation.T + [30.0, -5.0, 8.0] for xyz in slider.xyz))
    for first, second in zip(tica.project(slider), tica.project(moved), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-10)


def test_js_distances(slider: Ensemble, tica: TicaModel) -> None:
    tics = tica.project(slider)
    assert js_tic0(tics, tics) == 0
    assert js_tic01(tics, tics) == 0
    # Far outside the range all mass is in the outer bin, in which the reference has some frames.
    low = np.concatenate(tics)[:, 0].min()
    outside = [np.full((10, 2), low - 100.0)]
    width = np.ptp(np.concatenate(tics)[:, 0]) / 100
    p = np.mean(np.concatenate(tics)[:, 0] < low + width)
    m = (p + 1) / 2
    divergence = (p * np.log2(p / m) + np.log2(1 / m) + (1 - p) * np.log2(2)) / 2
    assert js_tic0(tics, outside) == pytest.approx(np.sqrt(divergence), rel=1e-9)
    assert js_tic01(tics, outside) > 0.99
    # The same marginals without their pairing: only the joint distribution tells.
    line = [np.stack([np.linspace(0, 1, 5000)] * 2, axis=1)]
    cross = [np.stack([line[0][:, 0], line[0][::-1, 1]], axis=1)]
    assert js_tic0(line, cross) == 0
    assert js_tic01(line, cross) == pytest.approx(1.0)


def test_one_component_has_no_joint_distribution() -> None:
    assert np.isnan(js_tic01([np.zeros((4, 1))], [np.zeros((4, 1))]))


def test_pairs_are_all_or_evenly_spaced() -> None:
    assert feature_pairs(3).tolist() == [[0, 0, 1], [1, 2, 2]]
    assert feature_pairs(32).shape == (2, 496)
    many = feature_pairs(200)
    assert many.shape == (2, 496)
    assert (many.min(), many.max()) == (0, 199)
    assert set(np.diff(np.unique(many))) == {6, 7}
    assert feature_pairs(9, max_pairs=1).tolist() == [[0], [8]]


def test_contacts_are_half_at_the_cutoff() -> None:
    xyz = np.zeros((3, 2, 3))
    xyz[:, 1, 0] = [0.01, 0.6, 6.0]
    pairs = feature_pairs(2)
    contacts = ContactFeatures(pairs, cutoff=0.6)(xyz)
    np.testing.assert_allclose(contacts[:, 0], [1, 0.5, 1e-6], rtol=1e-5)
    np.testing.assert_allclose(DistanceFeatures(pairs)(xyz)[:, 0], [0.01, 0.6, 6.0])
    with pytest.raises(ValueError, match="cutoff"):
        ContactFeatures(pairs, cutoff=0.0)


def test_contacts_find_the_slow_motion_too(slider: Ensemble) -> None:
    contacts = ContactFeatures(feature_pairs(3), cutoff=10.0)
    tica = fit_tica(slider, lag_time=6.0, features=contacts, n_components=1)
    assert tica.n_components == 1
    assert tica.implied_timescales[0] == pytest.approx(TIMES[0], rel=0.25)


@pytest.mark.parametrize("lag_time", [2.5, 0.0, -1.0, 0.4, float("nan"), float("inf")])
def test_lag_must_be_a_multiple_of_the_frame_interval(slider: Ensemble, lag_time: float) -> None:
    with pytest.raises(ValueError, match=r"lag_time.*frame_interval, 1 ps"):
        fit_tica(slider, lag_time=lag_time)


def test_trajectory_must_be_longer_than_the_lag(slider: Ensemble) -> None:
    short = replace(slider, xyz=tuple(xyz[:6] for xyz in slider.xyz))
    with pytest.raises(ValueError, match=r"slider: lag_time of 6 ps is 6 frames.*only 6"):
        fit_tica(short, lag_time=6.0)


def test_replicas_shorter_than_the_lag_are_left_out(slider: Ensemble) -> None:
    tail = replace(slider, xyz=(*slider.xyz, slider.xyz[0][:5]))
    expected = fit_tica(slider, lag_time=6.0).eigenvalues
    np.testing.assert_allclose(fit_tica(tail, lag_time=6.0).eigenvalues, expected)


def test_nothing_moves() -> None:
    with pytest.raises(ValueError, match="nothing moves"):
        fit_tica(three_shapes([np.zeros(50, dtype=int)]), lag_time=2.0)


def test_components_are_counted(slider: Ensemble) -> None:
    with pytest.raises(ValueError, match="n_components"):
        fit_tica(slider, lag_time=6.0, n_components=0)


def test_wrong_molecule(slider: Ensemble, tica: TicaModel) -> None:
    with pytest.raises(ValueError, match=r"name.*'slider'.*'other'"):
        tica.project(replace(slider, name="other"))
    with pytest.raises(ValueError, match="edge_index"):
        tica.project(replace(slider, edge_index=np.array([[0, 0], [1, 2]])))
    four = Ensemble("slider", (np.zeros((2, 4, 3)),), 1.0, np.ones(4), slider.edge_index)
    with pytest.raises(ValueError, match="n_beads is 3 in the reference, 4 here"):
        tica.project(four)
    # The order in which bonds are written does not matter.
    tica.project(replace(slider, edge_index=np.array([[2, 1], [1, 0]])))

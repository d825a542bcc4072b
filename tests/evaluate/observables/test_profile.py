"""What is known of one ensemble, computed in runs of frames."""

import numpy as np
import pytest

from cgsim.evaluate import Ensemble, Frames
from cgsim.evaluate.observables.frames import nonbonded_distances, rg, rg_squared
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.structure import pair_distances, radius_of_gyration
from tests.evaluate.processes import noisy_chain


@pytest.fixture(scope="module")
def long_chain() -> Ensemble:
    """Read in several runs of frames."""
    return noisy_chain("chain", 60, seed=3, n_frames=2500)


def test_series_and_ranges_do_not_depend_on_how_frames_are_read(long_chain: Ensemble) -> None:
    profile = Profile(long_chain)
    assert len(list(profile.chunks(0))) > 2
    for replica, xyz in enumerate(long_chain.xyz):
        expected = radius_of_gyration(xyz, long_chain.bead_mass)
        np.testing.assert_array_equal(profile.series(rg).values[replica], expected)
        np.testing.assert_array_equal(profile.series(rg_squared).values[replica], expected**2)
    distances = np.concatenate([pair_distances(xyz, profile.pairs) for xyz in long_chain.xyz])
    np.testing.assert_array_equal(
        profile.range_of(nonbonded_distances), [distances.min(), distances.max()]
    )


def test_a_piece_of_a_replica_is_that_piece(long_chain: Ensemble) -> None:
    profile = Profile(long_chain)
    frames = list(profile.chunks(1, 10, 1800))
    np.testing.assert_array_equal(
        np.concatenate([own.xyz for own in frames]), long_chain.xyz[1][10:1800]
    )
    np.testing.assert_array_equal(
        np.concatenate([own.rg for own in frames]), profile.rg[1][10:1800]
    )


def test_each_measure_is_taken_once(long_chain: Ensemble) -> None:
    asked = []

    def first_bead(frames: Frames) -> np.ndarray:
        asked.append(len(frames.xyz))
        return frames.xyz[:, 0, 0]

    profile = Profile(long_chain)
    assert profile.series(first_bead) is profile.series(first_bead)
    assert sum(asked) == long_chain.n_frames


def test_a_sample_is_spread_over_all_replicas() -> None:
    chain = noisy_chain("chain", 3, seed=0, n_frames=6000)
    frames = Profile(chain).sampled()
    assert 5000 <= len(frames.xyz) <= 6000
    np.testing.assert_array_equal(frames.xyz[0], chain.xyz[0][0])
    np.testing.assert_array_equal(frames.xyz[-1], chain.xyz[1][-2])
    np.testing.assert_allclose(frames.rg, radius_of_gyration(frames.xyz, chain.bead_mass))

import base64
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cgsim.evaluate import Ensemble
from cgsim.evaluate.observables.structure import pair_distances
from cgsim.evaluate.report.viewer import MAX_FRAMES, centre, make_player, player_data, superpose

MakeChain = Callable[..., Ensemble]


def test_frames_show_the_same_times(make_chain: MakeChain) -> None:
    reference = make_chain(n_frames=3000, rate=0.05)
    learned = replace(make_chain(n_frames=500, rate=0.05, seed=1), frame_interval=5.0)
    player = make_player(reference, learned)
    assert 2 <= len(player.times) <= MAX_FRAMES
    assert player.times[0] == 0
    assert (np.diff(player.times) >= 5.0 - 1e-9).all()
    for k, time in enumerate(player.times):
        for shown, ensemble in ((player.reference, reference), (player.learned, learned)):
            frame = ensemble.xyz[0][int(np.rint(time / ensemble.frame_interval))]
            expected = pair_distances(frame[None])
            np.testing.assert_allclose(pair_distances(shown[k : k + 1]), expected, atol=1e-9)


def test_one_frame_is_enough(make_chain: MakeChain) -> None:
    player = make_player(make_chain(n_frames=1), make_chain(n_frames=50))
    assert player.reference.shape == player.learned.shape == (1, 8, 3)


def test_superposition_undoes_rotation_but_not_reflection() -> None:
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(6, 3))
    shape -= shape.mean(axis=0)
    turned = np.stack([shape @ r.as_matrix().T for r in Rotation.random(5, rng=rng)])
    np.testing.assert_allclose(
        superpose(turned), np.broadcast_to(turned[0], turned.shape), atol=1e-9
    )
    mirrored = np.stack([shape, shape * [-1, 1, 1]])
    assert np.abs(superpose(mirrored)[1] - shape).max() > 0.1


def test_centre_of_mass_is_at_the_origin() -> None:
    xyz, mass = np.random.default_rng(1).normal(size=(4, 5, 3)), np.arange(1.0, 6.0)
    np.testing.assert_allclose(np.einsum("i,fic->fc", mass, centre(xyz, mass)), 0, atol=1e-12)


def test_coordinates_survive_the_encoding(make_chain: MakeChain) -> None:
    player = make_player(make_chain(), make_chain(seed=1))
    (data,) = json.loads(json.dumps(player_data([player])))
    decoded = []
    for key in ("reference", "learned"):
        integers = np.frombuffer(base64.b64decode(data[key]), dtype="<i2")
        decoded.append(data["scale"] * integers.reshape(-1, data["nBeads"], 3))
    unit = np.linalg.norm(decoded[0]) / np.linalg.norm(player.reference)
    for xyz, original in zip(decoded, (player.reference, player.learned), strict=True):
        np.testing.assert_allclose(xyz / unit, original, atol=2e-3)
    bonds = pair_distances(player.reference, player.edge_index).mean()
    assert data["bond"] == pytest.approx(bonds * unit, rel=1e-3)
    assert data["bonds"] == player.edge_index.T.tolist()

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cgsim.evaluate.observables.superposition import (
    cross_correlations,
    mean_structure,
    principal_modes,
    rmsd,
    rmsf,
    superpose,
)

N_BEADS = 20


@pytest.fixture
def structure() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(N_BEADS, 3))


def tumbling(xyz: np.ndarray, seed: int = 0) -> np.ndarray:
    """Every frame turned by a rotation of its own, and far away."""
    rng = np.random.default_rng(seed)
    turned = np.einsum("fab,fib->fia", Rotation.random(len(xyz), rng=rng).as_matrix(), xyz)
    return turned + 50 * rng.normal(size=(len(xyz), 1, 3))


def breathing(structure: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    """Frames that move along the structure itself: no part of it is a rotation."""
    centred = structure - structure.mean(axis=0)
    return structure + amplitudes[:, None, None] * centred


def test_frames_that_tumble_are_laid_on_the_structure(structure: np.ndarray) -> None:
    frames = tumbling(np.repeat(structure[None], 5, axis=0))
    np.testing.assert_allclose(
        superpose(frames, structure),
        np.repeat(structure[None] - structure.mean(0), 5, 0),
        atol=1e-5,
    )
    np.testing.assert_allclose(rmsd(frames, structure), 0, atol=1e-3)


def test_a_mirror_image_is_not_laid_on_it(structure: np.ndarray) -> None:
    assert rmsd(structure[None] * [1, 1, -1], structure)[0] > 0.3


def test_rmsd_of_a_structure_that_swells(structure: np.ndarray) -> None:
    rg = np.sqrt(((structure - structure.mean(axis=0)) ** 2).sum(axis=1).mean())
    frames = tumbling(breathing(structure, np.array([0.0, 0.1, -0.2])))
    np.testing.assert_allclose(rmsd(frames, structure), [0, 0.1 * rg, 0.2 * rg], atol=1e-3)


def test_rmsf_of_each_bead_is_its_own_and_tumbling_adds_nothing(structure: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    widths = np.linspace(0.02, 0.06, N_BEADS)
    frames = structure + widths[:, None] * rng.normal(size=(4000, N_BEADS, 3))
    found = rmsf(tumbling(frames))
    np.testing.assert_allclose(found, rmsf(frames), rtol=1e-3)
    # Six of the 3 n degrees of freedom go with the superposition.
    np.testing.assert_allclose(found, np.sqrt(3) * widths, rtol=0.15)
    assert np.corrcoef(found, widths)[0, 1] > 0.98


def test_the_mean_of_frames_that_breathe_is_the_structure(structure: np.ndarray) -> None:
    frames = tumbling(breathing(structure, np.array([-0.1, 0.1, -0.05, 0.05])))
    assert rmsd(mean_structure(frames)[None], structure)[0] < 1e-3


def test_the_widest_mode_is_the_one_that_was_put_in(structure: np.ndarray) -> None:
    amplitudes = np.random.default_rng(3).normal(scale=0.1, size=500)
    frames = tumbling(breathing(structure, amplitudes))
    modes = principal_modes(frames, n_modes=2)
    size = np.linalg.norm(structure - structure.mean(axis=0))
    assert modes.variances[0] == pytest.approx((size * amplitudes).var(), rel=1e-3)
    assert modes.variances[1] < 1e-6
    assert abs(np.corrcoef(modes.project(frames)[:, 0], amplitudes)[0, 1]) > 0.999


def test_beads_that_go_together_and_apart(structure: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    step = 0.05 * rng.normal(size=(3000, 3))
    frames = np.repeat(structure[None], 3000, axis=0) + 1e-3 * rng.normal(size=(3000, N_BEADS, 3))
    frames[:, 0] += step
    frames[:, 1] += step
    frames[:, 2] -= step
    found = cross_correlations(frames, structure)
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(np.diag(found), 1)
    assert found[0, 1] > 0.9
    assert found[0, 2] < -0.9


def test_a_structure_of_other_beads_is_refused(structure: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(19, 3\)"):
        rmsd(structure[None], structure[1:])


def test_modes_of_one_frame_are_refused(structure: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two frames"):
        principal_modes(structure[None])

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cgsim.evaluate.observables.native import NativeContacts, bonds_between


def hairpin(n_beads: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Two strands 0.5 nm apart, bonds of 0.38 nm; and its bonds."""
    half = n_beads // 2
    rise = 0.38 * np.arange(half)
    up = np.stack([rise, np.zeros(half), np.zeros(half)], axis=1)
    down = np.stack([rise[::-1], np.full(half, 0.5), np.zeros(half)], axis=1)
    return np.concatenate([up, down]), np.stack([np.arange(n_beads - 1), np.arange(1, n_beads)])


def test_the_reference_has_all_its_contacts_and_a_straight_chain_none() -> None:
    structure, bonds = hairpin()
    straight = np.zeros_like(structure)
    straight[:, 2] = 0.38 * np.arange(len(straight))
    contacts = NativeContacts.of(structure, bonds)
    both = np.stack([structure, straight])
    np.testing.assert_array_equal(contacts.hard(both), [1.0, 0.0])
    np.testing.assert_allclose(contacts.soft(both), [1.0, 0.0], atol=0.02)


def test_contacts_are_pairs_near_in_space_and_far_along_the_chain() -> None:
    structure, bonds = hairpin(8)
    contacts = NativeContacts.of(structure, bonds, cutoff=0.55)
    # Rungs of the ladder: 0-7, 1-6 (2-5 is three bonds, 3-4 a bond).
    assert contacts.pairs.T.tolist() == [[0, 7], [1, 6]]
    np.testing.assert_allclose(contacts.distances, 0.5)


def test_a_strand_that_leaves_takes_its_contacts_with_it() -> None:
    structure, bonds = hairpin(8)
    contacts = NativeContacts.of(structure, bonds, cutoff=0.55)
    frames = np.repeat(structure[None], 3, axis=0)
    frames[1, 7, 1] += 0.2  # one of two contacts is gone
    frames[2, 6:, 1] += 0.1  # both at 1.2 times their distance: half there by the soft count
    np.testing.assert_array_equal(contacts.hard(frames), [1.0, 0.5, 0.0])
    assert contacts.soft(frames)[2] == pytest.approx(0.5)


def test_place_orientation_and_far_beads_do_no_harm() -> None:
    structure, bonds = hairpin()
    contacts = NativeContacts.of(structure, bonds)
    turned = structure @ Rotation.random(rng=np.random.default_rng(0)).as_matrix().T + 7
    assert contacts.soft(turned[None])[0] == pytest.approx(contacts.soft(structure[None])[0])
    assert contacts.soft(1e6 * structure[None])[0] == 0


@pytest.mark.parametrize("bad", [np.zeros((2, 4, 3)), np.full((12, 3), np.nan)])
def test_other_structures_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\[n_beads, 3\] finite"):
        NativeContacts.of(bad, hairpin()[1])


def test_a_structure_in_angstrom_is_refused() -> None:
    structure, bonds = hairpin()
    with pytest.raises(ValueError, match="nm"):
        NativeContacts.of(10 * structure, bonds)


def test_beads_of_two_chains_are_infinitely_many_bonds_apart() -> None:
    bonds = np.array([[0, 1, 3], [1, 2, 4]])
    pairs = np.array([[0, 0], [2, 3]])
    assert bonds_between(5, bonds, pairs).tolist() == [2, np.inf]

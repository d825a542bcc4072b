"""Distances between molecules: by minimum image, of other molecules only."""

from typing import Any

import numpy as np
import pytest

from cgsim.evaluate import Ensemble, Scoring
from cgsim.evaluate.observables.between import Between, distances, looked_at
from cgsim.evaluate.scores.box import find_overlaps
from cgsim.evaluate.species import Box, split
from cgsim.evaluate.statistics.distributions import js_distance

BETWEEN = Between("between", "distances between molecules", "nm")
TRICLINIC = np.array([[5.0, 0, 0], [1.5, 4.5, 0], [-1.0, 1.2, 4.8]])


def box(xyz: np.ndarray, cell: np.ndarray, *, n_bonded: int = 1, drift: Any = None) -> Box:
    """Molecules of so many beads, one after the other."""
    n = xyz.shape[1]
    starts = np.array([bead for bead in range(n - 1) if (bead + 1) % n_bonded], dtype=int)
    cells = (np.broadcast_to(cell, (len(xyz), 3, 3)),)
    edges = np.stack([starts, starts + 1]) if n_bonded > 1 else np.empty((2, 0), int)
    made = Ensemble("box", (xyz,), 1.0, np.ones(n), edges, cells=cells, drift=drift)
    whole = split(made)[-1]
    assert isinstance(whole, Box)
    return whole


def ideal(seed: int, n: int = 60, n_frames: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).random((n_frames, n, 3)) @ TRICLINIC


def test_ideal_particles_fill_every_shell_alike() -> None:
    gas = box(ideal(0), TRICLINIC)
    longest = looked_at(gas)
    found = distances(gas, longest, 10)
    shell = 4 / 3 * np.pi * np.diff(np.linspace(0, longest, 11) ** 3)
    pairs = 60 * 59 / 2
    expected = pairs * shell / np.linalg.det(TRICLINIC)
    spread = np.sqrt(expected / 200)
    assert (np.abs(found.counts.mean(axis=0) - expected) < 5 * spread).all()


def test_only_other_molecules_count_by_minimum_image() -> None:
    xyz = np.array([[[0.1, 0, 0], [0.2, 0, 0], [4.9, 0, 0], [4.8, 0, 0]]])
    pairs = box(xyz, 5 * np.eye(3), n_bonded=2)
    assert distances(pairs, 2.0, 4).closest == pytest.approx([0.2])
    assert distances(pairs, 2.0, 4).counts.sum() == 4
    moved = xyz + np.array([5.0, -10.0, 0])  # the second molecule elsewhere, all the same
    xyz[:, 2:] = moved[:, 2:]
    assert distances(box(xyz, 5 * np.eye(3), n_bonded=2), 2.0, 4).closest == pytest.approx([0.2])


def test_paths_are_led_back_by_their_drift() -> None:
    xyz, drift = ideal(1), np.zeros((200, 60, 3))
    drift[:, 7] = [0.3, 0.1, 0.0]
    apart = distances(box(xyz + drift, TRICLINIC, drift=(drift,)), 1.0, 5)
    np.testing.assert_allclose(apart.closest, distances(box(xyz, TRICLINIC), 1.0, 5).closest)


def test_each_frame_has_its_own_cell() -> None:
    """Two beads at 0.1 and 0.9 of a cell that breathes."""
    sides = np.array([2.0, 3.0, 2.5])
    cells = sides[:, None, None] * np.eye(3)
    xyz = np.zeros((3, 2, 3))
    xyz[:, 0], xyz[:, 1] = 0.1 * sides[:, None], 0.9 * sides[:, None]
    found = distances(box(xyz, cells), 1.2, 4)
    np.testing.assert_allclose(found.closest, 0.2 * np.sqrt(3) * sides)


def test_no_bead_is_seen_twice() -> None:
    """No further is looked than half of what is between opposite faces of the cell."""
    assert looked_at(box(ideal(0), 5 * np.eye(3))) == pytest.approx(2.5)
    normals = np.linalg.inv(TRICLINIC).T  # of length one over the height
    height = 1 / np.linalg.norm(normals, axis=1).max()
    assert looked_at(box(ideal(0), TRICLINIC)) == pytest.approx(height / 2)
    # Of many beads some neighbours far is enough: four times n^(-1/3).
    many = np.random.default_rng(0).random((2, 4000, 3)) * 10
    assert looked_at(box(many, 10 * np.eye(3))) == pytest.approx(4 * 0.25 ** (1 / 3))


def test_both_closest_distances_are_told() -> None:
    first, second = (np.array([[[0.0, 0, 0], [apart, 0, 0]]] * 4) for apart in (0.7, 0.4))
    near, nearer = (box(xyz, 5 * np.eye(3)) for xyz in (first, second))
    scoring, random = Scoring(n_bootstrap=5), np.random.default_rng(0)
    found = BETWEEN.compare_boxes(near, nearer, scoring, random)
    assert found["closest_between_reference"].value == pytest.approx(0.7)
    assert found["closest_between"].value == pytest.approx(0.4)


def test_shells_count_by_their_volume() -> None:
    scoring = Scoring(n_bootstrap=10, n_bins=6)
    both = box(ideal(0, n_frames=30), TRICLINIC), box(ideal(1, n=30, n_frames=30), TRICLINIC)
    score = BETWEEN.compare_boxes(*both, scoring, np.random.default_rng(0))["js_between"]
    longest = looked_at(both[0])
    volume = np.diff(np.linspace(0.0, longest, 7) ** 3)
    expected = js_distance(
        *(distances(own, longest, 6).counts.sum(axis=0) / volume for own in both)
    )
    assert score.value == pytest.approx(expected)


def test_equal_boxes_differ_by_no_more_than_their_error() -> None:
    scoring = Scoring(n_bootstrap=50, n_bins=10)
    found = BETWEEN.compare_boxes(
        box(ideal(0), TRICLINIC), box(ideal(1), TRICLINIC), scoring, np.random.default_rng(0)
    )
    assert found["js_between"].value < 0.05
    repelled = ideal(2)
    kept = distances(box(repelled, TRICLINIC), 1.0, 5).closest > 0.15
    near = BETWEEN.compare_boxes(
        box(ideal(0), TRICLINIC),
        box(0.5 * repelled[kept], TRICLINIC),
        scoring,
        np.random.default_rng(0),
    )
    assert near["js_between"].value > 5 * found["js_between"].value


def test_overlap_is_a_red_line_where_md_has_a_core() -> None:
    lattice = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(1, -1, 3)
    random = np.random.default_rng(0)
    solid = lattice + 0.05 * random.normal(size=(100, 64, 3))
    reference = box(solid, 4 * np.eye(3))
    assert find_overlaps(reference, box(solid[::-1], 4 * np.eye(3))) == []
    torn = solid.copy()
    torn[60:, 1] = torn[60:, 0] + 0.3
    (crossing,) = find_overlaps(reference, box(torn, 4 * np.eye(3)))
    assert (crossing.red_line, crossing.frame, crossing.time) == ("overlap", 60, 60.0)


def test_ideal_particles_never_overlap_too_much() -> None:
    reference = box(ideal(0), TRICLINIC)
    assert not any(find_overlaps(reference, box(ideal(seed), TRICLINIC)) for seed in range(1, 8))

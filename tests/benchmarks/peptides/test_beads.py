"""What beads show: features that do not turn, histories that line up, what can be told."""

import numpy as np
import pytest

from benchmarks.peptides.beads import HISTORIES, STRIDE, shapes, shown, with_history
from benchmarks.tables.peptides import beads_table
from cgsim.testing.checks import random_rotation


@pytest.mark.parametrize("n_beads", [5, 8])
def test_shapes_turn_with_nothing_and_know_the_hand(n_beads: int) -> None:
    xyz = np.random.default_rng(0).normal(size=(3, n_beads, 3))
    found = shapes(xyz)
    turned = xyz @ random_rotation(seed=1).numpy().T + 2.0
    np.testing.assert_allclose(shapes(turned), found, atol=1e-6)
    n_pairs = n_beads * (n_beads - 1) // 2
    mirrored = shapes(-xyz)
    np.testing.assert_allclose(mirrored[:, :n_pairs], found[:, :n_pairs])
    np.testing.assert_allclose(mirrored[:, n_pairs:], -found[:, n_pairs:])


def test_rows_begin_where_the_longest_history_is_there() -> None:
    frames = np.arange(60.0)[:, None]
    start = STRIDE * (max(HISTORIES) - 1)
    np.testing.assert_array_equal(with_history(frames, 1)[:, 0], np.arange(start, 60))
    two = with_history(frames, 2)
    np.testing.assert_array_equal(two[:, 0] - two[:, 1], STRIDE)


def test_a_motion_of_the_beads_is_shown_and_another_is_not() -> None:
    random = np.random.default_rng(0)
    beads = [random.normal(size=(1500, 4, 3)) for _ in range(2)]
    seen = [np.linalg.norm(own[:, 0] - own[:, 3], axis=1) for own in beads]
    motions = [np.stack([own, random.normal(size=1500)], axis=1) for own in seen]
    for told, hidden in shown(beads, motions):
        assert told > 0.95
        assert abs(hidden) < 0.15


def test_table() -> None:
    def own(n_beads: int, told: float) -> dict[str, object]:
        known = {"n_beads": n_beads, "correlation": [[told, 0.5], [told, 0.5]]}
        return {"mappings": {"residues": known}}

    metrics = {"peptides": {"A": own(7, 0.6), "B": own(8, 0.8)}, "histories": [1, 8]}
    head, _, line = beads_table(metrics).splitlines()
    assert head.split(" | ")[2:] == [
        "slowest, 1 frame",
        "second, 1 frame",
        "slowest, 8 frames",
        "second, 8 frames |",
    ]
    cells = line.strip("| ").split(" | ")
    assert cells[:2] == ["residues", "7–8"]
    assert cells[2] == "0.70 ± 0.10"

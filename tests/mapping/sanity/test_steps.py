"""Steps that stand out, against processes whose answer is known."""

import numpy as np
import pytest

from cgsim.mapping.sanity.steps import Steps, least_gap


def outliers(length: np.ndarray, kind: list[int], *, n_chunks: int = 1) -> list[tuple[int, int]]:
    """Frame and index of what stands out among steps that lead to frames 1, 2, ..."""
    steps, first = Steps(np.array(kind)), 1
    for chunk in np.array_split(length, n_chunks):
        steps.add(chunk, first_frame=first)
        first += len(chunk)
    return [(own.frame, own.index) for own in steps.outliers(shortest=0.5)]


@pytest.mark.parametrize("n_chunks", [1, 7])
def test_one_long_step_is_found_where_it_is(n_chunks: int) -> None:
    length = np.random.default_rng(0).uniform(0.1, 0.3, (50, 3))
    length[30, 1] = 4.0
    assert outliers(length, [0, 0, 0], n_chunks=n_chunks) == [(31, 1)]
    assert outliers(length, [1, 0, 1], n_chunks=n_chunks) == [(31, 1)]


def test_kinds_are_judged_apart() -> None:
    length = np.random.default_rng(0).uniform(0.1, 0.3, (50, 3))
    length[:, 2] *= 20  # as long as the jump, and always so
    length[30, 1] = 4.0
    assert outliers(length, [0, 0, 1]) == [(31, 1)]
    assert outliers(length, [0, 0, 0]) == [(int(length[:, 2].argmax()) + 1, 2)]


def test_the_longest_of_a_kind_is_told_with_what_is_usual() -> None:
    length = np.full((40, 1), 0.2)
    length[[10, 20, 30], 0] = 3.0, 5.0, 4.0
    steps = Steps(np.zeros(1))
    steps.add(length, first_frame=1)
    (found,) = steps.outliers(shortest=0.5)
    assert (found.frame, found.index, found.length, found.n_outliers) == (21, 0, 5.0, 3)
    assert 0.2 <= found.usual <= 0.2 * 1.1


def test_short_steps_and_few_steps_do_not_stand_out() -> None:
    length = np.full((40, 1), 0.001)
    length[5] = 0.4
    assert outliers(length, [0]) == []
    assert outliers(np.array([[0.1], [5.0]]), [0]) == []
    assert outliers(np.array([[0.1], [0.1], [0.9]]), [0]) == []
    assert outliers(np.array([[0.1], [0.1], [5.0]]), [0]) == [(3, 0)]


@pytest.mark.parametrize("n_steps", [3, 4, 5, 10, 30, 300])
def test_no_step_of_free_particles_stands_out(n_steps: int) -> None:
    """Steps of Brownian motion in three dimensions, the most uneven there are of free motion."""
    random = np.random.default_rng(n_steps)
    free = np.linalg.norm(random.normal(scale=3.0, size=(2000, n_steps, 3)), axis=2)
    assert sum(bool(outliers(own[:, None], [0])) for own in free) <= 1


def test_the_gap_falls_to_its_limit() -> None:
    assert least_gap(3) > least_gap(5) > least_gap(10) > least_gap(1000) > 2.5
    assert least_gap(10**9) == pytest.approx(2.5)

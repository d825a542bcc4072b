"""Threads of the kernels: shares of the work, in any process, on any number of them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from cgsim.nn.native import pairs
from cgsim.nn.native.kernels import (
    KERNELS,
    bounds_by_weight,
    even_bounds,
    is_built,
    n_threads,
    set_threads,
)
from cgsim.nn.native.pairs import joined_pairs

needs_kernels = pytest.mark.skipif(not is_built(), reason="built without a C++ compiler")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    set_threads(None)


def near_pairs(n_systems: int = 200, n_beads: int = 30) -> Tensor:
    pos = torch.rand(n_systems * n_beads, 3, generator=torch.Generator().manual_seed(0))
    counts = torch.full((n_systems,), n_beads)
    none = torch.zeros(2, 0, dtype=torch.int64)
    return joined_pairs(pos, none, cutoff=0.3, counts=counts)[0]


def test_kernels_have_as_many_threads_as_pytorch_unless_told() -> None:
    assert n_threads() == torch.get_num_threads()
    set_threads(3)
    assert n_threads() == KERNELS.number() == 3
    set_threads(None)
    assert n_threads() == torch.get_num_threads()


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n_rows", [0, 1, 7, 1000])
def test_shares_hold_every_row_once(n_rows: int, threads: int) -> None:
    set_threads(threads)
    bounds = even_bounds(n_rows, per_share=10)
    assert (bounds[0], bounds[-1]) == (0, n_rows)
    assert bounds == sorted(bounds)
    assert len(bounds) == 2 or threads > 1


def test_shares_weigh_alike() -> None:
    set_threads(2)
    edges = torch.tensor([0, 500, 0, 0, 100, 100, 100, 200, 0])
    start = torch.nn.functional.pad(edges.cumsum(0), (1, 0))
    bounds = bounds_by_weight(start, per_share=250)
    weights = [int(edges[a:b].sum()) for a, b in pairwise(bounds)]
    assert (bounds[0], bounds[-1], sum(weights)) == (0, len(edges), 1000)
    assert max(weights) == 500  # that of one row
    assert bounds_by_weight(start[:1], per_share=1) == [0, 0]


@needs_kernels
@pytest.mark.parametrize("threads", [2, 4])
def test_any_number_of_threads_finds_the_same(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threads(1)
    expected = near_pairs()
    monkeypatch.setattr(pairs, "PAIRS_PER_SHARE", 1)
    set_threads(threads)
    assert all(torch.equal(near_pairs(), expected) for _ in range(20))


@needs_kernels
def test_calls_from_several_python_threads_do_not_mix() -> None:
    set_threads(1)
    expected = near_pairs(n_systems=20)
    set_threads(2)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: near_pairs(n_systems=20), range(30)))
    assert all(torch.equal(own, expected) for own in found)


@needs_kernels
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_process_that_was_forked_has_threads_of_its_own() -> None:
    set_threads(2)
    expected = near_pairs()
    child = os.fork()
    if child == 0:  # without PyTorch's own threads, which do not survive a fork
        torch.set_num_threads(1)
        os._exit(0 if torch.equal(near_pairs(), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0

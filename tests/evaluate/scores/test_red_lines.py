"""What no simulator may do: good pairs cross no red line, planted faults cross theirs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Ensemble
from cgsim.evaluate.observables.fold import native_fold
from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.origin import Origin, Stop
from cgsim.evaluate.problems import Problem
from cgsim.evaluate.scores.crossing import Crossing
from cgsim.evaluate.scores.red_lines import RED_LINES, collision_limit, find_crossings
from tests.evaluate.processes import of_rg_squared, ornstein_uhlenbeck

MakeChain = Callable[..., Ensemble]


def crossings(reference: Ensemble, other: Ensemble) -> list[Crossing]:
    problems: list[Problem] = []
    found = find_crossings(Profile(reference), Profile(other), problems)
    assert not problems
    return found


def names(found: list[Crossing]) -> set[str]:
    return {crossing.red_line for crossing in found}


def helix(n_frames: int, *, seed: int, unfolds: bool = False) -> Ensemble:
    """C-alphas of a helix that jitter; if it unfolds, the second half is a straight line."""
    random = np.random.default_rng(seed)
    bead = np.arange(20)
    turn = 100 * np.pi / 180
    fold = np.stack([0.23 * np.cos(turn * bead), 0.23 * np.sin(turn * bead), 0.15 * bead], axis=1)
    line = np.stack([0 * bead, 0 * bead, 0.38 * bead], axis=1)
    late = (np.arange(n_frames) >= n_frames // 2) & unfolds
    xyz = np.where(late[:, None, None], line, fold) + 0.02 * random.normal(size=(n_frames, 20, 3))
    return Ensemble("helix", (xyz,), 2.0, np.full(20, 110.0), np.stack([bead[:-1], bead[1:]]))


def hard_beads(n_frames: int, *, seed: int) -> Ensemble:
    """Four beads on a line, no bonds, never nearer than 0.9 nm."""
    random = np.random.default_rng(seed)
    gaps = 0.9 + random.exponential(0.1, size=(n_frames, 3))
    x = np.concatenate([np.zeros((n_frames, 1)), gaps.cumsum(axis=1)], axis=1)
    xyz = np.stack([x, 0 * x, 0 * x], axis=-1)
    return Ensemble("beads", (xyz,), 1.0, np.ones(4), np.zeros((2, 0), dtype=int))


@pytest.mark.parametrize(
    ("n_reference", "n_learned", "rate", "learned_rate"),
    [(400, 400, 1.0, 1.0), (300, 1500, 0.1, 0.1), (1500, 100, 0.1, 0.16), (30, 300, 1.0, 0.5)],
)
def test_chains_of_the_same_model_cross_none(
    make_chain: MakeChain, n_reference: int, n_learned: int, rate: float, learned_rate: float
) -> None:
    """Of 20 pairs one may by chance: Rouse chains, whose beads overlap, at any pace."""
    wrong = 0
    for seed in range(20):
        first = make_chain(n_frames=n_reference, rate=rate, seed=seed)
        second = make_chain(n_frames=n_learned, rate=learned_rate, seed=1000 + seed)
        wrong += bool(crossings(first, second))
    assert wrong <= 1


def test_processes_of_the_same_law_cross_none() -> None:
    wrong = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        first, second = (
            of_rg_squared("ou", ornstein_uhlenbeck(10.0, 1000, random, n_series=2))
            for _ in range(2)
        )
        wrong += bool(crossings(first, second))
    assert wrong <= 1


def test_a_broken_bond_is_found_where_it_breaks(make_chain: MakeChain) -> None:
    reference, good = (make_chain(n_frames=400, seed=seed) for seed in (0, 1))
    late = np.arange(400) >= 40
    torn = good.xyz[1] + np.where(late[:, None, None] & (np.arange(8) > 3)[:, None], 30.0, 0.0)
    (found,) = crossings(reference, replace(good, xyz=(good.xyz[0], torn)))
    assert found.red_line == "broken_bonds"
    assert (found.replica, found.frame, found.time) == (1, 40, 40.0)
    assert found.share == pytest.approx(0.9)
    assert found.value is not None
    assert found.limit is not None
    assert found.value > found.limit


def test_one_long_bond_in_thousands_of_frames_is_no_red_line(make_chain: MakeChain) -> None:
    reference, good = (make_chain(n_frames=3000, n_replicas=1, seed=seed) for seed in (0, 1))
    xyz = good.xyz[0].copy()
    xyz[100, 4:] += 30.0
    assert not crossings(reference, replace(good, xyz=(xyz,)))
    xyz[-1, 4:] += 30.0  # it ends torn
    assert names(crossings(reference, replace(good, xyz=(xyz,)))) == {"broken_bonds"}


@pytest.mark.parametrize("size", [1e4, 1e6])
def test_beads_without_bonds_explode(size: float) -> None:
    reference, good = (hard_beads(100, seed=seed) for seed in (0, 1))
    xyz = good.xyz[0] * np.where(np.arange(100) < 60, 1.0, size)[:, None, None]
    (found,) = crossings(reference, replace(good, xyz=(xyz,)))
    assert (found.red_line, found.frame) == ("exploded", 60)


def test_hard_beads_that_overlap_collide() -> None:
    reference, good = (hard_beads(1000, seed=seed) for seed in (0, 1))
    assert not crossings(reference, good)
    xyz = good.xyz[0].copy()
    xyz[700:720, 2] = xyz[700:720, 1] + [0.2, 0.0, 0.0]
    (found,) = crossings(reference, replace(good, xyz=(xyz,)))
    assert (found.red_line, found.frame) == ("collisions", 700)
    assert found.value == pytest.approx(0.2)
    assert found.limit == pytest.approx(0.75 * 0.9, rel=0.05)


def test_a_fold_that_md_keeps_must_be_kept() -> None:
    reference = helix(200, seed=0)
    assert not crossings(reference, helix(200, seed=1))
    (found,) = crossings(reference, helix(200, seed=1, unfolds=True))
    assert (found.red_line, found.frame, found.time) == ("lost_fold", 100, 200.0)


def test_a_fold_that_md_loses_need_not_be_kept() -> None:
    loses = helix(200, seed=0, unfolds=True)
    assert not crossings(loses, helix(200, seed=1, unfolds=True))
    assert not crossings(loses, helix(200, seed=1))


def test_what_stands_still_is_found_unless_md_does(make_chain: MakeChain) -> None:
    reference = make_chain(n_frames=50)
    still = replace(reference, xyz=(np.repeat(reference.xyz[0][:1], 50, axis=0),))
    assert names(crossings(reference, still)) == {"still"}
    assert not crossings(still, still)
    drifting = still.xyz[0] + np.arange(50)[:, None, None]  # all beads alike: no distance changes
    assert names(crossings(reference, replace(still, xyz=(drifting,)))) == {"still"}


def test_a_stop_that_the_roll_out_noted_is_a_red_line(make_chain: MakeChain) -> None:
    reference, good = (make_chain(n_frames=50, seed=seed) for seed in (0, 1))
    stopped = replace(good, origin=Origin(stops=(Stop(1, 10, "a bond of 9 nm"),)))
    (found,) = crossings(reference, stopped)
    assert (found.red_line, found.replica, found.step) == ("stopped", 1, 10)
    assert found.note == "a bond of 9 nm"


def test_every_row_says_what_it_is() -> None:
    for name, row in RED_LINES.items():
        assert row.name == name
        assert row.definition.endswith(".")
        assert row.says


@pytest.mark.parametrize("length", [0.5, 10.0, 50.0])
def test_overlap_by_chance_is_as_rare_as_is_said(length: float) -> None:
    """Distances without a core have a density of r²: of 1000 second runs one has so many."""
    random = np.random.default_rng(0)
    n_reference, n_trials = 200, 20_000
    n_frames = round(length * n_reference)
    enough, nearly = 0, 0
    for nearest in np.sort(random.random((n_trials, n_reference)) ** (1 / 3), axis=1):
        limit, needed = collision_limit(nearest, n_frames)
        n_nearer = random.binomial(n_frames, limit**3)
        enough += n_nearer >= needed
        nearly += n_nearer >= 0.6 * needed - 1
    assert enough / n_trials < 0.0015
    assert nearly / n_trials > 0.0015  # and no more are asked for than that takes


def test_a_fold_is_what_md_keeps_to_its_end() -> None:
    """A helix whose last turn unwinds half-way: the contacts of that turn are no part of it."""
    whole, unwound = helix(200, seed=0), helix(200, seed=1, unfolds=True)
    xyz = whole.xyz[0].copy()
    late = np.arange(200) >= 100
    xyz[late, 15:] = xyz[late, 14:15] + 0.38 * np.arange(1, 6)[:, None] * [1.0, 0.0, 0.0]
    profile = Profile(replace(whole, xyz=(xyz,)))
    fold, fold_of_whole = native_fold(profile), native_fold(Profile(whole))
    assert fold is not None
    assert fold_of_whole is not None
    assert 0 < len(fold.contacts) < len(fold_of_whole.contacts)
    assert profile.pairs[:, fold.contacts].max() <= 15
    (frames,) = profile.chunks(0)
    assert (fold.kept(frames) > 0.7).mean() > 0.95
    assert native_fold(Profile(unwound)) is None

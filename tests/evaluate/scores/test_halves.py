"""Two halves of the reference stand for a second MD run."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cgsim.evaluate import Ensemble
from cgsim.evaluate.judge import Rows, score
from cgsim.evaluate.scores.halves import halved
from cgsim.evaluate.scores.verdict import Grade, conclusion, judge

MakeChain = Callable[..., Ensemble]


def test_halves_share_the_frames_and_have_none_in_common(make_chain: MakeChain) -> None:
    for n_replicas, lengths in ((1, (10,)), (2, (10, 10)), (3, (30, 4, 3)), (4, (9, 9, 9, 9))):
        chain = make_chain(n_frames=40, n_replicas=n_replicas)
        chain = replace(chain, xyz=tuple(x[:n] for x, n in zip(chain.xyz, lengths, strict=True)))
        halves = halved(chain)
        assert halves is not None
        first, second = halves
        assert first.n_frames + second.n_frames == chain.n_frames
        assert max(first.n_frames, second.n_frames) <= 2 * min(first.n_frames, second.n_frames)
        own, other = (
            {frame.tobytes() for xyz in half.xyz for frame in xyz} for half in (first, second)
        )
        assert not own & other
    assert halved(replace(chain, xyz=(chain.xyz[0][:3],))) is None


def test_without_a_second_run_the_halves_are_the_floor(make_chain: MakeChain) -> None:
    reference, good = (make_chain(n_frames=400, seed=seed) for seed in (0, 1))
    comparison = score(Rows([reference], [good]))
    assert list(comparison.rows) == ["learned", "halves of the reference"]
    assert "halves of the reference" in conclusion(comparison)
    grades = {own.metric.name: own.grade for own in judge(comparison)}
    assert grades["js_pair"] is Grade.GOOD
    large = score(Rows([reference], [make_chain(n_frames=400, bond=2.0, seed=1)]))
    assert {own.metric.name: own.grade for own in judge(large)}["js_pair"] is Grade.POOR
    # They are scored as two runs of that length are, the one against the other.
    halves = halved(reference)
    assert halves is not None
    first, second = halves
    alone = score(Rows([first], [second])).learned.summary["js_pair"]
    assert comparison.yardsticks["halves"].summary["js_pair"].value == alone.value


def test_a_second_run_is_preferred(make_chain: MakeChain) -> None:
    chains = [[make_chain(n_frames=100, seed=seed)] for seed in range(3)]
    comparison = score(Rows(chains[0], chains[1], {"floor": chains[2]}))
    assert "halves" not in comparison.yardsticks


def test_a_reference_of_one_frame_has_no_floor(make_chain: MakeChain) -> None:
    chain = make_chain(n_frames=30, n_replicas=1)
    one = replace(chain, xyz=(np.array(chain.xyz[0][:1]),))
    assert not score(Rows([one], [chain])).yardsticks

"""What came out, in one sentence: it is true of cases whose answer is known."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Comparison, Ensemble, Estimate, MoleculeScore, Score, Scoring, compare
from cgsim.evaluate.judge import Rows, score
from cgsim.evaluate.origin import Origin, Stop
from cgsim.evaluate.scores.headline import headline

MakeChain = Callable[..., Ensemble]
FACTOR = re.compile(r"moves ([\d.]+) ± ([\d.]+) times too (fast|slowly)")
QUICK = Scoring(n_bootstrap=100)


def planted(make_chain: MakeChain, seed: int, factor: float) -> tuple[Ensemble, Ensemble]:
    """A chain, and one that moves `factor` times as fast."""
    first = make_chain(n_beads=4, n_frames=2500, rate=0.15, seed=seed)
    second = make_chain(n_beads=4, n_frames=2500, rate=0.15 * factor, seed=500 + seed)
    return first, second


@pytest.mark.parametrize(("factor", "word"), [(1.9, "fast"), (1 / 1.9, "slowly")])
def test_the_planted_pace_is_told_within_its_error(
    make_chain: MakeChain, factor: float, word: str
) -> None:
    told = []
    for seed in range(10):
        first, second = planted(make_chain, seed, factor)
        text = compare([first], [second], scoring=QUICK).headline
        found = FACTOR.search(text)
        if found:
            assert found[3] == word
            told.append(abs(float(found[1]) - 1.9) / float(found[2]))
    assert len(told) >= 9
    assert np.mean(np.array(told) < 3) >= 0.9


def test_no_difference_is_seen_where_there_is_none(make_chain: MakeChain) -> None:
    texts = [
        score(Rows([reference], [learned])).headline
        for reference, learned in (planted(make_chain, seed, 1.0) for seed in range(6))
    ]
    right = [text for text in texts if text.startswith("Shapes within error, moves at the pace")]
    assert len(right) >= 4
    assert not any("do not use" in text for text in texts)


def test_a_planted_size_is_told(make_chain: MakeChain) -> None:
    reference = [make_chain(n_frames=800, seed=0)]
    text = score(Rows(reference, [make_chain(n_frames=800, bond=1.5, seed=1)])).headline
    found = re.search(r"sizes (\d+) ± (\d+) % too large", text)
    assert found
    assert abs(float(found[1]) - 50) < 3 * float(found[2]) + 1


def test_red_lines_win_over_all_other_words(make_chain: MakeChain) -> None:
    reference, good = (make_chain("m", n_frames=200, seed=seed) for seed in (0, 1))
    torn = good.xyz[0] + np.where(np.arange(200)[:, None, None] < 40, 0.0, 1e6 * np.eye(8)[:, :3])
    comparison = compare([reference], [replace(good, xyz=(torn, good.xyz[1]))], scoring=QUICK)
    assert comparison.headline == (
        "The molecule fell apart after 40 frames (40 ps): do not use this simulator."
    )
    data = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert data["headline"] == comparison.headline
    first = data["red_lines"][0]
    assert (first["red_line"], first["replica"], first["frame"]) == ("broken_bonds", 0, 40)
    again = Comparison.from_dict(data)
    assert again.headline == comparison.headline
    assert again.to_dict() == data


def test_a_roll_out_that_failed_is_said_with_its_step(make_chain: MakeChain) -> None:
    reference, good = (make_chain("m", n_frames=60, seed=seed) for seed in (0, 1))
    stopped = replace(
        good,
        xyz=tuple(xyz[:9] for xyz in good.xyz),
        origin=Origin(stops=(Stop(0, 10, "bond"), Stop(1, 17, "bond"))),
    )
    text = compare([reference], [stopped], scoring=QUICK).headline
    assert "at step 10" in text
    assert "(1 more replica too)" in text
    assert text.endswith("do not use this simulator.")


def test_too_little_is_not_called_bad(make_chain: MakeChain) -> None:
    reference = make_chain(n_frames=300)
    short = replace(reference, xyz=(reference.xyz[0][5:8],))
    assert "too short to judge its shapes (3 frames)" in compare([reference], [short]).headline
    assert "reference is too short" in compare([short], [reference]).headline


def test_what_is_not_known_is_not_told() -> None:
    nan = Estimate(float("nan"), float("nan"))
    empty = Comparison(Score((), {"median_relaxation_ratio": nan}), Scoring(), seed=0)
    assert "pace is not known" in headline(empty)


def of_sizes(*sizes: tuple[Estimate, Estimate], pace: Estimate) -> str:
    """The headline of molecules of these sizes, learned and true, and of this pace."""
    molecules = [
        MoleculeScore(
            name=f"m{number}",
            n_beads=8,
            n_frames=1000,
            duration=1000.0,
            duration_reference=1000.0,
            n_effective=50.0,
            n_effective_reference=50.0,
            scores={
                "rg": learned,
                "rg_reference": true,
                "relaxation_reference": Estimate(20.0, 1.0),
            },
        )
        for number, (learned, true) in enumerate(sizes)
    ]
    score = Score(tuple(molecules), {"median_relaxation_ratio": pace})
    return headline(Comparison(score, Scoring(), seed=0))


SAME = Estimate(1.0, 0.02), Estimate(1.0, 0.02)


@pytest.mark.parametrize(
    ("ratio", "error", "told"),
    [
        (0.8, 0.2, "at the pace of MD within error (1.25 ± 0.31 times as fast)"),
        (1.25, 0.25, "at the pace of MD within error (0.80 ± 0.16 times as fast)"),
        (0.5, 0.05, "moves 2.00 ± 0.20 times too fast"),
        (2.0, 0.2, "moves 2.00 ± 0.20 times too slowly"),
    ],
)
def test_a_pace_is_one_over_the_ratio_of_times(ratio: float, error: float, told: str) -> None:
    assert told in of_sizes(SAME, pace=Estimate(ratio, error))


@pytest.mark.parametrize(("factor", "word"), [(1.1, "large"), (1 / 1.1, "small")])
def test_sizes_are_the_mean_of_all_molecules(factor: float, word: str) -> None:
    off = Estimate(2.0 * factor, 0.02), Estimate(2.0, 0.02)
    for n_molecules in (1, 2, 5):
        text = of_sizes(*[off] * n_molecules, pace=Estimate(1.0, 0.1))
        assert re.search(rf"sizes {'10' if factor > 1 else '9'} ± [012] % too {word}", text)
    other = Estimate(2.0 / factor, 0.02), Estimate(2.0, 0.02)
    assert "sizes" not in of_sizes(off, other, pace=Estimate(1.0, 0.1)).replace("sizes within", "")


@pytest.mark.parametrize("errors", [(0.2, 0.02), (0.02, 0.2)])
def test_a_size_differs_beyond_the_errors_of_both(errors: tuple[float, float]) -> None:
    sizes = Estimate(2.2, errors[0]), Estimate(2.0, errors[1])
    assert "too large" not in of_sizes(sizes, pace=Estimate(1.0, 0.1))


def test_a_stopped_system_of_several_molecules_is_called_by_its_name(make_chain: MakeChain) -> None:
    chain = make_chain("melt", n_frames=60)
    two = replace(
        chain,
        xyz=tuple(np.concatenate([xyz, xyz + 50.0], axis=1) for xyz in chain.xyz),
        bead_mass=np.tile(chain.bead_mass, 2),
        edge_index=np.concatenate([chain.edge_index, chain.edge_index + chain.n_beads], axis=1),
    )
    stopped = replace(two, origin=Origin(stops=(Stop(0, 43, "bond"),)))
    text = compare([two], [stopped], scoring=QUICK).headline
    assert text.startswith("The system melt left the physical range")


def test_a_size_that_is_hardly_known_is_not_called_right() -> None:
    well, hardly = Estimate(1.0, 0.02), Estimate(1.0, 0.3)
    for sizes in ((hardly, well), (well, hardly)):
        assert "within error" not in of_sizes(sizes, pace=Estimate(3.0, 0.1))
    assert of_sizes((well, well), pace=Estimate(3.0, 0.1)).startswith("Sizes within error")

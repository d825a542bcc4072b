"""What fails is said in a sentence, and the exception is kept."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cgsim.evaluate import OBSERVABLES, Comparison, Ensemble, Scalar, Scoring, compare, metrics
from cgsim.evaluate.judge import Rows, judge_rollout
from cgsim.evaluate.observables.frames import Frames
from cgsim.evaluate.problems import Problem, attempt
from cgsim.evaluate.report.table import metric_label

MakeChain = Callable[..., Ensemble]
QUICK = Scoring(n_bootstrap=10)


def fails_far_out(frames: Frames) -> np.ndarray:
    """A measure with a fault that only some data meet."""
    return frames.rg if frames.rg.max() < 50 else frames.nonsense  # type: ignore[attr-defined]


@pytest.fixture
def odd() -> Iterator[str]:
    OBSERVABLES["odd"] = Scalar("odd", "odd", measure=fails_far_out)
    yield "odd"
    del OBSERVABLES["odd"]


def test_what_data_do_is_no_fault_of_the_program() -> None:
    problems: list[Problem] = []
    assert attempt("sum", lambda: 3, problems) == 3
    assert not problems
    assert attempt("logs", lambda: np.linalg.inv(np.zeros((2, 2))), problems) is None
    assert problems[0].error.startswith("LinAlgError: ")
    assert not problems[0].trace


def test_a_fault_of_the_program_is_warned_of_and_kept() -> None:
    problems: list[Problem] = []
    with pytest.warns(RuntimeWarning, match=r"lookup: a fault of the program.*KeyError"):
        assert attempt("lookup", lambda: dict[str, int]()["key"], problems) is None
    assert "test_problems.py" in problems[0].trace


@pytest.mark.filterwarnings("ignore:odd:RuntimeWarning")
def test_one_observable_that_fails_leaves_the_others(odd: str, make_chain: MakeChain) -> None:
    reference, good = (make_chain(n_frames=100, seed=seed) for seed in (0, 1))
    far = replace(good, xyz=tuple(100 * xyz for xyz in good.xyz))
    whole, part = (compare([reference], [own], scoring=QUICK) for own in (good, far))
    row = part.learned.molecules[0]
    (problem,) = row.problems
    assert problem.what == "odd"
    assert "AttributeError" in problem.error
    assert np.isnan(row["js_odd"].value)
    assert np.isnan(part.learned.summary["js_odd"].value)
    assert row["js_rg"].value > 0.9
    assert set(part.learned.summary) == set(whole.learned.summary)
    data = json.loads(json.dumps(part.to_dict(), allow_nan=False))
    assert data["learned"]["molecules"][0]["problems"][0]["trace"]
    assert Comparison.from_dict(data).to_dict() == data
    assert "problems" not in whole.to_dict()["learned"]["molecules"][0]


def no_bonds(n_beads: int, n_frames: int, *, seed: int) -> Ensemble:
    """Beads that diffuse."""
    random = np.random.default_rng(seed)
    start = 3 * random.normal(size=(1, n_beads, 3))
    xyz = start + 0.1 * random.normal(size=(n_frames, n_beads, 3)).cumsum(axis=0)
    return Ensemble("m", (xyz,), 1.0, np.ones(n_beads), np.zeros((2, 0), dtype=int))


@pytest.mark.filterwarnings("ignore")  # of NumPy, of numbers that are too large
@pytest.mark.parametrize("case", ["two beads", "overflowing", "constant", "three frames"])
def test_scoring_never_dies(case: str, make_chain: MakeChain) -> None:
    reference, good = (make_chain("m", n_frames=80, seed=seed) for seed in (0, 1))
    first = good.xyz[0]
    learned = {
        "two beads": no_bonds(2, 80, seed=1),
        "overflowing": replace(good, xyz=(first.astype(np.float32) * np.float32(1e20),)),
        "constant": replace(good, xyz=(np.repeat(first[:1], 80, axis=0),)),
        "three frames": replace(good, xyz=(first[:3],)),
    }[case]
    reference = no_bonds(2, 80, seed=0) if case == "two beads" else reference
    comparison = compare([reference], [learned], scoring=QUICK)
    broken = case in ("overflowing", "constant")
    assert ("do not use this simulator" in comparison.headline) == broken
    json.dumps(comparison.to_dict(), allow_nan=False)


def odd_pairs(make_chain: MakeChain) -> dict[str, tuple[Ensemble, Ensemble]]:
    reference, good = (make_chain("m", n_frames=80, rate=0.3, seed=seed) for seed in (0, 1))
    late = (np.arange(80) > 40)[:, None, None]
    first, second = good.xyz

    def learned(*xyz: np.ndarray) -> tuple[Ensemble, Ensemble]:
        return reference, replace(reference, xyz=xyz)

    return {
        "diffusing": (no_bonds(4, 80, seed=0), no_bonds(4, 80, seed=1)),
        "one bead": (no_bonds(1, 80, seed=0), no_bonds(1, 80, seed=1)),
        "exploding": learned(np.where(late, 1e6 * first, first)),
        "one frame": learned(first[:1]),
        "of one frame": (replace(reference, xyz=(reference.xyz[0][:1],)), good),
        "unlike lengths": learned(first, second[:2], second[:1]),
    }


@pytest.mark.filterwarnings("ignore")  # of NumPy and Matplotlib, of numbers that are too large
@pytest.mark.parametrize(
    "case",
    ["diffusing", "one bead", "exploding", "one frame", "of one frame", "unlike lengths"],
)
def test_the_report_never_dies(
    case: str, make_chain: MakeChain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, learned = odd_pairs(make_chain)[case]
    comparison = judge_rollout(Rows([reference], [learned]), tmp_path, title=case)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    stored = json.loads((tmp_path / "metrics.json").read_text())
    first = page[page.index("<header") : page.index("<h1>")]
    assert comparison.headline in first
    assert stored["headline"] == comparison.headline
    assert " ".join(capsys.readouterr().out.split()).startswith(comparison.headline)
    for metric in [own for own in metrics() if own.name in comparison.learned.summary]:
        if metric.kind == "correlation":  # over molecules: there is one
            continue
        assert metric_label(metric).replace("'", "&#x27;") in page
    assert ('class="headline warning"' in first) == bool(comparison.red_lines)
    assert ("do not use this simulator" in comparison.headline) == (case == "exploding")
    assert [own["red_line"] for own in stored["red_lines"]] == [
        own.red_line for own in comparison.red_lines
    ]


@pytest.mark.filterwarnings("ignore:Slow motions:RuntimeWarning")
def test_a_fault_in_a_section_is_said_there_and_kept(
    make_chain: MakeChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise IndexError("no such state")

    monkeypatch.setattr("cgsim.evaluate.report.motion.fit_tica", broken)
    reference, learned = (make_chain("m", n_frames=60, seed=seed) for seed in (0, 1))
    judge_rollout(Rows([reference], [learned]), tmp_path, title="t")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Not shown: a fault of the program" in page
    assert "<h2>Every molecule</h2>" in page
    (kept,) = json.loads((tmp_path / "report_not_shown.json").read_text())
    assert kept["what"] == "Slow motions"
    assert kept["error"] == "IndexError: no such state"
    assert "broken" in kept["trace"]

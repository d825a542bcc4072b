"""The fine-tuning benchmark: what is held out, which pieces are kept, what is said of them."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peptides import __main__ as peptides
from benchmarks.peptides import finetune
from benchmarks.peptides import scores as peptide_scores
from benchmarks.peptides.finetune import (
    FRACTIONS,
    MOST_HELD_OUT,
    change_of_nll,
    check_long_enough,
    held_out_reference,
    known_part,
    parts_of,
    summary_of_fraction,
    validation_fraction,
    verdict,
)
from benchmarks.peptides.runs import Panel
from benchmarks.peptides.scores import SUMMARY, summary_of
from benchmarks.polymers.runs import Data
from benchmarks.tables.peptides import FINETUNED
from cgsim.config import FinetuningConfig, TrainingConfig
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY, random_chain

NAMES = "abcde"
PIECES = ((1.0, 0.1), (3.0, 0.3), (2.0, 0.2))  # ratio of timescales, JS distance


@pytest.fixture(autouse=True)
def _a_third_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "KNOWN", 0.8)  # ns, of the 2.4 of every run


def chain(name: str, *, n_frames: int, seed: int) -> MappedTrajectory:
    return random_chain(5, n_frames=n_frames, seed=seed, name=name, max_atoms=1)


@pytest.fixture(scope="module")
def data() -> Data:
    train = [chain(name, n_frames=60, seed=seed) for seed, name in enumerate(("x", "y"))]
    runs = [[chain(name, n_frames=1200, seed=2 + run) for name in "ab"] for run in range(2)]
    again = [replace(own, pos=other.pos) for own, other in zip(*runs, strict=True)]
    return Data(train, train, reference=runs[0], floor=again)


def test_nothing_that_is_learnt_from_is_scored_on(data: Data) -> None:
    reference = held_out_reference(data, 1)
    assert reference.name == "b"
    first, second = reference.xyz
    np.testing.assert_array_equal(first, data.reference[1].pos[100:])
    np.testing.assert_array_equal(second, data.floor[1].pos)
    assert max(FRACTIONS) == 0.25


def test_a_little_md_is_taken_from_places_that_share_nothing(data: Data) -> None:
    known = known_part(data.reference[0])
    assert known.n_frames == 400
    for fraction, n_frames, places in (
        (0.01, 4, range(0, 100, 20)),
        (0.05, 20, range(0, 100, 20)),
        (0.25, 100, [0]),
    ):
        parts = parts_of(known, fraction)
        for part, place in zip(parts, places, strict=True):
            np.testing.assert_array_equal(part.pos, known.pos[place : place + n_frames])


@pytest.mark.parametrize(
    ("n_frames", "expected"), [(1000, 0.2), (30, 0.2), (20, 0.3), (12, 0.5), (4, MOST_HELD_OUT)]
)
def test_few_frames_are_shared_more_evenly(n_frames: int, expected: float) -> None:
    assert validation_fraction(n_frames, 3) == pytest.approx(expected)


def test_pieces_too_short_for_a_window_are_refused(data: Data) -> None:
    simulator = Simulator(
        TINY, atom_types=("A", "B", "C"), scales=measure(data.reference, stride=1)
    )
    check_long_enough([chain("a", n_frames=600, seed=0)], simulator)  # 1 % are two windows of 3
    with pytest.raises(SystemExit, match="are 5 frames, fewer than the 6"):
        check_long_enough([chain("a", n_frames=500, seed=0)], simulator)


def row(ratios: list[float | None], js: list[float]) -> dict[str, Any]:
    rest = dict.fromkeys(SUMMARY.keys() - {"timescale_error"}, 0.1)
    return summary_of(
        [
            rest | {"name": name, "timescale_ratio": ratio, "js_tic0": distance}
            for name, ratio, distance in zip(NAMES, ratios, js, strict=True)
        ]
    )


def test_the_verdict_counts_peptides() -> None:
    found = verdict(
        {
            "finetuned": row([1.1, 1.1, 1.1, 1.1, 3.0], [0.1, 0.1, 0.1, 0.1, 0.1]),
            "scratch": row([2.0, 2.0, 2.0, None, 2.0], [0.2, 0.2, 0.2, 0.2, 0.2]),
            "md": row([None, 0.5, 0.5, 0.5, 0.5], [0.05, 0.2, 0.2, 0.2, 0.2]),
        }
    )
    assert found["better"] == {
        "js_tic0": {"scratch": 5, "md": 4},
        "timescale_error": {"scratch": 4, "md": 4},
    }
    assert (found["better_in_all"], found["within"], found["n_peptides"]) == (3, 4, 5)
    assert found["holds"]


def test_the_verdict_fails_by_one_row_alone() -> None:
    good, bad = row([1.0] * 5, [0.1] * 5), row([2.0] * 5, [0.2] * 5)
    mixed = row([2.0] * 5, [0.2, 0.2, 0.2, 0.05, 0.05])
    assert verdict({"finetuned": good, "scratch": bad, "md": bad})["holds"]
    assert not verdict({"finetuned": good, "scratch": bad, "md": mixed})["holds"]


def test_a_peptide_counts_by_all_its_pieces_and_the_first_are_told_too() -> None:
    """Fine-tuning wins on the first pieces alone, and loses on all three."""
    good, bad, middle = (row([ratio] * 5, [js] * 5)["peptides"] for ratio, js in PIECES)
    unchanged = {"before": 1.0, "after": 1.0}
    learnt = {"learnt": {"new": unchanged, "old": unchanged}}
    scored = [
        [{"finetuned": own | learnt, "scratch": md, "md": md} for own in (first, worse, worse)]
        for first, worse, md in zip(good, bad, middle, strict=True)
    ]
    found = summary_of_fraction(scored)
    assert found["n_pieces"] == 3
    assert found["verdict_on_first_pieces"]["holds"]
    assert not found["verdict"]["holds"]
    assert found["verdict"]["within"] == 0


def test_what_was_learnt_and_forgotten_is_a_mean() -> None:
    def learnt(new: float, old: float) -> dict[str, Any]:
        changes = {"new": {"before": 1.0, "after": new}, "old": {"before": 2.0, "after": old}}
        return {"learnt": changes}

    two, one = {"pieces": [learnt(0.5, 2.1), learnt(0.7, 2.3)]}, {"pieces": [learnt(0.0, 2.8)]}
    found = change_of_nll([two, one])
    assert found == {"new": pytest.approx(-0.6), "old": pytest.approx(0.4)}


@pytest.fixture
def small(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything small: networks, trainings, clusters."""
    brief = TrainingConfig(stride=1, n_steps=2, batch_size=4, n_warmup=1)
    for module in (finetune, peptides):
        monkeypatch.setattr(module, "MODEL", TINY)
        monkeypatch.setattr(module, "N_REPLICAS", 2)
    monkeypatch.setattr(peptides, "TRAINING", brief)
    monkeypatch.setattr(finetune, "SCRATCH", brief)
    tuning = FinetuningConfig(n_steps=2, batch_size=4, steps_per_epoch=2)
    monkeypatch.setattr(finetune, "FINETUNING", tuning)
    monkeypatch.setattr(finetune, "FRACTIONS", (0.05, 0.25))
    monkeypatch.setattr(finetune, "N_PLACES", 2)
    monkeypatch.setattr(peptide_scores, "N_CLUSTERS", 10)
    monkeypatch.setattr(finetune, "prepare", lambda panel, folder, others: data)


@pytest.mark.usefixtures("small")
def test_a_second_call_makes_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Panel(0.06, 0.2)
    first = finetune.run(panel, tmp_path)
    assert set(first["fractions"]) == {"5 %", "25 %"}
    for own in first["fractions"].values():
        assert set(own["rows"]) == set(FINETUNED)
        assert all(len(scores["peptides"]) == 2 for scores in own["rows"].values())
    md = first["fractions"]["5 %"]["rows"]["md"]["peptides"]
    assert [[piece["duration"] for piece in own["pieces"]] for own in md] == [[40.0] * 2] * 2
    assert all(math.isfinite(own["js_tic0"]) for own in md)
    assert [own["n_pieces"] for own in first["fractions"].values()] == [2, 1]
    assert len(first["zero_shot"]["peptides"]) == 2
    home = tmp_path / "panel-0.06ns" / "finetune-0.2ns"
    folders = {f"{path.relative_to(home)}" for path in home.glob("*/*")}
    assert folders == {f"{name}-{piece}" for name in "ab" for piece in ("5/0", "5/1", "25/0")}

    def never(*arguments: Any, **settings: Any) -> None:
        raise RuntimeError("computed again")

    monkeypatch.setattr(Simulator, "step", never)
    monkeypatch.setattr(finetune, "fit", never)
    monkeypatch.setattr(finetune, "finetune", never)
    second = finetune.run(panel, tmp_path)
    rows = [own["fractions"]["25 %"]["rows"]["finetuned"]["peptides"] for own in (first, second)]
    assert json.dumps(rows[0]) == json.dumps(rows[1])

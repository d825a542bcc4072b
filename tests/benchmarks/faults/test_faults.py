"""The lists of planted faults fit the code as it is, and outcomes are counted as what they are."""

from pathlib import Path

import pytest

from benchmarks.faults.__main__ import key, summary
from benchmarks.faults.planting import Copy, Fault, Outcome, part_names, read_faults

ROOT = Path(__file__).parents[3]
FAULTS = read_faults(part_names())


def test_there_are_hundreds_and_each_is_another() -> None:
    assert len(FAULTS) > 500
    assert len({(own.path, own.old, own.new) for own in FAULTS}) == len(FAULTS)
    assert len({key(own) for own in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("path", sorted({own.path for own in FAULTS}))
def test_every_fault_can_be_planted(path: str) -> None:
    """The text that is replaced is there, once, and what comes in its place is Python."""
    sound = (ROOT / path).read_text(encoding="utf-8")
    for fault in (own for own in FAULTS if own.path == path):
        assert sound.count(fault.old) == 1, f"{fault.truth}: {fault.old!r}"
        assert fault.new != fault.old
        compile(sound.replace(fault.old, fault.new), path, "exec")
        for test in fault.tests:
            assert (ROOT / test).exists(), test


@pytest.fixture
def doubling(tmp_path: Path) -> Copy:
    """A little tree with one test."""
    (tmp_path / "doubled.py").write_text("def doubled(x):\n    return 2 * x  # twice\n")
    test = "from doubled import doubled\n\ndef test_it():\n    assert doubled(3) == 6\n"
    (tmp_path / "test_doubled.py").write_text(test)
    return Copy(tmp_path)


def fault(new: str, *, old: str = "2 * x", harmless: str = "") -> Fault:
    return Fault("part", "doubled.py", "it is twice", old, new, ("test_doubled.py",), harmless)


def outcome(copy: Copy, own: Fault) -> Outcome:
    with copy.with_fault(own):
        return copy.run_tests(own.tests)


def test_a_fault_is_noticed_or_survives_and_is_taken_out(doubling: Copy) -> None:
    before = (doubling.root / "doubled.py").read_text()
    assert outcome(doubling, fault("3 * x")) is Outcome.NOTICED
    assert outcome(doubling, fault("x + x")) is Outcome.SURVIVED
    assert (doubling.root / "doubled.py").read_text() == before
    doubling.check_sound([fault("3 * x")])


def test_what_cannot_be_planted_or_run_is_refused(doubling: Copy) -> None:
    with pytest.raises(ValueError, match="it is twice: the old text is there 0 times"):
        outcome(doubling, fault("1", old="4 * x"))
    with pytest.raises(RuntimeError, match="no_such_test"):
        doubling.run_tests(["no_such_test.py"])
    with (
        doubling.with_fault(fault("3 * x")),
        pytest.raises(RuntimeError, match="fail without any fault"),
    ):
        doubling.check_sound([fault("4 * x")])


def test_outcomes_are_counted() -> None:
    faults = [fault("a"), fault("b"), fault("c", harmless="one as good"), fault("d")]
    found = ("noticed", "hung", "survived", "survived")
    metrics = summary(faults, dict(zip(map(key, faults), found, strict=True)))
    counts = {"planted": 4, "noticed": 2, "harmless": 1, "survived": 1}
    assert metrics["parts"] == {"part": counts}
    assert {name: metrics[name] for name in counts} == counts
    (harmless,), (survived,) = metrics["not_noticed"].values()
    assert harmless["why"] == "one as good"
    assert survived == {"path": "doubled.py", "truth": "it is twice", "why": ""}

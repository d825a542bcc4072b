"""Results are listed with what made them, and what is wrong with one is said."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks import record, results
from benchmarks.record import write_result
from benchmarks.results import (
    ROOT,
    age,
    chosen,
    duration,
    listing,
    mark_stale,
    read_results,
    sections_of,
)

NOW = datetime(2026, 1, 11, tzinfo=UTC)
NOTED = {"commit": None, "dirty": False, "date": "2026-01-01T00:00:00+00:00"}
PARTS = {
    "name": "parts",
    "command": "python -m benchmarks.speed --only b",
    "metrics": {
        "a": {"command": "python -m benchmarks.speed --only a", "made": NOTED | {"dirty": True}},
        "b": {"command": "python -m benchmarks.speed --only b", "stale": "b is gone"},
        "c": {"command": "python -m benchmarks.speed --only c"},
    },
    "environment": NOTED | {"wall_clock_seconds": 90.0, "cpu_seconds": 60.0},
}


def whole(**changes: Any) -> dict[str, Any]:
    own = {"name": "whole", "command": "python -m benchmarks.exact", "metrics": {"x": 1}}
    return own | {"environment": NOTED} | changes


def test_a_part_has_its_own_command_and_state() -> None:
    a, b, c = sections_of(PARTS)
    assert [own.name for own in (a, b, c)] == ["parts/a", "parts/b", "parts/c"]
    assert [own.state for own in (a, b, c)] == ["dirty", "stale", "unknown"]
    # What the file says of the last command is of that part alone.
    assert (a.wall_clock, b.wall_clock, c.wall_clock) == (None, 90.0, None)
    assert "uncommitted" in a.note
    assert "b is gone" in b.note
    assert c.note == ""


def test_a_clean_result_has_nothing_to_say() -> None:
    (own,) = sections_of(whole())
    assert (own.state, own.note) == ("clean", "")


def test_a_command_that_is_gone_is_stale() -> None:
    (own,) = sections_of(whole(command="python -m benchmarks.no_such_benchmark --size 3"))
    assert own.state == "stale"
    assert "benchmarks.no_such_benchmark" in own.note


def test_age_in_commits_and_days() -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    if not head:
        pytest.skip("no git checkout")
    (own,) = sections_of(whole(environment=NOTED | {"commit": head}))
    assert age(own, NOW) == "0 commits, 10 days"
    (lost,) = sections_of(whole(environment=NOTED | {"commit": "0" * 40}))
    assert age(lost, NOW) == "? commits, 10 days"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "–"), (41.2, "41 s"), (582.0, "9.7 min"), (7560.0, "2.1 h")]
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_the_list_has_every_part_and_every_command() -> None:
    (own,) = sections_of(whole(command="python -m benchmarks.exact\npython -m benchmarks.speed"))
    shown = listing([*sections_of(PARTS), own], NOW)
    for word in ("parts/a", "dirty", "stale", "b is gone", "benchmarks.exact", "speed --only b"):
        assert word in shown
    assert shown.count("benchmarks.speed") == 4


def test_names_choose_files_or_parts() -> None:
    made = [*sections_of(PARTS), *sections_of(whole())]
    assert [own.name for own in chosen(made, ["parts"])] == ["parts/a", "parts/b", "parts/c"]
    assert [own.name for own in chosen(made, ["parts/b", "whole"])] == ["parts/b", "whole"]
    assert chosen(made, []) == []
    with pytest.raises(SystemExit, match=r"no result wholly; there are: .*whole"):
        chosen(made, ["wholly"])


def test_a_mark_says_why_and_making_it_again_takes_it_away(tmp_path: Path) -> None:
    write_result("toy", "run toy", {"x": 1}, wall_clock=1.0, directory=tmp_path)
    mark_stale("toy", "the option is gone.", tmp_path)
    (own,) = sections_of(read_results(tmp_path)[0])
    assert (own.state, own.stale) == ("stale", "the option is gone")
    write_result("toy", "run toy", {"x": 1}, wall_clock=1.0, directory=tmp_path)
    (own,) = sections_of(read_results(tmp_path)[0])
    assert own.state != "stale"


def test_a_mark_of_a_part_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "parts.json").write_text(json.dumps(PARTS))
    mark_stale("parts/c", "moved", tmp_path)
    states = [own.state for own in sections_of(read_results(tmp_path)[0])]
    assert states == ["dirty", "stale", "stale"]


def test_a_file_that_is_no_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"metrics": {}}')
    with pytest.raises(ValueError, match=r"other\.json: no command, environment"):
        read_results(tmp_path)


def test_what_a_result_starts_from_is_asked_for_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(results, "ROOT", tmp_path)
    made = list(sections_of(whole(name="calibration", command="python -m benchmarks.calibration")))
    with pytest.raises(SystemExit, match=r"needs runs/quickstart.*benchmarks\.quickstart"):
        results.remake(made)


def test_the_list_needs_no_torch() -> None:
    code = "import sys, benchmarks.results as r; r.main([]); sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "exact" in done.stdout


def test_a_result_of_changed_code_is_dirty_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "changed_code", lambda: ("cgsim/changed.py",))
    path = write_result("toy", "run toy", {"x": 1}, wall_clock=1.0, directory=tmp_path)
    assert json.loads(path.read_text())["environment"]["dirty"] is True
    warning = capsys.readouterr().err
    assert "DIRTY" in warning
    assert "cgsim/changed.py" in warning

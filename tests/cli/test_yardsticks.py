"""Options of `cgsim evaluate` and `cgsim report`: one per yardstick."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cgsim.cli import command_line as cli
from cgsim.cli.yardsticks import with_yardsticks
from cgsim.evaluate import YARDSTICKS, Yardstick


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_every_yardstick_is_an_option_with_its_sentence(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for key, row in YARDSTICKS.items():
        assert f"--{key} {key.upper()} [{key.upper()} ...]" in said
        assert row.help in said
    assert "--yardsticks" not in said


def test_what_is_given_reaches_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def spy(*rows: Any) -> None:
        asked.append(rows)
        raise ValueError("seen")

    monkeypatch.setattr("cgsim.cli.evaluate.read_rows", spy)
    monkeypatch.setattr("cgsim.evaluate.sources.find_sources", lambda paths: [])
    rows = ["evaluate", "md", "rollout"]
    assert cli.main([*rows, "--md_10x_shorter", "short", "more", "--var", "linear"]) == 1
    assert cli.main(rows) == 1
    given = {"md_10x_shorter": [Path("short"), Path("more")], "var": [Path("linear")]}
    assert asked == [
        ([Path("md")], [Path("rollout")], given, ()),
        ([Path("md")], [Path("rollout")], {}, ()),
    ]


def test_a_new_row_is_a_new_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(YARDSTICKS, "rouse", Yardstick("Rouse model", "Of springs.", "#123456"))
    seen: list[Any] = []

    @with_yardsticks
    def command(learned: Path, *, yardsticks: Mapping[str, list[Path]], title: str = "") -> None:
        """Score.

        Args:
            learned: Roll-outs.
            title: Headline.
        """
        seen.append((learned, yardsticks, title))

    command(Path("a"), rouse=[Path("b")], title="t")
    assert seen == [(Path("a"), {"rouse": [Path("b")]}, "t")]
    assert list(inspect.signature(command).parameters) == ["learned", "title", *YARDSTICKS]
    assert "\n    title: Headline.\n" in (inspect.getdoc(command) or "")
    assert "\n    rouse: Of springs." in (inspect.getdoc(command) or "")
    assert command.__name__ == "command"

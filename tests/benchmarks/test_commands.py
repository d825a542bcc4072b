"""Commands that pages, docstrings and results name are there, with the options they name."""

import argparse
import ast
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from benchmarks.record import RESULTS
from cgsim.model.checkpoint import load_provenance

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
CODE = sorted(
    file for part in ("cgsim", "benchmarks", "examples") for file in (ROOT / part).rglob("*.py")
)
WEIGHTS = sorted((ROOT / "cgsim" / "weights").glob("*.safetensors"))

Command = tuple[str, str]  # module and arguments
COMMAND = re.compile(r"python -m (benchmarks(?:\.\w+)+)([^`\n#|]*)")
OPTION = re.compile(r"--[a-zA-Z][\w-]*")


def commands_in(text: str) -> set[Command]:
    return {(module, arguments.strip()) for module, arguments in COMMAND.findall(text)}


def strings_in(code: str) -> str:
    """All strings of a module, docstrings and parts of f-strings included."""
    nodes = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant))
    return "\n".join(node.value for node in nodes if isinstance(node.value, str))


def commands_of(result: Any) -> Iterator[str]:
    """Every ``command`` of a result, at any depth."""
    if isinstance(result, dict):
        for key, value in result.items():
            yield from [value] if key == "command" else commands_of(value)


def collected(files: list[Path], *, strings: bool = False) -> list[Command]:
    texts = (file.read_text(encoding="utf-8") for file in files)
    found = (commands_in(strings_in(text) if strings else text) for text in texts)
    return sorted(set().union(*found))


def recorded() -> list[Command]:
    lines = [
        line
        for file in RESULTS.glob("*.json")
        for command in commands_of(json.loads(file.read_text(encoding="utf-8")))
        for line in command.splitlines()
    ]
    lines += [(load_provenance(file).data or {})["command"] for file in WEIGHTS]
    return sorted(set().union(*(commands_in(line) for line in lines)))


class StoppedError(Exception):
    """A benchmark that is about to read its arguments."""


@cache
def parser_of(module: str) -> argparse.ArgumentParser:
    """What reads the arguments of a benchmark."""
    spec = find_spec(module)
    assert spec is not None, f"there is no module {module}"
    is_folder = spec.submodule_search_locations is not None
    main = import_module(f"{module}.__main__" if is_folder else module).main
    parsers: list[argparse.ArgumentParser] = []

    def stop(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        parsers.append(parser)
        raise StoppedError

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", stop),
        pytest.raises(StoppedError),
    ):
        main()
    return parsers[0]


def check_options(command: Command) -> None:
    module, arguments = command
    known = set(OPTION.findall(parser_of(module).format_help()))
    assert set(OPTION.findall(arguments)) <= known


@pytest.mark.parametrize("command", collected(CODE, strings=True), ids=" ".join)
def test_commands_in_the_code_are_there(command: Command) -> None:
    check_options(command)


@pytest.mark.parametrize("command", sorted({*collected(PAGES), *recorded()}), ids=" ".join)
def test_commands_of_pages_and_results_can_be_given(command: Command) -> None:
    check_options(command)
    module, arguments = command
    words = shlex.split(arguments)
    if words:  # alone, it is a name that a sentence speaks of
        parser_of(module).parse_args(words)


def test_what_is_no_command_is_found() -> None:
    text = "`python -m benchmarks.exact --slow` and `python -m benchmarks.none`"
    slow, none = sorted(commands_in(text))
    with pytest.raises(AssertionError):
        check_options(slow)
    with pytest.raises(AssertionError, match=r"no module benchmarks\.none"):
        check_options(none)

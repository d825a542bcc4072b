"""The parser of the command line: lists of paths, flags, and docstrings as help."""

import argparse
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from cgsim.cli.named import PARTS, add_named

#: Lists that are several words, with what each word is.
LISTS: dict[Any, type] = {list[Path]: Path, list[Path] | None: Path, list[str] | None: str}
SHORT = ("cluster.", "reading.")  # --workers stands for --cluster.workers
CHOICES = re.compile(r"type: Literal\[[^]]*\], ")  # which stand beside the option already


class _Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Types and defaults beside the options; descriptions as they are written."""

    def _expand_help(self, action: argparse.Action) -> str:
        return CHOICES.sub("", super()._expand_help(action)).replace("<class 'Path'>", "Path")


class Parser(ArgumentParser):
    """Arguments as shells write them, and docstrings in full as help.

    Lists of paths are several words (``a.cg b.cg``); a bool that is False by default is a flag
    without a value; the options of ``cluster`` and ``reading`` have short names.
    """

    def add_function_arguments(
        self, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> list[str]:
        """Add the arguments of a command."""
        hints = get_type_hints(function)
        lists = [name for name in hints if hints[name] in LISTS]
        flags = [
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is False
        ]
        kwargs["skip"] = {*lists, *flags, PARTS}
        added: list[str] = super().add_function_arguments(function, *args, **kwargs)
        about = inspect.getdoc(function) or ""
        for name in lists:
            flag = name if hints[name] == list[Path] else f"--{name}"
            kind = LISTS[hints[name]]
            self.add_argument(flag, type=kind, nargs="+", help=_help(about, name))
        for name in flags:
            self.add_argument(f"--{name}", action="store_true", help=_help(about, name))
        for action in self._actions:
            if action.dest.startswith(SHORT):
                short = f"--{action.dest.partition('.')[2]}"
                action.option_strings = [short, *action.option_strings]
                self._option_string_actions[short] = action
        add_named(self, function)
        self.description = about.partition("\nArgs:")[0].rstrip()
        self.formatter_class = _Formatter
        return [*added, *lists, *flags]


def _help(about: str, name: str) -> str | None:
    """What a docstring says of an argument."""
    text = re.search(rf"^    {name}: (.+(?:\n {{8}}.+)*)", about, re.MULTILINE)
    return text and text.group(1)

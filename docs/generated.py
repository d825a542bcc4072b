"""MkDocs hook: parts of pages that come from the package, so that they are never out of date.

A line `<!-- cgsim train --help -->` becomes what that command prints, and `<!-- public names -->`
a table of what `cgsim` exports.
"""

import contextlib
import inspect
import io
import os
import re
import sys
from typing import Any
from unittest import mock

COMMAND = re.compile(r"^<!-- cgsim (.*?) -->$", re.MULTILINE)
PUBLIC_NAMES = "<!-- public names -->"


def on_page_markdown(markdown: str, **_context: Any) -> str:
    """Fill in the markers of a page; MkDocs calls this."""
    if PUBLIC_NAMES in markdown:
        markdown = markdown.replace(PUBLIC_NAMES, public_names())
    return COMMAND.sub(lambda match: f"```text\n{output(match[1].split())}\n```", markdown)


def public_names() -> str:
    """Return a table of the classes and functions in `cgsim.__all__` with their summary lines."""
    import cgsim

    rows = ["| name | |", "|---|---|"]
    for name in cgsim.__all__:
        thing = getattr(cgsim, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            summary = (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")
            rows.append(f"| [`{name}`][{documented_module(thing)}.{name}] | {summary} |")
    return "\n".join(rows)


def documented_module(thing: Any) -> str:
    """Return the module whose page describes a thing: the package that exports it, if one does.

    A function that shares the name of its module is described with the module.
    """
    package, _, module = thing.__module__.rpartition(".")
    exported = getattr(sys.modules[package], "__all__", [])
    if package == "cgsim" or module == thing.__name__ or thing.__name__ not in exported:
        return str(thing.__module__)
    return package


def output(arguments: list[str]) -> str:
    """Return what `cgsim <arguments>` prints.

    Raises
    ------
    RuntimeError
        If the command fails, so that a page never shows a command that is not there.
    """
    from cgsim.cli import main

    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        mock.patch.object(sys, "argv", ["cgsim", *arguments]),
        mock.patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1"}),
    ):
        try:
            main()
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(f"cgsim {' '.join(arguments)}: exit code {stop.code}") from stop
    return printed.getvalue().strip()

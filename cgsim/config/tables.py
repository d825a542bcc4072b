"""Tables of parts by name, and parts of one's own: ``package.module:Thing``, named by the user.

Nothing is ever imported because a file says so. A file holds the name of a part; the part itself is
one of cgsim, or one that the user names in the same session or command.
"""

import importlib
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def named_row(table: Mapping[str, T], name: str, *, kind: str, option: str) -> T:
    """The row of a table.

    Parameters
    ----------
    kind
        What the rows are, for the message.
    option
        Of the command line that adds a row.

    Raises
    ------
    ValueError
        If there is no such row; names those that there are, and how to add one.
    """
    if name in table:
        return table[name]
    near = get_close_matches(name, table, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, table))}."
    raise ValueError(
        f"no {kind} {name!r}: {hint} One of your own is named to the command with "
        f"--{option} package.module:{name}, or in Python put into its table first"
    )


def import_part(name: str) -> Any:
    """What a user names as ``package.module:Thing``.

    Modules are looked for in the working directory too, as ``python -m`` does.

    Raises
    ------
    ValueError
        If the name is of another form, or there is no such module or thing in it.
    """
    module_name, colon, thing = name.partition(":")
    if not (colon and module_name and thing.isidentifier()):
        raise ValueError(f"{name!r} is no part: write it as package.module:Thing")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and module_name.startswith(error.name):
            raise ValueError(
                f"{name}: no module {error.name!r} in {here} or among the installed packages"
            ) from error
        raise
    if not hasattr(module, thing):
        near = get_close_matches(thing, vars(module), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name}: module {module_name} has no {thing!r}{hint}")
    return getattr(module, thing)


def add_row(table: dict[str, Any], name: str, row: Any, *, kind: str) -> None:
    """Put a part of one's own into a table.

    Raises
    ------
    ValueError
        If another part has this name.
    """
    known = table.setdefault(name, row)
    if known is not row and _origin(known) != _origin(row):
        raise ValueError(f"there is a {kind} {name!r} already: give yours another name")
    table[name] = row


def _origin(part: object) -> tuple[object, object]:
    """Module and name: a module that is run again makes the same part anew."""
    return getattr(part, "__module__", part), getattr(part, "__qualname__", part)

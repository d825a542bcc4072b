"""Code of the user's own, named on the command line and never because a file says so."""

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])

_MAPS_ATOMS: set[Callable[..., Any]] = set()


def maps_atoms(command: Command) -> Command:
    """Mark a command that may map atoms by a recipe: it takes the option ``--mapper``."""
    _MAPS_ATOMS.add(command)
    return command


def add_named(parser: argparse.ArgumentParser, command: Callable[..., Any]) -> None:
    """Add the options that name code for a command."""
    if command in _MAPS_ATOMS:
        parser.add_argument(
            "--mapper",
            action=_UseMapper,
            dest=argparse.SUPPRESS,
            default=argparse.SUPPRESS,
            metavar="MODULE:FUNCTION",
            help="The mapper of your own by which the atoms of the training data became beads.",
        )


class _UseMapper(argparse.Action):
    """Registers a mapper; there is nothing to hand to the command."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        from cgsim.mapping import add_mapper

        add_mapper(values)

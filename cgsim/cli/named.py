"""Code of the user's own, named on the command line and never because a file says so.

Options such as ``--network package.module:Class`` are looked for before the parser is built: the
settings of a network of one's own are options too, ``--model.dynamics.my_setting``.
"""

import argparse
import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import wraps
from typing import Any, TypeVar

from cgsim.config import ModelConfig

Command = TypeVar("Command", bound=Callable[..., Any])

#: What is said of every kind of part in the help of a command.
HELP = {
    "mapper": "The mapper of your own by which the atoms of the training data became beads.",
    "network": "Networks of your own, in place of those of cgsim or as the file has them.",
    "noise": "The noise model of your own, in place of cgsim's or as the file has it.",
}

#: The parameter of a command that is told which parts were named.
PARTS = "parts"

_TAKES: dict[Callable[..., Any], tuple[str, ...]] = {}


def takes(*kinds: str) -> Callable[[Command], Command]:
    """Mark a command that takes parts of one's own of these kinds (see `HELP`)."""

    def marked(command: Command) -> Command:
        _TAKES[command] = kinds
        return command

    return marked


def add_named(parser: argparse.ArgumentParser, command: Callable[..., Any]) -> None:
    """Add the options that name code for a command; what they say is known by then."""
    for kind in _TAKES.get(command, ()):
        parser.add_argument(
            f"--{kind}",
            action=_Known,
            nargs="+",
            dest=argparse.SUPPRESS,
            default=argparse.SUPPRESS,
            metavar="MODULE:THING",
            help=HELP[kind],
        )


def named_parts(command: Callable[..., Any], words: Sequence[str]) -> list[tuple[str, str]]:
    """The kinds and names of the parts that the words after a command name."""
    parts, kind = [], ""
    for word in words:
        option, equals, value = word.partition("=")
        if word.startswith("-"):
            kind = option.lstrip("-")
            word = value if equals else ""
        if word and kind in _TAKES.get(command, ()):
            parts.append((kind, word))
    return parts


def with_parts(command: Callable[..., Any], words: Sequence[str]) -> Callable[..., Any]:
    """A command that knows the parts which the words name: its model has them, and their settings.

    Raises
    ------
    ValueError
        If a part is not found, or not what its option says.
    """
    parts = named_parts(command, words)
    if not parts:
        return command
    from cgsim.model.parts import use_part

    names = [(kind, use_part(kind, path)) for kind, path in parts]
    if PARTS in _parameters(command):
        return _told(command, tuple(parts))
    return _with_model(command, names) if "model" in _parameters(command) else command


def _told(command: Callable[..., Any], parts: tuple[tuple[str, str], ...]) -> Callable[..., Any]:
    @wraps(command)
    def run(*arguments: Any, **given: Any) -> Any:
        return command(*arguments, parts=parts, **given)

    _TAKES[run] = _TAKES[command]
    return run


def _parameters(command: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(command).parameters)


def _with_model(command: Callable[..., Any], names: list[tuple[str, str]]) -> Callable[..., Any]:
    from cgsim.model.networks import ROLES, model_config_type, with_networks

    known = {name: own for table, _ in ROLES.values() for name, own in table.items()}
    model = with_networks(ModelConfig(), [known[name] for kind, name in names if kind == "network"])
    for name in (name for kind, name in names if kind == "noise"):
        model = replace(model, dynamics=replace(model.dynamics, noise=name))
    typed = model_config_type(model.networks)
    default = typed(**{entry.name: getattr(model, entry.name) for entry in fields(model)})

    def run(*arguments: Any, model: Any = default, **given: Any) -> Any:
        plain = ModelConfig(**{entry.name: getattr(model, entry.name) for entry in fields(model)})
        return command(*arguments, model=plain, **given)

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__annotations__ = command.__annotations__ | {"model": typed}
    parameters = _parameters(command)
    parameters["model"] = parameters["model"].replace(default=default, annotation=typed)
    signature = inspect.signature(command).replace(parameters=list(parameters.values()))
    vars(run)["__signature__"] = signature
    _TAKES[run] = _TAKES[command]
    return run


class _Known(argparse.Action):
    """Parts are known before the parser is built; there is nothing to hand to the command."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """See the class."""

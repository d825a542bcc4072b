"""The command line: find the command, parse, call, nothing else.

A command is imported when it is called, and its module imports nothing heavy before its function
runs: so help is there at once.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from cgsim.version import __version__

EXIT_BAD_INPUT = 1
EXIT_INTERRUPTED = 130

COMMANDS = {
    "md polymers": "md_polymers",
    "md peptide": "md_peptide",
    "md steered": "md_steered",
    "md protein": "md_protein",
    "map": "map",
    "train": "train",
    "finetune": "finetune",
    "baseline": "baseline",
    "rollout": "rollout",
    "backmap": "backmap",
    "evaluate": "evaluate",
    "report": "report",
    "quickstart": "quickstart",
}
"""Modules beside this one, by command; what each does is its function ``command``.

It is not called after the command: jsonargparse looks whether a function can be had from a package
above it, and ``cgsim.finetune``, which is another one, takes seconds to import.
"""

GROUPS = {"md": "Make reference MD with OpenMM."}
"""What commands of two words do, by the first of them."""

Function = Callable[..., None]

_PACKAGE = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    0: done; 1: bad input, said in one line; 2: wrong usage (from the parser); 130: interrupted.
    """
    try:
        with plain_warnings():
            run(sys.argv[1:] if arguments is None else list(arguments))
    except (ValueError, OSError, ArithmeticError, MemoryError) as error:
        print(f"cgsim: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("cgsim: interrupted; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Say what cgsim warns of as errors are said; warnings of others keep their place in the code.

    Only their text is changed, so that filters and those who record warnings see them all.
    """
    usual = warnings.formatwarning

    def text(
        message: Warning | str, category: type[Warning], filename: str, *place: Any, **more: Any
    ) -> str:
        if category is UserWarning and Path(filename).is_relative_to(_PACKAGE):
            return f"cgsim: warning: {message}\n"
        return usual(message, category, filename, *place, **more)

    warnings.formatwarning = text
    try:
        yield
    finally:
        warnings.formatwarning = usual


def run(words: list[str]) -> None:
    """Call the command that the words begin with, or answer what is asked of all commands."""
    if words == ["--version"]:  # before the parser is built: scripts ask for it at every start
        print(f"cgsim {__version__}")
        raise SystemExit(0)
    from jsonargparse import auto_cli, set_parsing_settings

    from cgsim.cli.named import with_parts
    from cgsim.cli.parser import Parser

    for name in COMMANDS:
        n_words = len(name.split())
        if words[:n_words] == name.split():
            set_parsing_settings(add_print_completion_argument=False)
            options = words[n_words:]
            function = with_parts(load(name), options)
            auto_cli(function, args=options, parser_class=Parser, prog=f"cgsim {name}")
            return
    set_parsing_settings(add_print_completion_argument=True)
    check_name(words)
    # The options of all commands take as long to lay out as all the rest.
    names_will_do = {*words} <= {*GROUPS, "-h", "--help", "--version"}
    components = tree(without_options if names_will_do else load)
    auto_cli(components, args=words, parser_class=Parser, prog="cgsim", version=__version__)


def load(name: str) -> Function:
    """What a command does."""
    function: Function = import_module(f"cgsim.cli.{COMMANDS[name]}").command
    return function


def without_options(name: str) -> Function:
    """What has the description of a command, and does nothing."""

    def described() -> None: ...

    described.__doc__ = load(name).__doc__
    return described


def tree(function_of: Callable[[str], Function]) -> dict[str, Any]:
    """All commands, those of two words in a dictionary of their group, as jsonargparse has it."""
    components: dict[str, Any] = {}
    for name in COMMANDS:
        *groups, last = name.split()
        branch = components
        for group in groups:
            branch = branch.setdefault(group, {"_help": GROUPS[group]})
        branch[last] = function_of(name)
    return components


def check_name(words: Sequence[str]) -> None:
    """End with wrong usage if the words begin with what is no command, naming the nearest one."""
    name = " ".join(words[: 2 if words and words[0] in GROUPS else 1])
    if not name or name in GROUPS or any(word.startswith("-") for word in name.split()):
        return
    near = get_close_matches(name, [*COMMANDS, *GROUPS], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
    from jsonargparse import auto_parser

    from cgsim.cli.parser import Parser

    parser = auto_parser(tree(without_options), parser_class=Parser, prog="cgsim")
    parser.error(f"no command {name!r}: {hint}")

"""The command line; `main` runs one command."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, see `cgsim.cli.command_line.main`."""
    from cgsim.cli.command_line import main as run

    return run(arguments)

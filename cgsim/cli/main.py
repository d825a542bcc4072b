"""The command line: parse, call, nothing else."""

import sys
from typing import Any

from jsonargparse import auto_cli

from cgsim.cli.backmap import restore_atoms
from cgsim.cli.baseline import baseline
from cgsim.cli.evaluate import evaluate, report
from cgsim.cli.map import map_
from cgsim.cli.md import peptide, polymers
from cgsim.cli.parser import Parser
from cgsim.cli.quickstart import quickstart
from cgsim.cli.rollout import rollout
from cgsim.cli.steered import pull_helix
from cgsim.cli.train import finetune, train
from cgsim.version import __version__

EXIT_BAD_INPUT = 1
EXIT_INTERRUPTED = 130


COMMANDS: dict[str, Any] = {
    "md": {
        "polymers": polymers,
        "peptide": peptide,
        "steered": pull_helix,
        "_help": "Make reference MD with OpenMM.",
    },
    "map": map_,
    "train": train,
    "finetune": finetune,
    "baseline": baseline,
    "rollout": rollout,
    "backmap": restore_atoms,
    "evaluate": evaluate,
    "report": report,
    "quickstart": quickstart,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    0: done; 1: bad input, said in one line; 2: wrong usage (from the parser); 130: interrupted.
    """
    try:
        auto_cli(COMMANDS, args=arguments, parser_class=Parser, version=__version__, prog="cgsim")
    except (ValueError, OSError, ArithmeticError) as error:
        print(f"cgsim: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("cgsim: interrupted; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0

"""One option per yardstick, for the commands that compare."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cgsim.evaluate.yardsticks import YARDSTICKS

_PARAMETER = "yardsticks"


def with_yardsticks(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the parameter ``yardsticks`` of a command into one option per row of `YARDSTICKS`."""
    signature = inspect.signature(command)
    options = [
        inspect.Parameter(
            key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=list[Path] | None
        )
        for key in YARDSTICKS
    ]

    def run(*arguments: Any, **given: Any) -> None:
        rows = {key: given.pop(key, None) for key in YARDSTICKS}
        command(*arguments, yardsticks={key: own for key, own in rows.items() if own}, **given)

    kept = [own for name, own in signature.parameters.items() if name != _PARAMETER]
    parameters = sorted([*kept, *options], key=lambda own: own.kind)
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    run.__name__, run.__qualname__ = command.__name__, command.__qualname__
    run.__annotations__ = {own.name: own.annotation for own in parameters} | {"return": None}
    helps = "".join(f"    {key}: {row.help}\n" for key, row in YARDSTICKS.items())
    # Commands end with "Args:", where the parser finds the help of each option.
    run.__doc__ = f"{inspect.getdoc(command)}\n{helps}"
    return run

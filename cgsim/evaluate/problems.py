"""What could not be computed: a plain sentence in its place, and the exception kept."""

import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

Made = TypeVar("Made")

#: What data may do to a computation; anything else is a fault of a program.
_OF_THE_DATA = (ValueError, ArithmeticError, np.linalg.LinAlgError, MemoryError)


@dataclass(frozen=True)
class Problem:
    """Something that could not be computed.

    Attributes
    ----------
    what
        Could not be computed.
    sentence
        Why, in words.
    error
        Type and message of the exception.
    trace
        Where it was raised, of faults of a program; else empty.
    """

    what: str
    sentence: str
    error: str
    trace: str = ""

    @classmethod
    def of(cls, what: str, error: Exception) -> "Problem":
        """From an exception; a fault of a program is also warned of, once."""
        name = f"{type(error).__name__}: {error}"
        if isinstance(error, _OF_THE_DATA):
            text = str(error).rstrip(".") or "there is not enough memory"
            return cls(what, text, name)
        text = f"a fault of the program, please report it ({name})"
        warnings.warn(f"{what}: {text}", RuntimeWarning, stacklevel=3)
        return cls(what, text, name, "".join(traceback.format_exception(error)))

    def __str__(self) -> str:
        """What, and why."""
        return f"{self.what}: {self.sentence}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def attempt(what: str, make: Callable[[], Made], problems: list[Problem]) -> Made | None:
    """What is made, or None: then the problem is added to the list."""
    try:
        return make()
    except Exception as error:
        problems.append(Problem.of(what, error))
        return None

"""How functions are compiled: for one shape, each apart from all others."""

import shutil
import textwrap
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar, cast

import torch

F = TypeVar("F", bound=Callable[..., Any])


def has_compiler() -> bool:
    """Whether there is a C++ compiler for PyTorch to use."""
    from torch._inductor import config

    candidates = config.cpp.cxx if isinstance(config.cpp.cxx, tuple) else (config.cpp.cxx,)
    return any(name and shutil.which(name) for name in candidates)


def compiled(function: F, options: Mapping[str, Any] | None = None) -> F:
    """A function that is compiled at its first call, for arguments of those shapes and types.

    Later calls must be alike: nothing of that is checked, which would take longer than some
    functions do.

    Parameters
    ----------
    options
        Of PyTorch's compiler.
    """
    chosen = dict(options or {})
    # Checks of arguments that are alike by construction took a tenth of a step of 40 chains. The
    # name is PyTorch's own to change (there from 2.9, tried with 2.13): without it they are made.
    if (skip := getattr(torch.compiler, "skip_all_guards_unsafe", None)) is not None:
        chosen["guard_filter_fn"] = skip
    apart = _apart(cast(FunctionType, function))
    return cast(F, torch.compile(apart, fullgraph=True, dynamic=False, options=chosen))


def _apart(function: FunctionType) -> FunctionType:
    """The same function with code of its own, which is what PyTorch remembers compilations by.

    Without it, a second one would have to be told from the first at every call.
    """
    return FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        closure=function.__closure__,
    )


def in_short(error: Exception) -> str:
    """Kind and message of an error in a line."""
    return textwrap.shorten(f"{type(error).__name__}: {error}", 200)

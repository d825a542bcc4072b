"""Whether a C++ part was built from the sources that the Python side was written for."""

import warnings
from types import ModuleType

SOURCES = 3  # as in sources.hpp: another one where a call, or the last digits of a result, differ


def is_current(part: ModuleType) -> bool:
    """Whether a part can be used; a warning where it cannot.

    An editable installation keeps what was built when it was installed.
    """
    if getattr(part, "SOURCES", None) == SOURCES:
        return True
    warnings.warn(
        f"{part.__name__} was built from other sources and is not used, which is slower: install "
        "cgsim again (pip install -e .)",
        stacklevel=2,
    )
    return False

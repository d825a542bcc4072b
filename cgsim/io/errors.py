"""What other libraries raise, as one kind of error that names the file and the way on."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cgsim.io.frames import NotFiniteError, TruncatedError

_NAMED = re.compile(r"requires the (?:python module )?\"?(\w+)")  # what MDTraj says
_EXTRA_OF = {
    "tables": "formats",
    **dict.fromkeys(("MDAnalysis", "gsd", "h5py", "pytng"), "mdanalysis"),
}
"""The extra of this package that holds another one."""


@contextmanager
def reader_errors(path: Path, *, what: str = "be read") -> Iterator[None]:
    """Turn whatever readers raise into a ValueError that names the file; hide their warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (NotFiniteError, TruncatedError):
        raise
    except ImportError as error:
        raise ValueError(missing_package(path, error)) from error
    except Exception as error:  # the readers raise a dozen kinds, IndexError to RuntimeError
        said = str(error) if isinstance(error, ValueError) else repr(error)
        said = said if said.strip() else repr(error)
        raise ValueError(said if str(path) in said else f"{path}: cannot {what}: {said}") from error


def missing_package(path: Path, error: ImportError) -> str:
    """Say which extra holds the package that a format needs, where one does."""
    said = error.name or str(error)
    named = _NAMED.search(said)
    package = named.group(1) if named else said.partition(".")[0]
    package = next((name for name in _EXTRA_OF if name in said), package)
    extra = _EXTRA_OF.get(package)
    install = f"pip install {package}" if extra is None else f"pip install 'cgsim[{extra}]'"
    return f"{path}: this format needs the package {package}: {install}"

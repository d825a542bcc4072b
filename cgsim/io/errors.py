"""What other libraries raise, as one kind of error that names the file and the way on."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cgsim.io.frames import NotFiniteError, TruncatedError

_NAMED = re.compile(r"requires the (?:python module )?\"?(\w+)")  # what MDTraj says
_OF_MDANALYSIS = re.compile(r"Failed to .* with parser <class .*?>\. Error: (.*)")
_FEW = 5  # letters
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
        said = in_words(error)
        is_named = said.startswith(f"{path}: ") or (
            isinstance(error, ValueError) and str(path) in said
        )
        raise ValueError(said if is_named else f"{path}: cannot {what}: {said}") from error


def in_words(error: Exception) -> str:
    """What an exception of another library says, in one line; its kind where it says little."""
    said = " ".join(str(error).split())
    named = _OF_MDANALYSIS.match(said)
    if named is not None:
        said = named.group(1)
    if isinstance(error, KeyError | IndexError | AttributeError | TypeError) or len(said) < _FEW:
        return repr(error)
    return said


def missing_package(path: Path, error: ImportError) -> str:
    """Say which extra holds the package that a format needs, where one does."""
    said = error.name or str(error)
    named = _NAMED.search(said)
    package = named.group(1) if named else said.partition(".")[0]
    package = next((name for name in _EXTRA_OF if name in said), package)
    extra = _EXTRA_OF.get(package)
    install = f"pip install {package}" if extra is None else f"pip install 'cgsim[{extra}]'"
    return f"{path}: this format needs the package {package}: {install}"

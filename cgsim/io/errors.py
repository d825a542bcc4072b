"""What other libraries raise, as one kind of error that names the file and the way on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cgsim.io.frames import TruncatedError

_EXTRA_OF = {"tables": "formats"}
"""The extra of this package that holds another one, where it is not ``mdanalysis``."""


@contextmanager
def reader_errors(path: Path, *, what: str = "be read") -> Iterator[None]:
    """Turn whatever readers raise into a ValueError that names the file; hide their warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except TruncatedError:
        raise
    except ImportError as error:
        raise ValueError(missing_package(path, error)) from error
    except Exception as error:  # the readers raise a dozen kinds, IndexError to RuntimeError
        said = str(error) if isinstance(error, ValueError) else repr(error)
        said = said if said.strip() else repr(error)
        raise ValueError(said if str(path) in said else f"{path}: cannot {what}: {said}") from error


def missing_package(path: Path, error: ImportError) -> str:
    """Say which extra holds the package that a format needs, where one does."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(package, "mdanalysis")
    known = package in _EXTRA_OF or package in ("MDAnalysis", "gsd", "h5py", "pytng")
    install = f"pip install 'cgsim[{extra}]'" if known else f"pip install {package}"
    return f"{path}: this format needs the package {package or error}: {install}"

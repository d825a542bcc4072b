"""Compressed files for readers that need a plain one: unpacked beside, for as long as they read."""

import bz2
import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast

from cgsim.io.files import plainly_named

_FILES: dict[str, type[gzip.GzipFile] | type[bz2.BZ2File]] = {
    ".gz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
}
_BLOCK = 1 << 20  # bytes


def is_compressed(path: Path) -> bool:
    """Whether the name says that a file is compressed."""
    return path.suffix.lower() in _FILES


def open_text(path: Path) -> IO[str]:
    """Open a text file for reading, ``.gz`` and ``.bz2`` decompressed on the way."""
    if not is_compressed(path):
        return open(path, encoding="latin-1")
    packed = _FILES[path.suffix.lower()](path, "rb")
    return TextIOWrapper(cast(IO[bytes], packed), encoding="latin-1")


@contextmanager
def plain(path: Path) -> Iterator[Path]:
    """Yield the path of a decompressed copy, `path` itself or a link to it; errors name `path`.

    Of a file that is cut off the copy holds what could be read. Names are ASCII with a lower-case
    extension, as the readers of other libraries need it.

    Raises
    ------
    ValueError
        If the file is not compressed as its name says.
    """
    with tempfile.TemporaryDirectory() as folder:
        unpacked = path
        if is_compressed(path):
            unpacked = Path(folder) / path.stem
            _decompress(path, unpacked)
        with plainly_named(unpacked) as named:
            try:
                yield named
            except ValueError as error:
                for other in (named, unpacked):
                    error.args = (str(error).replace(str(other), str(path)), *error.args[1:])
                raise


def _decompress(path: Path, copy: Path) -> None:
    with _FILES[path.suffix.lower()](path, "rb") as packed, open(copy, "wb") as file:
        try:
            while block := packed.read1(_BLOCK):  # read() loses what came before the cut
                file.write(block)
        except EOFError:
            pass  # cut off: said by the reader of the copy
        except (OSError, zlib.error) as error:
            raise ValueError(f"{path}: cannot be decompressed: {error}") from error

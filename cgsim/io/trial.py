"""Formats of C libraries that crash on damaged files are tried in another process first.

A flipped bit in the tree of an HDF5 file, or in the index of a GSD file, ends the process with a
segmentation fault, which nothing in Python can catch. Neither format has checksums by default.
"""

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from cgsim.io.files import file_extension

_SECONDS = 600
_H5PY = """
import sys, h5py
def visit(name, item):
    if getattr(item, "shape", ()):
        for start in range(0, len(item), 100):
            item[start : start + 100]
    dict(item.attrs)
with h5py.File(sys.argv[1], "r") as file:
    file.visititems(visit)
"""
_TABLES = """
import sys, tables
with tables.open_file(sys.argv[1]) as file:
    for node in file.walk_nodes("/", "Array"):
        for start in range(0, node.nrows, 100):
            node[start : start + 100]
"""
_GSD = """
import sys, gsd.hoomd
with gsd.hoomd.open(sys.argv[1], "r") as file:
    for frame in file:
        pass
"""
_TRIALS = {
    **dict.fromkeys((".h5", ".hdf5", ".lh5"), _TABLES),
    ".h5md": _H5PY,
    ".gsd": _GSD,
}


def check_by_trial(path: Path) -> None:
    """Read a file of such a format in another process; nothing is done for other formats.

    Raises
    ------
    ValueError
        If that process crashes or does not end. What raises an error is left to the reader.
    """
    code = _TRIALS.get(file_extension(path))
    if code is None or not path.is_file():
        return
    status = path.stat()
    ended = _ended(str(path.resolve()), code, status.st_mtime_ns, status.st_size)
    if ended:
        raise ValueError(f"{path}: the file is damaged: the library of its format {ended} on it")


@lru_cache(maxsize=256)
def _ended(path: str, code: str, _changed: int, _size: int) -> str:
    """How the library failed; empty where it did not. Cached while the file stays as it is."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"does not come to an end in {_SECONDS} s"
    return "crashes" if done.returncode < 0 else ""

"""The TNG format (GROMACS): whether all blocks of a file are whole, before its library reads them.

The library ends the process over some damaged files. A file is a row of blocks, each of a header
(sizes, number, MD5 of the contents, name) and contents: Lundborg et al., J. Comput. Chem. 35, 260
(2014).
"""

import hashlib
import struct
from pathlib import Path

import numpy as np

_FIXED = {order: struct.Struct(f"{order}qqq16s") for order in "<>"}
"""Sizes of header and contents, number, MD5; in the byte order of the machine that wrote."""

_FIXED_SIZE = _FIXED["<"].size
_MAX_HEADER = 1100  # bytes; names have up to 1024
_NO_HASH = bytes(16)


def check_tng(path: Path) -> None:
    """Check sizes and hashes of all blocks.

    Raises
    ------
    ValueError
        If the file is cut off or corrupt.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    start, number = 0, 0
    first = int.from_bytes(data[:8].tobytes(), "little")
    fixed = _FIXED["<" if first < _MAX_HEADER else ">"]
    while start < len(data):
        where = f"{path}: block {number}"
        if start + _FIXED_SIZE > len(data):
            raise ValueError(f"{where} is cut off: the file is truncated")
        n_header, n_contents, _, digest = fixed.unpack(data[start : start + _FIXED_SIZE].tobytes())
        if not _FIXED_SIZE < n_header < _MAX_HEADER or n_contents < 0:
            raise ValueError(f"{where} is corrupt or this is no TNG file (bad header)")
        end = start + n_header + n_contents
        if end > len(data):
            raise ValueError(f"{where} is cut off: the file is truncated")
        contents = data[start + n_header : end].tobytes()
        found = hashlib.md5(contents, usedforsecurity=False).digest()
        if digest not in (_NO_HASH, found):
            raise ValueError(f"{where} is corrupt (its MD5 differs)")
        start, number = end, number + 1

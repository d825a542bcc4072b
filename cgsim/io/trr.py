"""The TRR format (GROMACS): checks that each frame of a file is complete and sound.

Each frame tells the sizes of its parts, which MDTraj's reader trusts. They are checked here first.
"""

import struct
from pathlib import Path

import numpy as np

from cgsim.io.scan import Scan

_START = struct.pack(">iii", 1993, 13, 12) + b"GMX_trn_file"
_HEADER = struct.Struct(f">{len(_START)}s10iiii")  # start, sizes, n_atoms, step, n_energies
_SIZES = ("ir", "e", "cell", "virial", "pressure", "topology", "symbols", "x", "v", "f")


def scan_trr(path: Path) -> Scan:
    """Check that each frame of a TRR file is complete and has positions; give the times.

    Raises
    ------
    ValueError
        Naming the first frame that is cut off, corrupt, or without positions.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    start, n_atoms = 0, 0
    time: list[float] = []
    while start < len(data):
        where = f"{path}: frame {len(time)}"
        if start + _HEADER.size > len(data):
            raise ValueError(f"{where} is cut off: the file is truncated")
        header = _HEADER.unpack(data[start : start + _HEADER.size].tobytes())
        size = dict(zip(_SIZES, header[1:11], strict=True))
        real = _real_size(header[0], size, header[11])
        if real == 0:
            raise ValueError(f"{where} is corrupt or this is no TRR file (bad header)")
        if size["x"] == 0:
            raise ValueError(f"{where} has no positions")
        if time and header[11] != n_atoms:
            raise ValueError(f"{where} has {header[11]} atoms, the frames before {n_atoms}")
        n_atoms = header[11]
        start += _HEADER.size
        end = start + 2 * real + sum(size.values())
        if end > len(data):
            raise ValueError(f"{where} is cut off: the file is truncated")
        real_type = ">f4" if real == 4 else ">f8"
        time.append(float(np.frombuffer(data[start : start + real].tobytes(), real_type)[0]))
        start = end
    return Scan(n_atoms, len(time), np.array(time))


def _real_size(start: bytes, size: dict[str, int], n_atoms: int) -> int:
    """Bytes of a real number, 4 or 8, such that all sizes fit; 0 if there is none."""
    if start != _START or n_atoms < 1:
        return 0
    for real in (4, 8):
        allowed = {"cell": 9 * real, "virial": 9 * real, "pressure": 9 * real}
        allowed |= dict.fromkeys("xvf", 3 * real * n_atoms)
        if all(size[part] in (0, allowed.get(part, 0)) for part in _SIZES):
            return real
    return 0

"""What walking through a trajectory file, without reading its coordinates, tells."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scan:
    """Contents of one trajectory file without corrupt frames."""

    n_atoms: int
    n_frames: int
    """Whole frames that have positions."""
    time: np.ndarray | None
    """``[n_frames]`` ps, or None where the format stores no times."""
    is_cut: bool = False
    """Whether the file ends inside a further frame."""
    offsets: np.ndarray | None = None
    """``[n_frames]`` where the frames begin, in bytes; None where their sizes are equal."""


def is_blank(data: np.ndarray) -> bool:
    """Whether there are zeros only: what a file system leaves of blocks that were not written."""
    return not data.any()

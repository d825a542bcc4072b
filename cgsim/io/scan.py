"""What walking through a trajectory file, without reading its coordinates, tells."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scan:
    """Contents of one sound trajectory file."""

    n_atoms: int
    n_frames: int
    time: np.ndarray | None
    """``[n_frames]`` ps, or None where the format stores no times."""

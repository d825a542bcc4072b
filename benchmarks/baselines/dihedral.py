"""States of phi of a peptide, from MD of its atoms."""

from pathlib import Path

import mdtraj
import numpy as np

from cgsim.baselines.discretise import Bins
from cgsim.io import read_frame_interval

#: Bins of phi, all around.
N_STATES = 20
#: What the bins are put together to, once sampled, and where the second ones begin and end.
BASINS = ("alpha-left", "rest")
LEFT_HANDED = (0.0, 126.0)


def phi_bins() -> Bins:
    """Equal intervals of the circle, degrees."""
    return Bins(tuple(np.linspace(-180.0, 180.0, N_STATES + 1)[1:-1].tolist()))


def basin_of_bin() -> np.ndarray:
    """Index into `BASINS` of every bin, [N_STATES]."""
    edges = np.linspace(-180.0, 180.0, N_STATES + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    low, high = LEFT_HANDED
    return np.where((centres > low) & (centres < high), 0, 1)


def dihedral_states(topology: Path) -> tuple[list[np.ndarray], float]:
    """Bins of the first phi in all replicas of a peptide, and the time between frames.

    Parameters
    ----------
    topology
        NAME.pdb as `cgsim md peptide` writes it, with NAME-r0.xtc, NAME-r1.xtc ... beside it.

    Returns
    -------
    list of np.ndarray, float
        A state for each frame of each replica; ps.

    Raises
    ------
    SystemExit
        If there are fewer than two replicas.
    """
    files = sorted(topology.parent.glob(f"{topology.stem}-r*.xtc"))
    if len(files) < 2:
        raise SystemExit(f"two or more replicas {topology.stem}-r0.xtc ... are needed, beside it")
    bins, interval = phi_bins(), read_frame_interval(files[0])
    series = [
        bins(np.degrees(mdtraj.compute_phi(mdtraj.load(file, top=topology))[1][:, 0]))
        for file in files
    ]
    return series, float(interval or np.nan)

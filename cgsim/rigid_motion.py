"""Take rigid motion out of a trajectory: every frame superposed on the one before it.

A small molecule in implicit solvent tumbles by tens of degrees in a ps. What it looks like does not
depend on that, but a step that is Gaussian in Cartesian coordinates cannot turn a bond far without
stretching it. A simulator that is trained without rigid motion makes longer steps of the shape;
its diffusion and tumbling mean nothing.
"""

from dataclasses import replace

import numpy as np

from cgsim.backmapping.superposition import best_rotation, centred
from cgsim.data import MappedTrajectory


def without_rigid_motion(trajectory: MappedTrajectory) -> MappedTrajectory:
    """The same shapes, each frame centred and rotated onto the one before (Kabsch, 1976).

    Weighted by mass. A frame depends on those before it only, and two pieces of a trajectory, one
    after the other, turn into two that differ from those of the whole by a rigid motion.

    Parameters
    ----------
    trajectory
        One molecule, unwrapped.

    Returns
    -------
    MappedTrajectory
        In memory, without a cell.

    Raises
    ------
    ValueError
        If there is a periodic cell: several molecules cannot be superposed as one.
    """
    if trajectory.cell is not None:
        raise ValueError(
            f"{trajectory.name}: has a periodic cell; rigid motion can be taken out of one free "
            "molecule only"
        )
    mass = trajectory.bead_mass
    shape, _ = centred(np.asarray(trajectory.pos, dtype=np.float64), mass)
    onto_previous = best_rotation(shape[1:], shape[:-1], mass)
    pos, rotation = shape.copy(), np.eye(3)
    for frame, step in enumerate(onto_previous, start=1):
        rotation = step @ rotation
        pos[frame] = shape[frame] @ rotation
    return replace(trajectory, pos=pos.astype(np.float32))

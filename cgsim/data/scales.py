"""Scales of the training data: seen in them, an untrained simulator is already sensible."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from cgsim.mapping.trajectory import MappedTrajectory

LARGEST_SAMPLE = 10**7  # positions that are held in memory to measure one trajectory


@dataclass(frozen=True)
class Scales:
    """Scales of a training set at one stride.

    Attributes
    ----------
    timestep
        Delta = stride x frame interval, ps.
    frame_interval
        Between two recorded frames of the training data, ps.
    length_scale
        Mean length of the bead bonds, nm.
    step_scale
        Root-mean-square displacement of a bead in one step, per component, nm.
    mass_scale
        Mean bead mass, Da.
    chiral
        Whether any bead of the training data has a handedness: only then do the networks know of
        it (see `cgsim.nn.handedness`).
    """

    timestep: float
    frame_interval: float
    length_scale: float
    step_scale: float
    mass_scale: float
    chiral: bool = field(default=False, repr=False)  # roll-outs know a simulator by its repr

    @property
    def stride(self) -> int:
        """Frames per step."""
        return round(self.timestep / self.frame_interval)

    def stride_at(self, frame_interval: float) -> int:
        """Frames per step in data recorded every ``frame_interval`` ps.

        Raises
        ------
        ValueError
            If the time step is not a whole multiple of it.
        """
        stride = round(self.timestep / frame_interval)
        if stride < 1 or not np.isclose(stride * frame_interval, self.timestep, rtol=1e-3):
            raise ValueError(
                f"the simulator steps by {self.timestep:g} ps, which is no whole multiple of the "
                f"frame interval of the data, {frame_interval:g} ps: give trajectories recorded "
                f"every {self.timestep:g} ps, or a whole fraction of that"
            )
        return stride

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, for the checkpoint."""
        return asdict(self)


def measure(
    trajectories: Sequence[MappedTrajectory], *, stride: int, n_samples: int = 2000
) -> Scales:
    """Measure the scales on evenly spaced frames of every trajectory, fewer of large systems.

    Raises
    ------
    ValueError
        If the trajectories differ in frame interval, are shorter than one step, or nothing moves.
    """
    interval = shared_frame_interval(trajectories)
    bonds, steps = [], []
    for trajectory in trajectories:
        n_starts = len(trajectory.pos) - stride
        if n_starts < 1:
            raise ValueError(
                f"{trajectory.name}: {len(trajectory.pos)} frames, a stride of {stride} needs at "
                f"least {stride + 1}"
            )
        n_frames = min(n_samples, n_starts, max(2, LARGEST_SAMPLE // trajectory.n_beads))
        rows = np.unique(np.linspace(0, n_starts - 1, n_frames).astype(int))
        pairs = trajectory.at(rows[:, None] + [0, stride], current=0)
        now, later = pairs[:, 0], pairs[:, 1]
        first, second = trajectory.edge_index
        bonds.append(np.linalg.norm(now[:, first] - now[:, second], axis=2).mean(axis=0))
        steps.append(((later - now) ** 2).mean(axis=(0, 2)))
    length = float(np.concatenate(bonds).mean()) if sum(map(len, bonds)) else 1.0
    step = float(np.sqrt(np.concatenate(steps).mean()))
    if step == 0:
        raise ValueError("nothing moves in the trajectories: every displacement is zero")
    mass = float(np.concatenate([trajectory.bead_mass for trajectory in trajectories]).mean())
    chiral = any(is_chiral(trajectory) for trajectory in trajectories)
    return Scales(stride * interval, interval, length, step, mass, chiral)


def is_chiral(trajectory: MappedTrajectory) -> bool:
    """Whether any bead has a handedness."""
    return trajectory.chirality is not None and bool(np.any(trajectory.chirality))


def shared_frame_interval(trajectories: Sequence[MappedTrajectory]) -> float:
    """The frame interval that all trajectories share, ps.

    Raises
    ------
    ValueError
        Naming two trajectories that differ, or if there are none.
    """
    if not trajectories:
        raise ValueError("no trajectories given")
    first = trajectories[0]
    for other in trajectories[1:]:
        if not np.isclose(other.frame_interval, first.frame_interval, rtol=1e-4):
            raise ValueError(
                f"frame intervals differ: {first.name} has {first.frame_interval:g} ps, "
                f"{other.name} has {other.frame_interval:g} ps; give trajectories recorded alike"
            )
    return first.frame_interval

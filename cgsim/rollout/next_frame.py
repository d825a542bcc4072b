"""Samples of the next frame from a simulator, for windows of trajectories it is to be judged by.

`cgsim.evaluate.scores.calibration` scores them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from cgsim.hardware.threads import cpu_threads
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.rollout.starts import start_batch


@dataclass(frozen=True)
class OneStep:
    """Windows of one trajectory, and samples of what a simulator expects next; nm, float64.

    Attributes
    ----------
    name
        Of the molecule.
    history : [n_windows, n_beads, k, 3]
        The current frame last.
    observed : [n_windows, n_beads, 3]
        The frame that followed.
    samples : [n_samples, n_windows, n_beads, 3]
        Independent draws of the simulator.
    """

    name: str
    history: np.ndarray
    observed: np.ndarray
    samples: np.ndarray


def sample_next(
    simulator: Simulator,
    trajectories: Sequence[MappedTrajectory],
    *,
    n_windows: int,
    n_samples: int,
    seed: int = 0,
) -> list[OneStep]:
    """Draw the next frame of windows spread evenly over every trajectory, exactly as in a roll-out.

    Parameters
    ----------
    simulator
        Every draw is one call of its `step`, refinement included.
    trajectories
        Frames that `simulator.scales.stride` steps over in one time step.
    n_windows
        Windows of every trajectory.
    n_samples
        Draws per window.
    seed
        Of the noise.

    Returns
    -------
    One per trajectory.

    Raises
    ------
    ValueError
        If a number is not positive, a trajectory has too few frames or another frame interval, or
        an atom type is unknown.
    """
    for label, value in (("n_windows", n_windows), ("n_samples", n_samples)):
        if value < 1:
            raise ValueError(f"{label} must be at least 1, got {value}")
    generator = torch.Generator(next(simulator.parameters()).device).manual_seed(seed)
    rows = [_window_rows(simulator, trajectory, n_windows) for trajectory in trajectories]
    with tqdm(total=len(trajectories) * n_samples, unit="step", desc="one step") as bar:
        return [
            _sample(simulator, trajectory, own, n_samples=n_samples, generator=generator, bar=bar)
            for trajectory, own in zip(trajectories, rows, strict=True)
        ]


def _window_rows(simulator: Simulator, trajectory: MappedTrajectory, n_windows: int) -> np.ndarray:
    """Frames of evenly spaced windows [n_windows, k + 1], the next frame last."""
    stride, history = simulator.scales.stride, simulator.config.history
    if not np.isclose(stride * trajectory.frame_interval, simulator.timestep, rtol=1e-3):
        raise ValueError(
            f"{trajectory.name}: {stride} frames of {trajectory.frame_interval:g} ps are not a "
            f"time step of the simulator, {simulator.timestep:g} ps"
        )
    n_possible = trajectory.n_frames - history * stride
    if n_possible < n_windows:
        raise ValueError(
            f"{trajectory.name}: {trajectory.n_frames} frames hold {max(n_possible, 0)} windows of "
            f"{history} past frames and the next one at a stride of {stride}, not {n_windows}"
        )
    first = np.linspace(0, n_possible - 1, n_windows).round().astype(int)
    return first[:, None] + stride * np.arange(history + 1)


def _sample(
    simulator: Simulator,
    trajectory: MappedTrajectory,
    rows: np.ndarray,
    *,
    n_samples: int,
    generator: torch.Generator,
    bar: tqdm,
) -> OneStep:
    """All windows of a trajectory in one batch, stepped anew from the same state."""
    frames = trajectory.at(rows, current=-2)
    windows = [_window(simulator, trajectory, own) for own in rows[:, :-1]]
    device = next(simulator.parameters()).device
    state = simulator.start(start_batch(simulator, windows).to(device), generator)
    samples = np.empty((n_samples, *frames[:, -1].shape))
    with cpu_threads(len(state.pos)):
        for sample in samples:
            sample[:] = simulator.step(state).pos[:, -1].cpu().numpy().reshape(sample.shape)
            bar.update()
    return OneStep(
        name=trajectory.name,
        history=frames[:, :-1].swapaxes(1, 2),
        observed=frames[:, -1],
        samples=samples,
    )


def _window(
    simulator: Simulator, trajectory: MappedTrajectory, rows: np.ndarray
) -> MappedTrajectory:
    """The past frames of one window as a trajectory of their own."""
    return replace(
        trajectory,
        pos=trajectory.at(rows),
        drift=None,
        cell=None if trajectory.cell is None else trajectory.cell[rows],
        frame_interval=simulator.timestep,
    )

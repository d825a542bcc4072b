"""A recurrent network that moves every bead by itself, with Gaussian noise.

The network of the forecasters of Gupta et al. (2020) by their Kirchhoff decomposition (see
`cgsim.baselines.forecast`), made a simulator: instead of the mean alone it gives the mean and the
spread of the next displacement. Every bead is a series of its own, the weights are those of all, so
it runs on molecules that it has not seen; beads know nothing of each other but their centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cgsim.baselines.forecast import CHUNK, Recurrent
from cgsim.mapping.trajectory import MappedTrajectory

SMALLEST_LOG_SPREAD = -7.0  # of the displacements in one step


@dataclass(frozen=True)
class RecurrentConfig:
    """Architecture and training, as published but for the number of steps.

    Parameters
    ----------
    history
        Frames that are seen.
    n_units
        Width of the LSTM.
    n_steps, batch_size
        Training steps, and series in each, drawn at random.
    learning_rate
        Of Adam.

    Raises
    ------
    ValueError
        If a number is not positive.
    """

    history: int = 10
    n_units: int = 32
    n_steps: int = 4000
    batch_size: int = 256
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        for name in ("history", "n_units", "n_steps", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


class RecurrentPropagator:
    """``x' = x + m + s e`` for every bead, with ``m`` and ``s`` of an LSTM and ``e ~ N(0, 1)``.

    Parameters
    ----------
    network
        [n, history, 3] -> [n, 4]: mean and logarithm of the spread of the displacement.
    length_scale, step_scale
        nm: root mean squares of the positions about the centre, and of the displacements in one
        step. What goes in is divided by the one, what comes out multiplied by the other.
    """

    def __init__(
        self, network: nn.Module, *, history: int, length_scale: float, step_scale: float
    ) -> None:
        self.network, self.history = network, history
        self.length_scale, self.step_scale = length_scale, step_scale

    @torch.no_grad()
    def sample(self, history: np.ndarray, n_samples: int, *, seed: int) -> np.ndarray:
        """Samples of the next frame, as of `cgsim.baselines.propagators.LinearPropagator`.

        Parameters
        ----------
        history
            [n_windows, n_beads, n_frames, 3], nm, the present frame last.

        Returns
        -------
        np.ndarray
            [n_samples, n_windows, n_beads, 3], nm.

        Raises
        ------
        ValueError
            If the histories have too few frames.
        """
        if history.ndim != 4 or history.shape[2] < self.history:
            raise ValueError(
                f"history must be [n_windows, n_beads, {self.history} or more frames, 3], got "
                f"{history.shape}"
            )
        seen = history[:, :, -self.history :]
        said = self.network(self.series(torch.as_tensor(seen, dtype=torch.float32)))
        mean, spread = (part.double().numpy() * self.step_scale for part in split(said))
        shape = seen.shape[:2]
        noise = np.random.default_rng(seed).normal(size=(n_samples, *shape, 3))
        return seen[:, :, -1] + mean.reshape(*shape, 3) + spread.reshape(*shape, 1) * noise

    def series(self, history: Tensor) -> Tensor:
        """Scaled series [n_windows * n_beads, n_frames, 3] about the present centre."""
        centre = history[:, :, -1].mean(dim=1)[:, None, None]
        return ((history - centre) / self.length_scale).flatten(0, 1)


def split(said: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [n, 3] and spread [n, 1] of what the network says."""
    return said[:, :3], said[:, 3:].clamp(min=SMALLEST_LOG_SPREAD).exp()


def fit_recurrent(
    trajectories: Sequence[MappedTrajectory], config: RecurrentConfig, *, stride: int, seed: int
) -> RecurrentPropagator:
    """Train on random windows of all trajectories by the negative log-likelihood of the next frame.

    Parameters
    ----------
    stride
        Frames per step.
    seed
        Of the weights and the batches.

    Raises
    ------
    ValueError
        If a trajectory is too short for one window, or nothing moves.
    """
    reach = config.history * stride
    for trajectory in trajectories:
        if trajectory.n_frames <= reach:
            raise ValueError(
                f"{trajectory.name}: {trajectory.n_frames} frames; a history of {config.history} "
                f"and the next frame at a stride of {stride} need at least {reach + 1}"
            )
    positions = [np.asarray(own.pos, dtype=np.float32) for own in trajectories]
    centred = [pos - pos.mean(axis=1, keepdims=True) for pos in positions]
    steps = [pos[stride:] - pos[:-stride] for pos in positions]
    length_scale, step_scale = root_mean_square(centred), root_mean_square(steps)
    if not step_scale > 0:
        raise ValueError("nothing moves, there is nothing to learn")
    torch.manual_seed(seed)
    network = Recurrent(nn.LSTM(3, config.n_units, batch_first=True), 4)
    propagator = RecurrentPropagator(
        network, history=config.history, length_scale=length_scale, step_scale=step_scale
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    random = np.random.default_rng(seed)
    for _ in tqdm(range(config.n_steps), unit="step", desc="recurrent", leave=False):
        series, target = _batch(positions, config, stride=stride, random=random)
        mean, spread = split(network(propagator.series(series)))
        apart = target.flatten(0, 1) / step_scale - mean
        loss = ((apart / spread).square() / 2 + spread.log()).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    return propagator


def _batch(
    positions: Sequence[np.ndarray],
    config: RecurrentConfig,
    *,
    stride: int,
    random: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Histories [w, n_beads, history, 3] and displacements [w, n_beads, 3] of one trajectory.

    Whole frames, as many as make about ``batch_size`` series.
    """
    pos = positions[int(random.integers(len(positions)))]
    n_windows = max(1, min(config.batch_size, CHUNK) // pos.shape[1])
    first = random.integers(len(pos) - config.history * stride, size=n_windows)
    rows = first[:, None] + stride * np.arange(config.history + 1)
    frames = torch.as_tensor(pos[rows]).transpose(1, 2)
    return frames[:, :, :-1], frames[:, :, -1] - frames[:, :, -2]


def root_mean_square(arrays: Sequence[np.ndarray]) -> float:
    """Over all numbers of all arrays."""
    total = sum(float(np.square(values, dtype=np.float64).sum()) for values in arrays)
    return float(np.sqrt(total / sum(values.size for values in arrays)))

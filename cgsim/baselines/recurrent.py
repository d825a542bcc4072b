"""A recurrent network that moves every bead by itself, with Gaussian noise.

The LSTM (Hochreiter & Schmidhuber, Neural Computation 9, 1735, 1997) that forecasts coordinates in
Gupta et al., bioRxiv 2020.07.28.225490, by their Kirchhoff decomposition (see
`cgsim.baselines.forecast`), made a simulator: instead of the mean alone it gives the mean and the
spread of the next displacement. Every bead is a series of its own, the weights are those of all, so
it runs on molecules that it has not seen; beads know nothing of each other but their centre.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cgsim.baselines.forecast import CHUNK, Recurrent, check_positive
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.propagator import Propagator

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
        check_positive(self, "history", "n_units", "n_steps", "batch_size", "learning_rate")


@dataclass(frozen=True, eq=False)
class RecurrentPropagator(Propagator):
    """``x' = x + m + s e`` for every bead, with ``m`` and ``s`` of an LSTM and ``e ~ N(0, 1)``.

    Parameters
    ----------
    network
        [n, history, 3] -> [n, 4]: mean and logarithm of the spread of the displacement.
    history
        Frames that it sees.
    position_scale, step_scale
        nm: root mean squares of the positions about the centre, and of the displacements in one
        step. What goes in is divided by the one, what comes out multiplied by the other.
    timestep, length_scale
        ps, nm: see `Propagator`.
    """

    network: nn.Module
    _: KW_ONLY
    history: int
    position_scale: float
    step_scale: float
    timestep: float
    length_scale: float = Propagator.length_scale

    @torch.no_grad()
    def step(self, history: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """What the network says, and Gaussian noise; see `Propagator.step`."""
        seen = self.last_frames(history)
        said = self.network(self.series(torch.as_tensor(seen, dtype=torch.float32)))
        mean, spread = (part.double().numpy() * self.step_scale for part in split(said))
        shape = seen.shape[:2]
        noise = random.normal(size=(*shape, 3))
        return seen[:, :, -1] + mean.reshape(*shape, 3) + spread.reshape(*shape, 1) * noise

    def series(self, history: Tensor) -> Tensor:
        """Scaled series [n_windows * n_beads, n_frames, 3] about the current centre."""
        centre = history[:, :, -1].mean(dim=1)[:, None, None]
        return ((history - centre) / self.position_scale).flatten(0, 1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights of the network, its history and scales."""
        scales = {
            "history": np.array(self.history),
            "position_scale": np.array(self.position_scale),
            "step_scale": np.array(self.step_scale),
        }
        return {name: value.numpy() for name, value in self.network.state_dict().items()} | scales

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], *, timestep: float, length_scale: float
    ) -> Self:
        """The propagator of these weights and scales."""
        scales = ("history", "position_scale", "step_scale")
        weights = {name: torch.as_tensor(arrays[name]) for name in {*arrays} - {*scales}}
        network = lstm(n_units=weights["readout.weight"].shape[1])
        network.load_state_dict(weights)
        history, position_scale, step_scale = (arrays[name].item() for name in scales)
        return cls(
            network.eval(),
            history=history,
            position_scale=position_scale,
            step_scale=step_scale,
            timestep=timestep,
            length_scale=length_scale,
        )


def lstm(n_units: int) -> Recurrent:
    """The network of a `RecurrentPropagator`, as it is before training."""
    return Recurrent(nn.LSTM(3, n_units, batch_first=True), 4)


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
        If a trajectory is too short for one window, frame intervals differ, or nothing moves.
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
    scales = measure(trajectories, stride=stride)
    torch.manual_seed(seed)
    network = lstm(config.n_units)
    propagator = RecurrentPropagator(
        network,
        history=config.history,
        position_scale=root_mean_square(centred),
        step_scale=root_mean_square(steps),
        timestep=scales.timestep,
        length_scale=scales.length_scale,
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    random = np.random.default_rng(seed)
    for _ in tqdm(range(config.n_steps), unit="step", desc="recurrent", leave=False):
        series, target = _batch(trajectories, config, stride=stride, random=random)
        mean, spread = split(network(propagator.series(series)))
        apart = target.flatten(0, 1) / propagator.step_scale - mean
        loss = ((apart / spread).square() / 2 + spread.log()).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    return propagator


def _batch(
    trajectories: Sequence[MappedTrajectory],
    config: RecurrentConfig,
    *,
    stride: int,
    random: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Histories [w, n_beads, history, 3] and displacements [w, n_beads, 3] of one trajectory.

    Whole frames, as many as make about ``batch_size`` series.
    """
    trajectory = trajectories[int(random.integers(len(trajectories)))]
    n_windows = max(1, min(config.batch_size, CHUNK) // trajectory.n_beads)
    first = random.integers(trajectory.n_frames - config.history * stride, size=n_windows)
    rows = first[:, None] + stride * np.arange(config.history + 1)
    pos = torch.as_tensor(trajectory.at(rows, current=-2), dtype=torch.float32)
    frames = pos.transpose(1, 2)
    return frames[:, :, :-1], frames[:, :, -1] - frames[:, :, -2]


def root_mean_square(arrays: Sequence[np.ndarray]) -> float:
    """Over all numbers of all arrays."""
    total = sum(float(np.square(values, dtype=np.float64).sum()) for values in arrays)
    return float(np.sqrt(total / sum(values.size for values in arrays)))

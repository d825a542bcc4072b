"""Forecasters of coordinates: static, linear, feed-forward, LSTM and GRU.

Gupta et al., "Mind reading of the proteins: Deep-learning to forecast molecular dynamics", bioRxiv
2020.07.28.225490: from the last frames the one ``lead`` frames ahead, by mean squared error. On the
whole structure at once, or by their Kirchhoff decomposition: every atom is a series of its own, and
all share their weights.

Frames are taken as they are. `superposed` removes diffusion and tumbling where they would drown
everything else (free molecules); a molecule held in place, as in pulling, needs nothing.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from cgsim.mapping import superposition
from cgsim.mapping.trajectory import MappedTrajectory

Cell = Literal["static", "linear", "feed_forward", "lstm", "gru"]
CHUNK = 65536  # series that are predicted at once


@dataclass(frozen=True)
class ForecastConfig:
    """One forecaster, trained as published but for the number of steps.

    Parameters
    ----------
    kind
        The network; ``static`` repeats the last frame and is not trained.
    decomposed
        Every atom a series of its own (Kirchhoff decomposition).
    history
        Frames that are seen.
    lead
        Frames from the last one seen to the one that is forecast.
    n_units
        Width of the hidden layer, or of the LSTM or GRU.
    learning_rate
        Of Adam.
    n_steps, batch_size
        Training steps, and series in each, drawn at random.

    Raises
    ------
    ValueError
        If the kind is unknown or a number is not positive.
    """

    kind: Cell
    decomposed: bool = False
    history: int = 5
    lead: int = 1
    n_units: int = 32
    learning_rate: float = 0.01
    n_steps: int = 2000
    batch_size: int = 256

    def __post_init__(self) -> None:
        if self.kind not in get_args(Cell):
            raise ValueError(f"kind must be one of {get_args(Cell)}, got {self.kind!r}")
        check_positive(self, "history", "lead", "n_units", "learning_rate", "n_steps", "batch_size")

    @property
    def reach(self) -> int:
        """Frames from the first one seen to the one that is forecast, both counted."""
        return self.history + self.lead


def check_positive(config: object, *names: str) -> None:
    """Check that some fields of a config are positive.

    Raises
    ------
    ValueError
        Naming the first that is not.
    """
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} must be positive, got {getattr(config, name)}")


class LastFrame(nn.Module):
    """The static model: [n, history, d] -> [n, d]."""

    def forward(self, series: Tensor) -> Tensor:
        """The last frame."""
        return series[:, -1]


class Recurrent(nn.Module):
    """An LSTM or GRU and a linear output: [n, history, d] -> [n, d]."""

    def __init__(self, cell: nn.LSTM | nn.GRU, n_numbers: int) -> None:
        super().__init__()
        self.cell = cell
        self.readout = nn.Linear(cell.hidden_size, n_numbers)

    def forward(self, series: Tensor) -> Tensor:
        """The output after the last frame."""
        hidden, _ = self.cell(series)
        return self.readout(hidden[:, -1])


def build_network(config: ForecastConfig, n_numbers: int) -> nn.Module:
    """The network [n, history, n_numbers] -> [n, n_numbers] of a configuration."""
    n_inputs, n_units = config.history * n_numbers, config.n_units
    match config.kind:
        case "static":
            return LastFrame()
        case "linear":
            return nn.Sequential(nn.Flatten(), nn.Linear(n_inputs, n_numbers))
        case "feed_forward":
            hidden = nn.Linear(n_inputs, n_units)
            return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), nn.Linear(n_units, n_numbers))
        case "lstm":
            return Recurrent(nn.LSTM(n_numbers, n_units, batch_first=True), n_numbers)
        case "gru":
            return Recurrent(nn.GRU(n_numbers, n_units, batch_first=True), n_numbers)


class Forecaster:
    """A network and the scales of its data.

    Parameters
    ----------
    config
        See `ForecastConfig`.
    network
        Of `build_network`.
    mean
        [n_beads, 3], nm: of the training frames; removed from what the network sees.
    scale
        nm: root mean square of what is left; it is divided by that.
    """

    def __init__(
        self, config: ForecastConfig, network: nn.Module, *, mean: Tensor, scale: float
    ) -> None:
        self.config, self.network, self.mean, self.scale = config, network, mean, scale

    def series(self, frames: Tensor) -> Tensor:
        """Windows [w, t, n_beads, 3] in nm as series [n, t, d] of scaled numbers."""
        scaled = (frames - self.mean) / self.scale
        if self.config.decomposed:
            return scaled.transpose(1, 2).flatten(0, 1)
        return scaled.flatten(2)

    @torch.no_grad()
    def predict(self, history: np.ndarray) -> np.ndarray:
        """Forecast frames [w, n_beads, 3], nm, of histories [w, history, n_beads, 3], nm.

        Raises
        ------
        ValueError
            If the histories have another shape or are not finite.
        """
        expected = (self.config.history, *self.mean.shape)
        if history.shape[1:] != expected or not np.isfinite(history).all():
            raise ValueError(
                f"history must be finite and [n_windows, {', '.join(map(str, expected))}], got "
                f"{history.shape}"
            )
        if self.config.kind == "static":  # bit by bit
            return history[:, -1]
        seen = self.series(torch.as_tensor(history, dtype=torch.float32))
        said = torch.cat([self.network(part) for part in seen.split(CHUNK)])
        frames = said.reshape(len(history), *self.mean.shape) * self.scale + self.mean
        return frames.numpy()


def fit_forecaster(
    trajectory: MappedTrajectory, config: ForecastConfig, *, seed: int
) -> Forecaster:
    """Train a forecaster on all windows of a trajectory.

    Parameters
    ----------
    trajectory
        Its training part (see `cgsim.baselines.forecast_table.split_in_time`).
    seed
        Of the weights and the batches.

    Raises
    ------
    ValueError
        If the trajectory is too short for one window or does not move.
    """
    n_windows = trajectory.n_frames - config.reach + 1
    if n_windows < 1:
        raise ValueError(
            f"{trajectory.name}: {trajectory.n_frames} frames; a history of {config.history} and a "
            f"lead of {config.lead} need at least {config.reach}"
        )
    pos = torch.as_tensor(np.array(trajectory.pos, dtype=np.float32))
    mean = pos.mean(dim=0)
    scale = float((pos - mean).square().mean().sqrt())
    if not scale > 0:
        raise ValueError(f"{trajectory.name}: nothing moves, there is nothing to forecast")
    torch.manual_seed(seed)
    network = build_network(config, 3 if config.decomposed else 3 * trajectory.n_beads)
    forecaster = Forecaster(config, network, mean=mean, scale=scale)
    if config.kind != "static":
        _train(forecaster, pos, seed=seed)
    return forecaster


def _train(forecaster: Forecaster, pos: Tensor, *, seed: int) -> None:
    """Adam on the mean squared error of random windows, of random atoms if decomposed."""
    config, network = forecaster.config, forecaster.network
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    n_windows, n_beads = len(pos) - config.reach + 1, len(forecaster.mean)
    scaled = (pos - forecaster.mean) / forecaster.scale
    seen, ahead = torch.arange(config.history), config.reach - 1
    for _ in tqdm(range(config.n_steps), unit="step", desc=config.kind, leave=False):
        first = torch.randint(n_windows, (config.batch_size,), generator=generator)
        rows = first[:, None] + seen
        if config.decomposed:
            bead = torch.randint(n_beads, (config.batch_size,), generator=generator)
            series, target = scaled[rows, bead[:, None]], scaled[first + ahead, bead]
        else:
            series, target = scaled[rows].flatten(2), scaled[first + ahead].flatten(1)
        loss = functional.mse_loss(network(series), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()


def superposed(trajectory: MappedTrajectory) -> MappedTrajectory:
    """The same trajectory, each frame centred and rotated onto the first one (Kabsch, 1976).

    Equal weights for all beads. The first frame is known at any time, so nothing of the future
    enters.
    """
    pos = np.asarray(trajectory.pos, dtype=np.float64)
    turned = superposition.superposed(pos, pos[0], np.ones(trajectory.n_beads))
    return replace(trajectory, pos=turned.astype(np.float32), cell=None)

"""How simulators are trained, and on what."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingConfig:
    """How a simulator is trained.

    Parameters
    ----------
    stride
        Frames per step: the simulator's time step is ``stride`` x the frame interval of the data.
    n_steps
        Optimiser steps of a cycle, rounded up to epochs of one length.
    n_cycles
        How often the schedule of the learning rate is run through (warm restarts: Loshchilov &
        Hutter, arXiv 1608.03983). With more of them `cgsim.fit` goes on with a run that has ended.
    batch_size
        Windows per optimiser step and process.
    learning_rate
        Peak of the schedule (linear warm-up over ``n_warmup`` steps, cosine decay to 1 %).
    weight_decay
        Decoupled weight decay (AdamW), relative to the learning rate.
    n_warmup
        Steps of linear warm-up.
    clip
        Largest gradient norm.
    ema_decay
        Decay of the exponential moving average of the weights; the averaged weights are what is
        saved.
    keep
        Which weights: ``best`` are those of the lowest validation NLL, ``last`` those of the end,
        where the learning rate is lowest. A denoiser goes on learning when the Gaussian, of which
        alone the NLL speaks, has long begun to know its data by heart.
    score_weight
        Weight of the score-matching loss beside the negative log-likelihood.
    history_noise
        Largest noise put on past frames in training, in root-mean-square displacements of one step;
        the network is told its level.
    embedding_dropout
        Share of the numbers of every bead's embedding that are left out, others in every step. With
        many molecules to learn from it keeps the network from knowing them by heart, and serves
        molecules never seen.
    time_reversal
        Share of the windows that are shown backwards in time. In equilibrium both directions are
        equally likely, so with 0.5 every transition is learnt from twice, and what is learnt is as
        reversible. Keep to 0 for data out of equilibrium, such as pulled molecules.
    validation_fraction
        Last part of every trajectory, held out in time, when no validation set is given.
    steps_per_epoch
        Most steps between two validations and resume points.
    seed
        Seed of the weights, the windows and the noise.
    n_window_beads
        Most beads of a window: of larger systems so many are cut out around a random one, and the
        inner ones learnt from (see `cgsim.data.cutouts`); all by default.

    Raises
    ------
    ValueError
        Naming a share that is none; if there is no cycle.
    """

    stride: int = 1
    n_steps: int = 3000
    n_cycles: int = 1
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    n_warmup: int = 100
    clip: float = 1.0
    ema_decay: float = 0.995
    keep: Literal["best", "last"] = "best"
    score_weight: float = 0.5
    history_noise: float = 0.1
    embedding_dropout: float = 0.0
    time_reversal: float = 0.0
    validation_fraction: float = 0.1
    steps_per_epoch: int = 200
    seed: int = 0
    n_window_beads: int | None = None

    def __post_init__(self) -> None:
        for name in ("embedding_dropout", "time_reversal"):
            _check_share(name, getattr(self, name))
        if self.n_cycles < 1:
            raise ValueError(f"n_cycles must be at least 1, got {self.n_cycles}")


@dataclass(frozen=True)
class FinetuningConfig:
    """How a simulator is fine-tuned; whatever is not here is as in `TrainingConfig`.

    But the noise on past frames is that which the simulator was trained with, where its file says.

    Parameters
    ----------
    n_steps
        Most optimiser steps, rounded up to epochs of one length.
    batch_size
        Windows per optimiser step and process, replayed ones included.
    learning_rate
        Peak of the schedule (linear warm-up, cosine decay to 1 %), for all weights alike.
    patience
        Epochs without a lower validation NLL after which it stops.
    keep
        See `TrainingConfig`; with ``last`` give patience for all epochs, so that the learning rate
        falls to its end.
    replay_share
        Share of the windows of every batch that are replayed, when there are old trajectories.
    time_reversal
        See `TrainingConfig`.
    validation_fraction
        Last part of every trajectory, new or replayed, that is held out in time; of the new ones
        only when no validation set is given.
    steps_per_epoch
        Most steps between two validations and resume points.
    seed
        Seed of the windows and the noise.

    Raises
    ------
    ValueError
        Naming the field that is out of range.
    """

    n_steps: int = 500
    batch_size: int = 32
    learning_rate: float = 3e-4
    patience: int = 3
    keep: Literal["best", "last"] = "best"
    replay_share: float = 0.5
    time_reversal: float = 0.0
    validation_fraction: float = 0.2
    steps_per_epoch: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_steps", "batch_size", "patience", "steps_per_epoch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("replay_share", "validation_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        _check_share("time_reversal", self.time_reversal)
        if self.learning_rate < 0:
            raise ValueError(f"learning_rate must not be negative, got {self.learning_rate}")


@dataclass(frozen=True)
class Hardware:
    """Where to train.

    Parameters
    ----------
    accelerator
        ``auto``, ``cpu`` or ``cuda``.
    n_devices
        Processes, one per device.
    n_nodes
        Machines.
    precision
        ``bf16-mixed``: products of matrices in bfloat16, everything else in float32, the precisions
        of the predicted Gaussians included. It is of use where the processor computes in bfloat16.
    """

    accelerator: str = "auto"
    n_devices: int = 1
    n_nodes: int = 1
    precision: Literal["32-true", "bf16-mixed"] = "32-true"


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")

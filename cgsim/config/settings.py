"""The one home of defaults: dataclasses that feed the CLI, the YAML, the docs and the checkpoint.

Lengths that describe the network are given in mean bead-bond lengths of the training data, so that
one configuration serves a dipeptide and a polymer of a thousand atoms.
"""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EmbeddingConfig:
    """Message passing over the atom graph.

    Parameters
    ----------
    n_channels
        Width of the bead embedding.
    n_layers
        Rounds of message passing: how many bonds away an atom sees.
    """

    n_channels: int = 32
    n_layers: int = 3


@dataclass(frozen=True)
class GraphConfig:
    """Which pairs of beads talk to each other.

    Parameters
    ----------
    n_hops
        Pairs up to this many bead bonds apart are always connected, and told apart by their
        separation.
    cutoff
        All other pairs are connected within this distance, in mean bond lengths, under a smooth
        envelope.
    n_radial
        Number of Gaussians in which a distance is expanded.
    n_octaves
        Number of waves in which it is expanded beside, see `cgsim.nn.radial.Octaves`; for beads of
        which bonds that differ by a twentieth of their length are in different states.
    ideal_distance
        Whether an edge knows how far apart its beads would be if all atom bonds were ideal springs.
    n_pair
        Number of products of what is known of the two beads: as in a mixing rule, what two kinds
        do to each other follows from what each does to its own.
    """

    n_hops: int = 4
    cutoff: float = 3.0
    n_radial: int = 12
    n_octaves: int = 0
    ideal_distance: bool = True
    n_pair: int = 16


@dataclass(frozen=True)
class DynamicsConfig:
    """The equivariant network from k frames to a distribution over accelerations.

    Parameters
    ----------
    n_channels
        Number of copies of each irreducible representation (scalars, vectors, ...).
    n_layers
        Number of equivariant convolutions.
    n_hidden
        Width of the network that every bead goes through after each of them, see
        `cgsim.nn.bead_network.BeadNetwork`; 0 is none.
    lmax
        Highest order of the spherical harmonics and hidden features, at least 1.
    noise
        ``independent``: one variance per bead. ``correlated``: a Gaussian Markov random field on
        the bead graph. ``elastic``: one that is stiff along the bonds and soft across them, for
        beads of few atoms.
    steps
        ``straight``: beads go where their displacement points. ``turning``: bonds turn and keep the
        length that they are given, for molecules without rings whose bonds turn much in a step,
        such as peptides (see `cgsim.model.integrators.bonds`).
    """

    n_channels: int = 32
    n_layers: int = 3
    n_hidden: int = 0
    lmax: int = 1
    noise: Literal["independent", "correlated", "elastic"] = "correlated"
    steps: Literal["straight", "turning"] = "straight"


@dataclass(frozen=True)
class ScoreConfig:
    """The denoiser that refines a Gaussian sample.

    Parameters
    ----------
    n_channels
        Number of copies of each irreducible representation.
    n_layers
        Number of equivariant convolutions.
    n_hidden
        See `DynamicsConfig`.
    n_evaluations
        Network evaluations per roll-out step; with churn an odd number, as steps are of second
        order and the last one is not.
    start_level
        Noise level (standard deviations of the predicted Gaussian) at which a Gaussian sample
        enters the denoiser.
    farthest
        How far out a refined sample may be and still be taken, in standard deviations of the
        squared norm of the predicted Gaussian (see `cgsim.model.noise.gaussian.is_plausible`).
        Molecules that jump between basins in one step, such as peptides, need more than the
        default.
    spacing
        Noise angles are evenly spaced in their ``1 / spacing``-th power, in training as in the
        evaluations of a step: above 1 there are more of them at low noise, where what is stiff is
        decided.
    churn
        Noise put back before every step of the refinement, as a share of its noise angle: what was
        decided wrongly at high noise is decided again at low noise. 0 is none.
    order
        Of the steps of a refinement without churn, 1 or 2; both take as many evaluations.
    present
        Whether an edge of the denoiser knows how far apart its beads are at present.
    unconditional
        Share of the windows of which, in training, the denoiser is not told the present: what
        guidance needs.
    guidance
        How strongly a step is bound to the present, see `cgsim.model.score.denoiser.Denoiser`. 1 is
        as it was learnt; any other takes twice the network evaluations, where there is guidance.
    guided_from, guided_to
        Noise angles between which there is guidance, everywhere by default; the noise level is the
        tangent of the angle.

    Raises
    ------
    ValueError
        If the spacing is not positive, the churn negative, the order neither 1 nor 2, the
        unconditional share not below 1, there is guidance without such a share, or it ends before
        it begins.
    """

    n_channels: int = 24
    n_layers: int = 2
    n_hidden: int = 0
    n_evaluations: int = 2
    start_level: float = 1.5
    farthest: float = 6.0
    spacing: float = 1.0
    churn: float = 0.0
    order: int = 1
    present: bool = False
    unconditional: float = 0.0
    guidance: float = 1.0
    guided_from: float = 0.0
    guided_to: float = math.pi / 2

    def __post_init__(self) -> None:
        if not self.spacing > 0:
            raise ValueError(f"spacing must be positive, got {self.spacing}")
        if not self.churn >= 0:
            raise ValueError(f"churn must not be negative, got {self.churn}")
        if self.order not in (1, 2):
            raise ValueError(f"order must be 1 or 2, got {self.order}")
        if self.churn and not self.n_evaluations % 2:
            raise ValueError(f"n_evaluations must be odd with churn, got {self.n_evaluations}")
        if not 0 <= self.unconditional < 1:
            raise ValueError(f"unconditional must be between 0 and 1, got {self.unconditional}")
        if self.guidance != 1 and not self.unconditional:
            raise ValueError(
                f"guidance {self.guidance:g} needs a denoiser trained with an unconditional share"
            )
        if not self.guided_from < self.guided_to:
            raise ValueError(
                f"guided_from must be below guided_to, got {self.guided_from} and {self.guided_to}"
            )


@dataclass(frozen=True)
class ModelConfig:
    """Everything that defines the network; ``score=None`` is the simulator without refinement.

    Parameters
    ----------
    history
        Number k of past frames, the present one included, at least 1.
    """

    history: int = 2
    embedding: EmbeddingConfig = EmbeddingConfig()
    graph: GraphConfig = GraphConfig()
    dynamics: DynamicsConfig = DynamicsConfig()
    score: ScoreConfig | None = ScoreConfig()


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

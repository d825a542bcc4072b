"""What a simulator is: its networks and its sampler.

Lengths that describe the network are given in mean bead-bond lengths of the training data, so that
one configuration serves a dipeptide and a polymer of a thousand atoms.
"""

import math
from dataclasses import dataclass


def _check_rho(rho: float) -> None:
    if not rho > 0:
        raise ValueError(f"rho must be positive, got {rho}")


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
    ideal_distance
        Whether an edge knows how far apart its beads would be if all atom bonds were ideal springs.
    n_pair
        Number of products of what is known of the two beads: as in a mixing rule, what two kinds
        do to each other follows from what each does to its own.
    n_references
        Reference structures of which an edge knows its distances (see `cgsim.mapping.reference`);
        0 is none. `cgsim.fit` sets it by the training data: as many as the molecules have.
    reference_cutoff
        Pairs within this distance in any reference are always connected, in mean bond lengths, and
        told apart from those that only happen to be near.

    Raises
    ------
    ValueError
        If the number of references is negative, or their cutoff not positive.
    """

    n_hops: int = 4
    cutoff: float = 3.0
    n_radial: int = 12
    ideal_distance: bool = True
    n_pair: int = 16
    n_references: int = 0
    reference_cutoff: float = 2.6

    def __post_init__(self) -> None:
        if self.n_references < 0:
            raise ValueError(f"n_references must not be negative, got {self.n_references}")
        if not self.reference_cutoff > 0:
            raise ValueError(f"reference_cutoff must be positive, got {self.reference_cutoff}")

    @property
    def n_hop_classes(self) -> int:
        """How an edge can be: near in space, so many bonds apart, or near in a reference."""
        return self.n_hops + 1 + (self.n_references > 0)


@dataclass(frozen=True)
class DynamicsConfig:
    """The equivariant network from k frames to a distribution over accelerations.

    The configuration of a dynamics network of your own inherits from this one and adds its fields.

    Parameters
    ----------
    n_channels
        Number of copies of each irreducible representation (scalars, vectors, ...).
    n_layers
        Number of equivariant convolutions.
    lmax
        Highest order of the spherical harmonics and hidden features, at least 1.
    noise
        A name in `cgsim.model.noise.NOISES`. ``independent``: one variance per bead.
        ``correlated``: a Gaussian Markov random field on the bead graph. ``elastic``: one that is
        stiff along the bonds and soft across them, for beads of few atoms.
    steps
        A name in `cgsim.model.integrators.STEPS`. ``straight``: beads go where their displacement
        points. ``turning``: bonds turn and keep the length that they are given, for molecules
        without rings whose bonds turn much in a step, such as peptides.
    """

    n_channels: int = 32
    n_layers: int = 3
    lmax: int = 1
    noise: str = "correlated"
    steps: str = "straight"


@dataclass(frozen=True)
class ScoreConfig:
    """The network that refines a Gaussian sample, and how it is trained.

    The configuration of a score network of your own inherits from this one and adds its fields.

    Parameters
    ----------
    n_channels
        Number of copies of each irreducible representation.
    n_layers
        Number of equivariant convolutions.
    rho
        Noise angles of the training are evenly spaced in their ``1 / rho``-th power: above 1 more
        of them are at low noise, where what is stiff is decided.
    current_distances
        Whether an edge of the network knows how far apart its beads are in the current frame.
    unconditional
        Share of the training windows of which the network is not shown the current frame: what
        classifier-free guidance needs.

    Raises
    ------
    ValueError
        If ``rho`` is not positive, or the unconditional share not below 1.
    """

    n_channels: int = 24
    n_layers: int = 2
    rho: float = 1.0
    current_distances: bool = False
    unconditional: float = 0.0

    def __post_init__(self) -> None:
        _check_rho(self.rho)
        if not 0 <= self.unconditional < 1:
            raise ValueError(f"unconditional must be between 0 and 1, got {self.unconditional}")


@dataclass(frozen=True)
class SamplerConfig:
    """How the steps of a roll-out are sampled with the score network; it needs no training.

    A simulator holds one: ``simulator.sampler = replace(simulator.sampler, n_evaluations=5)``.

    Parameters
    ----------
    n_evaluations
        Evaluations of the score network per step; with churn an odd number, as steps are of second
        order and the last one is not. 0 is no refinement: samples of the predicted Gaussian.
    sigma_max
        Noise level (standard deviations of the predicted Gaussian) at which a Gaussian sample
        enters the refinement (Karras et al., arXiv 2206.00364).
    rho
        Noise angles of the evaluations are evenly spaced in their ``1 / rho``-th power.
    churn
        Noise put back before every step of the refinement, as a share of its noise angle: what was
        decided wrongly at high noise is decided again at low noise. 0 is none.
    reject_beyond
        How far out a refined sample may be and still be taken, in standard deviations of the
        squared norm of the predicted Gaussian (see `cgsim.model.noise.gaussian.is_plausible`).
        Molecules that jump between basins in one step, such as peptides, need more than the
        default.
    guidance
        Strength w of classifier-free guidance (see `cgsim.model.score.denoiser.Denoiser`). 1 is
        none; any other takes twice the network evaluations, where there is guidance.
    guided_from, guided_to
        Noise angles between which there is guidance, everywhere by default; the noise level is the
        tangent of the angle.

    Raises
    ------
    ValueError
        If a number is out of range, or the guidance ends before it begins.
    """

    n_evaluations: int = 2
    sigma_max: float = 1.5
    rho: float = 1.0
    churn: float = 0.0
    reject_beyond: float = 6.0
    guidance: float = 1.0
    guided_from: float = 0.0
    guided_to: float = math.pi / 2

    def __post_init__(self) -> None:
        _check_rho(self.rho)
        if self.n_evaluations < 0:
            raise ValueError(f"n_evaluations must not be negative, got {self.n_evaluations}")
        if not self.churn >= 0:
            raise ValueError(f"churn must not be negative, got {self.churn}")
        if self.churn and self.n_evaluations and not self.n_evaluations % 2:
            raise ValueError(f"n_evaluations must be odd with churn, got {self.n_evaluations}")
        if not self.guided_from < self.guided_to:
            raise ValueError(
                f"guided_from must be below guided_to, got {self.guided_from} and {self.guided_to}"
            )


@dataclass(frozen=True)
class NetworkNames:
    """Which classes the networks of a simulator are, by their names in `cgsim.model.networks`.

    Parameters
    ----------
    embedding, dynamics, score
        Names of classes: those of cgsim, or of your own (see `cgsim.model.networks.add_network`).
    """

    embedding: str = "GraphEmbedding"
    dynamics: str = "Dynamics"
    score: str = "Score"


def check_sampler(sampler: SamplerConfig, score: ScoreConfig | None) -> None:
    """Check that a score network can be sampled so.

    Raises
    ------
    ValueError
        If it is guided, and was not trained with an unconditional share.
    """
    if score is not None and sampler.guidance != 1 and not score.unconditional:
        raise ValueError(
            f"guidance {sampler.guidance:g} needs a score network trained with an unconditional "
            "share: set model.score.unconditional (0.2, say) and train"
        )


@dataclass(frozen=True)
class ModelConfig:
    """Everything that defines a simulator but its weights: its networks and its sampler.

    Parameters
    ----------
    history
        Number k of past frames, the current one included, at least 1.
    embedding, graph, dynamics
        Of the networks.
    score
        Of the network that refines samples; None is a simulator without refinement.
    sampler
        How a roll-out samples, until it is changed.
    networks
        Which networks.

    Raises
    ------
    ValueError
        If the sampler guides a score network that is trained without an unconditional share.
    """

    history: int = 2
    embedding: EmbeddingConfig = EmbeddingConfig()
    graph: GraphConfig = GraphConfig()
    dynamics: DynamicsConfig = DynamicsConfig()
    score: ScoreConfig | None = ScoreConfig()
    sampler: SamplerConfig = SamplerConfig()
    networks: NetworkNames = NetworkNames()

    def __post_init__(self) -> None:
        check_sampler(self.sampler, self.score)

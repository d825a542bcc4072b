"""The loss of a batch of windows: what is drawn at random, and a pure function of it."""

import torch
from torch import Tensor

from cgsim.data.augmentation import Augmentation, Windows, noisy_windows, randomly_turned
from cgsim.data.graphs import CGData
from cgsim.model.integrators.euler import acceleration_target
from cgsim.model.stack import NetworkStack
from cgsim.nn.graph.neighbours import BeadGraph


def draw(
    networks: NetworkStack,
    batch: CGData,
    *,
    generator: torch.Generator | None,
    augmentation: Augmentation,
) -> tuple[Windows, Tensor, BeadGraph]:
    """What the `losses` of a batch are a function of; all that is random is drawn here."""
    drawn = draw_windows(networks, batch, generator=generator, augmentation=augmentation)
    return on_graph(networks, *drawn)


def draw_windows(
    networks: NetworkStack,
    batch: CGData,
    *,
    generator: torch.Generator | None,
    augmentation: Augmentation,
) -> tuple[CGData, Windows, Tensor]:
    """The batch, its windows with all that is random, and the embedding of its beads."""
    if networks.training and not networks.dynamics.equivariant:
        batch = randomly_turned(batch, generator)
    windows = noisy_windows(
        batch,
        step_scale=networks.scales.step_scale,
        dtype=networks.dtype,
        generator=generator,
        augmentation=augmentation,
        score=networks.config.score,
    )
    return batch, windows, networks.embed(batch, generator, dropout=augmentation.embedding)


def on_graph(
    networks: NetworkStack, batch: CGData, windows: Windows, embedding: Tensor
) -> tuple[Windows, Tensor, BeadGraph]:
    """What the `losses` of drawn windows, all or some of a batch, are a function of."""
    graph = networks.graph_at(windows.pos[:, -1], batch)
    # Targets are mapped back at the noisy current frame: that is where the networks are asked.
    steps = networks.steps.at(windows.pos[:, -1], graph)
    return windows._replace(target_pos=steps.log_map(windows.target_pos)), embedding, graph


def losses(
    networks: NetworkStack, windows: Windows, embedding: Tensor, graph: BeadGraph
) -> dict[str, Tensor]:
    """Negative log-likelihood and score-matching loss, see `Simulator.loss`; a pure function.

    Parameters
    ----------
    embedding : [n, n_channels]
        Of every bead.
    """
    pos = windows.pos
    prediction = networks.predict_at(
        pos, embedding, mass=windows.mass, noise_level=windows.noise_level, graph=graph
    )
    target = reduced_acceleration(networks, pos, windows.target_pos)
    field, core = prediction.acceleration, windows.core
    log_prob = field.log_prob(target) if core is None else field.core_log_prob(target, core)
    found = {"nll": -log_prob.sum() / windows.n_degrees}
    if (denoiser := networks.denoiser(pos[:, -1], prediction, graph=graph)) is not None:
        found["score"] = denoiser.loss(windows)
    return found


def reduced_acceleration(networks: NetworkStack, history: Tensor, target_pos: Tensor) -> Tensor:
    """The training target ``a Delta^2 / step_scale`` [n, 3], dimensionless."""
    return acceleration_target(history, target_pos, timestep=1.0) / networks.scales.step_scale

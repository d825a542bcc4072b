r"""One step of a roll-out: predict the accelerations, sample, refine, integrate.

    ``a ~ N(mu, P^-1)`` of the networks, refined;  ``v_t = (x_t - x_{t-1}) / Delta``,
    ``x_{t+1} = exp_{x_t}((v_t + a Delta) Delta)``

Positions are float64 between steps, networks see them in their own type around the centre of each
system: molecules diffuse far, and second differences of large float32 numbers are lost to rounding.
"""

from dataclasses import replace

import torch
from torch import Tensor

from cgsim.data.augmentation import count_graphs
from cgsim.data.graphs import CGData
from cgsim.model.integrators.euler import euler_step, velocity_from_history
from cgsim.model.score.sampler import Draw
from cgsim.model.stack import NetworkStack
from cgsim.model.state import State, centred
from cgsim.nn.graph.layout import Layout
from cgsim.nn.graph.skin import SkinList, skin_width


def start(networks: NetworkStack, batch: CGData, generator: torch.Generator) -> State:
    """The state at the current frame of a batch of windows."""
    state = State(
        pos=batch.pos.double(),
        embedding=networks.embed(batch),
        mass=batch.mass.to(networks.dtype),
        chirality=batch.chirality,
        topology=batch.topology,
        layout=Layout.of(batch.batch, count_graphs(batch)),
        generator=generator,
        cell=batch.cell.double() if "cell" in batch else None,
    )
    counts = state.layout.counts
    if state.cell is not None or len(batch.edge_hop) < int((counts * (counts - 1)).sum()):
        return state
    local = centred(state.pos, state.layout).to(networks.dtype)
    graph = state.search(local[:, -1], cutoff=networks.cutoff)
    return replace(state, fixed_graph=graph)  # all pairs: the same graph at every step


def listed(networks: NetworkStack, state: State) -> State:
    """The state with a list of neighbours that holds, where a skin pays."""
    skin = skin_width(networks.scales.step_scale, cutoff=networks.cutoff)
    if state.fixed_graph is not None or state.slot_table is not None or skin == 0:
        return state
    local = centred(state.pos, state.layout).to(networks.dtype)
    if state.skin_list is not None and state.skin_list.holds_at(local[:, -1]):
        return state
    candidates = state.search(local[:, -1], cutoff=networks.cutoff + skin)
    return replace(state, skin_list=SkinList(candidates, local[:, -1], networks.cutoff, skin))


def next_pos(networks: NetworkStack, history: Tensor, deviation: Draw, *, state: State) -> Tensor:
    """The frame [n, 3] after past ones [n, k, 3], nm; a pure function of tensors.

    Parameters
    ----------
    history
        In place of ``state.pos``.
    deviation
        Draws from a predicted Gaussian, around its mean.
    state
        All that does not change from step to step.
    """
    local = centred(history, state.layout).to(networks.dtype)
    graph, lacks_edges = state.edges_at(local[:, -1], cutoff=networks.cutoff)
    level = local.new_zeros(len(local))  # frames of a roll-out are taken as they are
    prediction = networks.predict_at(
        local, state.embedding, mass=state.mass, noise_level=level, graph=graph
    )
    field = prediction.acceleration
    denoiser = None
    if networks.is_refined:
        denoiser = networks.denoiser(local[:, -1], prediction, graph=graph)
    residual = deviation(field) if denoiser is None else denoiser.refined(deviation)
    reduced = field.mean + residual
    timestep = networks.scales.timestep
    acceleration = reduced.double() * networks.scales.step_scale / timestep**2
    velocity = velocity_from_history(history, timestep)
    target_pos, _ = euler_step(
        history[:, -1], velocity, acceleration=acceleration, timestep=timestep
    )
    pos = networks.steps.at(history[:, -1], graph).exp_map(target_pos)
    if lacks_edges is None:
        return pos
    # No number at all, so that nobody takes it for a step: the roll-out takes it another way.
    return torch.where(lacks_edges[state.batch][:, None], torch.nan, pos)


def advanced(history: Tensor, pos: Tensor) -> Tensor:
    """Past frames [n, k, 3] with a new one [n, 3] at their end, the oldest dropped."""
    return torch.cat([history[:, 1:], pos[:, None]], dim=1)

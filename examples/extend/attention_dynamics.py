r"""A dynamics network of one's own: equivariant attention over the neighbours of every bead.

cgsim train mapped --output model --network examples.extend.attention_dynamics:AttentionDynamics
cgsim rollout model/simulator.safetensors mapped --n_steps 1000 --output rollout \
        --network examples.extend.attention_dynamics:AttentionDynamics
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cgsim.config import DynamicsConfig, GraphConfig
from cgsim.model.dynamics import Beads, DynamicsNetwork, Prediction, around_prior, bounded
from cgsim.model.noise import noise_class
from cgsim.nn.edges import EdgeGeometry
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.linear import joined
from cgsim.nn.mlp import mlp
from cgsim.nn.product import hidden_irreps


@dataclass(frozen=True)
class AttentionConfig(DynamicsConfig):
    """Settings of `AttentionDynamics`: those of every dynamics network, and its own."""

    sharpness: float = 4.0


class AttentionDynamics(DynamicsNetwork):
    """``s_i <- s_i + sum_j a_ij m_ij``, ``V_i <- V_i + sum_j a_ij (p_ij V_j + q_ij e_ij)``.

    The attention ``a_ij`` and the messages ``m, p, q`` are functions of the scalars ``s`` of both
    beads and of the edge, ``e_ij`` is its direction: so the vectors ``V`` turn with the molecule.
    """

    Config = AttentionConfig

    def __init__(
        self,
        config: AttentionConfig,
        graph: GraphConfig,
        *,
        history: int,
        n_embedding: int,
        chiral: bool = False,
    ) -> None:
        super().__init__(config, graph, history=history, n_embedding=n_embedding, chiral=chiral)
        width, self.sharpness = config.n_channels, config.sharpness
        self.irreps = hidden_irreps(width, 1)
        self.edges = EdgeGeometry(graph, lmax=1, n_scalars=n_embedding)
        self.scalars = mlp(n_embedding + history + 1, width, width)
        self.from_steps = nn.Linear(history - 1, width, bias=False)
        n_pair = 2 * width + self.edges.n_edge
        self.layers = nn.ModuleList(
            mlp(n_pair, width, 1 + 3 * width) for _ in range(config.n_layers)
        )
        self.displacement = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.displacement.weight)
        self.noise = noise_class(config.noise)(width, n_edge=self.edges.n_edge)

    def forward(self, beads: Beads, vector: Tensor, *, graph: BeadGraph) -> Prediction:
        """Predict the next step of every bead."""
        edges = self.edges(vector, graph, beads.embedding)
        source, destination = edges.edge_index
        direction = nn.functional.normalize(vector, dim=1)[:, :, None]
        steps = bounded(beads.steps, 6.0)
        known = [beads.mass.log()[:, None], beads.noise_level[:, None], steps.norm(dim=2)]
        s = self.scalars(torch.cat([beads.embedding, *known], dim=1))
        v = self.from_steps(steps.transpose(1, 2))  # [n, 3, width]
        for layer in self.layers:
            pair = layer(torch.cat([s[source], s[destination], edges.attr], dim=1))
            logit, m, p, q = pair.split([1, *[s.shape[1]] * 3], dim=1)
            # The envelope inside the sum of weights: nothing jumps where a pair leaves the cutoff.
            a = edges.envelope[:, None] * torch.exp(self.sharpness * torch.tanh(logit))
            a = a / (1 + torch.zeros_like(s[:, :1]).index_add(0, destination, a))[destination]
            s = s + torch.zeros_like(s).index_add(0, destination, a * m)
            message = p[:, None] * v[source] + q[:, None] * direction
            v = v + torch.zeros_like(v).index_add(0, destination, a[:, :, None] * message)
        displacement = bounded(self.displacement(v)[:, :, 0], 6.0)
        mean = around_prior(displacement, beads.steps)
        field = self.noise(mean, s, vector, edges=edges, graph=graph)
        latent = joined([s[:, None], v])
        return Prediction(field, displacement, latent, vector, beads.embedding)

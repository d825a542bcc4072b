"""Without equivariance: plain coordinates, and random rotations of the data in their place.

A graph network in the style of GNS (Sanchez-Gonzalez et al., arXiv 2002.09405), as used for
molecules by Fu et al. (arXiv 2204.10348).
"""

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from cgsim.config import DynamicsConfig, GraphConfig
from cgsim.model.dynamics import (
    LARGEST_DISPLACEMENT,
    LARGEST_STEP,
    Beads,
    DynamicsNetwork,
    Prediction,
    around_prior,
    bounded,
)
from cgsim.model.noise import noise_class
from cgsim.nn.edges import EdgeGeometry
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.mlp import mlp, zero_init


def normalised_mlp(n_in: int, width: int) -> nn.Sequential:
    """Two hidden layers and a layer norm, the block of GNS: [..., n_in] -> [..., width]."""
    return nn.Sequential(mlp(n_in, width, width, width), nn.LayerNorm(width))


class MessagePassing(nn.Module):
    r"""One round of message passing with residual updates of beads and edges.

    ``m_ij = MLP(e_ij, x_j, x_i)``,  ``e_ij <- e_ij + m_ij``,
    ``x_i <- x_i + MLP(x_i, sum_j u_ij m_ij)``, with the envelope ``u`` of the edge.

    Shapes
    ------
    latent [n, width], edge_latent [n_edges, width], edge_index [2, n_edges], envelope [n_edges]
    -> latent [n, width], edge_latent [n_edges, width]
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.message = normalised_mlp(3 * width, width)
        self.update = normalised_mlp(2 * width, width)

    def forward(
        self, latent: Tensor, edge_latent: Tensor, *, edge_index: Tensor, envelope: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update all beads and edges."""
        source, destination = edge_index
        message = self.message(torch.cat([edge_latent, latent[source], latent[destination]], dim=1))
        counted = message * envelope[:, None]
        total = scatter(counted, destination, dim_size=len(latent), reduce="sum")
        update = self.update(torch.cat([latent, total], dim=1))
        return latent + update, edge_latent + message


class PlainDynamics(DynamicsNetwork):
    r"""Message passing on the bead graph with plain coordinates as inputs and outputs.

    Inputs, noise and start as of `cgsim.model.dynamics.Dynamics`: untrained, the mean displacement
    is zero and the precision is that of the data. Shifting and renumbering the beads changes
    nothing, turning them does; in training every window is turned at random. Of the configuration
    ``lmax`` has no meaning, and there is no score network on top of it. Of chiral molecules the
    handedness of each bead is one more input.

    Shapes
    ------
    beads (of n beads), vector [n_edges, 3] (in mean bond lengths), graph -> `Prediction`, whose
    latent [n, n_channels] is not equivariant

    Raises
    ------
    ValueError
        If ``config.noise`` is neither ``independent`` nor ``correlated``.
    """

    equivariant = False

    def __init__(
        self,
        config: DynamicsConfig,
        graph: GraphConfig,
        *,
        history: int,
        n_embedding: int,
        chiral: bool = False,
    ) -> None:
        super().__init__(config, graph, history=history, n_embedding=n_embedding, chiral=chiral)
        if config.noise not in ("independent", "correlated"):
            raise ValueError(
                f"dynamics.noise is {config.noise!r}, but the plain network has only "
                "'independent' and 'correlated' noise"
            )
        width = config.n_channels
        self.edges = EdgeGeometry(graph, lmax=0, n_scalars=n_embedding)
        self.chiral = chiral
        n_known = n_embedding + 3 * (history - 1) + 2 + int(chiral)
        self.encode_bead = normalised_mlp(n_known, width)
        self.encode_edge = normalised_mlp(3 + self.edges.n_edge, width)
        self.layers = nn.ModuleList(MessagePassing(width) for _ in range(config.n_layers))
        self.displacement = mlp(width, width, width, 3)
        zero_init(self.displacement[-1])
        self.noise = noise_class(config.noise)(width, n_edge=self.edges.n_edge)

    def forward(self, beads: Beads, vector: Tensor, *, graph: BeadGraph) -> Prediction:
        """Predict the next step of every bead."""
        edges = self.edges(vector, graph, beads.embedding)
        known = self.inputs(beads)
        if self.chiral and graph.chirality is not None:
            known = torch.cat([known, graph.chirality[:, None].to(known)], dim=1)
        latent = self.encode_bead(known)
        edge_latent = self.encode_edge(torch.cat([vector, edges.unpaired().attr], dim=1))
        for layer in self.layers:
            latent, edge_latent = layer(
                latent, edge_latent, edge_index=edges.edge_index, envelope=edges.envelope
            )
        displacement = bounded(self.displacement(latent), LARGEST_DISPLACEMENT)
        mean = around_prior(displacement, beads.steps)
        field = self.noise(mean, latent, vector, edges=edges, graph=graph)
        return Prediction(field, displacement, latent, vector, beads.embedding)

    def inputs(self, beads: Beads) -> Tensor:
        """Embedding, past steps, mass and noise level [n, n_embedding + 3 (k - 1) + 2]."""
        steps = bounded(beads.steps, LARGEST_STEP).flatten(1)
        known = [beads.embedding, steps, beads.mass.log()[:, None], beads.noise_level[:, None]]
        return torch.cat(known, dim=1)

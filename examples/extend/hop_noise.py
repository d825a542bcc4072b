r"""A noise model of one's own: beads are coupled by how many bonds they are apart.

cgsim train mapped --output model --noise examples.extend.hop_noise:HopNoise
cgsim rollout model/simulator.safetensors mapped --n_steps 1000 --output rollout \
        --noise examples.extend.hop_noise:HopNoise
"""

import torch
from torch import Tensor, nn

from cgsim.model.noise import Noise
from cgsim.model.noise.correlated import CorrelatedGaussian
from cgsim.model.noise.heads import BeadPrecision, bounded_exp
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.graph.neighbours import BeadGraph

MOST_HOPS = 4


class HopNoise(Noise):
    """``P = diag(d_i) + sum_{i<j} u_ij w_{hop(i, j)} (delta_i - delta_j)(delta_i - delta_j)^T``.

    One coupling ``w`` per number of bonds, and one for pairs that are only close in space, under
    the envelope ``u`` of the edge: the fewest numbers that let bonded beads move together.
    """

    def __init__(self, n_channels: int, *, n_edge: int) -> None:
        super().__init__(n_channels, n_edge=n_edge)
        self.bead = BeadPrecision(n_channels)
        self.log_weight = nn.Parameter(torch.full((MOST_HOPS + 1,), -3.0))

    def forward(
        self,
        mean: Tensor,
        scalars: Tensor,
        vector: Tensor,
        *,
        edges: EdgeFeatures,
        graph: BeadGraph,
    ) -> CorrelatedGaussian:
        """See `Noise`."""
        hop = graph.hop[graph.once].clamp(max=MOST_HOPS)
        weight = bounded_exp(self.log_weight)[hop] * edges.envelope[graph.once]
        return CorrelatedGaussian(
            mean,
            self.bead(scalars),
            graph.batch,
            graph.n_graphs,
            weight,
            graph.pairs,
            known_layout=graph.layout,
        )

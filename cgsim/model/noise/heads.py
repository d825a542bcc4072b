"""From latents to the parameters of a covariance, bounded so that no factorisation can fail."""

import torch
from torch import Tensor, nn

from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.mlp import mlp, zero_init
from cgsim.nn.native.couplings import applies, of_pairs

LOG_BOUND = 7.0  # reduced precisions stay within exp(+-7)
WEIGHT_START = -3.0  # log coupling of an untrained network


def bounded_exp(value: Tensor) -> Tensor:
    """``exp(b tanh(x / b))``: positive, with slope one at zero and bounds ``exp(+-b)``."""
    return torch.exp(LOG_BOUND * torch.tanh(value / LOG_BOUND))


def in_full_precision(network: nn.Module, values: Tensor) -> Tensor:
    """Output of a network in the type of its weights, in mixed precision too.

    Rounding errors of a precision do not average out: in bfloat16 they moved the negative
    log-likelihood of held-out polymers by 0.002 nats per degree of freedom.
    """
    kind = values.device.type
    if not torch.is_autocast_enabled(kind):
        return torch.as_tensor(network(values))
    with torch.autocast(kind, enabled=False):
        return torch.as_tensor(network(values.to(next(network.parameters()).dtype)))


class BeadPrecision(nn.Module):
    """A positive number per bead, one before training: ``d_i = exp(MLP(s_i))``.

    Shapes
    ------
    scalars [n, n_channels] -> [n]
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.network = mlp(n_channels, n_channels, 1)
        zero_init(self.network[-1])

    def forward(self, scalars: Tensor) -> Tensor:
        """Return the precision of every bead."""
        return bounded_exp(in_full_precision(self.network, scalars)[:, 0])


class PairPrecision(nn.Module):
    """Positive numbers per pair: ``w_ij = u_ij exp(MLP(s_i + s_j, s_i * s_j, e_ij))``.

    Symmetric, and with the envelope u of the edge smooth where a pair leaves the cutoff.

    Shapes
    ------
    scalars [n, n_channels], edges, graph -> edges that hold each pair once [n_pairs], and
    [n_pairs, n_values]
    """

    def __init__(self, n_channels: int, *, n_edge: int, n_values: int) -> None:
        super().__init__()
        self.network = mlp(2 * n_channels + n_edge, n_channels, n_values)
        zero_init(self.network[-1])

    def forward(
        self, scalars: Tensor, edges: EdgeFeatures, graph: BeadGraph
    ) -> tuple[Tensor, Tensor]:
        """Return the edges that hold every pair once, and the couplings of the pairs."""
        logs = self._logs(scalars, edges, graph)
        once = graph.once
        values = bounded_exp(logs + WEIGHT_START)
        return once, values * edges.envelope.index_select(0, once)[:, None]

    def _logs(self, scalars: Tensor, edges: EdgeFeatures, graph: BeadGraph) -> Tensor:
        """``MLP(s_i + s_j, s_i * s_j, e_ij)`` of all pairs [n_pairs, n_values]."""
        if applies(scalars, edges):
            return of_pairs(self.network, scalars, edges, graph.once)
        at_first, at_second = (scalars.index_select(0, ends) for ends in graph.pairs)
        attr = edges.attr.index_select(0, graph.once)
        both = [at_first + at_second, at_first * at_second, attr]
        return in_full_precision(self.network, torch.cat(both, dim=1))

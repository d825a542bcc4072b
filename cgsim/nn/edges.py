"""What an edge of the bead graph says: invariants, direction and how much it counts."""

import math
from dataclasses import dataclass, replace

import torch
from e3nn import o3
from torch import Tensor, nn

from cgsim.config import GraphConfig
from cgsim.nn.graph.incidence import Incidence, Pairing
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.radial import GaussianBasis, polynomial_envelope


@dataclass(frozen=True)
class EdgeFeatures(Incidence):
    """Features of every edge.

    Attributes
    ----------
    attr : [n_edges, n_edge]
        Invariants: distance, its radial basis, separation along the bonds (one-hot), products of
        the two ends. With ``pairing`` [n_pairs, n_edge]: they are the same there and back.
    harmonics : [n_edges, (lmax + 1)^2]
        Spherical harmonics of the direction.
    envelope : [n_edges]
        1 for topological pairs, a smooth step to zero at the cutoff for all others.
    chirality : [n] or None
        Handedness of every bead, for networks of chiral molecules.
    edge_index, width
        See `Incidence`.
    pairing
        Where the invariants are those of pairs.
    """

    attr: Tensor
    harmonics: Tensor
    envelope: Tensor
    edge_index: Tensor
    chirality: Tensor | None = None
    width: int = 0
    pairing: Pairing | None = None

    def rows(self, values: Tensor) -> Tensor:
        """Values of the edges [n_edges, ...], alike there and back, for the rows of ``attr``."""
        return values if self.pairing is None else values.index_select(0, self.pairing.once)

    def of_pairs(self, once: Tensor) -> Tensor:
        """``attr`` of the pairs of which these are an edge each [n_pairs, n_edge]."""
        return self.attr.index_select(0, once) if self.pairing is None else self.attr

    def unpaired(self) -> "EdgeFeatures":
        """The same with ``attr`` of every edge."""
        if self.pairing is None:
            return self
        return replace(self, attr=self.attr.index_select(0, self.pairing.row), pairing=None)


class EdgeGeometry(nn.Module):
    r"""From edge vectors (in mean bond lengths) to `EdgeFeatures`.

    ``e_ij = (r, basis(r), hop, log s, r / s, z_i z_j)`` with the ideal distance ``s`` of the two
    (see `cgsim.mapping.ideal_distances`) and ``z = W h + b``, of scalars ``h`` of the beads. The
    ideal distance says how long a bond is between beads that were cut from a molecule in a way
    never seen; the products are what lets a network that has seen like attract like say what unlike
    ones do (as ``eps_ij = sqrt(eps_i eps_j)``).

    Topological pairs have no cutoff and see the distance itself, so that a bond stretched beyond
    anything in the training data still pulls.

    Shapes
    ------
    vector [n_edges, 3], graph, scalars [n, n_scalars] -> attr [n_edges, n_edge],
    harmonics [n_edges, (lmax + 1)^2], envelope [n_edges]
    """

    cutoff: Tensor
    hops: Tensor

    def __init__(self, config: GraphConfig, *, lmax: int, n_scalars: int) -> None:
        super().__init__()
        self.n_hops = config.n_hops
        self.ideal_distance = config.ideal_distance
        n_ideal = 2 if config.ideal_distance else 0
        self.n_edge = config.n_radial + config.n_hops + 2 + n_ideal + config.n_pair
        self.register_buffer("hops", torch.arange(config.n_hops + 1), persistent=False)
        self.register_buffer("cutoff", torch.tensor(config.cutoff), persistent=False)
        self.basis = GaussianBasis(config.cutoff, n_radial=config.n_radial)
        self.harmonics = spherical_harmonics(lmax)
        self.kind = nn.Linear(n_scalars, config.n_pair) if config.n_pair else None

    def forward(self, vector: Tensor, graph: BeadGraph, scalars: Tensor) -> EdgeFeatures:
        """Describe every edge."""
        distance = vector.norm(dim=1)
        near = polynomial_envelope(distance, self.cutoff)
        envelope = torch.where(graph.hop > 0, torch.ones_like(near), near)
        # Invariants are the same there and back: half the work, where they are kept for gradients.
        learns = torch.is_grad_enabled() and vector.device.type == "cpu" and not graph.width
        pairing, edge_index = graph.pairing if learns else None, graph.edge_index
        if pairing is not None:
            distance, graph = distance.index_select(0, pairing.once), graph.one_way
        return EdgeFeatures(
            self._invariants(distance, graph, scalars),
            self.harmonics(vector),
            envelope,
            edge_index=edge_index,
            chirality=graph.chirality,
            width=graph.width,
            pairing=pairing,
        )

    def _invariants(self, distance: Tensor, graph: BeadGraph, scalars: Tensor) -> Tensor:
        hop = (graph.hop[:, None] == self.hops).to(distance)
        attr = [distance[:, None], self.basis(distance), hop]
        if self.ideal_distance:
            attr.append(to_ideal(distance, graph.reach))
        if self.kind is not None:
            kind = self.kind(scalars)
            attr.append((graph.source(kind) * graph.destination(kind)).reshape(len(distance), -1))
        return torch.cat(attr, dim=1)


def to_ideal(distance: Tensor, ideal: Tensor) -> Tensor:
    """``(log s, r / s)`` [n_edges, 2], zero where the ideal distance ``s`` is unknown."""
    is_known = ideal > 0
    safe = torch.where(is_known, ideal, torch.ones_like(ideal))
    return torch.stack([safe.log(), torch.where(is_known, distance / safe, 0.0)], dim=1)


def spherical_harmonics(lmax: int) -> nn.Module:
    """Of the direction of vectors [n_edges, 3], mean square 1 -> [n_edges, (lmax + 1)^2]."""
    if lmax == 1:
        return VectorHarmonics()
    irreps = o3.Irreps.spherical_harmonics(lmax)
    return o3.SphericalHarmonics(irreps, normalize=True, normalization="component")


class VectorHarmonics(nn.Module):
    """`e3nn.o3.SphericalHarmonics` up to order 1, written out: ``1`` and ``sqrt(3) r / |r|``."""

    def forward(self, vector: Tensor) -> Tensor:
        """Return [n_edges, 4]."""
        direction = math.sqrt(3) * nn.functional.normalize(vector, dim=1)
        return nn.functional.pad(direction, (1, 0), value=1.0)

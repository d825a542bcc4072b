"""What an edge of the bead graph says: invariants, direction and how much it counts."""

import math
from dataclasses import dataclass

import torch
from e3nn import o3
from torch import Tensor, nn

from cgsim.config import GraphConfig
from cgsim.nn.graph.incidence import Incidence
from cgsim.nn.graph.neighbours import BeadGraph
from cgsim.nn.native.edges import applies, described
from cgsim.nn.radial import GaussianBasis, polynomial_envelope

STRETCH = 20.0  # per mean bond length: of a change of distance that a network tells from none


@dataclass(frozen=True)
class EdgeFeatures(Incidence):
    """Features of every edge.

    Attributes
    ----------
    attr : [n_edges, n_edge]
        Invariants: distance, its radial basis, separation along the bonds (one-hot), products of
        the two ends.
    harmonics : [n_edges, (lmax + 1)^2]
        Spherical harmonics of the direction.
    envelope : [n_edges]
        1 for topological pairs, a smooth step to zero at the cutoff for all others.
    chirality : [n] or None
        Handedness of every bead, for networks of chiral molecules.
    edge_index, width, slots
        See `Incidence`.
    """

    attr: Tensor
    harmonics: Tensor
    envelope: Tensor
    edge_index: Tensor
    chirality: Tensor | None = None
    width: int = 0
    slots: int = 0


class EdgeGeometry(nn.Module):
    r"""From edge vectors (in mean bond lengths) to `EdgeFeatures`.

    ``e_ij = (r, basis(r), hop, log s, r / s, z_i z_j)`` with the ideal distance ``s`` of the two
    (see `cgsim.mapping.ideal_distances`) and ``z = W h + b``, of scalars ``h`` of the beads. The
    ideal distance says how long a bond is between beads that were cut from a molecule in a way
    never seen; the products are what lets a network that has seen like attract like say what unlike
    ones do (as ``eps_ij = sqrt(eps_i eps_j)``).

    Of a molecule with reference structures, the distances there are further columns like those of
    the ideal one, and pairs near in one of them a kind of their own beside those of each ``hop``.

    Topological pairs have no cutoff and see the distance itself, so that a bond stretched beyond
    anything in the training data still pulls.

    Where an earlier frame is known, with edge vectors ``r'``: also
    ``(r', asinh(20 (r - r')), r . r' / |r| |r'|, basis(r'))``.

    Shapes
    ------
    vector [n_edges, 3], graph, scalars [n, n_scalars], before [n_edges, 3] -> attr
    [n_edges, n_edge], harmonics [n_edges, (lmax + 1)^2], envelope [n_edges]
    """

    cutoff: Tensor
    hops: Tensor

    def __init__(
        self, config: GraphConfig, *, lmax: int, n_scalars: int, knows_before: bool = False
    ) -> None:
        super().__init__()
        self.n_hops, self.lmax = config.n_hops, lmax
        self.ideal_distance = config.ideal_distance
        self.n_references = config.n_references
        n_known = 2 * config.n_references + (2 if config.ideal_distance else 0)
        n_before = config.n_radial + 3 if knows_before else 0
        n_plain = 1 + config.n_radial + config.n_hop_classes + config.n_pair
        self.n_edge = n_plain + n_known + n_before
        self.register_buffer("hops", torch.arange(config.n_hop_classes), persistent=False)
        self.register_buffer("cutoff", torch.tensor(config.cutoff), persistent=False)
        self.basis = GaussianBasis(config.cutoff, n_radial=config.n_radial)
        self.harmonics = spherical_harmonics(lmax)
        self.kind = nn.Linear(n_scalars, config.n_pair) if config.n_pair else None

    def forward(
        self,
        vector: Tensor,
        graph: BeadGraph,
        scalars: Tensor,
        *,
        before: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> EdgeFeatures:
        """Describe every edge.

        Parameters
        ----------
        before : [n_edges, 3] or None
            The edges in an earlier frame, where the network was made to know them.
        seen : [n] or None
            1 for beads whose earlier frame may be known, else 0; None is all.
        """
        kind = None if self.kind is None else self.kind(scalars)
        if applies(self, vector):
            described_by = described(
                self, vector, graph, kind=kind, before=before, seen=seen, stretch=STRETCH
            )
        else:
            described_by = self._described(vector, graph, kind, before, seen)
        attr, harmonics, envelope = described_by
        return EdgeFeatures(
            attr,
            harmonics,
            envelope,
            edge_index=graph.edge_index,
            chirality=graph.chirality,
            width=graph.width,
            slots=graph.slots,
        )

    def _described(
        self,
        vector: Tensor,
        graph: BeadGraph,
        kind: Tensor | None,
        before: Tensor | None,
        seen: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Invariants, harmonics and envelope, operation by operation."""
        distance = vector.norm(dim=1)
        hop = (graph.hop[:, None] == self.hops).to(distance)
        attr = [distance[:, None], self.basis(distance), hop]
        known = graph.reach[:, None] if graph.reach.ndim == 1 else graph.reach
        if self.ideal_distance:
            attr.append(to_ideal(distance, known[:, 0]))
        if self.n_references:
            attr += [to_ideal(distance, own) for own in known[:, 1:].unbind(1)]
        if kind is not None:
            attr.append(_both_ends(kind, graph))
        if before is not None:
            change = self._change(vector, before)
            attr.append(change if seen is None else change * _both_ends(seen[:, None], graph))
        near = polynomial_envelope(distance, self.cutoff)
        envelope = torch.where(graph.hop > 0, torch.ones_like(near), near)
        return torch.cat(attr, dim=1), self.harmonics(vector), envelope

    def _change(self, vector: Tensor, current: Tensor) -> Tensor:
        """The distance in the earlier frame, and how it and the direction changed since."""
        distance, before = vector.norm(dim=1), current.norm(dim=1)
        turned = (nn.functional.normalize(vector) * nn.functional.normalize(current)).sum(dim=1)
        change = torch.stack([before, torch.asinh(STRETCH * (distance - before)), turned], dim=1)
        return torch.cat([change, self.basis(before)], dim=1)


def _both_ends(values: Tensor, graph: BeadGraph) -> Tensor:
    """The product of values of beads [n, n_values] over both ends of every edge."""
    product = graph.source(values) * graph.destination(values)
    return product.reshape(-1, values.shape[1])


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

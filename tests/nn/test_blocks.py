"""A large graph piece by piece says what it says as a whole."""

import pytest
import torch
from torch import Tensor

from cgsim.nn import blocks
from cgsim.nn.blocks import blocks_of, in_blocks
from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.edges import EdgeFeatures, spherical_harmonics
from cgsim.nn.linear import by_order
from cgsim.nn.product import hidden_irreps
from cgsim.testing.systems import perturb_parameters

N_BEADS, N_EDGES, N_CHANNELS = 60, 900, 4


def random_edges(*, lmax: int = 1, chiral: bool = False) -> EdgeFeatures:
    """Beads of very different numbers of neighbours, the first, the last and others without any."""
    into = (N_BEADS * torch.rand(N_EDGES) ** 2).long().clamp(2, N_BEADS - 3)
    into = into[(into % 7) != 3].sort().values
    n_edges = len(into)
    return EdgeFeatures(
        torch.randn(n_edges, 3),
        spherical_harmonics(lmax)(torch.randn(n_edges, 3)),
        torch.rand(n_edges),
        torch.stack([torch.randint(N_BEADS, (n_edges,)), into]),
        chirality=torch.randint(-1, 2, (N_BEADS,)) if chiral else None,
    )


@pytest.mark.parametrize("most", [1, 40, 5000])
def test_blocks_are_all_edges_in_order(most: int) -> None:
    edges = random_edges()
    found = list(blocks_of(edges, N_BEADS, most=most))
    assert torch.equal(torch.cat([block.edge_index for block in found], dim=1), edges.edge_index)
    assert torch.equal(torch.cat([block.attr for block in found]), edges.attr)
    assert sum(block.n_into for block in found) == N_BEADS
    largest = int(torch.bincount(edges.edge_index[1]).max())
    for block in found:
        into = block.edge_index[1] - block.first
        assert bool(((into >= 0) & (into < block.n_into)).all())
        assert len(into) < most + largest
    total = torch.cat([block.total(block.attr, N_BEADS) for block in found])
    torch.testing.assert_close(total, edges.total(edges.attr, N_BEADS))


@pytest.mark.parametrize("chiral", [False, True])
@pytest.mark.parametrize("lmax", [1, 2])
def test_a_convolution_is_the_same(
    lmax: int, chiral: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_default_dtype(torch.float64)
    edges = random_edges(lmax=lmax, chiral=chiral)
    layer = EquivariantConvolution(N_CHANNELS, lmax=lmax, n_edge=3, chiral=chiral)
    perturb_parameters(layer)
    irreps = hidden_irreps(N_CHANNELS, lmax)
    parts = by_order(torch.randn(N_BEADS, irreps.dim), [N_CHANNELS] * (lmax + 1))
    expected = layer(parts, edges)
    monkeypatch.setattr(blocks, "CACHED_EDGES", 50)
    assert len(in_blocks(edges, N_BEADS)) == 1  # gradients are wanted
    with torch.no_grad():
        assert len(in_blocks(edges, N_BEADS)) > 10
        found = layer(parts, edges)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-12)

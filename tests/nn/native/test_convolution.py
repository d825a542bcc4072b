"""Convolutions in one pass: those of the operations one by one, on any number of threads."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cgsim.hardware.compile import has_compiler
from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.edges import EdgeFeatures, spherical_harmonics
from cgsim.nn.native import convolution as native
from cgsim.nn.native import kernels
from cgsim.nn.native.convolution import applies, convolved
from cgsim.nn.native.kernels import CHANNELS, is_built
from cgsim.testing.systems import perturb_parameters

N_BEADS = 70
needs_kernels = pytest.mark.skipif(not is_built(), reason="built without a C++ compiler")


@pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")
def test_it_is_built_where_there_is_a_compiler() -> None:
    assert is_built()


def some_edges(n_edges: int, *, n_invariants: int = 37, seed: int = 0) -> EdgeFeatures:
    """Edges into some beads; the first, the last and others have none."""
    torch.manual_seed(seed)
    into = torch.randint(1, N_BEADS - 1, (n_edges,))
    into = into[into % 7 != 3].sort().values
    n_edges = len(into)
    return EdgeFeatures(
        torch.randn(n_edges, n_invariants),
        spherical_harmonics(1)(torch.randn(n_edges, 3)),
        torch.rand(n_edges),
        torch.stack([torch.randint(N_BEADS, (n_edges,)), into]),
        chirality=torch.randint(-1, 2, (N_BEADS,)),
    )


def some_convolution(n_channels: int, *, chiral: bool, n_edge: int = 37) -> EquivariantConvolution:
    torch.manual_seed(1)
    convolution = EquivariantConvolution(n_channels, lmax=1, n_edge=n_edge, chiral=chiral)
    perturb_parameters(convolution, scale=0.3)
    return convolution


def beads(n_channels: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    torch.manual_seed(2)
    return [torch.randn(N_BEADS, components, n_channels).to(dtype) for components in (1, 3)]


@needs_kernels
@pytest.mark.parametrize("n_edges", [0, 1, 13, 500])
@pytest.mark.parametrize("chiral", [False, True])
@pytest.mark.parametrize("n_channels", CHANNELS)
@torch.no_grad()
def test_it_is_the_convolution(n_channels: int, chiral: bool, n_edges: int) -> None:
    convolution = some_convolution(n_channels, chiral=chiral)
    parts, edges = beads(n_channels), some_edges(n_edges)
    assert applies(convolution, parts, edges)
    found = convolved(convolution, parts, edges)
    convolution.double()
    expected = convolution(beads(n_channels, torch.float64), in_double(edges))
    for own, right in zip(found, expected, strict=True):
        assert own.shape == right.shape
        torch.testing.assert_close(own.double(), right, rtol=2e-5, atol=2e-5)


@needs_kernels
@torch.no_grad()
def test_weights_that_change_are_read_anew() -> None:
    convolution, parts, edges = some_convolution(8, chiral=False), beads(8), some_edges(50)
    before = convolved(convolution, parts, edges)
    state = {name: value.clone() for name, value in convolution.state_dict().items()}
    convolution.ends.bias.add_(0.5)
    changed = convolved(convolution, parts, edges)
    assert not torch.equal(changed[0], before[0])
    convolution.load_state_dict(state)
    assert torch.equal(convolved(convolution, parts, edges)[0], before[0])
    convolution.edge.weight.data = 2 * convolution.edge.weight.data
    assert not torch.equal(convolved(convolution, parts, edges)[0], before[0])


@needs_kernels
@torch.no_grad()
def test_features_of_any_layout_are_read_rightly() -> None:
    convolution, edges = some_convolution(16, chiral=False), some_edges(300)
    parts = beads(16)
    turned = [part.transpose(1, 2).contiguous().transpose(1, 2) for part in parts]
    assert not turned[1].is_contiguous()
    for own, right in zip(
        convolved(convolution, turned, edges), convolved(convolution, parts, edges), strict=True
    ):
        assert torch.equal(own, right)


def in_double(edges: EdgeFeatures) -> EdgeFeatures:
    return replace(
        edges,
        attr=edges.attr.double(),
        harmonics=edges.harmonics.double(),
        envelope=edges.envelope.double(),
    )


@needs_kernels
@torch.no_grad()
def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "EDGES_PER_SHARE", 10)
    convolution, parts = some_convolution(32, chiral=False), beads(32)
    edges, before = some_edges(500), torch.get_num_threads()
    found = []
    try:
        for n_threads in (1, 2, 5):
            torch.set_num_threads(n_threads)
            found.append(convolved(convolution, parts, edges))
    finally:
        torch.set_num_threads(before)
    for own in found[1:]:
        assert all(torch.equal(*pair) for pair in zip(own, found[0], strict=True))


@needs_kernels
@torch.no_grad()
def test_large_and_small_numbers_stay_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    convolution, edges = some_convolution(8, chiral=False), some_edges(100)
    for scale in (1e-30, 1e3):
        parts = [scale * part for part in beads(8)]
        found = convolved(convolution, parts, edges)
        with monkeypatch.context() as without:
            without.setattr(kernels, "_kernels", None)
            expected = convolution(parts, edges)
        for own, right in zip(found, expected, strict=True):
            assert bool(own.isfinite().all())
            torch.testing.assert_close(own, right, rtol=1e-4, atol=1e-4 * float(right.abs().max()))


@needs_kernels
def test_it_is_for_inference_in_single_precision_only() -> None:
    convolution, edges = some_convolution(8, chiral=False), some_edges(20)
    parts = beads(8)
    assert not applies(convolution, parts, edges)  # gradients are wanted
    with torch.no_grad():
        assert applies(convolution, parts, edges)
        assert not applies(convolution, beads(8, torch.float64), edges)
        assert not applies(some_convolution(12, chiral=False), beads(12), edges)
        assert not applies(convolution, parts, some_edges(20, n_invariants=129))
        unknown = replace(edges, chirality=None)
        assert applies(convolution, parts, unknown)
        assert not applies(some_convolution(8, chiral=True), parts, unknown)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not applies(convolution, parts, edges)


def test_without_it_a_convolution_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    convolution, edges = some_convolution(8, chiral=True), some_edges(200)
    parts = beads(8)
    with torch.no_grad():
        found = convolution(parts, edges)
        monkeypatch.setattr(kernels, "_kernels", None)
        assert not is_built()
        expected = convolution(parts, edges)
    for own, right in zip(found, expected, strict=True):
        torch.testing.assert_close(own, right, rtol=1e-4, atol=1e-5)

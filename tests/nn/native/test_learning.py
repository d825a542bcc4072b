"""Messages with their gradient in one pass each: those of the operations one by one."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cgsim.hardware.compile import has_compiler
from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.edges import EdgeFeatures, spherical_harmonics
from cgsim.nn.native import gradients, learning
from cgsim.nn.native.gradients import is_built
from cgsim.nn.native.kernels import CHANNELS
from cgsim.nn.native.learning import learns, learnt
from cgsim.testing.systems import perturb_parameters

N_BEADS, N_WINDOWS, N_INVARIANTS = 30, 3, 21
needs_kernels = pytest.mark.skipif(not is_built(), reason="built without a C++ compiler")


@pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")
def test_it_is_built_where_there_is_a_compiler() -> None:
    assert is_built()


def some_edges(n_edges: int) -> EdgeFeatures:
    """Edges between the beads of windows; some beads have none."""
    torch.manual_seed(0)
    window, size = torch.randint(N_WINDOWS, (n_edges,)), N_BEADS // N_WINDOWS
    source, into = (torch.randint(1, size, (n_edges,)) + size * window for _ in range(2))
    order = (into * N_BEADS + source).argsort()
    return EdgeFeatures(
        torch.randn(n_edges, N_INVARIANTS),
        spherical_harmonics(1)(torch.randn(n_edges, 3)),
        torch.rand(n_edges),
        torch.stack([source, into])[:, order],
        chirality=torch.randint(-1, 2, (N_BEADS,)),
    )


def some_convolution(n_channels: int, *, chiral: bool = False) -> EquivariantConvolution:
    torch.manual_seed(1)
    convolution = EquivariantConvolution(n_channels, lmax=1, n_edge=N_INVARIANTS, chiral=chiral)
    perturb_parameters(convolution, scale=0.3)
    return convolution


def in_type(edges: EdgeFeatures, dtype: torch.dtype) -> EdgeFeatures:
    return replace(
        edges,
        attr=edges.attr.to(dtype),
        harmonics=edges.harmonics.to(dtype),
        envelope=edges.envelope.to(dtype),
    )


Forward = Callable[[EquivariantConvolution, list[Tensor], EdgeFeatures], list[Tensor]]


def one_by_one(
    convolution: EquivariantConvolution, parts: list[Tensor], edges: EdgeFeatures
) -> list[Tensor]:
    """The operations of a convolution, as it is defined."""
    own = convolution.from_self(parts)
    sums = convolution.messages(parts, convolution.ends(parts[0][:, 0]), edges)
    received = convolution.from_messages(sums)
    gated = convolution.gate([a + b for a, b in zip(own, received, strict=True)])
    return [part + change for part, change in zip(parts, gated, strict=True)]


def results_and_slopes(
    forward: Forward, convolution: EquivariantConvolution, edges: EdgeFeatures
) -> list[Tensor]:
    """Of one way to compute them, with slopes of all that is learnt or comes from what is."""
    torch.manual_seed(2)
    n_channels, dtype = convolution.n_channels, edges.attr.dtype
    shapes = [(N_BEADS, 1, n_channels), (N_BEADS, 3, n_channels)]
    parts = [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]
    edges = replace(edges, attr=edges.attr.clone().requires_grad_())
    results = forward(convolution, parts, edges)
    total = torch.stack([(torch.randn(own.shape).to(own) * own).sum() for own in results]).sum()
    slopes = torch.autograd.grad(total, [*parts, edges.attr, *convolution.parameters()])
    return [own.detach() for own in (*results, *slopes)]


def assert_alike(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for own, right in zip(found, expected, strict=True):
        scale = float(right.abs().max()) if right.numel() else 0.0
        torch.testing.assert_close(own.to(right), right, rtol=tolerance, atol=tolerance * scale)


@needs_kernels
@pytest.mark.parametrize("n_edges", [0, 1, 24, 61, 500])
@pytest.mark.parametrize("chiral", [False, True])
@pytest.mark.parametrize("n_channels", CHANNELS)
def test_results_and_slopes_are_those_of_the_operations(
    n_channels: int, chiral: bool, n_edges: int
) -> None:
    convolution, edges = some_convolution(n_channels, chiral=chiral), some_edges(n_edges)
    found = results_and_slopes(learnt, convolution, edges)
    in_double = deepcopy(convolution).double()
    expected = results_and_slopes(one_by_one, in_double, in_type(edges, torch.float64))
    assert_alike(found, expected, 1e-5)


@needs_kernels
def test_a_convolution_takes_this_way_when_it_learns() -> None:
    convolution, edges = some_convolution(16), some_edges(200)
    beads = [torch.randn(N_BEADS, components, 16) for components in (1, 3)]
    here = convolution(beads, edges)[1].grad_fn
    names, open_nodes = set(), [here]
    while open_nodes:
        node = open_nodes.pop()
        if node is not None:
            names.add(node.name())
            open_nodes += [child for child, _ in node.next_functions]
    assert "_LearntBackward" in names


@needs_kernels
@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_threads_change_only_roundings(monkeypatch: pytest.MonkeyPatch, n_threads: int) -> None:
    monkeypatch.setattr(learning, "EDGES_PER_THREAD", 10)
    convolution, edges = some_convolution(32), some_edges(500)
    before = torch.get_num_threads()
    expected = results_and_slopes(one_by_one, convolution, edges)
    try:
        torch.set_num_threads(n_threads)
        found = results_and_slopes(learnt, convolution, edges)
    finally:
        torch.set_num_threads(before)
    assert_alike(found, expected, 1e-4)


@needs_kernels
def test_it_leaves_to_others_what_it_cannot_do() -> None:
    convolution, edges = some_convolution(8), some_edges(20)
    parts = [torch.randn(N_BEADS, components, 8) for components in (1, 3)]
    assert learns(convolution, parts, edges)
    assert not learns(convolution, [part.double() for part in parts], edges)
    assert not learns(some_convolution(12), parts, edges)
    moving = replace(edges, harmonics=edges.harmonics.clone().requires_grad_())
    assert not learns(convolution, parts, moving)  # the slope of positions is wanted
    fading = replace(edges, envelope=edges.envelope.clone().requires_grad_())
    assert not learns(convolution, parts, fading)
    with torch.no_grad():
        assert not learns(convolution, parts, edges)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not learns(convolution, parts, edges)


def test_without_it_a_convolution_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(
        convolution: EquivariantConvolution, parts: list[Tensor], edges: EdgeFeatures
    ) -> list[Tensor]:
        return convolution(parts, edges)

    convolution, edges = some_convolution(8, chiral=True), some_edges(200)
    found = results_and_slopes(forward, convolution, edges)
    monkeypatch.setattr(gradients, "_learning", None)
    assert not is_built()
    assert_alike(found, results_and_slopes(forward, convolution, edges), 1e-4)

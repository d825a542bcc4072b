"""The convolution is equivariant, and does not notice edges of no weight."""

import pytest
import torch
from e3nn import o3
from torch import Tensor

from cgsim.nn.convolution import EquivariantConvolution
from cgsim.nn.edges import EdgeFeatures
from cgsim.nn.linear import by_order, joined
from cgsim.nn.product import hidden_irreps
from cgsim.testing.checks import random_rotation
from cgsim.testing.systems import perturb_parameters

N_EDGE = 3


@pytest.fixture(params=[1, 2])
def lmax(request: pytest.FixtureRequest) -> int:
    torch.set_default_dtype(torch.float64)
    return int(request.param)


def inputs_of(lmax: int, *, n_channels: int = 4) -> dict[str, Tensor]:
    """Five beads, all joined."""
    edge_index = torch.tensor([(i, j) for j in range(5) for i in range(5) if i != j]).T
    vector = torch.randn(20, 3)
    irreps = o3.Irreps.spherical_harmonics(lmax)
    return {
        "features": torch.randn(5, hidden_irreps(n_channels, lmax).dim),
        "edge_attr": torch.randn(20, N_EDGE),
        "harmonics": o3.spherical_harmonics(irreps, vector, True, "component"),
        "envelope": torch.rand(20),
        "edge_index": edge_index,
    }


def run(layer: EquivariantConvolution, inputs: dict[str, Tensor]) -> Tensor:
    edges = EdgeFeatures(
        inputs["edge_attr"], inputs["harmonics"], inputs["envelope"], inputs["edge_index"]
    )
    lmax = round((inputs["features"].shape[1] / 4) ** 0.5) - 1
    return joined(layer(by_order(inputs["features"], (4,) * (lmax + 1)), edges))


def only(inputs: dict[str, Tensor], edges: Tensor) -> dict[str, Tensor]:
    """The same beads with some of the edges, in the order given."""
    kept = {key: inputs[key][edges] for key in ("edge_attr", "harmonics", "envelope")}
    return inputs | kept | {"edge_index": inputs["edge_index"][:, edges]}


@pytest.mark.parametrize("sign", [1, -1], ids=["rotation", "reflection"])
def test_equivariant(lmax: int, sign: int) -> None:
    layer = EquivariantConvolution(4, lmax=lmax, n_edge=N_EDGE)
    perturb_parameters(layer)
    inputs = inputs_of(lmax)
    matrix = sign * random_rotation(seed=2)
    turn = hidden_irreps(4, lmax).D_from_matrix(matrix)
    turn_edge = o3.Irreps.spherical_harmonics(lmax).D_from_matrix(matrix)
    turned = inputs | {
        "features": inputs["features"] @ turn.T,
        "harmonics": inputs["harmonics"] @ turn_edge.T,
    }
    before = run(layer, inputs)
    assert (before - inputs["features"]).abs().min() > 1e-6
    torch.testing.assert_close(run(layer, turned), before @ turn.T, rtol=1e-10, atol=1e-10)


def test_order_of_edges_does_not_matter(lmax: int) -> None:
    layer = EquivariantConvolution(4, lmax=lmax, n_edge=N_EDGE)
    inputs = inputs_of(lmax)
    shuffled = only(inputs, torch.randperm(20))
    torch.testing.assert_close(run(layer, shuffled), run(layer, inputs), rtol=1e-12, atol=1e-12)


def test_edge_of_zero_envelope_is_no_edge(lmax: int) -> None:
    layer = EquivariantConvolution(4, lmax=lmax, n_edge=N_EDGE)
    inputs = inputs_of(lmax)
    inputs["envelope"][7] = 0.0
    fewer = only(inputs, torch.arange(20) != 7)
    torch.testing.assert_close(run(layer, fewer), run(layer, inputs), rtol=1e-12, atol=1e-12)
    inputs["envelope"][7] = 0.5
    assert (run(layer, fewer) - run(layer, inputs)).abs().max() > 1e-6


def test_messages_go_from_source_to_destination(lmax: int) -> None:
    layer = EquivariantConvolution(4, lmax=lmax, n_edge=N_EDGE)
    inputs = inputs_of(lmax)
    edge = int((inputs["edge_index"] == torch.tensor([[3], [1]])).all(dim=0).nonzero())
    one, none = only(inputs, torch.tensor([edge])), only(inputs, torch.tensor([], dtype=torch.long))
    moved = (run(layer, one) - run(layer, none)).abs().amax(dim=1)
    assert moved[1] > 1e-6
    torch.testing.assert_close(moved[[0, 2, 3, 4]], torch.zeros(4))

"""Equivariant linear maps and gates are those of e3nn, weight by weight."""

import pytest
import torch
from e3nn import nn as e3nn_nn
from e3nn import o3
from torch import nn

from cgsim.nn.gate import Gate
from cgsim.nn.linear import EquivariantLinear, by_order, channels_of, joined


def test_split_and_joined() -> None:
    features = torch.randn(5, 2 + 3 * 3 + 4 * 5)
    parts = by_order(features, (2, 3, 4))
    assert [tuple(part.shape) for part in parts] == [(5, 1, 2), (5, 3, 3), (5, 5, 4)]
    assert torch.equal(parts[1][:, :, 1], features[:, 5:8])  # the second vector of every bead
    assert torch.equal(joined(parts), features)


@pytest.mark.parametrize(
    ("irreps_in", "irreps_out"),
    [
        ("4x0e + 3x1o", "2x0e + 5x1o"),
        ("4x0e + 3x1o + 2x2e + 1x1o", "6x0e + 5x1o + 3x2e"),  # one more vector, not in place
    ],
)
def test_linear_is_that_of_e3nn(irreps_in: str, irreps_out: str) -> None:
    theirs = o3.Linear(irreps_in, irreps_out)
    ours = EquivariantLinear(o3.Irreps(irreps_in), o3.Irreps(irreps_out))
    ours.load_state_dict({"weight": theirs.weight})
    features = torch.randn(7, o3.Irreps(irreps_in).dim)
    parts = [
        torch.cat(
            [
                features[:, place].unflatten(1, (term.mul, -1))
                for place, term in zip(
                    o3.Irreps(irreps_in).slices(), o3.Irreps(irreps_in), strict=True
                )
                if term.ir.l == order
            ],
            dim=1,
        ).transpose(1, 2)
        for order in range(o3.Irreps(irreps_in).lmax + 1)
    ]
    torch.testing.assert_close(joined(ours(parts)), theirs(features))


def test_weights_start_as_those_of_e3nn() -> None:
    torch.manual_seed(3)
    theirs = o3.Linear("4x0e + 3x1o", "2x0e + 5x1o")
    torch.manual_seed(3)
    ours = EquivariantLinear(o3.Irreps("4x0e + 3x1o"), o3.Irreps("2x0e + 5x1o"))
    assert torch.equal(ours.weight, theirs.weight)


@pytest.mark.parametrize("lmax", [1, 2])
def test_gate_is_that_of_e3nn(lmax: int) -> None:
    others = o3.Irreps([(3, (order, (-1) ** order)) for order in range(1, lmax + 1)])
    theirs = e3nn_nn.Gate(
        o3.Irreps("3x0e"),
        [nn.functional.silu],
        o3.Irreps([(3 * lmax, "0e")]),
        [torch.sigmoid],
        others,
    )
    features = torch.randn(6, theirs.irreps_in.dim)
    channels = channels_of(o3.Irreps([(3 * (lmax + 1), "0e"), *others]))
    ours = joined(Gate(3)(by_order(features, channels)))
    torch.testing.assert_close(ours, theirs(features))

"""Multilayer perceptrons."""

import torch
from torch import nn

from cgsim.nn.mlp import mlp, zero_init


def test_layers_alternate_with_silu() -> None:
    network = mlp(3, 5, 2)
    assert [type(layer) for layer in network] == [nn.Linear, nn.SiLU, nn.Linear]
    x = torch.randn(4, 3)
    first, second = network[0], network[2]
    hidden = first(x)
    torch.testing.assert_close(network(x), second(hidden * torch.sigmoid(hidden)))
    assert network(x).shape == (4, 2)


def test_zero_init_silences_a_layer() -> None:
    network = mlp(3, 5, 2)
    assert network(torch.randn(4, 3)).abs().max() > 0
    zero_init(network[-1])
    torch.testing.assert_close(network(torch.randn(4, 3)), torch.zeros(4, 2))

"""A multilayer perceptron."""

from itertools import pairwise

from torch import nn


def mlp(*widths: int) -> nn.Sequential:
    """``W_n silu(... silu(W_1 x + b_1) ...) + b_n``, with layers of the given widths."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def zero_init(layer: nn.Module) -> None:
    """Set the weights and biases of a linear layer to zero, so that its output starts at zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)

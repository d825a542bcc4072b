"""The product of messages: as cgsim writes it out, compiled, and by NVIDIA's cuEquivariance.

What cgsim spends most time on is the product of what neighbours send with the direction of the
edge, summed over the neighbours (`cgsim.nn.product.VectorSum`). cuEquivariance has kernels that
gather, multiply and sum in one; this is what they would bring.
"""

import statistics
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.ledger import Row, need
from benchmarks.speed.floor import timed
from cgsim.hardware.compile import compiled
from cgsim.nn.edges import EdgeFeatures, VectorHarmonics
from cgsim.nn.product import VectorSum

CHANNELS = 32
N_BEADS, N_EDGES = 4000, 120_000  # of 40 chains of 100 beads
N_TIMES = 30
ALIKE = 1e-4  # largest relative difference
PATHS = [0, 3, 1, 2]  # of cuEquivariance, which sorts them by what they give

Sum = Callable[["Messages"], Tensor]


@dataclass(frozen=True)
class Messages:
    """What the product is of.

    Attributes
    ----------
    scalars : [n, 1, n_channels]
    vectors : [n, 3, n_channels]
    weight : [n_edges, 4, n_channels]
        Of the four paths.
    edges
        Their directions, sorted by destination.
    """

    scalars: Tensor
    vectors: Tensor
    weight: Tensor
    edges: EdgeFeatures

    @classmethod
    def random(cls, n_beads: int, n_edges: int, device: str) -> "Messages":
        """Of random beads."""
        random = torch.Generator().manual_seed(0)
        ends = torch.randint(n_beads, (2, n_edges), generator=random)
        index = torch.stack([ends[0], ends[1].sort().values]).to(device)
        vector = torch.randn(n_edges, 3, generator=random).to(device)
        harmonics = VectorHarmonics()(vector)
        one = torch.ones(n_edges, 1, device=device)
        return cls(
            torch.randn(n_beads, 1, CHANNELS, generator=random).to(device),
            torch.randn(n_beads, 3, CHANNELS, generator=random).to(device),
            torch.randn(n_edges, 4, CHANNELS, generator=random).to(device),
            EdgeFeatures(one, harmonics, one[:, 0], edge_index=index),
        )


def rows(options: Namespace) -> Iterator[Row]:
    """Without cuEquivariance, and with it."""
    yield Row("product/cgsim", lambda: of_cgsim(options), seconds=120.0)
    yield Row("product/cuEquivariance", lambda: of_cuequivariance(options), seconds=120.0)


def of_cgsim(options: Namespace) -> dict[str, Any]:
    """Operation by operation, and compiled."""
    product = VectorSum(CHANNELS)

    def eager(messages: Messages) -> Tensor:
        parts = [messages.scalars, messages.vectors]
        weight = messages.weight.flatten(1)
        return _joined(product(parts, messages.edges, weight))

    ways: dict[str, tuple[Sum, Sum]] = {"eager": (eager, eager)}
    if not options.no_compile:
        ways["compiled"] = compiled(eager), compiled(eager)
    return _times(ways, options)


def of_cuequivariance(options: Namespace) -> dict[str, Any]:
    """The same numbers, by its fused kernel on a GPU."""
    need("cuequivariance", "cuequivariance_torch")
    if options.device == "cuda":
        need("cuequivariance_ops_torch")
    import cuequivariance as cue
    import cuequivariance_torch as cuet

    hidden = cue.Irreps("O3", f"{CHANNELS}x0e + {CHANNELS}x1o")
    product = cuet.ChannelWiseTensorProduct(
        hidden,
        cue.Irreps("O3", "0e + 1o"),
        hidden,
        layout=cue.ir_mul,
        shared_weights=False,
        internal_weights=False,
        device=torch.device(options.device),
        method="naive" if options.device == "cpu" else "uniform_1d",
    )

    def fused(messages: Messages) -> Tensor:
        source, destination = messages.edges.edge_index
        n_beads = len(messages.scalars)
        total: Tensor = product(
            torch.cat([messages.scalars.flatten(1), messages.vectors.flatten(1)], dim=1),
            messages.edges.harmonics,
            messages.weight[:, PATHS].flatten(1),
            indices_1=source,
            indices_out=destination,
            size_out=n_beads,
        )
        scalars, vectors = total.split([2 * CHANNELS, 6 * CHANNELS], dim=1)
        both = vectors.view(n_beads, 2, 3, CHANNELS).transpose(1, 2).reshape(n_beads, 3, -1)
        return _joined([scalars[:, None], both])

    return _times({"fused": (fused, fused)}, options)


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _times(ways: dict[str, tuple[Sum, Sum]], options: Namespace) -> dict[str, Any]:
    """Median seconds of each, without and with the gradient; all must agree with cgsim's own.

    Parameters
    ----------
    ways
        What is called without gradients, and with: what is compiled is compiled for one.
    """
    n_beads, n_edges = (50, 300) if options.dry else (N_BEADS, N_EDGES)
    messages = Messages.random(n_beads, n_edges, options.device)
    product = VectorSum(CHANNELS)
    parts = [messages.scalars, messages.vectors]
    expected = _joined(product(parts, messages.edges, messages.weight.flatten(1)))
    found: dict[str, Any] = {"n_beads": n_beads, "n_edges": n_edges, "n_channels": CHANNELS}
    for name, (way, with_gradient) in ways.items():
        with torch.no_grad():
            error = float((way(messages) - expected).abs().max() / expected.abs().max())
        if not error <= ALIKE:
            raise ArithmeticError(f"{name}: differs by {error:.2g}")
        found[name] = {
            "seconds": _median(partial(_forward, way, messages), options),
            "seconds_with_gradient": _median(partial(_gradient, with_gradient, messages), options),
            "relative_error": error,
        }
    return found


def _median(action: Callable[[], object], options: Namespace) -> float:
    durations = []
    for _ in range(2 if options.dry else N_TIMES):
        with timed(options.device) as seconds:
            action()
        durations.append(seconds[0])
    return statistics.median(durations)


@torch.no_grad()
def _forward(way: Sum, messages: Messages) -> object:
    return way(messages)


def _gradient(way: Sum, messages: Messages) -> object:
    own = messages.scalars, messages.vectors, messages.weight
    scalars, vectors, weight = leaves = [each.detach().requires_grad_() for each in own]
    total = way(Messages(scalars, vectors, weight, messages.edges)).square().sum()
    return torch.autograd.grad(total, leaves)

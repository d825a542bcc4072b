"""Training batches that do not fit into memory: in parts, whose gradients are added up."""

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from cgsim.data.augmentation import Augmentation, count_graphs
from cgsim.data.graphs import CGData
from cgsim.hardware.memory import release_memory, until_it_fits
from cgsim.model.simulator import Simulator
from cgsim.training.compiled import Loss, Losses

_OF_EDGES = ("edge_index", "edge_hop", "edge_reach")
_OF_ATOMS = ("atom_type", "atom_edge_index", "atom_kind", "bead_index")  # all windows share them


class AccumulatedLoss:
    """The loss of a batch with its gradient, in as many parts as memory asks for.

    The gradient is computed with the loss, so that running out of memory in either is noticed here:
    the batch is computed again in parts of half the size, and so are all later ones, with a
    warning. Loss and gradient are those of the whole batch to round-off, for the noise that was
    drawn: every part draws its own. Processes that train together may have different parts.

    Parameters
    ----------
    simulator
        What is trained.
    total
        The loss to be minimised, of the losses of `Simulator.loss`; linear.

    Attributes
    ----------
    n_parts
        Of a batch.
    """

    def __init__(self, simulator: Simulator, total: Callable[[Losses], Tensor]) -> None:
        self.simulator, self.total = simulator, total
        self.n_parts = 1

    def __call__(
        self, loss: Loss, batch: CGData, *, generator: torch.Generator, augmentation: Augmentation
    ) -> tuple[Tensor, Losses]:
        """The loss to be minimised, ready for ``backward``, and what it is the sum of.

        Parameters
        ----------
        loss
            Of a whole batch; parts, which are of other shapes, have `Simulator.loss`.

        Raises
        ------
        MemoryError
            If a single window does not fit.
        """

        def of_part(own: CGData, loss: Loss) -> Losses:
            return loss(own, generator=generator, augmentation=augmentation)

        def in_parts() -> tuple[Tensor, Losses]:
            if self.n_parts == 1:
                return self._accumulated([batch], lambda own: of_part(own, loss))
            parts = windows_in_parts(batch, self.n_parts)
            return self._accumulated(parts, lambda own: of_part(own, self.simulator.loss))

        return until_it_fits(in_parts, lambda said: self._halve(batch, said), generator)

    def _accumulated(
        self, parts: Sequence[CGData], loss: Callable[[CGData], Losses]
    ) -> tuple[Tensor, Losses]:
        weights = [weight for weight in self.simulator.parameters() if weight.requires_grad]
        slopes: list[Tensor | None] = [None] * len(weights)
        totals: list[Tensor] = []
        sums: Losses = {}
        shares = [_n_learned(part) for part in parts]
        for part, own in zip(parts, shares, strict=True):
            share = own / sum(shares)
            losses = loss(part)
            total = share * self.total(losses)
            with torch.autocast(total.device.type, enabled=False):  # as it was computed
                found = torch.autograd.grad(total, weights, allow_unused=True)
            slopes = [_added(sum_, slope) for sum_, slope in zip(slopes, found, strict=True)]
            totals.append(total.detach())
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + share * value.detach()
        return _with_gradient(torch.stack(totals).sum(), weights, slopes), sums

    def _halve(self, batch: CGData, said: str) -> None:
        """Twice as many parts.

        Raises
        ------
        MemoryError
            If there was one window in each.
        """
        n_windows, device = count_graphs(batch), batch.pos.device
        before = -(-n_windows // self.n_parts)
        if before == 1:
            raise MemoryError(
                f"the loss of one window of {len(batch.pos) // n_windows} beads does not fit into "
                f"the memory of {device}: free some, or take a smaller network ({said})"
            )
        self.n_parts *= 2
        release_memory(device)
        warnings.warn(
            f"memory ran out on {device}: the gradient of a batch of {n_windows} windows is added "
            f"up over parts of {-(-n_windows // self.n_parts)} windows instead of {before} from "
            f"here on ({said})",
            stacklevel=3,
        )


def windows_in_parts(batch: CGData, n_parts: int) -> list[CGData]:
    """Cut a batch of windows into so many parts, of sizes as equal as can be.

    They share the atom graphs of the batch. Of fewer windows than parts, each is one.
    """
    n_windows = count_graphs(batch)
    bounds = torch.linspace(0, n_windows, min(n_parts, n_windows) + 1).round().long().tolist()
    return [_windows(batch, first, last) for first, last in pairwise(bounds)]


def _windows(batch: CGData, first: int, last: int) -> CGData:
    """Some windows of a batch, from the first to the one before the last."""
    bounds = torch.tensor([first, last], device=batch.pos.device)
    start, stop = torch.searchsorted(batch.batch, bounds).tolist()
    destination = batch.edge_index[1]
    edges = ((destination >= start) & (destination < stop)).nonzero()[:, 0]
    part = CGData(num_nodes=stop - start)
    for name, value in batch.to_dict().items():
        if name in _OF_ATOMS:
            part[name] = value
        elif name in _OF_EDGES:
            part[name] = value[:, edges] if name == "edge_index" else value[edges]
        elif name == "cell":
            part[name] = value[first:last]
        elif isinstance(value, Tensor):
            part[name] = value[start:stop]
    part.edge_index, part.batch = part.edge_index - start, part.batch - first
    return part


def _n_learned(batch: CGData) -> int:
    """Beads that a batch is averaged over."""
    return int(batch.core.sum()) if "core" in batch else len(batch.pos)


def _added(total: Tensor | None, value: Tensor | None) -> Tensor | None:
    if total is None or value is None:
        return value if total is None else total
    return total + value


def _with_gradient(
    value: Tensor, weights: Sequence[Tensor], slopes: Sequence[Tensor | None]
) -> Tensor:
    """A value whose gradient is known already; weights that it does not depend on stay alone."""
    pairs = [(w, slope) for w, slope in zip(weights, slopes, strict=True) if slope is not None]
    known = [slope for _, slope in pairs]
    result: Tensor = _KnownGradient.apply(value, known, *(weight for weight, _ in pairs))
    return result


class _KnownGradient(torch.autograd.Function):
    """The identity on a value, with a given gradient with respect to weights."""

    @staticmethod
    def forward(
        ctx: "torch.autograd.function.FunctionCtx",
        value: Tensor,
        slopes: list[Tensor],
        *weights: Tensor,
    ) -> Tensor:
        ctx.slopes = slopes  # type: ignore[attr-defined]
        return value.clone()

    @staticmethod
    def backward(
        ctx: "torch.autograd.function.FunctionCtx", slope: Tensor
    ) -> tuple[Tensor | None, ...]:
        return None, None, *(slope * own for own in ctx.slopes)  # type: ignore[attr-defined]

"""Training batches that do not fit into memory: in parts, whose gradients are added up."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cgsim.data.augmentation import Augmentation, count_graphs
from cgsim.data.graphs import CGData
from cgsim.hardware.memory import release_memory, until_it_fits
from cgsim.model.simulator import Simulator
from cgsim.training.compiled import Loss, Losses
from cgsim.training.parts import windows_in_parts
from cgsim.training.pieces import Piece, PiecewiseLoss


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
            if isinstance(loss, PiecewiseLoss):
                return self._in_pieces(loss, batch, generator=generator, augmentation=augmentation)
            if self.n_parts == 1:
                return self._accumulated([batch], lambda own: of_part(own, loss))
            parts = windows_in_parts(batch, self.n_parts)
            return self._accumulated(parts, lambda own: of_part(own, self.simulator.loss))

        return until_it_fits(in_parts, lambda said: self._halve(batch, said), generator)

    def _accumulated(
        self, parts: Sequence[CGData], loss: Callable[[CGData], Losses]
    ) -> tuple[Tensor, Losses]:
        weights = self._weights()
        n_learned = sum(map(_n_learned, parts))
        learnt = [
            self._learnt(loss(part), weights, share=_n_learned(part) / n_learned) for part in parts
        ]
        return _sum(learnt, weights)

    def _in_pieces(
        self,
        loss: PiecewiseLoss,
        batch: CGData,
        *,
        generator: torch.Generator,
        augmentation: Augmentation,
    ) -> tuple[Tensor, Losses]:
        self.n_parts = max(self.n_parts, min(loss.n_pieces(batch), count_graphs(batch)))
        pieces, embedding = loss.pieces(
            batch, self.n_parts, generator=generator, augmentation=augmentation
        )
        weights, n_learned = self._weights(), _n_learned(batch)

        def learn(piece: Piece) -> _Learnt:
            inputs = [*weights, piece.embedding] if piece.embedding.requires_grad else weights
            share = _n_learned(piece.batch) / n_learned
            return self._learnt(piece.losses(), inputs, share=share)

        learnt = loss.map(learn, pieces)
        if not embedding.requires_grad:
            return _sum(learnt, weights)
        at_embedding = torch.cat(
            [
                _or_zeros(own.slopes.pop(), piece.embedding)
                for own, piece in zip(learnt, pieces, strict=True)
            ]
        )
        with torch.autocast(embedding.device.type, enabled=False):
            found = torch.autograd.grad(embedding, weights, at_embedding, allow_unused=True)
        return _sum([*learnt, _Learnt(torch.zeros_like(learnt[0].total), {}, list(found))], weights)

    def _weights(self) -> list[Tensor]:
        return [weight for weight in self.simulator.parameters() if weight.requires_grad]

    def _learnt(self, losses: Losses, inputs: Sequence[Tensor], *, share: float) -> "_Learnt":
        """What a part has to say, and lets go of all else."""
        total = share * self.total(losses)
        with torch.autocast(total.device.type, enabled=False):  # as it was computed
            slopes = torch.autograd.grad(total, inputs, allow_unused=True)
        own = {name: share * value.detach() for name, value in losses.items()}
        return _Learnt(total.detach(), own, list(slopes))

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


def _n_learned(batch: CGData) -> int:
    """Beads that a batch is averaged over."""
    return int(batch.core.sum()) if "core" in batch else len(batch.pos)


@dataclass(frozen=True)
class _Learnt:
    """The share of some windows in loss, losses and gradient."""

    total: Tensor
    losses: Losses
    slopes: list[Tensor | None]


def _sum(parts: Sequence[_Learnt], weights: Sequence[Tensor]) -> tuple[Tensor, Losses]:
    """Of all parts, in their order."""
    slopes: list[Tensor | None] = [None] * len(weights)
    sums: Losses = {}
    for part in parts:
        slopes = [_added(sum_, slope) for sum_, slope in zip(slopes, part.slopes, strict=True)]
        for name, value in part.losses.items():
            sums[name] = sums.get(name, 0) + value
    total = torch.stack([part.total for part in parts]).sum()
    return _with_gradient(total, weights, slopes), sums


def _or_zeros(slope: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if slope is None else slope


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

"""Operations that would make a host wait for a GPU are found, and no others."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import pytest
import torch
from torch import Tensor, nn

from cgsim.testing.waits import CUDA, PretendedCuda, WaitError, no_waits

WAITING: dict[str, Callable[[Tensor], object]] = {
    "a branch": lambda x: bool((x > 0).any()),
    "a number": lambda x: float(x.sum()),
    "a list": lambda x: x.tolist(),
    "an array": lambda x: x.numpy(),
    "the host": lambda x: x.cpu(),
    "a mask": lambda x: x[x > 0],
    "a mask, written to": lambda x: x.clone().index_put_((x > 0,), x.new_zeros(())),
    "nonzero": lambda x: x.nonzero(),
    "masked_select": lambda x: x.masked_select(x > 0),
    "unique": lambda x: x.unique(),
    "bincount": lambda x: x.long().abs().bincount(minlength=3),
    "repeat_interleave": lambda x: torch.repeat_interleave(x.long().abs()),
    "equal": lambda x: torch.equal(x, x),
}
ASYNCHRONOUS: dict[str, Callable[[Tensor], object]] = {
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "a slice": lambda x: x[1:-1],
    "an index": lambda x: x[torch.zeros(2, dtype=torch.long, device=x.device)],
    "index_add": lambda x: x.index_add(0, torch.zeros_like(x, dtype=torch.long), x),
    "repeat_interleave of known size": lambda x: torch.repeat_interleave(
        torch.ones_like(x, dtype=torch.long), output_size=len(x)
    ),
    "cholesky": lambda x: torch.linalg.cholesky_ex(torch.diag(x.exp())).L,
    "random numbers": lambda x: torch.randn(3, device=x.device),
    "a new tensor": lambda x: x.new_zeros(3) + 1.0,
}


@pytest.mark.parametrize("name", list(WAITING))
def test_what_waits_is_found(name: str) -> None:
    value = torch.tensor([1.0, -2.0, 3.0])
    with pytest.raises(WaitError), no_waits():
        WAITING[name](value)


@pytest.mark.parametrize("name", list(ASYNCHRONOUS))
@pytest.mark.parametrize("on_gpu", [False, True])
def test_what_does_not_wait_may_be_done(name: str, on_gpu: bool) -> None:
    value, gpu = torch.tensor([1.0, -2.0, 3.0]), PretendedCuda()
    if not on_gpu:
        with no_waits():
            ASYNCHRONOUS[name](value)
        return
    pretended = gpu.copy(value)
    with gpu, no_waits():
        found = ASYNCHRONOUS[name](pretended)
    assert isinstance(found, Tensor)
    assert found.device == CUDA


def test_copies_between_devices_are_found() -> None:
    gpu = PretendedCuda()
    value = gpu.copy(torch.ones(3))
    for action in (
        lambda: value.cpu(),
        lambda: value.to(torch.device("cpu")),
        lambda: value[torch.triu_indices(1, 1)[0]],
        lambda: torch.ones(3).to(value),
    ):
        with pytest.raises(WaitError), gpu, no_waits():
            action()


def test_types_of_what_was_computed() -> None:
    with no_waits() as operations:
        _ = torch.ones(2, dtype=torch.float64) * 2 + torch.ones(2)
    assert operations.dtypes["mul"] == {torch.float64}
    assert operations.dtypes["ones"] == {torch.float64, torch.float32}


@dataclass(frozen=True)
class _Pair:
    first: Tensor
    second: Tensor

    @cached_property
    def total(self) -> Tensor:
        return self.first + self.second


def test_a_copy_keeps_what_is_one_thing_one() -> None:
    """And leaves the original alone."""
    shared = torch.ones(2, 3)
    pair = _Pair(shared, shared)
    _ = pair.total
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    gpu = PretendedCuda()
    copied, other = gpu.copy((pair, network))
    assert copied.first is copied.second
    assert "total" in vars(copied)
    assert pair.first is shared
    assert next(network.parameters()).device.type == "cpu"
    with gpu:
        out = other(copied.total)
    assert (out.device, out.shape) == (CUDA, (2, 4))

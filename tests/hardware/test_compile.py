"""Functions are compiled apart from all others, and without what a PyTorch does not have."""

import pytest
import torch
from torch import Tensor

from cgsim.hardware.compile import compiled, has_compiler

TRIED = "2.13"  # version of PyTorch for which skipping the guards was tried and measured

needs_compiler = pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")


def scaled(values: Tensor, factor: Tensor) -> Tensor:
    return values * factor + 1


@pytest.mark.skipif(not torch.__version__.startswith(TRIED), reason=f"tried with PyTorch {TRIED}")
def test_this_pytorch_can_leave_out_the_guards() -> None:
    assert callable(torch.compiler.skip_all_guards_unsafe)


@needs_compiler
@pytest.mark.parametrize("has_name", [True, False])
def test_the_numbers_are_the_same(has_name: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_name:  # an older PyTorch, or a newer one
        monkeypatch.delattr(torch.compiler, "skip_all_guards_unsafe", raising=False)
    values, factor = torch.randn(8), torch.tensor(2.0)
    torch.testing.assert_close(compiled(scaled)(values, factor), scaled(values, factor))

"""Random numbers like a tensor."""

import torch
from torch import Tensor


def randn_like(value: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers of the shape, type and device of ``value``."""
    return torch.randn(value.shape, dtype=value.dtype, device=value.device, generator=generator)
